// Copies and fills, of elements of any type by their size; the functions that most programs call, of operands that lie
// anyhow. The others are in `activation.cu` and `special.cu`.

#include "rl_map.h"
#include "rl_math.h"

template <class T>
RL_INLINE void copy_view(const T* x, T* y, const View<1>& view, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 place[1];
        locate(view, i, place);
        y[i] = x[place[0]];
    }
}

template <class T>
RL_INLINE void fill(T* y, T value, i64 count) {
    constexpr int WIDTH = 16 / sizeof(T);
    i64 packs = count / WIDTH;
    Pack<T, WIDTH> pack;
    for (int k = 0; k < WIDTH; k++) pack.at[k] = value;
    for (i64 i = first_number(); i < packs; i += stride_of_grid()) reinterpret_cast<Pack<T, WIDTH>*>(y)[i] = pack;
    for (i64 i = packs * WIDTH + first_number(); i < count; i += stride_of_grid()) y[i] = value;
}

#define BY_SIZE(bytes, T)                                                                                \
    RL_KERNEL(copy_##bytes, const T* x, T* y, View<1> view, i64 count) { copy_view(x, y, view, count); } \
    RL_KERNEL(fill_##bytes, T* y, i64 value, i64 count) { fill(y, (T)value, count); }

BY_SIZE(1, uint8_t)
BY_SIZE(2, uint16_t)
BY_SIZE(4, uint32_t)
BY_SIZE(8, uint64_t)

// Integers wrap.
RL_INLINE i64 plus(i64 x, i64 y) { return (i64)((uint64_t)x + (uint64_t)y); }
RL_INLINE i64 minus(i64 x, i64 y) { return (i64)((uint64_t)x - (uint64_t)y); }
RL_INLINE i64 times(i64 x, i64 y) { return (i64)((uint64_t)x * (uint64_t)y); }

RL_FLOATS(ANY1, neg, -v)
RL_FLOATS(ANY1, abs, fabs(v))
LONG1(any, exp, exp(v))
LONG1(any, log, log(v))
RL_FLOATS(ANY1, sqrt, sqrt(v))
RL_FLOATS(ANY1, rsqrt, (Real)1 / sqrt(v))
RL_FLOATS(ANY1, reciprocal, (Real)1 / v)
RL_FLOATS(ANY1, square, v * v)
LONG1(any, sigmoid, sigmoid(v))
LONG1(any, tanh, tanh(v))
LONG1(any, silu, v * sigmoid(v))
LONG1(any, gelu, gelu(v))
LONG1(any, gelu_tanh, gelu_tanh(v))
// Written so that NaN stays NaN.
RL_FLOATS(ANY1, relu, v < (Real)0 ? (Real)0 : v)
RL_FLOATS(ANY1, scale, v * p)
RL_FLOATS(ANY1, offset, v + p)
RL_FLOATS(ANY1, clamp, between(v, p, q))
ANY1(neg_i64, i64, minus(0, v))
ANY1(abs_i64, i64, v < 0 ? minus(0, v) : v)
ANY1(relu_i64, i64, v < 0 ? 0 : v)
ANY1(clamp_i64, i64, between(v, p, q))

RL_FLOATS(ANY2, add, v + w)
RL_FLOATS(ANY2, sub, v - w)
RL_FLOATS(ANY2, mul, v * w)
RL_FLOATS(ANY2, div, v / w)
// NaN wins.
RL_FLOATS(ANY2, maximum, v > w || v != v ? v : w)
RL_FLOATS(ANY2, minimum, v < w || v != v ? v : w)
RL_FLOATS(ANY2, relu_grad, w <= (Real)0 ? (Real)0 : v)
RL_FLOATS(ANY2, sigmoid_grad, v * w * ((Real)1 - w))
RL_FLOATS(ANY2, tanh_grad, v * ((Real)1 - w * w))
LONG2(any, gelu_grad, v * gelu_slope(w))
LONG2(any, gelu_tanh_grad, v * gelu_tanh_slope(w))
ANY2(add_i64, i64, plus(v, w))
ANY2(sub_i64, i64, minus(v, w))
ANY2(mul_i64, i64, times(v, w))
ANY2(maximum_i64, i64, v > w ? v : w)
ANY2(minimum_i64, i64, v < w ? v : w)
ANY2(and_i64, i64, v & w)
ANY2(or_i64, i64, v | w)
ANY2(xor_i64, i64, v ^ w)
ANY2(and_bool, boolean, v & w)
ANY2(or_bool, boolean, v | w)
ANY2(xor_bool, boolean, v ^ w)

#define COMPARE(suffix, T)                                                   \
    RL_MAP2(WIDTH<T>, Lie::any, eq_##suffix, T, boolean, (boolean)(v == w))  \
    RL_MAP2(WIDTH<T>, Lie::any, ne_##suffix, T, boolean, (boolean)(v != w))  \
    RL_MAP2(WIDTH<T>, Lie::any, lt_##suffix, T, boolean, (boolean)(v < w))   \
    RL_MAP2(WIDTH<T>, Lie::any, le_##suffix, T, boolean, (boolean)(v <= w))

COMPARE(f32, float)
COMPARE(f64, double)
COMPARE(i64, i64)
COMPARE(bool, boolean)

#define SELECT(bytes, T)                                                                                     \
    RL_KERNEL(select_##bytes, const boolean* c, const T* a, const T* b, T* y, View<3> view, Packing packing, \
              i64 count) {                                                                                   \
        map3<WIDTH<T>, Lie::any>(c, a, b, y, view, packing, count,                                           \
                                 [=](boolean u, T v, T w) -> T { return u ? v : w; });                       \
    }

SELECT(1, uint8_t)
SELECT(2, uint16_t)
SELECT(4, uint32_t)
SELECT(8, uint64_t)
