// Statistics of channels, and channels shifted and scaled by them: batch norm, forward and backward.
//
// Arrays are `[N, C, L]`. The elements of a channel are cut in parts; what a part says of them is joined by another kernel,
// in f64. Where rows are single elements, threads side by side have a channel each.

#include "rushlight.h"
#include "rows.h"

// The number of elements, their mean, and the sum of the squares of the distances from it. Two join without cancellation:
// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
template <class T>
struct Moments {
    static constexpr int NUMBERS = 3;
    T count, mean, squares;
    static RL_INLINE Moments start() { return {0, 0, 0}; }
    static RL_INLINE Moments fold(Moments a, Moments b) {
        if (a.count == 0) return b;
        if (b.count == 0) return a;
        T count = a.count + b.count, step = b.mean - a.mean, share = b.count / count;
        return {count, a.mean + step * share, a.squares + b.squares + step * step * a.count * share};
    }
    RL_INLINE void write(T* to) const {
        to[0] = count;
        to[1] = mean;
        to[2] = squares;
    }
    template <class U>
    static RL_INLINE Moments read(const U* from) { return {(T)from[0], (T)from[1], (T)from[2]}; }
};

template <class T>
struct Sums {
    static constexpr int NUMBERS = 2;
    T first, second;
    static RL_INLINE Sums start() { return {0, 0}; }
    static RL_INLINE Sums fold(Sums a, Sums b) { return {a.first + b.first, a.second + b.second}; }
    RL_INLINE void write(T* to) const {
        to[0] = first;
        to[1] = second;
    }
    template <class U>
    static RL_INLINE Sums read(const U* from) { return {(T)from[0], (T)from[1]}; }
};

// Elements that a thread takes in at once.
constexpr int BATCH = 16;

// What is asked of a channel: how a batch of elements at `places` is taken in; -1 is none.
template <class T>
struct Statistics {
    typedef Moments<T> Part;
    const T* x;
    // The element at `shift_at`, one of the channel's own, is taken off all of them, so that their size does not swallow
    // their distances.
    RL_INLINE void take(Part& part, const i64 (&places)[BATCH], i64 shift_at) const {
        T shift = x[shift_at];
        T at[BATCH];
        T sum = 0, missed = 0, squares = 0, count = 0;
#pragma unroll
        for (int k = 0; k < BATCH; k++) at[k] = places[k] < 0 ? T(0) : x[places[k]];
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            if (places[k] < 0) continue;
            at[k] -= shift;
            sum += at[k];
            count += T(1);
        }
        if (count == 0) return;
        T share = T(1) / count;
        T mean = sum * share;
#pragma unroll
        for (int k = 0; k < BATCH; k++)
            if (places[k] >= 0) missed += at[k] - mean;
        mean += missed * share;
#pragma unroll
        for (int k = 0; k < BATCH; k++)
            if (places[k] >= 0) squares += (at[k] - mean) * (at[k] - mean);
        part = Part::fold(part, {count, mean, squares});
    }
};

template <class T>
struct GradSums {
    typedef Sums<T> Part;
    const T* x;
    const T* grad;
    const T* mean;
    RL_INLINE void take(Part& part, const i64 (&places)[BATCH], i64 channel) const {
        T centre = mean[channel];
        T g[BATCH], v[BATCH];
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            g[k] = places[k] < 0 ? T(0) : grad[places[k]];
            v[k] = places[k] < 0 ? T(0) : x[places[k]];
        }
        T sum = 0, products = 0;
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            sum += g[k];
            // An infinite centre has no distance from itself.
            if (places[k] >= 0) products += g[k] * (v[k] - centre);
        }
        part = Part::fold(part, {sum, products});
    }
};

// The fold of what threads with one `lane` have, 256 / width of them; thread `lane` gets it.
template <class Part>
RL_INLINE Part fold_slots(Part own, int width) {
    __shared__ Part box[256];
    int slot = (int)threadIdx.x / width;
    box[threadIdx.x] = own;
#pragma unroll 1
    for (int half = 128 / width; half > 0; half /= 2) {
        __syncthreads();
        if (slot < half) box[threadIdx.x] = Part::fold(box[threadIdx.x], box[threadIdx.x + half * width]);
    }
    return box[threadIdx.x];
}

RL_INLINE i64 quotient(i64 a, i64 b) {
    if (((uint64_t)a | (uint64_t)b) <= 0xffffffffu) return (uint32_t)a / (uint32_t)b;
    return a / b;
}

// A block for each part of a channel: parts are written as `[C, parts]`.
template <class Task, class T>
RL_INLINE void channel_rows(const Task& task, T* to, i64 channels, i64 length, i64 count, i64 parts, i64 part, bool shifted) {
    typedef typename Task::Part Part;
    i64 channel = quotient(blockIdx.x, parts);
    i64 first = (blockIdx.x - channel * parts) * part;
    i64 last = count - first < part ? count : first + part;
    Part own = Part::start();
#pragma unroll 1
    for (i64 base = first + threadIdx.x; base < last; base += 256 * BATCH) {
        i64 places[BATCH];
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            i64 i = base + 256 * k;
            i64 sample = quotient(i, length);
            places[k] = i < last ? (sample * channels + channel) * length + (i - sample * length) : -1;
        }
        task.take(own, places, shifted ? channel * length : channel);
    }
    own = fold_slots(own, 1);
    if (threadIdx.x == 0) own.write(to + (i64)blockIdx.x * Part::NUMBERS);
}

// For `[N, C, 1]`: threads side by side have a channel each, of a part of the samples; written as `[parts, C]`.
template <class Task, class T>
RL_INLINE void channel_columns(const Task& task, T* to, i64 channels, i64 count, i64 part, int width) {
    typedef typename Task::Part Part;
    i64 channel = (i64)blockIdx.x * width + (int)threadIdx.x % width;
    int slot = (int)threadIdx.x / width, slots = 256 / width;
    i64 first = blockIdx.y * part;
    i64 last = count - first < part ? count : first + part;
    Part own = Part::start();
#pragma unroll 1
    for (i64 base = first + slot; channel < channels && base < last; base += slots * BATCH) {
        i64 places[BATCH];
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            i64 row = base + slots * k;
            places[k] = row < last ? row * channels + channel : -1;
        }
        task.take(own, places, channel);
    }
    own = fold_slots(own, width);
    if (slot == 0 && channel < channels) own.write(to + (blockIdx.y * channels + channel) * Part::NUMBERS);
}

// Joins the parts of a channel: those from `channel * step`, `apart` from each other.
template <class Part, class T>
RL_INLINE Part joined(const T* parts, i64 count, i64 step, i64 apart) {
    Part own = Part::start();
#pragma unroll 1
    for (i64 i = threadIdx.x; i < count; i += 256)
        own = Part::fold(own, Part::read(parts + (blockIdx.x * step + i * apart) * Part::NUMBERS));
    return fold_slots(own, 1);
}

template <class T>
RL_INLINE void join_stats(const T* parts, const T* x, T* y, i64 count, i64 step, i64 apart, i64 length) {
    Moments<double> all = joined<Moments<double>>(parts, count, step, apart);
    if (threadIdx.x != 0) return;
    y[2 * blockIdx.x] = (T)((double)x[blockIdx.x * length] + all.mean);
    y[2 * blockIdx.x + 1] = (T)(all.squares / all.count);
}

template <class T>
RL_INLINE void join_sums(const T* parts, T* y, i64 count, i64 step, i64 apart) {
    Sums<double> all = joined<Sums<double>>(parts, count, step, apart);
    if (threadIdx.x != 0) return;
    y[2 * blockIdx.x] = (T)all.first;
    y[2 * blockIdx.x + 1] = (T)all.second;
}

// (x - m) a + b, or g a + (x - m) b + c; packs lie within a row.
template <class T, int WIDTH, bool MIX>
RL_INLINE void scale(const T* grad, const T* x, const T* factors, T* y, i64 count, i64 channels, i64 length) {
    typedef Pack<T, WIDTH> Elements;
    i64 packs = count / WIDTH;
#pragma unroll 1
    for (i64 i = first_number(); i < packs; i += stride_of_grid()) {
        i64 row = length == 1 ? i : quotient(i * WIDTH, length);
        const T* own = factors + (row - quotient(row, channels) * channels) * (MIX ? 4 : 3);
        Elements v = reinterpret_cast<const Elements*>(x)[i];
        Elements g = MIX ? reinterpret_cast<const Elements*>(grad)[i] : v;
        T m = own[0], a = own[1], b = own[2], c = MIX ? own[3] : T(0);
#pragma unroll
        for (int k = 0; k < WIDTH; k++)
            v.at[k] = MIX ? g.at[k] * a + ((v.at[k] - m) * b + c) : (v.at[k] - m) * a + b;
        reinterpret_cast<Elements*>(y)[i] = v;
    }
}

#define SCALE(T, dtype, name, width)                                                                              \
    RL_KERNEL(name##_scale_##dtype, const T* x, const T* factors, T* y, i64 count, i64 channels, i64 length) {     \
        scale<T, width, false>(nullptr, x, factors, y, count, channels, length);                                  \
    }                                                                                                             \
    RL_KERNEL(name##_mix_##dtype, const T* grad, const T* x, const T* factors, T* y, i64 count, i64 channels,      \
              i64 length) {                                                                                       \
        scale<T, width, true>(grad, x, factors, y, count, channels, length);                                      \
    }

#define FLOATS(T, dtype, width)                                                                                       \
    RL_BOUNDED(rows_stats_##dtype, 256, 1, const T* x, T* to, i64 channels, i64 length, i64 count, i64 parts,         \
               i64 part) {                                                                                            \
        channel_rows(Statistics<T>{x}, to, channels, length, count, parts, part, true);                      \
    }                                                                                                                 \
    RL_BOUNDED(columns_stats_##dtype, 256, 1, const T* x, T* to, i64 channels, i64 count, i64 part, i64 width_) {     \
        channel_columns(Statistics<T>{x}, to, channels, count, part, (int)width_);                           \
    }                                                                                                                 \
    RL_BOUNDED(rows_sums_##dtype, 256, 1, const T* x, const T* grad, const T* mean, T* to, i64 channels, i64 length,  \
               i64 count, i64 parts, i64 part) {                                                                      \
        channel_rows(GradSums<T>{x, grad, mean}, to, channels, length, count, parts, part, false);                    \
    }                                                                                                                 \
    RL_BOUNDED(columns_sums_##dtype, 256, 1, const T* x, const T* grad, const T* mean, T* to, i64 channels,           \
               i64 count, i64 part, i64 width_) {                                                                     \
        channel_columns(GradSums<T>{x, grad, mean}, to, channels, count, part, (int)width_);                          \
    }                                                                                                                 \
    RL_BOUNDED(join_stats_##dtype, 256, 1, const T* parts, const T* x, T* y, i64 count, i64 step, i64 apart,          \
               i64 length) {                                                                                          \
        join_stats(parts, x, y, count, step, apart, length);                                                          \
    }                                                                                                                 \
    RL_BOUNDED(join_sums_##dtype, 256, 1, const T* parts, T* y, i64 count, i64 step, i64 apart) {                     \
        join_sums(parts, y, count, step, apart);                                                                      \
    }                                                                                                                 \
    SCALE(T, dtype, single, 1)                                                                                          \
    SCALE(T, dtype, packed, width)

FLOATS(float, f32, 4)
FLOATS(double, f64, 2)
