// What all kernels share: the kernel macro, types, views, packs of elements and loops.
//
// A kernel is written `RL_KERNEL(name_dtype, arguments) { body }`. NVRTC makes a `__global__` function of it; g++, for
// machines without a GPU, a function that the emulated driver finds by its name (see `host/shim.h`, which it reads first).
#pragma once

#ifndef RL_HOST
#include <stdint.h>
#define RL_KERNEL(name, ...) extern "C" __global__ void name(__VA_ARGS__)
// At most so many threads in a block, and at least so many blocks on a multiprocessor.
#define RL_BOUNDED(name, threads, blocks, ...) \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(__VA_ARGS__)
// Shared memory whose size the launch decides.
#define RL_DYN_SHARED(type, name) extern __shared__ __align__(16) unsigned char name##_bytes[]; \
    type* name = reinterpret_cast<type*>(name##_bytes)
#endif

#define RL_INLINE __device__ __forceinline__

typedef long long i64;
typedef uint8_t boolean;  // 0 or 1

constexpr int MAX_RANK = 8;

// The numbers of an operation, as the host has them.
struct Numbers {
    double p, q, r;
};

// One shape, and the strides in elements of N arrays that have it. Axes that all arrays run through without a gap are one.
template <int N>
struct View {
    i64 rank;
    i64 shape[MAX_RANK];
    i64 strides[N][MAX_RANK];
};

// Where the element of a row-major number lies in each array.
template <int N>
RL_INLINE void locate(const View<N>& view, i64 number, i64 places[N]) {
    for (int k = 0; k < N; k++) places[k] = 0;
    for (int axis = (int)view.rank - 1; axis >= 0; axis--) {
        i64 size = view.shape[axis];
        i64 rest;
        if ((uint64_t)number <= 0xffffffffu && (uint64_t)size <= 0xffffffffu) {
            // The division of 64-bit numbers takes five times as long.
            uint32_t quotient = (uint32_t)number / (uint32_t)size;
            rest = (uint32_t)number - quotient * (uint32_t)size;
            number = quotient;
        } else {
            i64 quotient = number / size;
            rest = number - quotient * size;
            number = quotient;
        }
        for (int k = 0; k < N; k++) places[k] += rest * view.strides[k][axis];
    }
}

// So many elements that are read and written at once, at addresses that are multiples of their size together.
template <class T, int N>
struct __align__(sizeof(T) * N <= 16 ? sizeof(T) * N : 16) Pack {
    T at[N];
};

RL_INLINE i64 first_number() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }
RL_INLINE i64 stride_of_grid() { return (i64)gridDim.x * blockDim.x; }

// Constants and functions of a compute type by one name.
template <class T>
RL_INLINE T infinity();
template <>
RL_INLINE float infinity<float>() { return INFINITY; }
template <>
RL_INLINE double infinity<double>() { return (double)INFINITY; }

template <class T>
RL_INLINE bool is_nan(T x) { return x != x; }
template <>
RL_INLINE bool is_nan<i64>(i64) { return false; }
