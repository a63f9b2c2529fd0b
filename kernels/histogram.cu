// Counting by value, and searching in what is sorted. Counts are integers, so atomics give the same every time.

#include "rushlight.h"

typedef unsigned long long count_t;

// As many counters as a block has of its own in shared memory; as in `histogram.rs`.
constexpr int FEW = 4096;

// `bin(i)` is the counter of element i, or below 0.
template <class F>
RL_INLINE void count_in(count_t* counts, i64 bins, i64 numel, F bin) {
    for (i64 i = first_number(); i < numel; i += stride_of_grid()) {
        i64 k = bin(i);
        if ((uint64_t)k < (uint64_t)bins) atomicAdd(counts + k, (count_t)1);
    }
}

// As above; each block counts for itself first.
template <class F>
RL_INLINE void count_apart(count_t* counts, i64 bins, i64 numel, F bin) {
    __shared__ unsigned own[FEW];
    for (i64 k = threadIdx.x; k < bins; k += blockDim.x) own[k] = 0;
    __syncthreads();
    for (i64 i = first_number(); i < numel; i += stride_of_grid()) {
        i64 k = bin(i);
        if ((uint64_t)k < (uint64_t)bins) atomicAdd(own + k, 1u);
    }
    __syncthreads();
    for (i64 k = threadIdx.x; k < bins; k += blockDim.x)
        if (own[k] != 0) atomicAdd(counts + k, (count_t)own[k]);
}

RL_INLINE float times(float x, float y) { return __fmul_rn(x, y); }
RL_INLINE double times(double x, double y) { return __dmul_rn(x, y); }

template <class T>
RL_INLINE i64 part_of(T value, T low, T high, T scale, i64 bins) {
    if (!(value >= low && value <= high)) return -1;
    i64 part = (i64)(times(value - low, scale) / (high - low));
    return part < bins - 1 ? part : bins - 1;
}

#define COUNTS(name, count)                                                                              \
    RL_KERNEL(bincount_##name, const i64* index, count_t* counts, i64 bins, i64 numel) {                 \
        count(counts, bins, numel, [&](i64 i) { return index[i]; });                                     \
    }                                                                                                    \
    HISTC(name, count, f32, float)                                                                       \
    HISTC(name, count, f64, double)
#define HISTC(name, count, dtype, T)                                                                     \
    RL_KERNEL(histc_##name##_##dtype, const T* x, count_t* counts, i64 bins, T low, T high, T scale, i64 numel) { \
        count(counts, bins, numel, [&](i64 i) { return part_of(x[i], low, high, scale, bins); });        \
    }

COUNTS(in, count_in)
COUNTS(apart, count_apart)

// PyTorch's own steps: where a NaN stands among the sorted, the way there matters.
template <class T>
RL_INLINE void search(const T* sorted, const T* values, i64* out, i64 size, i64 each, int right, i64 numel) {
    for (i64 i = first_number(); i < numel; i += stride_of_grid()) {
        const T* row = sorted + i / each * size;
        T value = values[i];
        i64 start = 0, end = size;
        while (start < end) {
            i64 middle = start + (end - start) / 2;
            T at = row[middle];
            bool stops = right ? at > value : at >= value;
            if (stops) end = middle;
            else start = middle + 1;
        }
        out[i] = start;
    }
}

#define SEARCH(dtype, T)                                                                                            \
    RL_KERNEL(search_##dtype, const T* sorted, const T* values, i64* out, i64 size, i64 each, int right, i64 numel) { \
        search(sorted, values, out, size, each, right, numel);                                                      \
    }
SEARCH(f32, float)
SEARCH(f64, double)
SEARCH(i64, i64)
SEARCH(bool, boolean)
