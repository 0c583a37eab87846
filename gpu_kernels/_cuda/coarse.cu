// Binning and the coarse correlation: the arithmetic of _numba/coarse.py, in the same order, so that results are
// equal to the last bit.

// Sums of factor x factor pixels, exactly for integers; pixels that are not finite count as 0. One thread a bin:
// blockIdx.x is the frame, blockIdx.y and threadIdx.x the bin.
KERNEL void bin_sum(const PIXEL *frames, int height, int width, int factor, int rows, int columns, float *out) {
    long long bin = (long long)blockIdx.y * blockDim.x + threadIdx.x;
    if (bin >= (long long)rows * columns) return;
    int row = (int)(bin / columns), column = (int)(bin % columns);
    const PIXEL *corner = frames + ((long long)blockIdx.x * height + (long long)row * factor) * width + (long long)column * factor;
    float *goal = out + (long long)blockIdx.x * rows * columns + bin;
#if PIXEL_IS_INTEGER
    unsigned int total = 0;
    if (sizeof(PIXEL) == 1 && factor == 4 && width % 4 == 0 && (size_t)frames % 4 == 0) {
        for (int j = 0; j < 4; j++) { // four pixels by one load
            unsigned int four = *(const unsigned int *)(corner + (long long)j * width);
            total += (four & 255u) + (four >> 8 & 255u) + (four >> 16 & 255u) + (four >> 24);
        }
    } else {
        for (int j = 0; j < factor; j++)
            for (int k = 0; k < factor; k++) total += corner[(long long)j * width + k];
    }
    *goal = (float)total;
#else
    float part[4] = {0.0f, 0.0f, 0.0f, 0.0f}, total = 0.0f;
    for (int k = 0; k < factor; k++) {
        float sum = 0.0f;
        for (int j = 0; j < factor; j++) {
            PIXEL value = corner[(long long)j * width + k];
            if (isfinite(value)) sum += (float)value;
        }
        if (k < 4) part[k] = sum;
        total += sum;
    }
    if (factor == 2) total = part[0] + part[1];
    if (factor == 4) total = (part[0] + part[1]) + (part[2] + part[3]);
    *goal = total;
#endif
}

// One over the number of places within half of one of n.
static __device__ float share(int at, int half, int n) {
    int first = at - half > 0 ? at - half : 0, last = at + half < n - 1 ? at + half : n - 1;
    return (float)(1.0 / (last - first + 1));
}

// Running means of 2 half + 1 rows. One thread a column: blockIdx.x is the frame.
KERNEL void column_means(const float *binned, int rows, int columns, int half, float *out) {
    int k = blockIdx.y * blockDim.x + threadIdx.x;
    if (k >= columns) return;
    const float *in = binned + (long long)blockIdx.x * rows * columns + k;
    float *goal = out + (long long)blockIdx.x * rows * columns + k;
    float line = 0.0f;
    for (int i = 0; i < half && i < rows; i++) line += in[(long long)i * columns];
    for (int i = 0; i < rows; i++) {
        if (i + half < rows) line += in[(long long)(i + half) * columns];
        if (i - half - 1 >= 0) line -= in[(long long)(i - half - 1) * columns];
        goal[(long long)i * columns] = line * share(i, half, rows);
    }
}

// Mean of columns at-8..at+8, by doubling; what lies beyond the row counts as 0.
static __device__ float mean_17(const float *row, int at, int columns) {
    float v[17];
    for (int i = 0; i < 17; i++) {
        int k = at - 8 + i;
        v[i] = k >= 0 && k < columns ? row[k] : 0.0f;
    }
    for (int i = 0; i < 16; i += 2) v[i] = v[i] + v[i + 1];
    for (int i = 0; i < 16; i += 4) v[i] = v[i] + v[i + 2];
    float left = v[0] + v[4], right = v[8] + v[12];
    return ((left + right) + v[16]) * share(at, 8, columns);
}

// min(binned - mean of the surrounding 17 x 17, top). One thread a bin.
KERNEL void cut_above(const float *binned, const float *means, int rows, int columns, float top, float *out) {
    long long bin = (long long)blockIdx.y * blockDim.x + threadIdx.x;
    if (bin >= (long long)rows * columns) return;
    long long start = (long long)blockIdx.x * rows * columns;
    int column = (int)(bin % columns);
    float rest = binned[start + bin] - mean_17(means + start + (bin - column), column, columns);
    out[start + bin] = rest < top ? rest : top;
}

static __device__ float down_121(const float *image, int row, int column, int rows, int columns) {
    int above = row > 0 ? row - 1 : 0, below = row < rows - 1 ? row + 1 : rows - 1;
    return (image[(long long)above * columns + column] + image[(long long)below * columns + column]) +
           2.0f * image[(long long)row * columns + column];
}

// Smoothing by 1-2-1 both ways. One thread a bin.
KERNEL void smooth_121(const float *cut, int rows, int columns, float *out) {
    long long bin = (long long)blockIdx.y * blockDim.x + threadIdx.x;
    if (bin >= (long long)rows * columns) return;
    const float *image = cut + (long long)blockIdx.x * rows * columns;
    int row = (int)(bin / columns), k = (int)(bin % columns);
    float here = down_121(image, row, k, rows, columns), value;
    if (k == 0)
        value = 3.0f * here + down_121(image, row, 1, rows, columns);
    else if (k == columns - 1)
        value = down_121(image, row, k - 1, rows, columns) + 3.0f * here;
    else
        value = (down_121(image, row, k - 1, rows, columns) + down_121(image, row, k + 1, rows, columns)) + 2.0f * here;
    out[(long long)blockIdx.x * rows * columns + bin] = value;
}

// Correlation with points at one shift; what lies beyond the image counts as 0.
static __device__ float at_shift(const float *image, int rows, int columns, const int *point_rows, const int *point_columns,
                                 const float *weights, int points, int dy, int dx) {
    float total = 0.0f;
    for (int s = 0; s < points; s++) {
        int r = point_rows[s] + dy, c = point_columns[s] + dx;
        if (r >= 0 && r < rows && c >= 0 && c < columns) total += weights[s] * image[(long long)r * columns + c];
    }
    return total;
}

static __device__ double vertex(double before, double here, double after) {
    double bend = before - 2.0 * here + after;
    return bend >= 0.0 ? 0.0 : 0.5 * (before - after) / bend;
}

// Shift of the largest correlation, to a fraction of a bin: (dx, dy). One block of 256 threads a frame; `which`
// names the pattern of each frame, row `which` of the (patterns, points) arrays.
KERNEL void correlate(const float *flat, int rows, int columns, const int *pattern_rows, const int *pattern_columns,
                      const float *pattern_weights, int points, const int *which, double *shift) {
    __shared__ float best_value[256];
    __shared__ int best_place[256];
    const float *image = flat + (long long)blockIdx.x * rows * columns;
    long long pattern = (long long)which[blockIdx.x] * points;
    const int *pr = pattern_rows + pattern, *pc = pattern_columns + pattern;
    const float *weights = pattern_weights + pattern;
    int my = rows / 2, mx = columns / 2, tall = 2 * my + 1, wide = 2 * mx + 1, me = threadIdx.x;
    float most = -1.0f / 0.0f;
    int place = 0;
    for (int k = me; k < tall * wide; k += 256) {
        float value = at_shift(image, rows, columns, pr, pc, weights, points, k / wide - my, k % wide - mx);
        if (value > most) {
            most = value;
            place = k;
        }
    }
    best_value[me] = most;
    best_place[me] = place;
    for (int half = 128; half > 0; half /= 2) { // the first of equals wins
        __syncthreads();
        if (me < half) {
            float other = best_value[me + half];
            if (other > best_value[me] || (other == best_value[me] && best_place[me + half] < best_place[me])) {
                best_value[me] = other;
                best_place[me] = best_place[me + half];
            }
        }
    }
    if (me == 0) {
        int iy = best_place[0] / wide, ix = best_place[0] % wide, dy = iy - my, dx = ix - mx;
        double here = at_shift(image, rows, columns, pr, pc, weights, points, dy, dx), fx = 0.0, fy = 0.0;
        if (ix > 0 && ix < wide - 1)
            fx = vertex(at_shift(image, rows, columns, pr, pc, weights, points, dy, dx - 1), here,
                        at_shift(image, rows, columns, pr, pc, weights, points, dy, dx + 1));
        if (iy > 0 && iy < tall - 1)
            fy = vertex(at_shift(image, rows, columns, pr, pc, weights, points, dy - 1, dx), here,
                        at_shift(image, rows, columns, pr, pc, weights, points, dy + 1, dx));
        shift[2 * (long long)blockIdx.x] = dx + fx;
        shift[2 * (long long)blockIdx.x + 1] = dy + fy;
    }
}

// A copy of frame blockIdx.x with NaN where the mask is set; `size` pixels a frame.
KERNEL void blank(const PIXEL *frames, long long size, const unsigned char *mask, VALUE *out) {
    long long k = (long long)blockIdx.y * blockDim.x + threadIdx.x, stride = (long long)gridDim.y * blockDim.x;
    for (; k < size; k += stride)
        out[blockIdx.x * size + k] = mask[k] ? (VALUE)nan("") : (VALUE)frames[blockIdx.x * size + k];
}

// Bins that lost some of their pixels to a mask are scaled up. One thread a bin of frame blockIdx.x.
KERNEL void scale_torn(float *binned, int bins, const long long *torn, const float *gain, int count) {
    int k = blockIdx.y * blockDim.x + threadIdx.x;
    if (k < count) binned[(long long)blockIdx.x * bins + torn[k]] *= gain[k];
}

// Bins that lost most of their pixels get the mean of up to four others (-1: none), or 0. One thread a bin.
KERNEL void fill_holes(float *binned, int bins, const long long *holes, const long long *sources, int count) {
    int k = blockIdx.y * blockDim.x + threadIdx.x, found = 0;
    if (k >= count) return;
    float *frame = binned + (long long)blockIdx.x * bins;
    double total = 0.0;
    for (int j = 0; j < 4; j++) {
        long long source = sources[4 * k + j];
        if (source < 0) continue;
        total += frame[source];
        found += 1;
    }
    frame[holes[k]] = found > 0 ? (float)(total / found) : 0.0f;
}

// The same bins of a flattened frame say nothing.
KERNEL void empty_holes(float *flat, int bins, const long long *holes, int count) {
    int k = blockIdx.y * blockDim.x + threadIdx.x;
    if (k < count) flat[(long long)blockIdx.x * bins + holes[k]] = 0.0f;
}
