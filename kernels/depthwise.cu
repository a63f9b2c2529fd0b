// Convolutions of groups of one input channel and few output channels, a thread for each element of a result.
//
// The gradient of the weight is a sum of parts, whose number the shapes decide; `add_parts` of `conv.cu` adds them.

#include "windows.h"

template <class T>
RL_INLINE void depthwise(const T* __restrict__ x, const T* __restrict__ filter, const T* bias, T* y, const Sizes& s,
                         int relu, i64 count) {
    const int kernel = s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel;
    const int depth = s.axis[0].input, height = s.axis[1].input, width = s.axis[2].input;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 rest = i;
        const int w = (int)take(rest, s.axis[2].output) * s.axis[2].stride - s.axis[2].padding;
        const int h = (int)take(rest, s.axis[1].output) * s.axis[1].stride - s.axis[1].padding;
        const int d = (int)take(rest, s.axis[0].output) * s.axis[0].stride - s.axis[0].padding;
        const int channel = (int)take(rest, s.groups * s.outputs);
        const T* weights = filter + (i64)channel * kernel;
        const T* image = x + (rest * s.groups + channel / s.outputs) * depth * height * width;
        T sum = (T)0;
        for (int kd = 0; kd < s.axis[0].kernel; kd++) {
            const int pd = d + kd * s.axis[0].dilation;
            for (int kh = 0; kh < s.axis[1].kernel; kh++) {
                const int ph = h + kh * s.axis[1].dilation;
                const bool line = (uint32_t)pd < (uint32_t)depth && (uint32_t)ph < (uint32_t)height;
                for (int kw = 0; kw < s.axis[2].kernel; kw++) {
                    const int pw = w + kw * s.axis[2].dilation;
                    const bool inside = line && (uint32_t)pw < (uint32_t)width;
                    sum += *weights++ * (inside ? image[((i64)pd * height + ph) * width + pw] : (T)0);
                }
            }
        }
        if (bias != nullptr) sum += bias[channel];
        y[i] = relu ? relu_of(sum) : sum;
    }
}

template <class T>
RL_INLINE void depthwise_input(const T* __restrict__ grad, const T* __restrict__ filter, T* out, const Sizes& s, i64 count) {
    const int kernel = s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel;
    const i64 plane = (i64)s.axis[0].output * s.axis[1].output * s.axis[2].output;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 rest = i;
        const int w = (int)take(rest, s.axis[2].input);
        const int h = (int)take(rest, s.axis[1].input);
        const int d = (int)take(rest, s.axis[0].input);
        // The number of the sample and group.
        const int group = (int)(rest % s.groups);
        T sum = (T)0;
        for (int o = 0; o < s.outputs; o++) {
            const T* weights = filter + ((i64)group * s.outputs + o) * kernel;
            const T* image = grad + (rest * s.outputs + o) * plane;
            for (int kd = 0; kd < s.axis[0].kernel; kd++) {
                const int od = window_of(s.axis[0], d, kd);
                if (od < 0) continue;
                for (int kh = 0; kh < s.axis[1].kernel; kh++) {
                    const int oh = window_of(s.axis[1], h, kh);
                    if (oh < 0) continue;
                    const T* line = image + ((i64)od * s.axis[1].output + oh) * s.axis[2].output;
                    const T* taps = weights + (kd * s.axis[1].kernel + kh) * s.axis[2].kernel;
                    for (int kw = 0; kw < s.axis[2].kernel; kw++) {
                        const int ow = window_of(s.axis[2], w, kw);
                        if (ow >= 0) sum += taps[kw] * line[ow];
                    }
                }
            }
        }
        out[i] = sum;
    }
}

// A block for each output channel and part of the places of all samples, `[parts, channels, taps]`; it goes over them once
// for every eight taps.
template <class T>
RL_INLINE void depthwise_weight(const T* __restrict__ grad, const T* __restrict__ x, T* out, const Sizes& s,
                                const Dividers& by, i64 length, i64 blocks) {
    constexpr int TAPS = 8, THREADS = 128;
    __shared__ T sums[TAPS][THREADS];
    const int thread = threadIdx.x;
    const int kernel = s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel;
    const int depth = s.axis[0].input, height = s.axis[1].input, width = s.axis[2].input;
    const int count = s.axis[0].output * s.axis[1].output * s.axis[2].output;
    const i64 all = (i64)s.batch * count, plane = (i64)depth * height * width;
    for (i64 block = blockIdx.x; block < blocks; block += gridDim.x) {
        i64 part = block;
        const int channel = (int)take(part, s.groups * s.outputs), group = channel / s.outputs;
        i64 sample = part * length;
        const int terms = (int)min(length, all - sample);
        const int place = (int)take(sample, count);
        for (int first = 0; first < kernel; first += TAPS) {
            T sum[TAPS];
#pragma unroll
            for (int t = 0; t < TAPS; t++) sum[t] = (T)0;
            for (int k = thread; k < terms; k += THREADS) {
                uint32_t at = (uint32_t)(place + k);
                uint32_t more = divide(at, by.plane);
                at -= more * by.plane.divisor;
                uint32_t d = divide(at, by.layer);
                uint32_t in_layer = at - d * by.layer.divisor;
                uint32_t h = divide(in_layer, by.line);
                uint32_t w = in_layer - h * by.line.divisor;
                const i64 image = (sample + more) * s.groups;
                const T g = grad[(image * s.outputs + channel) * count + at];
                const T* from = x + (image + group) * plane;
#pragma unroll
                for (int t = 0; t < TAPS; t++) {
                    int tap = first + t;
                    int kw = tap % s.axis[2].kernel, line = tap / s.axis[2].kernel;
                    int kh = line % s.axis[1].kernel, kd = line / s.axis[1].kernel;
                    int pd = (int)d * s.axis[0].stride - s.axis[0].padding + kd * s.axis[0].dilation;
                    int ph = (int)h * s.axis[1].stride - s.axis[1].padding + kh * s.axis[1].dilation;
                    int pw = (int)w * s.axis[2].stride - s.axis[2].padding + kw * s.axis[2].dilation;
                    bool inside = tap < kernel && (uint32_t)pd < (uint32_t)depth;
                    inside = inside && (uint32_t)ph < (uint32_t)height && (uint32_t)pw < (uint32_t)width;
                    sum[t] += g * (inside ? from[((i64)pd * height + ph) * width + pw] : (T)0);
                }
            }
            __syncthreads();
#pragma unroll
            for (int t = 0; t < TAPS; t++) sums[t][thread] = sum[t];
            for (int half = THREADS / 2; half > 0; half /= 2) {
                __syncthreads();
                for (int i = thread; i < TAPS * half; i += THREADS) {
                    int t = i / half, lane = i % half;
                    sums[t][lane] += sums[t][lane + half];
                }
            }
            __syncthreads();
            if (thread < TAPS && first + thread < kernel) {
                out[(part * s.groups * s.outputs + channel) * kernel + first + thread] = sums[thread][0];
            }
        }
    }
}

#define DEPTHWISE(T, dtype)                                                                                                     \
    RL_KERNEL(depthwise_##dtype, const T* x, const T* filter, const T* bias, T* y, Sizes sizes, int relu, i64 count) {      \
        depthwise(x, filter, bias, y, sizes, relu, count);                                                                  \
    }                                                                                                                       \
    RL_KERNEL(depthwise_input_##dtype, const T* grad, const T* filter, T* out, Sizes sizes, i64 count) {                    \
        depthwise_input(grad, filter, out, sizes, count);                                                                   \
    }                                                                                                                       \
    RL_KERNEL(depthwise_weight_##dtype, const T* grad, const T* x, T* out, Sizes sizes, Dividers by, i64 length,            \
              i64 blocks) {                                                                                                 \
        depthwise_weight(grad, x, out, sizes, by, length, blocks);                                                          \
    }

DEPTHWISE(float, f32)
DEPTHWISE(double, f64)
DEPTHWISE(i64, i64)
