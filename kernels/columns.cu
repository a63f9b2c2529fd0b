// Windows as columns, and columns added up in the places that they came from. Columns are a matrix: a row for each channel
// and place of the window, a column for each window.

#include "windows.h"

struct Window {
    Slide axis[3];
};

// By the places of a layer and of a line.
struct PlaneDividers {
    Divider layer, line;
};

RL_INLINE i64 first_row(int lanes) { return (i64)blockIdx.x * (blockDim.x / lanes) + threadIdx.x / lanes; }
RL_INLINE i64 stride_of_rows(int lanes) { return (i64)gridDim.x * (blockDim.x / lanes); }

// A row of the columns; `lanes` threads go along it.
template <class T>
RL_INLINE void unfold(const T* x, T* columns, const Window& s, const PlaneDividers& by, int lanes, i64 rows) {
    const int kernel = s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel;
    const int depth = s.axis[0].input, height = s.axis[1].input, width = s.axis[2].input;
    const int count = s.axis[0].output * s.axis[1].output * s.axis[2].output;
    for (i64 row = first_row(lanes); row < rows; row += stride_of_rows(lanes)) {
        const i64 plane = row / kernel;
        const int tap = (int)(row - plane * kernel), line = tap / s.axis[2].kernel;
        const int w = tap % s.axis[2].kernel * s.axis[2].dilation - s.axis[2].padding;
        const int h = line % s.axis[1].kernel * s.axis[1].dilation - s.axis[1].padding;
        const int d = line / s.axis[1].kernel * s.axis[0].dilation - s.axis[0].padding;
        const T* image = x + plane * depth * height * width;
        for (int i = threadIdx.x % lanes; i < count; i += lanes) {
            const uint32_t od = divide(i, by.layer), in_layer = i - od * by.layer.divisor;
            const uint32_t oh = divide(in_layer, by.line), ow = in_layer - oh * by.line.divisor;
            const int z = d + (int)od * s.axis[0].stride, y = h + (int)oh * s.axis[1].stride;
            const int at = w + (int)ow * s.axis[2].stride;
            bool inside = (uint32_t)z < (uint32_t)depth && (uint32_t)y < (uint32_t)height;
            inside = inside && (uint32_t)at < (uint32_t)width;
            columns[row * count + i] = inside ? image[(z * height + y) * width + at] : (T)0;
        }
    }
}

// A row is a plane of the result. The sums are in the order of the rows of the columns.
template <class T>
RL_INLINE void fold(const T* columns, T* out, const Window& s, const PlaneDividers& by, int lanes, i64 rows) {
    const int kernel = s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel;
    const int size = s.axis[0].input * s.axis[1].input * s.axis[2].input;
    const int high = s.axis[1].output, wide = s.axis[2].output, count = s.axis[0].output * high * wide;
    for (i64 row = first_row(lanes); row < rows; row += stride_of_rows(lanes)) {
        const T* from = columns + row * kernel * count;
        for (int i = threadIdx.x % lanes; i < size; i += lanes) {
            const uint32_t d = divide(i, by.layer), in_layer = i - d * by.layer.divisor;
            const uint32_t h = divide(in_layer, by.line), w = in_layer - h * by.line.divisor;
            T sum = (T)0;
            for (int kd = 0; kd < s.axis[0].kernel; kd++) {
                const int od = window_of(s.axis[0], d, kd);
                if (od < 0) continue;
                for (int kh = 0; kh < s.axis[1].kernel; kh++) {
                    const int oh = window_of(s.axis[1], h, kh);
                    if (oh < 0) continue;
                    const int taps = (kd * s.axis[1].kernel + kh) * s.axis[2].kernel, line = (od * high + oh) * wide;
                    for (int kw = 0; kw < s.axis[2].kernel; kw++) {
                        const int ow = window_of(s.axis[2], w, kw);
                        if (ow >= 0) sum += from[(i64)(taps + kw) * count + line + ow];
                    }
                }
            }
            out[row * size + i] = sum;
        }
    }
}

#define UNFOLD(bytes, T)                                                                                       \
    RL_KERNEL(unfold_##bytes, const T* x, T* columns, Window window, PlaneDividers by, int lanes, i64 rows) {       \
        unfold(x, columns, window, by, lanes, rows);                                                           \
    }
#define FOLD(T, dtype)                                                                                         \
    RL_KERNEL(fold_##dtype, const T* columns, T* out, Window window, PlaneDividers by, int lanes, i64 rows) {       \
        fold(columns, out, window, by, lanes, rows);                                                           \
    }

UNFOLD(1, uint8_t)
UNFOLD(2, uint16_t)
UNFOLD(4, uint32_t)
UNFOLD(8, uint64_t)
FOLD(float, f32)
FOLD(double, f64)
FOLD(i64, i64)
