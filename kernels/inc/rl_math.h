// Functions of both floats that CUDA has not, or not with small relative errors everywhere.
#pragma once
#include "rushlight.h"

template <class T>
RL_INLINE T sigmoid(T x);
// By the exponential that does not overflow, so that small results keep their digits.
template <>
RL_INLINE float sigmoid<float>(float x) {
    float e = expf(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}
template <>
RL_INLINE double sigmoid<double>(double x) { return 1.0 / (1.0 + exp(-x)); }

// x moved into low..=high; NaN stays NaN.
template <class T>
RL_INLINE T between(T x, T low, T high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

// The steps of gelu in f32 are those of the CPU's, whose file `math.rs` says where the polynomials come from. Products
// and sums that must not become one operation are written as functions.

// e^(x + low) for -120 < x <= 0 and a tiny `low`; factors of a product, since e^x alone may be subnormal.
struct SplitExp {
    float t, power, factor;
    // e^(x + low) y, with one rounding less than by way of the exponential.
    RL_INLINE float times(float y) const { return __fmul_rn(__fmul_rn(fmaf(y, t, y), power), factor); }
    // The exponential, where a tiny one may be too large.
    RL_INLINE float beside_one() const {
        float twice = 2.0f * power;
        return fmaf(twice, t, twice);
    }
};

RL_INLINE SplitExp split_exp(float x, float low) {
    float rounded = fmaf(x, 1.44269504f, 12582912.0f);
    float n = rounded - 12582912.0f;
    uint32_t shift = __float_as_uint(rounded) << 23;
    float r = __fadd_rn(fmaf(n, -0.69314575f, x), fmaf(n, -1.4286068e-6f, low));
    float square = __fmul_rn(r, r);
    float odd = fmaf(fmaf(0.00019764427f, square, 0.008333543f), square, 0.16666666f);
    float even = fmaf(fmaf(0.0013932385f, square, 0.041666493f), square, 0.5f);
    bool small = x < -80.0f;
    SplitExp e;
    e.t = fmaf(square, fmaf(odd, r, even), r);
    e.power = __uint_as_float((small ? 190u << 23 : 126u << 23) + shift);
    e.factor = small ? 1.0842022e-19f : 2.0f;
    return e;
}

RL_INLINE float unless_infinite(float x, float y) { return fabsf(x) < INFINITY ? y : NAN; }

// e^(-a^2 / 2) for 0 <= a <= 15.
RL_INLINE SplitExp gauss(float a) {
    float square = __fmul_rn(a, a);
    return split_exp(-0.5f * square, -0.5f * fmaf(a, a, -square));
}

RL_INLINE float size_up_to(float x, float most) { return fabsf(x) > most ? most : fabsf(x); }

// x times the probability that a normal number is below x.
RL_INLINE float gelu(float x) {
    float a = size_up_to(x, 15.0f);
    float p = fmaf(fmaf(fmaf(fmaf(0.004123841f, a, 0.040683854f), a, 0.18338513f), a, 0.43849713f), a, 0.5f);
    float q = fmaf(fmaf(0.010336818f, a, 0.10198568f), a, 0.46986666f);
    q = fmaf(fmaf(fmaf(q, a, 1.2031257f), a, 1.6748792f), a, 1.0f);
    float tail = gauss(a).times(__fmul_rn(a, p) / q);
    return unless_infinite(x, copysignf((x < 0.0f ? 0.0f : x) - tail, x));
}
RL_INLINE double gelu(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752440); }

RL_INLINE float gelu_slope(float x) {
    float a = size_up_to(x, 15.0f);
    float p = fmaf(fmaf(fmaf(fmaf(0.010416707f, a, 0.095542684f), a, 0.37765333f), a, 0.7533156f), a, 0.665078f);
    float q = fmaf(fmaf(fmaf(fmaf(0.026110658f, a, 0.21986751f), a, 0.7925478f), a, 1.3982852f), a, 1.0f);
    float below = gauss(a).times(fmaf(0.75179154f - a, p, -1.8035805e-8f) / q);
    return unless_infinite(x, x < 0.0f ? below : 1.0f - below);
}
RL_INLINE double gelu_slope(double x) {
    return 0.5 * erfc(-x * 0.70710678118654752440) + 0.39894228040143267794 * x * exp(-0.5 * x * x);
}

// e^-(2 sqrt(2 / pi) (a + 0.044715 a^3)) for 0 <= a <= 11, and a^2.
RL_INLINE SplitExp gelu_exponential(float a, float& square) {
    square = __fmul_rn(a, a);
    float square_low = fmaf(a, a, -square);
    float cubic = __fmul_rn(0.071354814f, square);
    float cubic_low = __fadd_rn(fmaf(0.071354814f, square_low, __fmul_rn(2.3988323e-9f, square)),
                                fmaf(0.071354814f, square, -cubic));
    float sum = __fadd_rn(1.5957692f, cubic);
    float part = __fadd_rn(sum, -cubic);
    float sum_low = __fadd_rn(__fadd_rn(cubic, -__fadd_rn(sum, -part)),
                              __fadd_rn(__fadd_rn(1.5957692f, -part), __fadd_rn(cubic_low, -4.534068e-8f)));
    float y = __fmul_rn(a, sum);
    return split_exp(-y, -fmaf(a, sum_low, fmaf(a, sum, -y)));
}

RL_INLINE float gelu_tanh(float x) {
    float a = size_up_to(x, 11.0f), square;
    SplitExp e = gelu_exponential(a, square);
    float tail = e.times(a / (1.0f + e.beside_one()));
    float y = copysignf((x < 0.0f ? 0.0f : x) - tail, x);
    return x == -INFINITY ? NAN : y;
}
RL_INLINE double gelu_tanh(double x) {
    return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

RL_INLINE float gelu_tanh_slope(float x) {
    float a = size_up_to(x, 11.0f), square;
    SplitExp e = gelu_exponential(a, square);
    float upper = 1.0f / (1.0f + e.beside_one());
    float inner = __fmul_rn(a, fmaf(square, 3.0f * 0.071354814f, 1.5957692f));
    float below = e.times(__fmul_rn(upper, fmaf(-inner, upper, 1.0f)));
    return unless_infinite(x, x < 0.0f ? below : 1.0f - below);
}
RL_INLINE double gelu_tanh_slope(double x) {
    double t = tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x));
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * 0.79788456080286535588 * (1.0 + 3.0 * 0.044715 * x * x);
}
