// The transform that a frame's stars agree on: one thread a frame, with the arithmetic of _numba/transform.py in the
// same order.

// Before the first fit: nothing seen, every star expected where it is expected, searched for within `search`.
KERNEL void expect(const double *px, const double *py, int stars, int frames, int search, int half, double *bx,
                   double *by, int *radius, double *out, int *status, double *p, unsigned char *keep) {
    long long star = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (star >= (long long)frames * stars) return;
    int reach = search + half + LARGEST_MOVE;
    int known = PLACED(px[star], py[star]);
    bx[star] = known ? px[star] - CORNER(px[star], reach) : nan("");
    by[star] = known ? py[star] - CORNER(py[star], reach) : nan("");
    for (int k = 0; k < 7; k++) out[7 * star + k] = nan("");
    status[star] = OFF;
    keep[star] = 0;
    if (star % stars) return;
    long long frame = star / stars;
    radius[frame] = search;
    p[4 * frame] = 1.0;
    p[4 * frame + 1] = p[4 * frame + 2] = p[4 * frame + 3] = 0.0;
}

// One frame's stars while a transform is sought.
typedef struct {
    int n;
    const double *u, *v;
    double *x, *y, *error, *w, *tol;
    unsigned char *good, *trial, *keep;
} Stars;

// Weighted least-squares rotation and shift from (u, v) to (x, y) of the stars kept.
static __device__ void solve_rigid(const Stars *s, int rotate, double *p) {
    double total = 0.0, mu = 0.0, mv = 0.0, mx = 0.0, my = 0.0, c = 1.0, sine = 0.0;
    for (int i = 0; i < s->n; i++) {
        if (!s->keep[i]) continue;
        total += s->w[i];
        mu += s->w[i] * s->u[i];
        mv += s->w[i] * s->v[i];
        mx += s->w[i] * s->x[i];
        my += s->w[i] * s->y[i];
    }
    mu /= total, mv /= total, mx /= total, my /= total;
    if (rotate) {
        double dot = 0.0, cross = 0.0;
        for (int i = 0; i < s->n; i++) {
            if (!s->keep[i]) continue;
            double du = s->u[i] - mu, dv = s->v[i] - mv, ex = s->x[i] - mx, ey = s->y[i] - my;
            dot += s->w[i] * (du * ex + dv * ey);
            cross += s->w[i] * (du * ey - dv * ex);
        }
        double norm = hypot(dot, cross);
        if (norm > 0.0) c = dot / norm, sine = cross / norm;
    }
    p[0] = c, p[1] = sine;
    p[2] = mx - (c * mu - sine * mv), p[3] = my - (sine * mu + c * mv);
}

// Mark the stars that transform p explains; their number, ties broken by weight.
static __device__ double support(const Stars *s, const double *p, unsigned char *keep) {
    double score = 0.0, weight = 0.0, total = 1e-300;
    for (int i = 0; i < s->n; i++) {
        keep[i] = 0;
        if (!s->good[i]) continue;
        total += s->w[i];
        double rx = s->x[i] - (p[0] * s->u[i] - p[1] * s->v[i] + p[2]);
        double ry = s->y[i] - (p[1] * s->u[i] + p[0] * s->v[i] + p[3]);
        if (rx * rx + ry * ry <= s->tol[i] * s->tol[i]) {
            keep[i] = 1;
            score += 1.0;
            weight += s->w[i];
        }
    }
    return score + 0.999 * weight / total;
}

static __device__ double try_pairs(const Stars *s, double max_sin, double best, double *p) {
    double trial[4];
    for (int i = 0; i < s->n; i++)
        for (int k = i + 1; k < s->n; k++) {
            if (!(s->good[i] && s->good[k])) continue;
            double du = s->u[k] - s->u[i], dv = s->v[k] - s->v[i], ex = s->x[k] - s->x[i], ey = s->y[k] - s->y[i];
            double a = hypot(du, dv), b = hypot(ex, ey);
            if (a < 30.0 || fabs(a - b) > s->tol[i] + s->tol[k]) continue;
            double c = (du * ex + dv * ey) / (a * b), sine = (du * ey - dv * ex) / (a * b);
            if (c < 0.0 || fabs(sine) > max_sin) continue;
            trial[0] = c, trial[1] = sine;
            trial[2] = 0.5 * (s->x[i] + s->x[k] - c * (s->u[i] + s->u[k]) + sine * (s->v[i] + s->v[k]));
            trial[3] = 0.5 * (s->y[i] + s->y[k] - sine * (s->u[i] + s->u[k]) - c * (s->v[i] + s->v[k]));
            double score = support(s, trial, s->trial);
            if (score > best + 0.5) {
                best = score;
                for (int j = 0; j < 4; j++) p[j] = trial[j];
            }
        }
    return best;
}

// Transform most stars agree on, and the number of stars used; see consensus() in _numba/transform.py.
static __device__ int consensus(const Stars *s, int rotate, double floor_px, double loose, double max_sin, double *p) {
    double trial[4], best = 0.0;
    for (int i = 0; i < s->n; i++) {
        s->w[i] = s->tol[i] = 0.0;
        if (!s->good[i]) continue;
        s->w[i] = 1.0 / (s->error[i] * s->error[i] + floor_px * floor_px);
        s->tol[i] = loose + 4.0 * s->error[i];
    }
    for (int i = 0; i < s->n; i++) {
        if (!s->good[i]) continue;
        trial[0] = 1.0, trial[1] = 0.0, trial[2] = s->x[i] - s->u[i], trial[3] = s->y[i] - s->v[i];
        double score = support(s, trial, s->trial);
        if (score > best) {
            best = score;
            for (int j = 0; j < 4; j++) p[j] = trial[j];
        }
    }
    if (rotate) best = try_pairs(s, max_sin, best, p);
    if (best <= 0.0) return 0;
    int count = 0;
    for (int step = 0; step < 3; step++) {
        for (int i = 0; step > 0 && i < s->n; i++)
            s->tol[i] = 0.5 * loose > 6.0 * s->error[i] ? 0.5 * loose : 6.0 * s->error[i];
        support(s, p, s->keep);
        count = 0;
        for (int i = 0; i < s->n; i++) count += s->keep[i];
        if (count == 0) return 0;
        solve_rigid(s, rotate && count >= 2, p);
    }
    return count;
}

// The transform of one frame (a thread) from the fits so far. After the leaders (`guide`), the others are expected
// where these put them and searched for within `nearby` only. scratch is (frames, 5, stars), marks (frames, 2, stars).
KERNEL void agree(const double *px, const double *py, const double *out, const int *status, int frames, int stars,
                  int leaders, int guide, int rotate, double loose, double floor_px, double max_sin, double least_snr,
                  int search, int nearby, int half, double *bx, double *by, int *radius, double *p,
                  unsigned char *keep, double *scratch, unsigned char *marks) {
    long long frame = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (frame >= frames) return;
    long long at = frame * stars;
    double *room = scratch + 5 * at, *mine = p + 4 * frame;
    Stars s = {stars, px + at, py + at, room, room + stars, room + 2 * stars, room + 3 * stars, room + 4 * stars,
               marks + 2 * at, marks + 2 * at + stars, keep + at};
    for (int i = 0; i < stars; i++) {
        const double *fit = out + 7 * (at + i);
        s.x[i] = fit[0], s.y[i] = fit[1];
        s.error[i] = sqrt(0.5 * (fit[4] * fit[4] + fit[5] * fit[5]));
        s.good[i] = status[at + i] == SEEN && fit[6] >= least_snr;
    }
    int used = consensus(&s, rotate, floor_px, loose, max_sin, mine);
    if (!guide || used < (leaders < 2 ? leaders : 2)) return;
    radius[frame] = nearby;
    int reach = search + half + LARGEST_MOVE;
    for (int i = 0; i < stars; i++) {
        double cx = mine[0] * s.u[i] - mine[1] * s.v[i] + mine[2] - CORNER(s.u[i], reach);
        double cy = mine[1] * s.u[i] + mine[0] * s.v[i] + mine[3] - CORNER(s.v[i], reach);
        double ax = fabs(cx - bx[at + i]), ay = fabs(cy - by[at + i]);
        if ((ax > ay ? ax : ay) <= search) bx[at + i] = cx, by[at + i] = cy;
    }
}
