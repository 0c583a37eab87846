// Fits of stars: the method of _numba/stars.py. One block of 32 threads fits one star; its sums are taken by lanes,
// then over the lanes in their order.

enum { LANES = 32, STRIDE = 33, SUMS = 15 };

// A square box of a frame: pixels beyond the frame's edge are NaN.
typedef struct {
    const PIXEL *frame;
    int height, width, left, top, size;
} Box;

static __device__ double pixel_of(const Box *box, int i, int k) {
    int y = box->top + i, x = box->left + k;
    return y >= 0 && y < box->height && x >= 0 && x < box->width ? (double)box->frame[(long long)y * box->width + x]
                                                                 : nan("");
}

// What the threads of a block share.
typedef struct {
    double *kernel, *cdf_x, *pdf_x, *cdf_y, *pdf_y, *parts, *totals, *rows;
} Pool;

// totals[c] = parts[c] of all lanes, in their order.
static __device__ void add_up(const Pool *pool, int count) {
    __syncthreads();
    if ((int)threadIdx.x < count) {
        double total = 0.0;
        for (int lane = 0; lane < LANES; lane++) total += pool->parts[threadIdx.x * STRIDE + lane];
        pool->totals[threadIdx.x] = total;
    }
    __syncthreads();
}

static __device__ int clamped(int value, int low, int high) {
    value = value > low ? value : low;
    return value < high ? value : high;
}

// Place (k + size * i) of the largest smoothed value within search of (x, y), or -1.
static __device__ int find_peak(const Box *box, const Pool *pool, double x, double y, int search, int half) {
    int lane = threadIdx.x, size = box->size, span = 2 * search + 1, n = 2 * half + 1;
    int left = clamped((int)floor(x + 0.5) - search, half, size - 2 * search - half - 1);
    int top = clamped((int)floor(y + 0.5) - search, half, size - 2 * search - half - 1);
    double total = 0.0, count = 0.0;
    for (int k = lane; k < size * size; k += LANES) {
        double value = pixel_of(box, k / size, k % size);
        if (isfinite(value)) {
            total += value;
            count += 1.0;
        }
    }
    pool->parts[lane] = total;
    pool->parts[STRIDE + lane] = count;
    add_up(pool, 2);
    if (pool->totals[1] == 0.0) return -1;
    double mean = pool->totals[0] / pool->totals[1];
    for (int k = lane; k < (span + 2 * half) * span; k += LANES) {
        int i = k / span, column = k % span;
        double value = 0.0;
        for (int j = 0; j < n; j++) {
            double above = pixel_of(box, top - half + i, left - half + column + j) - mean;
            if (isfinite(above)) value += pool->kernel[j] * above;
        }
        pool->rows[k] = value;
    }
    __syncthreads();
    double most = -1.0 / 0.0;
    int place = -1;
    for (int k = lane; k < span * span; k += LANES) {
        int i = k / span, column = k % span;
        if ((i - search) * (i - search) + (column - search) * (column - search) > search * search) continue;
        if (!isfinite(pixel_of(box, top + i, left + column))) continue;
        double value = 0.0;
        for (int j = 0; j < n; j++) value += pool->kernel[j] * pool->rows[(i + j) * span + column];
        if (value > most) {
            most = value;
            place = k;
        }
    }
    pool->parts[lane] = most;
    pool->parts[STRIDE + lane] = place;
    __syncthreads();
    most = -1.0 / 0.0;
    place = -1;
    for (int k = 0; k < LANES; k++) { // the first of equals wins
        int other = (int)pool->parts[STRIDE + k];
        if (other >= 0 && (pool->parts[k] > most || (pool->parts[k] == most && other < place))) {
            most = pool->parts[k];
            place = other;
        }
    }
    __syncthreads();
    return place < 0 ? -1 : (top + place / span) * size + left + place % span;
}

// Distribution and density of a Gaussian at the edges of the pixels first .. first + n - 1.
static __device__ void edges(double centre, int first, int n, double sigma, double *cdf, double *pdf) {
    for (int k = threadIdx.x; k <= n; k += LANES) {
        double edge = first + k - 0.5 - centre, unit = edge / sigma;
        cdf[k] = 0.5 * (1.0 + erf(edge / (sigma * 1.4142135623730951)));
        pdf[k] = 0.3989422804014327 / sigma * exp(-0.5 * (unit * unit));
    }
}

// Solve the 4 x 4 symmetric system in place (Gauss-Jordan, diagonal pivots); a becomes its inverse.
static __device__ int solve_4(double a[4][4], double b[4]) {
    for (int k = 0; k < 4; k++) {
        double pivot = a[k][k];
        if (!(pivot > 1e-300)) return 0;
        double inverse = 1.0 / pivot;
        a[k][k] = 1.0;
        for (int j = 0; j < 4; j++) a[k][j] *= inverse;
        b[k] *= inverse;
        for (int i = 0; i < 4; i++) {
            if (i == k) continue;
            double factor = a[i][k];
            a[i][k] = 0.0;
            for (int j = 0; j < 4; j++) a[i][j] -= factor * a[k][j];
            b[i] -= factor * b[k];
        }
    }
    return 1;
}

// Sums of the normal equations of flux, x, y and sky over the pixels of the window, and the light that is missing.
static __device__ void gather(const Box *box, const Pool *pool, int left, int top, int n, double flux, double sky,
                              double variance, double signal) {
    double s[SUMS];
    for (int k = 0; k < SUMS; k++) s[k] = 0.0;
    for (int at = threadIdx.x; at < n * n; at += LANES) {
        int i = at / n, k = at % n;
        double value = pixel_of(box, top + i, left + k);
        double qy = pool->cdf_y[i + 1] - pool->cdf_y[i], gy = flux * (pool->pdf_y[i] - pool->pdf_y[i + 1]);
        double qx = pool->cdf_x[k + 1] - pool->cdf_x[k], p = qy * qx;
        if (!isfinite(value)) {
            s[14] += p;
            continue;
        }
        double w = 1.0 / (variance + signal * p);
        double jx = flux * qy * (pool->pdf_x[k] - pool->pdf_x[k + 1]), jy = gy * qx;
        double r = w * (value - sky - flux * p), wp = w * p, wx = w * jx, wy = w * jy;
        s[0] += wp * p;
        s[1] += wp * jx;
        s[2] += wp * jy;
        s[3] += wp;
        s[4] += wx * jx;
        s[5] += wx * jy;
        s[6] += wx;
        s[7] += wy * jy;
        s[8] += wy;
        s[9] += w;
        s[10] += p * r;
        s[11] += jx * r;
        s[12] += jy * r;
        s[13] += r;
    }
    for (int k = 0; k < SUMS; k++) pool->parts[k * STRIDE + threadIdx.x] = s[k];
    add_up(pool, SUMS);
}

// Weighted Gauss-Newton fit in box coordinates; found gets x, y, flux, sky, x_err, y_err, snr.
static __device__ int fit_one(const Box *box, const Pool *pool, double x, double y, double sigma, int half,
                              double variance, double inv_gain, double *found) {
    int n = 2 * half + 1, moved = 1;
    double flux = 0.0, sky = 0.0, x_start = x, y_start = y, a[4][4], b[4];
    int left = (int)floor(x + 0.5) - half, top = (int)floor(y + 0.5) - half;
    for (int round = 0; round < 12; round++) {
        if (moved) {
            left = (int)floor(x + 0.5) - half;
            top = (int)floor(y + 0.5) - half;
            if (left < 0 || top < 0 || left + n > box->size || top + n > box->size) return OFF;
            moved = 0;
        }
        edges(x, left, n, sigma, pool->cdf_x, pool->pdf_x);
        edges(y, top, n, sigma, pool->cdf_y, pool->pdf_y);
        __syncthreads();
        gather(box, pool, left, top, n, flux, sky, variance, (flux > 0.0 ? flux : 0.0) * inv_gain);
        const double *s = pool->totals;
        a[0][0] = s[0], a[0][1] = a[1][0] = s[1], a[0][2] = a[2][0] = s[2], a[0][3] = a[3][0] = s[3];
        a[1][1] = s[4], a[1][2] = a[2][1] = s[5], a[1][3] = a[3][1] = s[6];
        a[2][2] = s[7], a[2][3] = a[3][2] = s[8], a[3][3] = s[9];
        b[0] = s[10], b[1] = s[11], b[2] = s[12], b[3] = s[13];
        if (s[14] > 0.02) return OFF;
        if (round == 0) { // flux and sky alone: linear
            double det = a[0][0] * a[3][3] - a[0][3] * a[0][3];
            if (!(det > 0.0)) return DIVERGED;
            flux = (b[0] * a[3][3] - b[3] * a[0][3]) / det;
            sky = (b[3] * a[0][0] - b[0] * a[0][3]) / det;
            if (!(flux > 0.0)) return FAINT;
            continue;
        }
        if (!solve_4(a, b)) return DIVERGED;
        flux += b[0];
        if (!(flux > 0.0)) return FAINT;
        double step_x = b[1] < -1.0 ? -1.0 : b[1] > 1.0 ? 1.0 : b[1];
        double step_y = b[2] < -1.0 ? -1.0 : b[2] > 1.0 ? 1.0 : b[2];
        x += step_x;
        y += step_y;
        sky += b[3];
        // written so that a NaN is no star either
        if (!(fabs(x - x_start) <= LARGEST_MOVE && fabs(y - y_start) <= LARGEST_MOVE)) return DIVERGED;
        moved = fabs(x - left - half) > 0.75 || fabs(y - top - half) > 0.75;
        if (round >= 2 && fabs(step_x) < 1e-4 && fabs(step_y) < 1e-4) break;
    }
    found[0] = x, found[1] = y, found[2] = flux, found[3] = sky;
    found[4] = sqrt(a[1][1] > 0.0 ? a[1][1] : 0.0);
    found[5] = sqrt(a[2][2] > 0.0 ? a[2][2] : 0.0);
    found[6] = flux / sqrt(a[0][0] > 1e-300 ? a[0][0] : 1e-300);
    return SEEN;
}

// Whether a fitted star is saturated, or a lone hot pixel.
static __device__ int judge(const Box *box, const double *fit, double variance, double saturation) {
    int px = (int)floor(fit[0] + 0.5), py = (int)floor(fit[1] + 0.5);
    if (px < 1 || py < 1 || px >= box->size - 1 || py >= box->size - 1) return OFF;
    double here = pixel_of(box, py, px), centre = here - fit[3];
    double around = 0.25 * (pixel_of(box, py - 1, px) + pixel_of(box, py + 1, px) + pixel_of(box, py, px - 1) +
                            pixel_of(box, py, px + 1)) - fit[3];
    if (here >= saturation) return SATURATED;
    if (centre > 8.0 * sqrt(variance) && around < 0.15 * centre) return SHARP;
    return SEEN;
}

// Fit star `first + blockIdx.y` of frame blockIdx.x. The box is cut for a search of `search` pixels about the place
// expected, (px, py); the fit starts at (bx, by) of the box, or at the peak within radius[frame] of it.
KERNEL void fit(const PIXEL *frames, int height, int width, const double *px, const double *py, const double *bx,
                const double *by, const int *radius, int stars, int first, int search, double sigma, int half,
                double variance, double inv_gain, double saturation, double *out, int *status) {
    DYNAMIC_SHARED(double, memory);
    int n = 2 * half + 1, lane = threadIdx.x, reach = search + half + LARGEST_MOVE, code = OFF;
    long long star = (long long)blockIdx.x * stars + first + blockIdx.y;
    if (!PLACED(px[star], py[star])) return; // as `expect` left it
    Box box = {frames + (long long)blockIdx.x * height * width, height, width, CORNER(px[star], reach),
               CORNER(py[star], reach), 2 * reach + 1};
    Pool pool;
    pool.kernel = memory;
    pool.cdf_x = pool.kernel + n;
    pool.pdf_x = pool.cdf_x + n + 1;
    pool.cdf_y = pool.pdf_x + n + 1;
    pool.pdf_y = pool.cdf_y + n + 1;
    pool.parts = pool.pdf_y + n + 1;
    pool.totals = pool.parts + SUMS * STRIDE;
    pool.rows = pool.totals + SUMS;
    double x = bx[star], y = by[star], found[7];
    int near = radius[blockIdx.x];
    for (int k = lane; k < n; k += LANES) {
        double unit = (k - half) / sigma;
        pool.kernel[k] = exp(-0.5 * (unit * unit));
    }
    __syncthreads();
    if (near > 0) {
        int peak = find_peak(&box, &pool, x, y, near, half);
        if (peak < 0) return;
        x = peak % box.size;
        y = peak / box.size;
    }
    code = fit_one(&box, &pool, x, y, sigma, half, variance, inv_gain, found);
    if (lane != 0) return;
    if (code == SEEN) {
        code = judge(&box, found, variance, saturation);
        found[0] += box.left;
        found[1] += box.top;
        for (int k = 0; k < 7; k++) out[7 * star + k] = found[k];
    }
    status[star] = code;
}
