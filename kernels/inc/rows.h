// Folds over the lanes of a warp and the threads of a block, and functions of floats by one name.
//
// All trees are fixed by the sizes of what is folded, so that the bits of a result do not depend on the GPU.
#pragma once
#include "rushlight.h"

// A function that is called, not copied to where it is used, which keeps PTX small where many kernels need it once a row.
// What it is given the address of among a kernel's arguments is a `__grid_constant__`, else it would be copied first.
#ifdef RL_HOST
#define RL_CALLED inline
#define __grid_constant__
#else
#define RL_CALLED static __device__ __noinline__
#endif

constexpr unsigned ALL_LANES = 0xffffffffu;

RL_INLINE float shuffle_xor(float x, int bits) { return __shfl_xor_sync(ALL_LANES, x, bits); }
RL_INLINE double shuffle_xor(double x, int bits) { return __shfl_xor_sync(ALL_LANES, x, bits); }
RL_INLINE i64 shuffle_xor(i64 x, int bits) { return __shfl_xor_sync(ALL_LANES, x, bits); }
RL_INLINE boolean shuffle_xor(boolean x, int bits) { return (boolean)__shfl_xor_sync(ALL_LANES, (int)x, bits); }

RL_INLINE float exp_of(float x) { return expf(x); }
// Of f64 these are called: inlined they would be most of all PTX.
RL_CALLED double exp_of(double x) { return exp(x); }
RL_INLINE float log_of(float x) { return logf(x); }
RL_CALLED double log_of(double x) { return log(x); }
RL_INLINE float root_of(float x) { return sqrtf(x); }
RL_INLINE double root_of(double x) { return sqrt(x); }
RL_INLINE float size_of(float x) { return fabsf(x); }
RL_INLINE double size_of(double x) { return fabs(x); }

// Integers wrap around, as on the CPU.
template <class T>
RL_INLINE T sum_of(T a, T b) { return a + b; }
template <>
RL_INLINE i64 sum_of<i64>(i64 a, i64 b) { return (i64)((uint64_t)a + (uint64_t)b); }
template <class T>
RL_INLINE T product_of(T a, T b) { return a * b; }
template <>
RL_INLINE i64 product_of<i64>(i64 a, i64 b) { return (i64)((uint64_t)a * (uint64_t)b); }

// Ways to fold two numbers to one.
struct Add {
    template <class T>
    static RL_INLINE T fold(T a, T b) { return sum_of(a, b); }
};
// The larger; a NaN may be passed over.
struct Larger {
    template <class T>
    static RL_INLINE T fold(T a, T b) { return b > a ? b : a; }
};

// The fold of what neighbouring lanes have, `width` of them, a power of two: the same for all of them. All lanes of the
// warp must come here.
template <class F, class T>
RL_INLINE T fold_lanes(T x, int width) {
    for (int bits = width / 2; bits > 0; bits /= 2) x = F::fold(x, shuffle_xor(x, bits));
    return x;
}

// The fold of what all threads of a block have, `WARPS * 32` of them.
template <class F, int WARPS, class T>
RL_INLINE T fold_block(T x) {
    __shared__ T box[WARPS];
    x = fold_lanes<F>(x, 32);
    // All have read what was folded before.
    __syncthreads();
    if (threadIdx.x % 32 == 0) box[threadIdx.x / 32] = x;
    __syncthreads();
    return fold_lanes<F>(box[threadIdx.x % WARPS], WARPS);
}

// So many threads that work on a row together: lanes of a warp, neighbours, or a whole block.
template <int THREADS>
struct Team {
    static RL_INLINE int rank() { return (int)(threadIdx.x % THREADS); }
    static RL_INLINE i64 row() { return THREADS > 32 ? (i64)blockIdx.x : first_number() / THREADS; }
    template <class F, class T>
    static RL_INLINE T fold(T x) {
        if constexpr (THREADS > 32) {
            return fold_block<F, THREADS / 32>(x);
        } else {
            return fold_lanes<F>(x, THREADS);
        }
    }
};
