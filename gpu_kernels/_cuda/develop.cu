// Raw samples to linear, calibrated values: the arithmetic of _numba/develop.py in the same order.

// out = (response[frames] - offset) * scale in float; what `steps` does not name is left out (1 response, 2 offset,
// 4 scale). Frame blockIdx.x has `size` samples.
KERNEL void develop(const PIXEL *frames, long long size, int steps, const float *response, const float *offset,
                    const float *scale, float *out) {
    long long k = (long long)blockIdx.y * blockDim.x + threadIdx.x, stride = (long long)gridDim.y * blockDim.x;
    for (; k < size; k += stride) {
        PIXEL sample = frames[blockIdx.x * size + k];
        float value = (float)sample;
#if PIXEL_IS_INTEGER
        if (steps & 1) value = response[sample];
#endif
        if (steps & 2) value -= offset[k];
        if (steps & 4) value *= scale[k];
        out[blockIdx.x * size + k] = value;
    }
}

// Defective pixels become the mean of their good neighbours, `step` pixels away; planes of `rows` rows lie below
// each other and do not mix. One thread a defect of frame blockIdx.x; no defect's value is read.
KERNEL void repair(const unsigned char *defect, const long long *places, int count, int height, int width, int rows,
                   int step, float *images) {
    int k = blockIdx.y * blockDim.x + threadIdx.x;
    if (k >= count) return;
    float *image = images + (long long)blockIdx.x * height * width;
    int j = (int)(places[k] / width), i = (int)(places[k] % width);
    int top = j / rows * rows, bottom = top + rows < height ? top + rows : height, good = 0;
    float total = 0.0f;
    for (int y = j - step; y <= j + step; y += step)
        for (int x = i - step; x <= i + step; x += step) {
            if (y < top || y >= bottom || x < 0 || x >= width || defect[(long long)y * width + x]) continue;
            float value = image[(long long)y * width + x];
            if (!isfinite(value)) continue;
            total += value;
            good += 1;
        }
    image[places[k]] = good > 0 ? total / (float)good : (float)nan("");
}
