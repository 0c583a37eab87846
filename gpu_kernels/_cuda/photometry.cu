// Exact aperture sums and the clipped mean of the sky: the methods of _numba/overlap.py, _numba/photometry.py and
// _numba/sky.py. One block of 64 threads a star; every sum is a tree over the threads, in a fixed order.

enum { THREADS = 64, KEPT = 2304, MAX_ROUNDS = 10 };
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

// The pixels about a star among which its annulus lies; `kept` holds them where they are few, NaN those outside.
typedef struct {
    const PIXEL *frame;
    int width, left, top, wide, count, few;
    double x, y, inner2, outer2;
    VALUE *kept;
} Annulus;

// Pixel k if it belongs to the annulus and is finite, else NaN.
static __device__ double annulus_pixel(const Annulus *a, int k) {
    int i = a->left + k % a->wide, j = a->top + k / a->wide;
    double dx = i - a->x, dy = j - a->y, distance2 = dx * dx + dy * dy;
    if (distance2 >= a->outer2 || distance2 < a->inner2) return nan("");
    double value = (double)a->frame[(long long)j * a->width + i];
    return isfinite(value) ? value : nan("");
}

static __device__ double sky_value(const Annulus *a, int k) { return a->few ? (double)a->kept[k] : annulus_pixel(a, k); }

// Bits of a key, and a key that ascends with the value, or with its distance from the median.
#if PIXEL_IS_INTEGER
enum { VALUE_BITS = 8 * sizeof(PIXEL), DEVIATION_BITS = 8 * sizeof(PIXEL) + 1 };
static __device__ unsigned long long key_of(double value) { return (unsigned long long)value; }
static __device__ double value_of(unsigned long long key) { return (double)key; }
static __device__ unsigned long long deviation_key(double deviation) { return (unsigned long long)(2.0 * deviation); }
static __device__ double deviation_of(unsigned long long key) { return 0.5 * (double)key; }
#else
enum { VALUE_BITS = 64, DEVIATION_BITS = 63 };
typedef union {
    double value;
    unsigned long long bits;
} Bits;
static __device__ unsigned long long deviation_key(double deviation) {
    Bits b;
    b.value = deviation;
    return b.bits;
}
static __device__ double deviation_of(unsigned long long key) {
    Bits b;
    b.bits = key;
    return b.value;
}
static __device__ unsigned long long key_of(double value) {
    unsigned long long bits = deviation_key(value == 0.0 ? 0.0 : value); // no negative zero
    return bits >> 63 ? ~bits : bits | 1ULL << 63;
}
static __device__ double value_of(unsigned long long key) {
    return deviation_of(key >> 63 ? key & ~(1ULL << 63) : ~key);
}
#endif

// Median of the values, or of their distances from `centre`, among `total` of them: bit by bit from the highest, how
// many keys go on with a 0. Counting integers, the order of the threads does not matter.
static __device__ double middle(const Annulus *a, int total, int deviations, double centre, int *tally, double *parts) {
    int wanted = total / 2;
    unsigned long long prefix = 0;
    __syncthreads();
    for (int k = threadIdx.x; k < 64; k += THREADS) tally[k] = 0;
    __syncthreads();
    for (int bit = (deviations ? DEVIATION_BITS : VALUE_BITS) - 1; bit >= 0; bit--) {
        int mine = 0;
        for (int k = threadIdx.x; k < a->count; k += THREADS) {
            double value = sky_value(a, k);
            if (isnan(value)) continue;
            unsigned long long key = deviations ? deviation_key(fabs(value - centre)) : key_of(value);
            mine += key >> bit == prefix >> bit;
        }
        if (mine) atomicAdd(&tally[bit], mine);
        __syncthreads();
        if (wanted >= tally[bit]) {
            wanted -= tally[bit];
            prefix |= 1ULL << bit;
        }
    }
    double upper = deviations ? deviation_of(prefix) : value_of(prefix);
    if (total % 2 || wanted > 0) return upper; // the one before is equal
    double below = -1.0 / 0.0;
    for (int k = threadIdx.x; k < a->count; k += THREADS) {
        double value = sky_value(a, k);
        if (isnan(value)) continue;
        value = deviations ? fabs(value - centre) : value;
        if (value < upper && value > below) below = value;
    }
    return 0.5 * (of_block(below, 1, parts) + upper);
}

// Distance between neighbouring levels at the median.
static __device__ double level_step(const Annulus *a, double median, double *parts) {
    double above = 1.0 / 0.0, below = -1.0 / 0.0, at = 0.0;
    for (int k = threadIdx.x; k < a->count; k += THREADS) {
        double value = sky_value(a, k);
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

// Clipped mean, sigma and number kept, from median and MAD to convergence.
static __device__ double clipped(const Annulus *a, double median, double mad, double clip, double *parts, double *mean,
                                 double *sigma) {
    double step = level_step(a, median, parts), before = -1.0, first_before = 0.0, second_before = 0.0;
    *mean = median;
    *sigma = 1.482602218505602 * mad;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        double reach = clip * sqrt(*sigma * *sigma + step * step), low = *mean - reach, high = *mean + reach;
        double kept = 0.0, first = 0.0, second = 0.0;
        for (int k = threadIdx.x; k < a->count; k += THREADS) {
            double value = sky_value(a, k);
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

// Clipped mean of the annulus about star blockIdx.y of frame blockIdx.x.
KERNEL void clipped_sky(const PIXEL *frames, int height, int width, const double *xs, const double *ys, int stars,
                        double inner, double outer, double clip, int least, double *sky, double *sigma,
                        long long *kept) {
    __shared__ VALUE values[KEPT];
    __shared__ double parts[THREADS];
    __shared__ int tally[64];
    long long star = (long long)blockIdx.x * stars + blockIdx.y;
    double x = xs[star], y = ys[star], mean = nan(""), spread = nan(""), count = 0.0;
    Annulus a = {frames + (long long)blockIdx.x * height * width, width, 0, 0, 1, 0, 0, x, y, inner * inner,
                 outer * outer, values};
    if (x > -outer - 1.0 && x < width + outer && y > -outer - 1.0 && y < height + outer) {
        a.left = first_of(x - outer);
        a.top = first_of(y - outer);
        int wide = last_of(x + outer, width) - a.left + 1, tall = last_of(y + outer, height) - a.top + 1;
        a.wide = wide > 0 ? wide : 1;
        a.count = wide > 0 && tall > 0 ? wide * tall : 0;
    }
    double mine = 0.0;
    for (int k = threadIdx.x; k < a.count; k += THREADS) {
        double value = annulus_pixel(&a, k);
        if (a.count <= KEPT) values[k] = (VALUE)value;
        mine += !isnan(value);
    }
    int total = (int)of_block(mine, 0, parts);
    a.few = a.count <= KEPT;
    if (total >= least) {
        double median = middle(&a, total, 0, 0.0, tally, parts);
        double mad = middle(&a, total, 1, median, tally, parts);
        count = clipped(&a, median, mad, clip, parts, &mean, &spread);
    }
    if (threadIdx.x != 0) return;
    sky[star] = mean;
    sigma[star] = spread;
    kept[star] = (long long)count;
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
