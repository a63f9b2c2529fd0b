// Convolutions and their gradients as products of matrices whose right operand, the windows as columns, is never written:
// tiles of it are gathered into shared memory.
//
// An element of a result is one thread's sum over all products in one order, whatever the tiles are; the gradient of the
// weight is a sum of parts (see `weight`), whose number the shapes decide.

#include "windows.h"

// What is computed of a convolution.
enum Job { FORWARD, POOLED, BACKWARD };

// Places beyond this are in no image: the host sees to it that sizes, paddings and windows stay below 2^28.
constexpr int OUTSIDE = 1 << 29;

// The places of a result along an axis, and where in the source the taps of the filter read for them: for place `p` and tap
// `t` at `start + p * step + t * delta`; the tap is `first_tap + t * tap_step` of the filter, the place
// `first_place + p * place_step` of the result.
struct Line {
    int places, start, step;
    int taps, delta, first_tap, tap_step;
    int first_place, place_step;
};

RL_INLINE Line forward_line(const Slide& a) {
    return {a.output, -a.padding, a.stride, a.kernel, a.dilation, 0, 1, 0, 1};
}

// The places `first`, `first + stride`, .. of the input: the taps that reach one reach all of them, so that no product with a
// zero in between is computed.
RL_INLINE Line backward_line(const Slide& a, int first) {
    int at = first + a.padding;
    int most = min(a.kernel, a.stride), tap = 0;
    while (tap < most && (at - tap * a.dilation) % a.stride != 0) tap++;
    int divisor = a.dilation, rest = a.stride;
    while (rest != 0) {
        int next = divisor % rest;
        divisor = rest;
        rest = next;
    }
    int cycle = a.stride / divisor;
    int taps = tap < most ? (a.kernel - 1 - tap) / cycle + 1 : 0;
    int places = first < a.input ? (a.input - 1 - first) / a.stride + 1 : 0;
    int start = taps > 0 ? (at - tap * a.dilation) / a.stride : 0;
    return {places, start, 1, taps, -(a.dilation / divisor), tap, cycle, first, a.stride};
}

// So many steps along `k` are written out: with all of them the driver would compile the file for longer.
template <class T>
constexpr int STEPS = sizeof(T) == 4 ? 4 : 1;

// What a row of the matrix of columns reads: an element of the source behind that of the window's origin.
struct Tap {
    int offset, d, h, w;
};

// Entries of the table of taps, which is filled again when they are used up.
constexpr int CHUNK = 256;

// `result[row][column] = sum of filter[row][k] * source[k][column]`: a row is a channel of the result, a column a place of
// a sample, `k` a channel of the source with a tap. A block has BM x BN elements and goes on by BK terms, a thread has TM x
// TN elements. The pool of POOLED is over windows of two by two, whose places are four columns side by side.
template <class T, int BM, int BN, int BK, int TM, int TN, int JOB>
RL_INLINE void multiply(const T* __restrict__ source, const T* __restrict__ filter, const T* bias, T* out, i64* places,
                        const Sizes& s, int relu, i64 column_tiles, i64 tiles) {
    constexpr int THREADS = (BM / TM) * (BN / TN), WIDE = BN / TN;
    constexpr int A = BM * 8 / THREADS, B = BK * BN / THREADS, ROW = TM < 4 ? TM : 4;
    static_assert(THREADS >= BN && THREADS % BN == 0 && BK % 8 == 0 && CHUNK % BK == 0, "");
    static_assert(BM * 8 % THREADS == 0 && BK * BN % THREADS == 0 && TM % ROW == 0 && TN % 4 == 0, "");
    __shared__ Pack<T, 4> a_tiles[2][BK][BM / 4 + 1];
    __shared__ Pack<T, 4> b_tiles[2][BK][BN / 4];
    __shared__ Tap taps[CHUNK];
    __shared__ int filter_at[CHUNK];
    // Where the columns lie in the result, and in a plane the first places of the pool's windows.
    __shared__ i64 column_at[BN];
    __shared__ int corner_at[BN / 4];
    __shared__ Line lines[3];

    const int thread = threadIdx.x, tx = thread % WIDE, ty = thread / WIDE;
    const int channels = JOB == BACKWARD ? s.outputs : s.inputs, rows = JOB == BACKWARD ? s.inputs : s.outputs;
    const int kernel = s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel;
    int size[3], result[3];
    for (int i = 0; i < 3; i++) {
        size[i] = JOB == BACKWARD ? s.axis[i].output : s.axis[i].input;
        result[i] = JOB == BACKWARD ? s.axis[i].input : s.axis[i].output;
    }
    const int plane = size[0] * size[1] * size[2];
    const int result_plane = JOB == POOLED ? (result[1] / 2) * (result[2] / 2) : result[0] * result[1] * result[2];
    const int row_step = JOB == BACKWARD ? kernel : s.inputs * kernel;
    const int channel_step = JOB == BACKWARD ? s.inputs * kernel : kernel;

    for (i64 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        i64 rest = tile;
        const int first_row = (int)take(rest, (rows + BM - 1) / BM) * BM;
        const i64 first_column = take(rest, column_tiles) * BN;
        const int group = (int)take(rest, s.groups);
        __syncthreads();
        if (thread < 3) {
            int which = (int)rest;
            for (int i = 2; i > thread; i--) which /= min(s.axis[i].stride, s.axis[i].input);
            const Slide& a = s.axis[thread];
            lines[thread] = JOB == BACKWARD ? backward_line(a, which % min(a.stride, a.input)) : forward_line(a);
        }
        __syncthreads();
        const int tap_h = lines[1].taps, tap_w = lines[2].taps, tap_count = lines[0].taps * tap_h * tap_w;
        const int inner = channels * tap_count;
        const int wide = lines[2].places, high = lines[1].places;
        const int count = JOB == POOLED ? 4 * result_plane : lines[0].places * high * wide;
        const i64 columns = (i64)s.batch * count;
        // Not all sets of places of BACKWARD are of one size.
        if (first_column >= columns) continue;

        // The column that this thread gathers.
        int base_d = -2 * OUTSIDE, base_h = 0, base_w = 0;
        const T* base = source;
        {
            i64 sample = first_column + thread % BN;
            i64 at = -1;
            int corner = 0;
            if (sample < columns) {
                int place = (int)take(sample, count);
                int d, h, w;
                i64 image = sample * s.groups + group;
                if (JOB == POOLED) {
                    int window = place / 4;
                    d = 0;
                    h = window / (result[2] / 2), w = window - h * (result[2] / 2);
                    h = 2 * h, w = 2 * w;
                    corner = h * result[2] + w;
                    h += place / 2 % 2, w += place % 2;
                    at = image * rows * result_plane + window;
                } else {
                    int line = place / wide;
                    w = place - line * wide;
                    d = line / high, h = line - d * high;
                    at = lines[0].first_place + d * lines[0].place_step;
                    at = at * result[1] + lines[1].first_place + h * lines[1].place_step;
                    at = at * result[2] + lines[2].first_place + w * lines[2].place_step;
                    at += image * rows * result_plane;
                }
                base_d = lines[0].start + d * lines[0].step;
                base_h = lines[1].start + h * lines[1].step;
                base_w = lines[2].start + w * lines[2].step;
                base += image * channels * plane + ((i64)base_d * size[1] + base_h) * size[2] + base_w;
            }
            if (thread < BN) {
                column_at[thread] = at;
                if (JOB == POOLED && thread % 4 == 0) corner_at[thread / 4] = corner;
            }
        }
        const T* weights = filter + (i64)group * s.outputs * s.inputs * kernel;

        auto fill_taps = [&](int first) {
#pragma unroll 1
            for (int i = thread; i < CHUNK; i += THREADS) {
                int k = first + i;
                Tap tap = {0, OUTSIDE, 0, 0};
                int at = -1;
                if (k < inner) {
                    int channel = k / tap_count;
                    int t = k - channel * tap_count;
                    int line = t / tap_w;
                    int w = t - line * tap_w;
                    int d = line / tap_h;
                    int h = line - d * tap_h;
                    tap = {0, d * lines[0].delta, h * lines[1].delta, w * lines[2].delta};
                    tap.offset = channel * plane + (tap.d * size[1] + tap.h) * size[2] + tap.w;
                    at = lines[0].first_tap + d * lines[0].tap_step;
                    at = at * s.axis[1].kernel + lines[1].first_tap + h * lines[1].tap_step;
                    at = at * s.axis[2].kernel + lines[2].first_tap + w * lines[2].tap_step;
                    at += channel * channel_step;
                }
                taps[i] = tap;
                filter_at[i] = at;
            }
        };
        T a_next[BK / 8][A], b_next[B];
        auto gather = [&](int first) {
            // Eight lanes read neighbours, and write to different banks.
#pragma unroll
            for (int k = 0; k < BK / 8; k++) {
                const int at = filter_at[first % CHUNK + 8 * k + thread % 8];
#pragma unroll
                for (int i = 0; i < A; i++) {
                    int row = first_row + thread / 8 + i * (THREADS / 8);
                    a_next[k][i] = at >= 0 && row < rows ? weights[row * row_step + at] : (T)0;
                }
            }
#pragma unroll
            for (int i = 0; i < B; i++) {
                Tap tap = taps[first % CHUNK + thread / BN + i * (THREADS / BN)];
                bool inside = (uint32_t)(base_d + tap.d) < (uint32_t)size[0];
                inside = inside && (uint32_t)(base_h + tap.h) < (uint32_t)size[1];
                inside = inside && (uint32_t)(base_w + tap.w) < (uint32_t)size[2];
                b_next[i] = inside ? base[tap.offset] : (T)0;
            }
        };
        auto keep = [&](int buffer) {
#pragma unroll
            for (int k = 0; k < BK / 8; k++) {
                T* a = a_tiles[buffer][8 * k + thread % 8][0].at;
#pragma unroll
                for (int i = 0; i < A; i++) a[thread / 8 + i * (THREADS / 8)] = a_next[k][i];
            }
#pragma unroll
            for (int i = 0; i < B; i++) {
                b_tiles[buffer][thread / BN + i * (THREADS / BN)][0].at[thread % BN] = b_next[i];
            }
        };

        T sums[TM][TN];
#pragma unroll
        for (int i = 0; i < TM; i++) {
#pragma unroll
            for (int j = 0; j < TN; j++) sums[i][j] = (T)0;
        }
        // The first turn only gathers.
        for (int k = -BK, buffer = 1; k < inner; k += BK, buffer ^= 1) {
            const int next = k + BK;
            if (next < inner) {
                if (next % CHUNK == 0) {
                    // Nobody reads the entries before: the barrier below was passed.
                    fill_taps(next);
                    __syncthreads();
                }
                gather(next);
            }
            if (k >= 0) {
#pragma unroll(STEPS<T>)
                for (int i = 0; i < BK; i++) {
                    Pack<T, ROW> a[TM / ROW];
                    Pack<T, 4> b[TN / 4];
#pragma unroll
                    for (int m = 0; m < TM / ROW; m++) {
                        a[m] = reinterpret_cast<Pack<T, ROW>*>(a_tiles[buffer][i])[m * (BM / TM) + ty];
                    }
#pragma unroll
                    for (int n = 0; n < TN / 4; n++) b[n] = b_tiles[buffer][i][n * WIDE + tx];
#pragma unroll
                    for (int m = 0; m < TM; m++) {
#pragma unroll
                        for (int n = 0; n < TN; n++) sums[m][n] += a[m / ROW].at[m % ROW] * b[n / 4].at[n % 4];
                    }
                }
            }
            if (next < inner) keep(buffer ^ 1);
            __syncthreads();
        }

#pragma unroll
        for (int m = 0; m < TM; m++) {
            const int row = first_row + (m / ROW * (BM / TM) + ty) * ROW + m % ROW;
            if (row >= rows) continue;
            const T more = JOB != BACKWARD && bias != nullptr ? bias[group * rows + row] : (T)0;
            T* to_row = out + (i64)row * result_plane;
#pragma unroll
            for (int n = 0; n < TN; n += 4) {
                const int column = (n / 4 * WIDE + tx) * 4;
                Pack<T, 4> four;
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    T sum = JOB == BACKWARD ? sums[m][n + i] : sums[m][n + i] + more;
                    four.at[i] = JOB == POOLED || (JOB == FORWARD && relu) ? relu_of(sum) : sum;
                }
                const i64 at = column_at[column];
                T* to = to_row + at;
                if (JOB == POOLED) {
                    if (at < 0) continue;
                    // The first of equals, the last NaN.
                    T best = four.at[0];
                    int place = 0;
#pragma unroll
                    for (int i = 1; i < 4; i++) {
                        if (four.at[i] > best || is_nan(four.at[i])) best = four.at[i], place = i;
                    }
                    *to = best;
                    if (places != nullptr) {
                        places[at + (i64)row * result_plane] =
                            corner_at[column / 4] + place / 2 * result[2] + place % 2;
                    }
                } else if (at >= 0 && column_at[column + 3] == at + 3 && ((uint64_t)to & 15) == 0) {
                    *reinterpret_cast<Pack<T, 4>*>(to) = four;
                } else {
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        const i64 one = column_at[column + i];
                        if (one >= 0) to_row[one] = four.at[i];
                    }
                }
            }
        }
    }
}

// The gradient of the weight: `out[row][column] = sum of grad[row][k] * x[k][column]`, where a row is a channel of the
// result, a column a channel of the input with a tap, and `k` a place of a sample. A part of all `k`, so many as `length`,
// has a result of its own, `[parts, groups, rows, columns]`.
template <class T, int BM, int BN, int TM, int TN>
RL_INLINE void weight(const T* __restrict__ grad, const T* __restrict__ x, T* out, const Sizes& s, const Dividers& by,
                      i64 length, i64 tiles) {
    constexpr int BK = 16, THREADS = (BM / TM) * (BN / TN), WIDE = BN / TN, STEP = THREADS / BK;
    constexpr int A = BM / STEP, B = BN / STEP;
    static_assert(THREADS % BK == 0 && BM % STEP == 0 && BN % STEP == 0, "");
    __shared__ Pack<T, 4> a_tiles[2][BK][BM / 4 + 1];
    __shared__ Pack<T, 4> b_tiles[2][BK][BN / 4 + 1];
    __shared__ Tap taps[BN];

    const int thread = threadIdx.x, tx = thread % WIDE, ty = thread / WIDE, lane = thread % BK, first = thread / BK;
    const int kernel = s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel;
    const int rows = s.outputs, columns = s.inputs * kernel;
    const int depth = s.axis[0].input, height = s.axis[1].input, width = s.axis[2].input;
    const int plane = depth * height * width, count = s.axis[0].output * s.axis[1].output * s.axis[2].output;
    const i64 all = (i64)s.batch * count;
    for (i64 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        i64 part = tile;
        const int first_row = (int)take(part, (rows + BM - 1) / BM) * BM;
        const int first_column = (int)take(part, (columns + BN - 1) / BN) * BN;
        const int group = (int)take(part, s.groups);
        i64 sample = part * length;
        const int terms = (int)min(length, all - sample);
        const int place = (int)take(sample, count);
        __syncthreads();
        for (int i = thread; i < BN; i += THREADS) {
            int column = first_column + i;
            Tap tap = {0, OUTSIDE, 0, 0};
            if (column < columns) {
                int channel = column / kernel;
                int line = column - channel * kernel;
                int w = line % s.axis[2].kernel;
                line /= s.axis[2].kernel;
                int h = line % s.axis[1].kernel;
                int d = line / s.axis[1].kernel;
                tap = {0, d * s.axis[0].dilation, h * s.axis[1].dilation, w * s.axis[2].dilation};
                tap.offset = channel * plane + (tap.d * height + tap.h) * width + tap.w;
            }
            taps[i] = tap;
        }
        __syncthreads();

        T a_next[A], b_next[B];
        auto gather = [&](int k) {
            // The term of this thread.
            const bool there = k + lane < terms;
            uint32_t at = (uint32_t)(place + k + lane);
            uint32_t more = divide(at, by.plane);
            at -= more * by.plane.divisor;
            uint32_t d = divide(at, by.layer);
            uint32_t in_layer = at - d * by.layer.divisor;
            uint32_t h = divide(in_layer, by.line);
            uint32_t w = in_layer - h * by.line.divisor;
            const i64 image = (sample + more) * s.groups + group;
            const T* from = grad + image * rows * count + at;
#pragma unroll
            for (int i = 0; i < A; i++) {
                int row = first_row + first + i * STEP;
                a_next[i] = there && row < rows ? from[row * count] : (T)0;
            }
            const int base_d = there ? (int)d * s.axis[0].stride - s.axis[0].padding : -2 * OUTSIDE;
            const int base_h = (int)h * s.axis[1].stride - s.axis[1].padding;
            const int base_w = (int)w * s.axis[2].stride - s.axis[2].padding;
            const T* base = x + image * s.inputs * plane + ((i64)base_d * height + base_h) * width + base_w;
#pragma unroll
            for (int i = 0; i < B; i++) {
                Tap tap = taps[first + i * STEP];
                bool inside = (uint32_t)(base_d + tap.d) < (uint32_t)depth;
                inside = inside && (uint32_t)(base_h + tap.h) < (uint32_t)height;
                inside = inside && (uint32_t)(base_w + tap.w) < (uint32_t)width;
                b_next[i] = inside ? base[tap.offset] : (T)0;
            }
        };
        auto keep = [&](int buffer) {
            T *a = a_tiles[buffer][lane][0].at, *b = b_tiles[buffer][lane][0].at;
#pragma unroll
            for (int i = 0; i < A; i++) a[first + i * STEP] = a_next[i];
#pragma unroll
            for (int i = 0; i < B; i++) b[first + i * STEP] = b_next[i];
        };

        T sums[TM][TN];
#pragma unroll
        for (int i = 0; i < TM; i++) {
#pragma unroll
            for (int j = 0; j < TN; j++) sums[i][j] = (T)0;
        }
        // The first turn only gathers.
        for (int k = -BK, buffer = 1; k < terms; k += BK, buffer ^= 1) {
            if (k + BK < terms) gather(k + BK);
            if (k >= 0) {
#pragma unroll(STEPS<T>)
                for (int i = 0; i < BK; i++) {
                    Pack<T, 4> a[TM / 4], b[TN / 4];
#pragma unroll
                    for (int m = 0; m < TM / 4; m++) a[m] = a_tiles[buffer][i][m * (BM / TM) + ty];
#pragma unroll
                    for (int n = 0; n < TN / 4; n++) b[n] = b_tiles[buffer][i][n * WIDE + tx];
#pragma unroll
                    for (int m = 0; m < TM; m++) {
#pragma unroll
                        for (int n = 0; n < TN; n++) sums[m][n] += a[m / 4].at[m % 4] * b[n / 4].at[n % 4];
                    }
                }
            }
            if (k + BK < terms) keep(buffer ^ 1);
            __syncthreads();
        }
        T* to = out + (part * s.groups + group) * rows * columns;
#pragma unroll
        for (int m = 0; m < TM; m++) {
            const int row = first_row + (m / 4 * (BM / TM) + ty) * 4 + m % 4;
#pragma unroll
            for (int n = 0; n < TN; n++) {
                const int column = first_column + (n / 4 * WIDE + tx) * 4 + n % 4;
                if (row < rows && column < columns) to[(i64)row * columns + column] = sums[m][n];
            }
        }
    }
}

// The sums of parts `[parts, count]`: eight threads for an element, whose sums are added in order.
template <class T>
RL_INLINE void add_parts(const T* parts, T* out, i64 number, i64 count) {
    __shared__ T sums[8][32];
    const int lane = threadIdx.x % 32, row = threadIdx.x / 32;
    for (i64 first = (i64)blockIdx.x * 32; first < count; first += (i64)gridDim.x * 32) {
        T sum = (T)0;
        if (first + lane < count) {
            for (i64 part = row; part < number; part += 8) sum += parts[part * count + first + lane];
        }
        __syncthreads();
        sums[row][lane] = sum;
        __syncthreads();
        if (row == 0 && first + lane < count) {
            for (int i = 1; i < 8; i++) sum += sums[i][lane];
            out[first + lane] = sum;
        }
    }
}

#define TILED(name, job, T, dtype, blocks, BM, BN, BK, TM, TN)                                                                \
    RL_BOUNDED(name##_##dtype, (BM / TM) * (BN / TN), blocks, const T* source, const T* filter, const T* bias, T* out,      \
               i64* places, Sizes sizes, int relu, i64 column_tiles, i64 tiles) {                                           \
        multiply<T, BM, BN, BK, TM, TN, job>(source, filter, bias, out, places, sizes, relu, column_tiles, tiles);              \
    }
#define TILED_WEIGHT(name, T, dtype, blocks, BM, BN, TM, TN)                                                                \
    RL_BOUNDED(name##_##dtype, (BM / TM) * (BN / TN), blocks, const T* grad, const T* x, T* out, Sizes sizes, Dividers by,  \
               i64 length, i64 tiles) {                                                                                     \
        weight<T, BM, BN, TM, TN>(grad, x, out, sizes, by, length, tiles);                                                  \
    }
#define JOBS(tile, T, dtype, blocks, BM, BN, BK, TM, TN)                          \
    TILED(forward_##tile, FORWARD, T, dtype, blocks, BM, BN, BK, TM, TN)          \
    TILED(forward_pooled_##tile, POOLED, T, dtype, blocks, BM, BN, BK, TM, TN)    \
    TILED(grad_input_##tile, BACKWARD, T, dtype, blocks, BM, BN, BK, TM, TN)
#define ADD_PARTS(T, dtype) \
    RL_KERNEL(add_parts_##dtype, const T* parts, T* out, i64 number, i64 count) { add_parts(parts, out, number, count); }

JOBS(16x64, float, f32, 4, 16, 64, 32, 2, 4)
JOBS(32x32, float, f32, 4, 32, 32, 32, 2, 4)
JOBS(32x128, float, f32, 4, 32, 128, 8, 4, 8)
JOBS(64x128, float, f32, 3, 64, 128, 8, 8, 8)
JOBS(32x32, double, f64, 3, 32, 32, 16, 2, 4)
JOBS(32x32, i64, i64, 3, 32, 32, 16, 2, 4)
TILED_WEIGHT(weight_16x64, float, f32, 8, 16, 64, 4, 4)
TILED_WEIGHT(weight_32x64, float, f32, 4, 32, 64, 4, 4)
TILED_WEIGHT(weight_64x64, float, f32, 4, 64, 64, 8, 4)
TILED_WEIGHT(weight_32x64, double, f64, 2, 32, 64, 4, 4)
TILED_WEIGHT(weight_32x64, i64, i64, 2, 32, 64, 4, 4)
ADD_PARTS(float, f32)
ADD_PARTS(double, f64)
ADD_PARTS(i64, i64)
