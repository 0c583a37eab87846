// Exact aperture sums and the clipped mean of the sky: the methods of _numba/overlap.py, _numba/photometry.py and
// _numba/sky.py. One block of 64 threads a star; every sum is a tree over the threads, in a fixed order.

enum { THREADS = 64, MAX_ROUNDS = 10 };
enum { OFF_FRAME = 1, NOT_FINITE = 2, NO_SKY = 4, LOST = 8 };

// Sum, largest or smallest of one value of each thread of the block.
static __device__ double of_block(double value, int what, double *parts) {
    int me = threadIdx.x;
    __syncthreads();
    parts[me] = value;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (me >= half) continue;
        double other = parts[me + half];
        if (what == 0) parts[me] += other;
        if (what > 0 && other > parts[me]) parts[me] = other;
        if (what < 0 && other < parts[me]) parts[me] = other;
    }
    __syncthreads();
    return parts[0];
}

// Area between a chord and its arc: the series of _numba/overlap.py.
static __device__ double segment_area(double chord2, double radius) {
    double whole2 = chord2 / (4.0 * radius * radius), rest = 1.0 - whole2;
    double u2 = whole2 / (2.0 * (1.0 + sqrt(rest > 0.0 ? rest : 0.0)));
    double series = 2.0 * 9075135300.0 / (68719476736.0 * 39.0);
    series = series * u2 + 2.0 * 2333606220.0 / (17179869184.0 * 37.0);
    series = series * u2 + 2.0 * 601080390.0 / (4294967296.0 * 35.0);
    series = series * u2 + 2.0 * 155117520.0 / (1073741824.0 * 33.0);
    series = series * u2 + 2.0 * 40116600.0 / (268435456.0 * 31.0);
    series = series * u2 + 2.0 * 10400600.0 / (67108864.0 * 29.0);
    series = series * u2 + 2.0 * 2704156.0 / (16777216.0 * 27.0);
    series = series * u2 + 2.0 * 705432.0 / (4194304.0 * 25.0);
    series = series * u2 + 2.0 * 184756.0 / (1048576.0 * 23.0);
    series = series * u2 + 2.0 * 48620.0 / (262144.0 * 21.0);
    series = series * u2 + 2.0 * 12870.0 / (65536.0 * 19.0);
    series = series * u2 + 2.0 * 3432.0 / (16384.0 * 17.0);
    series = series * u2 + 2.0 * 924.0 / (4096.0 * 15.0);
    series = series * u2 + 2.0 * 252.0 / (1024.0 * 13.0);
    series = series * u2 + 2.0 * 70.0 / (256.0 * 11.0);
    series = series * u2 + 2.0 * 20.0 / (64.0 * 9.0);
    series = series * u2 + 2.0 * 6.0 / (16.0 * 7.0);
    series = series * u2 + 2.0 * 2.0 / (4.0 * 5.0);
    series = series * u2 + 2.0 / 3.0;
    return u2 * radius * (sqrt(chord2) + 2.0 * radius * sqrt(u2) * series);
}

static __device__ double root(double value) { return sqrt(value > 0.0 ? value : 0.0); }

// Overlap of a circle about the origin and [left, right] x [bottom, top] in the first quadrant.
static __device__ double quadrant_overlap(double left, double right, double bottom, double top, double radius) {
    double square = radius * radius;
    if (left * left + bottom * bottom >= square) return 0.0;
    if (right * right + top * top <= square) return (right - left) * (top - bottom);
    double at_left = root((radius - left) * (radius + left)), at_right = root((radius - right) * (radius + right));
    double at_bottom = root((radius - bottom) * (radius + bottom)), at_top = root((radius - top) * (radius + top));
    double x0 = at_top > left ? at_top : left, y0 = at_left < top ? at_left : top;
    double x1 = at_bottom < right ? at_bottom : right, y1 = at_right > bottom ? at_right : bottom;
    double across = x1 - x0, down = y0 - y1;
    double columns = (x0 - left) * (top - bottom), trapezoid = across * (0.5 * ((y0 - bottom) + (y1 - bottom)));
    return columns + trapezoid + segment_area(across * across + down * down, radius);
}

// Overlap with [x0, x1] x [y0, y1], none of which crosses an axis.
static __device__ double mirrored_overlap(double x0, double x1, double y0, double y1, double radius) {
    double left = x0 >= 0.0 ? x0 : -x1, right = x0 >= 0.0 ? x1 : -x0;
    double bottom = y0 >= 0.0 ? y0 : -y1, top = y0 >= 0.0 ? y1 : -y0;
    return quadrant_overlap(left, right, bottom, top, radius);
}

// Area of a pixel within a circle about the origin; a pixel that crosses an axis is divided there.
static __device__ double pixel_overlap(double x0, double x1, double y0, double y1, double radius) {
    double far_x = x1 > -x0 ? x1 : -x0, far_y = y1 > -y0 ? y1 : -y0;
    if (far_x * far_x + far_y * far_y <= radius * radius) return 1.0;
    double total = 0.0;
    for (int i = 0; i < 2; i++) {
        double left = i ? (x0 > 0.0 ? x0 : 0.0) : x0, right = i ? x1 : (x1 < 0.0 ? x1 : 0.0);
        if (left >= right) continue;
        for (int k = 0; k < 2; k++) {
            double bottom = k ? (y0 > 0.0 ? y0 : 0.0) : y0, top = k ? y1 : (y1 < 0.0 ? y1 : 0.0);
            if (bottom < top) total += mirrored_overlap(left, right, bottom, top, radius);
        }
    }
    return total;
}

static __device__ int first_of(double place) {
    double edge = ceil(place);
    return edge > 0.0 ? (int)edge : 0;
}

static __device__ int last_of(double place, int count) {
    double edge = floor(place);
    return edge < count - 1 ? (int)edge : count - 1;
}

// Sums, areas and largest pixels within circles about the star blockIdx.y of frame blockIdx.x.
KERNEL void aperture_sums(const PIXEL *frames, int height, int width, const double *xs, const double *ys, int stars,
                          const double *radii, int count, double *sums, double *areas, double *peaks) {
    __shared__ double parts[THREADS];
    const PIXEL *frame = frames + (long long)blockIdx.x * height * width;
    long long star = (long long)blockIdx.x * stars + blockIdx.y;
    double x = xs[star], y = ys[star], lowest = -1.0 / 0.0;
    for (int r = 0; r < count; r++) {
        double radius = radii[r], reach = radius + 0.5, sum = 0.0, area = 0.0, peak = lowest;
        if (x > -reach && x < width - 1 + reach && y > -reach && y < height - 1 + reach) {
            int left = first_of(x - reach), wide = last_of(x + reach, width) - left + 1;
            int top = first_of(y - reach), tall = last_of(y + reach, height) - top + 1;
            for (int k = threadIdx.x; k < wide * tall; k += THREADS) {
                int j = top + k / wide, i = left + k % wide;
                double weight = pixel_overlap(i - 0.5 - x, i + 0.5 - x, j - 0.5 - y, j + 0.5 - y, radius);
                if (!(weight > 0.0)) continue;
                double value = (double)frame[(long long)j * width + i];
                sum += weight * value;
                area += weight;
                peak = value > peak ? value : peak;
            }
        } else if (!(isfinite(x) && isfinite(y)))
            sum = area = peak = nan("");
        sum = of_block(sum, 0, parts);
        area = of_block(area, 0, parts);
        double most = of_block(peak, 1, parts);
        if (threadIdx.x != 0) continue;
        sums[star * count + r] = sum;
        areas[star * count + r] = area;
        peaks[star * count + r] = most;
    }
}

// The box of pixels that holds a star's annulus.
typedef struct {
    const PIXEL *frame;
    int width, left, top, wide, count;
    double x, y, inner2, outer2;
} Annulus;

// Pixel k of the box if it belongs to the annulus and is finite, else NaN.
static __device__ double annulus_pixel(const Annulus *a, int k) {
    int i = a->left + k % a->wide, j = a->top + k / a->wide;
    double dx = i - a->x, dy = j - a->y, distance2 = dx * dx + dy * dy;
    if (distance2 >= a->outer2 || distance2 < a->inner2) return nan("");
    double value = (double)a->frame[(long long)j * a->width + i];
    return isfinite(value) ? value : nan("");
}

// The annulus' finite pixels, in the order of rows, into `list`; their number.
static __device__ int listed(const Annulus *a, VALUE *list, int *counts) {
    int share = (a->count + THREADS - 1) / THREADS, first = threadIdx.x * share, mine = 0, before = 0, total = 0;
    int stop = first + share < a->count ? first + share : a->count;
    for (int k = first; k < stop; k++) mine += !isnan(annulus_pixel(a, k));
    counts[threadIdx.x] = mine;
    __syncthreads();
    for (int k = 0; k < THREADS; k++) {
        if (k < (int)threadIdx.x) before += counts[k];
        total += counts[k];
    }
    for (int k = first; k < stop; k++) {
        double value = annulus_pixel(a, k);
        if (!isnan(value)) list[before++] = (VALUE)value;
    }
    __syncthreads();
    return total;
}

// The annulus' pixels, and room for half as many numbers.
typedef struct {
    const VALUE *values;
    double *levels;
    int count;
} Sky;

// Distance from the centre, as exact as the pixels are: see clipped() in _numba/sky.py.
static __device__ double distance(double value, double centre) {
    double away = fabs(value - centre);
    return sizeof(VALUE) == 8 ? away : (double)(float)away;
}

// About the median of the values (or of their distances from `centre`): medians of three, of three, ...; the three
// lie a third of the list apart. See remedian() in _numba/sky.py.
static __device__ double remedian(const Sky *sky, int distances, double centre) {
    const double *source = sky->levels;
    double *goal = sky->levels, few[8];
    int n = sky->count, raw = 1;
    while (n > 8) {
        int third = n / 3;
        for (int i = threadIdx.x; i < third; i += THREADS) {
            double a, b, c;
            if (raw) {
                a = sky->values[i], b = sky->values[third + i], c = sky->values[2 * third + i];
                if (distances) a = distance(a, centre), b = distance(b, centre), c = distance(c, centre);
            } else
                a = source[i], b = source[third + i], c = source[2 * third + i];
            double low = a < b ? a : b, high = a < b ? b : a;
            goal[i] = c < low ? low : c > high ? high : c;
        }
        __syncthreads();
        source = goal;
        goal += third;
        n = third;
        raw = 0;
    }
    for (int i = 0; i < n; i++) { // sort the few that are left
        double value = raw ? (distances ? distance(sky->values[i], centre) : (double)sky->values[i]) : source[i];
        int k = i;
        for (; k > 0 && few[k - 1] > value; k--) few[k] = few[k - 1];
        few[k] = value;
    }
    __syncthreads();
    return 0.5 * (few[(n - 1) / 2] + few[n / 2]);
}

// Distance between neighbouring levels at the median.
static __device__ double level_step(const Sky *sky, double median, double *parts) {
    double above = 1.0 / 0.0, below = -1.0 / 0.0, at = 0.0;
    for (int k = threadIdx.x; k < sky->count; k += THREADS) {
        double value = sky->values[k];
        if (value > median && value < above) above = value;
        if (value < median && value > below) below = value;
        if (value == median) at = 1.0;
    }
    above = of_block(above, -1, parts);
    below = of_block(below, 1, parts);
    at = of_block(at, 1, parts);
    double up = above - median, down = median - below, step = at > 0.0 ? (up < down ? up : down) : above - below;
    return step < 1.0 / 0.0 ? step : 0.0;
}

// Sigma of a Gaussian over the standard deviation of its part within `clip` sigma of its mean.
static __device__ double truncation_factor(double clip) {
    if (clip > 8.0) return 1.0;
    double density = exp(-0.5 * clip * clip) / sqrt(2.0 * 3.141592653589793);
    return 1.0 / sqrt(1.0 - 2.0 * clip * density / erf(clip / sqrt(2.0)));
}

// Clipped mean, sigma and number kept, from the remedian to convergence; moments are taken about the start.
static __device__ double clipped(const Sky *sky, double clip, double *parts, double *mean, double *sigma) {
    double median = remedian(sky, 0, 0.0), before = -1.0, first_before = 0.0, second_before = 0.0;
    *mean = median;
    *sigma = 1.482602218505602 * remedian(sky, 1, median);
    double step = level_step(sky, median, parts);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        double reach = clip * sqrt(*sigma * *sigma + step * step), low = *mean - reach, high = *mean + reach;
        double kept = 0.0, first = 0.0, second = 0.0;
        for (int k = threadIdx.x; k < sky->count; k += THREADS) {
            double value = sky->values[k];
            if (!(value >= low && value <= high)) continue;
            double deviation = value - median;
            kept += 1.0;
            first += deviation;
            second += deviation * deviation;
        }
        kept = of_block(kept, 0, parts);
        first = of_block(first, 0, parts);
        second = of_block(second, 0, parts);
        if (kept == before && first == first_before && second == second_before) break;
        before = kept, first_before = first, second_before = second;
        double factor = *sigma > 0.0 ? truncation_factor(reach / *sigma) : 1.0;
        double spread = (second - first * first / kept) / (kept > 2.0 ? kept - 1.0 : 1.0);
        *mean = median + first / kept;
        *sigma = factor * sqrt(spread > 0.0 ? spread : 0.0);
    }
    return before;
}

// Clipped mean of the annulus about star blockIdx.y of frame blockIdx.x. An annulus has at most `most` pixels, a
// multiple of 8: they are listed in shared memory, or where they are too many (`outside`) in `room`, which has
// `most` + `most` / 2 doubles for each star.
KERNEL void clipped_sky(const PIXEL *frames, int height, int width, const double *xs, const double *ys, int stars,
                        double inner, double outer, double clip, int least, int most, int outside, double *room,
                        double *sky, double *sigma, long long *kept) {
    DYNAMIC_SHARED(double, memory);
    __shared__ double parts[THREADS];
    __shared__ int counts[THREADS];
    long long star = (long long)blockIdx.x * stars + blockIdx.y;
    double x = xs[star], y = ys[star], mean = nan(""), spread = nan(""), count = 0.0;
    double *levels = outside ? room + star * (most + most / 2) : memory;
    VALUE *values = (VALUE *)(levels + most / 2);
    Annulus a = {frames + (long long)blockIdx.x * height * width, width, 0, 0, 1, 0, x, y, inner * inner,
                 outer * outer};
    if (x > -outer - 1.0 && x < width + outer && y > -outer - 1.0 && y < height + outer) {
        a.left = first_of(x - outer);
        a.top = first_of(y - outer);
        int wide = last_of(x + outer, width) - a.left + 1, tall = last_of(y + outer, height) - a.top + 1;
        a.wide = wide > 0 ? wide : 1;
        a.count = wide > 0 && tall > 0 ? wide * tall : 0;
    }
    Sky listed_sky = {values, levels, listed(&a, values, counts)};
    if (listed_sky.count >= least) count = clipped(&listed_sky, clip, parts, &mean, &spread);
    if (threadIdx.x != 0) return;
    sky[star] = mean;
    sigma[star] = spread;
    kept[star] = (long long)count;
}

// The normal distribution at t sigma, by linear interpolation in a table of `per_sigma` entries a sigma from -reach.
static __device__ double look(const double *table, int entries, int per_sigma, double reach, double t) {
    if (t <= -reach) return table[0];
    if (t >= reach) return table[entries - 2];
    double at = (t + reach) * per_sigma;
    int k = (int)at;
    return table[k] + (at - k) * (table[k + 1] - table[k]);
}

// 1 within the radius, 0 beyond, linear across the pixel on the rim.
static __device__ double rim_weight(double distance2, double radius) {
    if (radius >= 0.5 && distance2 <= (radius - 0.5) * (radius - 0.5)) return 1.0;
    if (distance2 >= (radius + 0.5) * (radius + 0.5)) return 0.0;
    return radius + 0.5 - sqrt(distance2);
}

// Sums of star blockIdx.y of frame blockIdx.x weighted by a profile of `terms` Gaussians (share, sigma x, sigma y); see
// weighted_block() in _numba/extraction.py. Shared memory holds 2 x terms x side doubles: each Gaussian's light in the
// columns, then in the rows.
KERNEL void optimal_sums(const PIXEL *frames, int height, int width, const double *xs, const double *ys,
                         const double *skies, int stars, const double *scales, const double *profile, int terms,
                         int side, double softening, double radius, const double *table, int entries, int per_sigma,
                         double table_reach, double *out) {
    DYNAMIC_SHARED(double, light);
    __shared__ double parts[THREADS];
    const PIXEL *frame = frames + (long long)blockIdx.x * height * width;
    long long star = (long long)blockIdx.x * stars + blockIdx.y;
    double x = xs[star], y = ys[star], level = skies[star], scale = scales[blockIdx.x], reach = radius * scale;
    double *found = out + 6 * star;
    int known = isfinite(x) && isfinite(y) && isfinite(reach);
    int near = known && x > -reach - 1.0 && x < width + reach && y > -reach - 1.0 && y < height + reach;
    if (!near) {
        if (threadIdx.x != 0) return;
        for (int m = 0; m < 6; m++) found[m] = nan("");
        if (known) found[4] = 0.0;
        return;
    }
    int left = (int)ceil(x - reach - 0.5), columns = (int)floor(x + reach + 0.5) - left + 1;
    int top = (int)ceil(y - reach - 0.5), rows = (int)floor(y + reach + 0.5) - top + 1;
    for (int k = threadIdx.x; k < 2 * terms * side; k += THREADS) {
        int term = k / (2 * side), down = k / side % 2, i = k % side;
        double inverse = 1.0 / (profile[3 * term + 1 + down] * scale), centre = down ? y : x;
        double edge = (down ? top : left) + i - 0.5 - centre, next = (down ? top : left) + i + 0.5 - centre;
        light[k] = look(table, entries, per_sigma, table_reach, next * inverse) -
                   look(table, entries, per_sigma, table_reach, edge * inverse);
    }
    __syncthreads();
    double total = 0.0, seen = 0.0, first = 0.0, second = 0.0, third = 0.0, flux = 0.0, peak = -1.0 / 0.0;
    for (int at = threadIdx.x; at < rows * columns; at += THREADS) {
        int j = at / columns, i = at % columns;
        double dx = left + i - x, dy = top + j - y, w = rim_weight(dx * dx + dy * dy, reach), p = 0.0;
        if (w <= 0.0) continue;
        for (int term = 0; term < terms; term++)
            p += profile[3 * term] * light[(2 * term + 1) * side + j] * light[2 * term * side + i];
        w *= p / (1.0 + softening * p);
        total += w * p;
        if (top + j < 0 || top + j >= height || left + i < 0 || left + i >= width) continue;
        double value = (double)frame[(long long)(top + j) * width + left + i];
        if (!isfinite(value)) continue;
        seen += w * p;
        first += w;
        second += w * w;
        third += w * (w * p);
        flux += w * (value - level);
        peak = value > peak ? value : peak;
    }
    total = of_block(total, 0, parts);
    seen = of_block(seen, 0, parts);
    first = of_block(first, 0, parts);
    second = of_block(second, 0, parts);
    third = of_block(third, 0, parts);
    flux = of_block(flux, 0, parts);
    peak = of_block(peak, 1, parts);
    if (threadIdx.x != 0) return;
    found[4] = total > 0.0 ? seen / total : 0.0;
    found[0] = seen > 0.0 ? flux / seen : nan("");
    found[1] = seen > 0.0 ? first / seen : nan("");
    found[2] = seen > 0.0 ? second / (seen * seen) : nan("");
    found[3] = seen > 0.0 ? third / (seen * seen) : nan("");
    found[5] = seen > 0.0 ? peak : nan("");
}

// No peak where there is no part of the aperture. One thread a star and radius.
KERNEL void hide_unseen(const double *areas, long long count, double *peaks) {
    long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count && !(areas[at] > 0.0)) peaks[at] = nan("");
}

// Flux, peak and status of every star and radius (a thread) from sums, areas, peaks and sky.
KERNEL void finish(int height, int width, const double *xs, const double *ys, long long count, const double *radii,
                   int radius_count, const double *sums, const double *areas, const double *sky, double *peaks,
                   double *flux, unsigned int *status) {
    long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count * radius_count) return;
    long long star = at / radius_count;
    double x = xs[star], y = ys[star], sum = sums[at], area = areas[at], radius = radii[at % radius_count];
    double across = x < width - 1.0 - x ? x : width - 1.0 - x, along = y < height - 1.0 - y ? y : height - 1.0 - y;
    double room = (across < along ? across : along) + 0.5;
    unsigned int said = 0;
    if (!(isfinite(x) && isfinite(y)))
        said = LOST;
    else {
        if (radius > room) said |= OFF_FRAME;
        if (!isfinite(sum)) said |= NOT_FINITE;
        if (isnan(sky[star])) said |= NO_SKY;
    }
    int seen = area > 0.0;
    if (!seen) peaks[at] = nan("");
    flux[at] = seen && isfinite(sum) ? sum - area * sky[star] : nan("");
    status[at] = said;
}
