// CUDA on a processor: enough of the language for the kernels here, so that they run and are tested without a GPU.
//
// Each CUDA thread is a fiber (`fibers.cpp`), the blocks of a grid run one after the other, and a barrier lets the other
// fibers of the block, or of the warp, run until all have arrived. Fibers take turns in an order that can be chosen, so
// that a barrier that is missing shows.
#pragma once

#include <cmath>
// With the functions of both floats in the global namespace, as CUDA has them.
#include <math.h>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#define RL_HOST 1
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) alignas(n)
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __shared__ static thread_local
#define __constant__ static const

struct uint3 {
    unsigned x, y, z;
};
typedef uint3 dim3;

namespace rl_host {
// Where the running thread is.
extern thread_local uint3 thread_index, block_index, block_size, grid_size;

typedef void (*Call)(void** arguments);
// What the emulated driver finds by name.
struct Kernel {
    const char* name;
    // Of which file, without `.cu`.
    const char* file;
    Call call;
    // The sizes of the arguments.
    const std::size_t* sizes;
    std::size_t count;
    Kernel* next;
    Kernel(const char* name, const char* file, Call call, const std::size_t* sizes, std::size_t count);
};

template <class... A>
struct Sizes {
    static constexpr std::size_t count = sizeof...(A);
    static constexpr std::size_t of[sizeof...(A) + 1] = {sizeof(A)..., 0};
};
template <class... A>
constexpr Sizes<A...> sizes_of(void (*)(A...)) { return {}; }

template <class... A, std::size_t... I>
inline void call_with(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*reinterpret_cast<std::remove_reference_t<A>*>(arguments[I])...);
}
template <class... A>
inline void call_with(void (*kernel)(A...), void** arguments) {
    call_with(kernel, arguments, std::index_sequence_for<A...>());
}

void block_barrier();
// Waits for the lanes of the mask, and hands each the address of what the others brought.
void warp_barrier(unsigned mask);
void* slot(unsigned lane);
unsigned lane();
// Shared memory of the block, as much as the launch asked for; garbage at first.
void* shared_memory();
}  // namespace rl_host

#define threadIdx rl_host::thread_index
#define blockIdx rl_host::block_index
#define blockDim rl_host::block_size
#define gridDim rl_host::grid_size
#define warpSize 32

#define RL_KERNEL(name, ...)                                                                   \
    static void name(__VA_ARGS__);                                                             \
    static rl_host::Kernel name##_kernel(                                                      \
        #name, RL_FILE, [](void** a) { rl_host::call_with(&name, a); }, decltype(rl_host::sizes_of(&name))::of, \
        decltype(rl_host::sizes_of(&name))::count);                                            \
    static void name(__VA_ARGS__)
#define RL_BOUNDED(name, threads, blocks, ...) RL_KERNEL(name, __VA_ARGS__)
#define RL_DYN_SHARED(type, name) type* name = static_cast<type*>(rl_host::shared_memory())

inline void __syncthreads() { rl_host::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { rl_host::warp_barrier(mask); }
inline void __threadfence() {}
inline void __threadfence_block() {}

namespace rl_host {
// Every lane of the mask brings a value, and takes that of another.
template <class T>
inline T exchange(unsigned mask, T value, unsigned from) {
    static_assert(sizeof(T) <= 16, "a slot holds 16 bytes");
    std::memcpy(slot(lane()), &value, sizeof(T));
    warp_barrier(mask);
    T result;
    std::memcpy(&result, slot(from & 31), sizeof(T));
    // So that nobody brings the next value before all have taken this one.
    warp_barrier(mask);
    return result;
}
}  // namespace rl_host

template <class T>
inline T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
    unsigned lane = rl_host::lane();
    return rl_host::exchange(mask, value, (lane & ~(unsigned)(width - 1)) + ((unsigned)from & (width - 1)));
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int = 32) {
    return rl_host::exchange(mask, value, rl_host::lane() ^ (unsigned)bits);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
    unsigned lane = rl_host::lane();
    bool inside = (lane & (width - 1)) + by < (unsigned)width;
    return rl_host::exchange(mask, value, inside ? lane + by : lane);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
    unsigned lane = rl_host::lane();
    bool inside = (lane & (width - 1)) >= by;
    return rl_host::exchange(mask, value, inside ? lane - by : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    predicate = predicate != 0;
    std::memcpy(rl_host::slot(rl_host::lane()), &predicate, sizeof(int));
    rl_host::warp_barrier(mask);
    unsigned bits = 0;
    // Lanes outside of the mask bring nothing.
    for (unsigned from = 0; from < 32; from++)
        if ((mask >> from & 1) && *static_cast<int*>(rl_host::slot(from)) == 1) bits |= 1u << from;
    rl_host::warp_barrier(mask);
    return bits;
}
// The lanes of the mask that brought the same value.
template <class T>
inline unsigned __match_any_sync(unsigned mask, T value) {
    std::memcpy(rl_host::slot(rl_host::lane()), &value, sizeof(T));
    rl_host::warp_barrier(mask);
    unsigned bits = 0;
    for (unsigned from = 0; from < 32; from++)
        if ((mask >> from & 1) && std::memcmp(rl_host::slot(from), &value, sizeof(T)) == 0) bits |= 1u << from;
    rl_host::warp_barrier(mask);
    return bits;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }

template <class T, class U>
inline T atomicAdd(T* place, U value) {
    T before = *place;
    *place = before + (T)value;
    return before;
}
template <class T, class U>
inline T atomicMax(T* place, U value) {
    T before = *place;
    if ((T)value > before) *place = (T)value;
    return before;
}
template <class T, class U>
inline T atomicMin(T* place, U value) {
    T before = *place;
    if ((T)value < before) *place = (T)value;
    return before;
}
template <class T, class U>
inline T atomicExch(T* place, U value) {
    T before = *place;
    *place = (T)value;
    return before;
}
template <class T, class U, class V>
inline T atomicCAS(T* place, U expected, V value) {
    T before = *place;
    if (before == (T)expected) *place = (T)value;
    return before;
}

inline float __int_as_float(int bits) { float x; std::memcpy(&x, &bits, 4); return x; }
inline int __float_as_int(float x) { int bits; std::memcpy(&bits, &x, 4); return bits; }
inline unsigned __float_as_uint(float x) { unsigned bits; std::memcpy(&bits, &x, 4); return bits; }
inline float __uint_as_float(unsigned bits) { float x; std::memcpy(&x, &bits, 4); return x; }
inline long long __double_as_longlong(double x) { long long bits; std::memcpy(&bits, &x, 8); return bits; }
inline double __longlong_as_double(long long bits) { double x; std::memcpy(&x, &bits, 8); return x; }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz((unsigned)bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __expf(float x) { return std::exp(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
// By Halley's steps from Winitzki's guess, as on the CPU.
inline double erfinv(double x) {
    double a = std::fabs(x);
    if (!(a < 1.0)) return a == 1.0 ? x * INFINITY : NAN;
    double log = std::log1p(-a * a), half = 2.0 / (M_PI * 0.147) + 0.5 * log;
    double y = std::sqrt(std::fmax(std::sqrt(half * half - log / 0.147) - half, 0.0));
    for (int i = 0; i < 3; i++) {
        double missing = a < 0.5 ? std::erf(y) - a : (1.0 - a) - std::erfc(y);
        double step = missing / (M_2_SQRTPI * std::exp(-y * y));
        y -= step / (1.0 + y * step);
    }
    return std::copysign(y, x);
}
inline float erfinv(float x) { return (float)erfinv((double)x); }
namespace rl_host {
// The library's function refuses numbers below 0, and does not know infinity.
inline double bessel(double order, double x) {
    double a = std::fabs(x);
    if (a != a) return a;
    double y = a > 714.0 ? (double)INFINITY : std::cyl_bessel_i(order, a);
    return order == 1.0 ? std::copysign(y, x) : y;
}
}  // namespace rl_host
inline double cyl_bessel_i0(double x) { return rl_host::bessel(0.0, x); }
inline double cyl_bessel_i1(double x) { return rl_host::bessel(1.0, x); }
inline float cyl_bessel_i0f(float x) { return (float)cyl_bessel_i0((double)x); }
inline float cyl_bessel_i1f(float x) { return (float)cyl_bessel_i1((double)x); }
template <class T>
inline T __ldg(const T* place) { return *place; }
#include <algorithm>
using std::max;
using std::min;
