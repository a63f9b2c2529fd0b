// Elementwise loops: one, two or three operands that have a view, a result without gaps.
//
// Each loop has a way for packs of elements and one for single ones. The host says which operands can be read in packs
// (`Packing`): those that lie in a row along the last axis of the view, at addresses that fit. The result may lie in the
// place of an operand that has no gaps, either: a thread writes what it alone has read.
#pragma once
#include "rushlight.h"

// How many elements are read and written at once: 16 bytes of them, or 8 single bytes.
template <class T>
constexpr int WIDTH = sizeof(T) == 1 ? 8 : 16 / (int)sizeof(T);

// Bit 0: there are packs. Bit k + 1: operand k lies in a row; else a pack of it is one element, repeated.
typedef i64 Packing;

// Where operands lie: anyhow, or along one axis.
enum class Lie { any, line };

// Keeps the compiler from making a loop for each value of a number, which would multiply the code.
RL_INLINE i64 undivided(i64 x) {
#ifndef RL_HOST
    asm volatile("" : "+l"(x));
#endif
    return x;
}

// As `locate`, but that the last quotient needs no division.
template <Lie LIE, int N>
RL_INLINE void find(const View<N>& view, i64 number, i64 (&places)[N]) {
    for (int k = 0; k < N; k++) places[k] = 0;
    if (LIE == Lie::any) {
#pragma unroll 1
        for (int axis = (int)view.rank - 1; axis > 0; axis--) {
            // The compiler takes the short way where both have 32 bits.
            uint64_t size = (uint64_t)view.shape[axis], quotient = (uint64_t)number / size;
            i64 rest = number - (i64)(quotient * size);
            number = (i64)quotient;
            for (int k = 0; k < N; k++) places[k] += rest * view.strides[k][axis];
        }
    }
    for (int k = 0; k < N; k++) places[k] += number * view.strides[k][0];
}

template <int W, class T>
RL_INLINE Pack<T, W> take(const T* from, bool in_a_row) {
    if (in_a_row) return *reinterpret_cast<const Pack<T, W>*>(from);
    Pack<T, W> pack;
    T value = *from;
#pragma unroll
    for (int k = 0; k < W; k++) pack.at[k] = value;
    return pack;
}

template <int W, class T>
RL_INLINE void put(T* to, const Pack<T, W>& pack) {
    *reinterpret_cast<Pack<T, W>*>(to) = pack;
}

// First come the packs, then what is left of them: single elements.
template <int W, Lie LIE, class A, class O, class F>
RL_INLINE void map1(const A* a, O* y, const View<1>& view, Packing packing, i64 count, F f) {
    const i64 packs = W > 1 && (packing & 1) ? count / W : 0, items = count - packs * (W - 1);
#pragma unroll 1
    for (i64 item = first_number(); item < items; item += stride_of_grid()) {
        const bool whole = W > 1 && item < packs;
        const i64 i = W == 1 ? item : whole ? item * W : item + packs * (W - 1);
        i64 places[1];
        find<LIE>(view, i, places);
        if (whole) {
            const i64 rows = undivided(packing);
            Pack<A, W> u = take<W>(a + places[0], rows & 2);
            Pack<O, W> out;
#pragma unroll
            for (int k = 0; k < W; k++) out.at[k] = f(u.at[k]);
            put<W>(y + i, out);
        } else {
            y[i] = f(a[places[0]]);
        }
    }
}

template <int W, Lie LIE, class A, class B, class O, class F>
RL_INLINE void map2(const A* a, const B* b, O* y, const View<2>& view, Packing packing, i64 count, F f) {
    const i64 packs = W > 1 && (packing & 1) ? count / W : 0, items = count - packs * (W - 1);
#pragma unroll 1
    for (i64 item = first_number(); item < items; item += stride_of_grid()) {
        const bool whole = W > 1 && item < packs;
        const i64 i = W == 1 ? item : whole ? item * W : item + packs * (W - 1);
        i64 places[2];
        find<LIE>(view, i, places);
        if (whole) {
            const i64 rows = undivided(packing);
            Pack<A, W> u = take<W>(a + places[0], rows & 2);
            Pack<B, W> v = take<W>(b + places[1], rows & 4);
            Pack<O, W> out;
#pragma unroll
            for (int k = 0; k < W; k++) out.at[k] = f(u.at[k], v.at[k]);
            put<W>(y + i, out);
        } else {
            y[i] = f(a[places[0]], b[places[1]]);
        }
    }
}

template <int W, Lie LIE, class A, class B, class C, class O, class F>
RL_INLINE void map3(const A* a, const B* b, const C* c, O* y, const View<3>& view, Packing packing, i64 count, F f) {
    const i64 packs = W > 1 && (packing & 1) ? count / W : 0, items = count - packs * (W - 1);
#pragma unroll 1
    for (i64 item = first_number(); item < items; item += stride_of_grid()) {
        const bool whole = W > 1 && item < packs;
        const i64 i = W == 1 ? item : whole ? item * W : item + packs * (W - 1);
        i64 places[3];
        find<LIE>(view, i, places);
        if (whole) {
            const i64 rows = undivided(packing);
            Pack<A, W> u = take<W>(a + places[0], rows & 2);
            Pack<B, W> v = take<W>(b + places[1], rows & 4);
            Pack<C, W> w = take<W>(c + places[2], rows & 8);
            Pack<O, W> out;
#pragma unroll
            for (int k = 0; k < W; k++) out.at[k] = f(u.at[k], v.at[k], w.at[k]);
            put<W>(y + i, out);
        } else {
            y[i] = f(a[places[0]], b[places[1]], c[places[2]]);
        }
    }
}

// A number of an operation in a compute type. For integers the host puts the integer's bits in its place.
template <class T>
RL_INLINE T number(double x) { return (T)x; }
template <>
RL_INLINE i64 number<i64>(double x) { return __double_as_longlong(x); }

// Kernels of an expression of the elements `v` (and `w`, `u`), the type `Real` and the numbers `p`, `q` and `r`. They
// are for any view or for a line; with packs or, where the code of a function is long, for single elements.
#define RL_NUMBERS(T)                  \
    typedef T Real;                    \
    const Real p = number<T>(n.p);     \
    const Real q = number<T>(n.q);     \
    const Real r = number<T>(n.r);     \
    (void)p, (void)q, (void)r
#define RL_MAP1(width, lie, name, T, O, ...)                                                        \
    RL_KERNEL(name, const T* x, O* y, View<1> view, Packing packing, i64 count, Numbers n) {        \
        RL_NUMBERS(T);                                                                              \
        map1<width, lie>(x, y, view, packing, count, [=](Real v) -> O { return __VA_ARGS__; });     \
    }
#define RL_MAP2(width, lie, name, T, O, ...)                                                                 \
    RL_KERNEL(name, const T* a, const T* b, O* y, View<2> view, Packing packing, i64 count, Numbers n) {     \
        RL_NUMBERS(T);                                                                                       \
        map2<width, lie>(a, b, y, view, packing, count, [=](Real v, Real w) -> O { return __VA_ARGS__; });   \
    }
#define RL_MAP3(width, lie, name, T, ...)                                                                             \
    RL_KERNEL(name, const T* a, const T* b, const T* c, T* y, View<3> view, Packing packing, i64 count, Numbers n) {  \
        RL_NUMBERS(T);                                                                                                \
        map3<width, lie>(a, b, c, y, view, packing, count,                                                            \
                         [=](Real u, Real v, Real w) -> T { return __VA_ARGS__; });                                   \
    }

#define ANY1(name, T, ...) RL_MAP1(WIDTH<T>, Lie::any, name, T, T, __VA_ARGS__)
#define ANY2(name, T, ...) RL_MAP2(WIDTH<T>, Lie::any, name, T, T, __VA_ARGS__)
#define LINE1(name, T, ...) RL_MAP1(WIDTH<T>, Lie::line, name, T, T, __VA_ARGS__)
#define LINE2(name, T, ...) RL_MAP2(WIDTH<T>, Lie::line, name, T, T, __VA_ARGS__)
#define LINE3(name, T, ...) RL_MAP3(WIDTH<T>, Lie::line, name, T, __VA_ARGS__)
#define SINGLE1(name, T, ...) RL_MAP1(1, Lie::line, name, T, T, __VA_ARGS__)
#define SINGLE2(name, T, ...) RL_MAP2(1, Lie::line, name, T, T, __VA_ARGS__)
// For both floats; and for both, but without packs of f64.
#define RL_FLOATS(kind, name, ...)         \
    kind(name##_f32, float, __VA_ARGS__)   \
    kind(name##_f64, double, __VA_ARGS__)
#define LONG1(lie, name, ...)                                                 \
    RL_MAP1(WIDTH<float>, Lie::lie, name##_f32, float, float, __VA_ARGS__)    \
    RL_MAP1(1, Lie::lie, name##_f64, double, double, __VA_ARGS__)
#define LONG2(lie, name, ...)                                                 \
    RL_MAP2(WIDTH<float>, Lie::lie, name##_f32, float, float, __VA_ARGS__)    \
    RL_MAP2(1, Lie::lie, name##_f64, double, double, __VA_ARGS__)
#define LONG3(name, ...)                                                      \
    RL_MAP3(WIDTH<float>, Lie::line, name##_f32, float, __VA_ARGS__)          \
    RL_MAP3(1, Lie::line, name##_f64, double, __VA_ARGS__)
