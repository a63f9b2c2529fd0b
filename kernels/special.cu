// Functions that few programs call, in loops of single elements: of arrays that lie along a line.

#include "rl_map.h"
#include "rl_math.h"

// Long functions that are called in several places.
#ifdef RL_HOST
#define RL_CALL inline
#else
#define RL_CALL static __device__ __noinline__
#endif

// Cut towards zero; minus zero for what lies between -1 and 0.
template <class T>
RL_INLINE T whole_part(T v) { return v < (T)0 ? -floor(-v) : floor(v); }

template <class T>
RL_INLINE T sign_of(T v) { return v > (T)0 ? (T)1 : v < (T)0 ? (T)-1 : (T)0; }

// By squaring, as C's compilers do it.
template <class T>
RL_INLINE T integer_power(T base, int exponent) {
    T power = (T)1;
    for (unsigned rest = exponent < 0 ? -(unsigned)exponent : (unsigned)exponent;;) {
        if (rest & 1) power *= base;
        rest >>= 1;
        if (rest == 0) break;
        base *= base;
    }
    return exponent < 0 ? (T)1 / power : power;
}

template <class T>
RL_INLINE T sinc(T x) {
    if (x == (T)0) return (T)1;
    T n = rint(x), half = (T)0.5 * n, pi = (T)3.14159265358979323846;
    T y = sin(pi * (x - n)) / (pi * x);
    return half == floor(half) ? y : -y;
}

// NaN at the infinities, as in PyTorch.
RL_INLINE float bessel_i0(float x) { return unless_infinite(x, cyl_bessel_i0f(x)); }
RL_INLINE double bessel_i0(double x) { return fabs(x) < infinity<double>() ? cyl_bessel_i0(x) : (double)NAN; }
RL_INLINE float bessel_i1(float x) { return unless_infinite(x, cyl_bessel_i1f(x)); }
RL_INLINE double bessel_i1(double x) { return fabs(x) < infinity<double>() ? cyl_bessel_i1(x) : (double)NAN; }

// c[0] + c[1] x + ..
template <int N>
RL_INLINE double polynomial(double x, const double (&c)[N]) {
    double sum = c[N - 1];
#pragma unroll
    for (int k = N - 2; k >= 0; k--) sum = sum * x + c[k];
    return sum;
}

constexpr double PI = 3.14159265358979323846;

// The derivative of ln(gamma(x)), as on the CPU: by reflection below 0, by the recurrence up to 10, from there by the
// asymptotic series (Abramowitz and Stegun 6.3.7, 6.3.5 and 6.3.18).
RL_CALL double digamma(double x) {
    if (x == 0.0) return copysign((double)INFINITY, -x);
    double reflected = 0.0;
    if (x < 0.0) {
        double whole = trunc(x);
        if (x == whole) return (double)NAN;
        // The fraction first: pi x would round away what is left of the angle.
        reflected = PI / tan(PI * (x - whole));
        x = 1.0 - x;
    }
    double sum = 0.0;
    while (x < 10.0) {
        sum -= 1.0 / x;
        x += 1.0;
    }
    double square = 1.0 / (x * x);
    // B(2k) / 2k.
    const double series[] = {1.0 / 12.0,  -1.0 / 120.0,     1.0 / 252.0, -1.0 / 240.0,
                             1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0};
    return sum + log(x) - 0.5 / x - square * polynomial(square, series) - reflected;
}

RL_CALL double lgamma_call(double x) { return lgamma(x); }
RL_CALL float power_of(float x, float y) { return pow(x, y); }
RL_CALL double power_of(double x, double y) { return pow(x, y); }
RL_CALL float rest_of(float x, float y) { return fmod(x, y); }
RL_CALL double rest_of(double x, double y) { return fmod(x, y); }

RL_FLOATS(SINGLE1, sign, sign_of(v))
RL_FLOATS(SINGLE1, expm1, expm1(v))
RL_FLOATS(SINGLE1, log1p, log1p(v))
RL_FLOATS(SINGLE1, sin, sin(v))
RL_FLOATS(SINGLE1, cos, cos(v))
RL_FLOATS(SINGLE1, tan, tan(v))
RL_FLOATS(SINGLE1, erf, erf(v))
RL_FLOATS(SINGLE1, floor, floor(v))
// Minus zero for what lies between -1 and 0.
RL_FLOATS(SINGLE1, ceil, -floor(-v))
RL_FLOATS(SINGLE1, trunc, whole_part(v))
RL_FLOATS(SINGLE1, frac, v - whole_part(v))
RL_FLOATS(SINGLE1, round, rint(v))
// p is a power of ten.
RL_FLOATS(SINGLE1, round_digits, rint(v * p) / p)
RL_FLOATS(SINGLE1, round_tens, rint(v / p) * p)
RL_FLOATS(SINGLE1, exp2, exp2(v))
RL_FLOATS(SINGLE1, log2, log2(v))
RL_FLOATS(SINGLE1, log10, log10(v))
RL_FLOATS(SINGLE1, sinh, sinh(v))
RL_FLOATS(SINGLE1, cosh, cosh(v))
RL_FLOATS(SINGLE1, asin, asin(v))
RL_FLOATS(SINGLE1, acos, acos(v))
RL_FLOATS(SINGLE1, atan, atan(v))
RL_FLOATS(SINGLE1, asinh, asinh(v))
RL_FLOATS(SINGLE1, acosh, acosh(v))
RL_FLOATS(SINGLE1, atanh, atanh(v))
RL_FLOATS(SINGLE1, sinc, sinc(v))
RL_FLOATS(SINGLE1, erfc, erfc(v))
RL_FLOATS(SINGLE1, erfinv, erfinv(v))
RL_FLOATS(SINGLE1, lgamma, (Real)lgamma_call((double)v))
RL_FLOATS(SINGLE1, digamma, (Real)digamma((double)v))
RL_FLOATS(SINGLE1, i0, bessel_i0(v))
RL_FLOATS(SINGLE1, i1, bessel_i1(v))
RL_FLOATS(SINGLE1, logit, log(v / ((Real)1 - v)))
// p is eps.
RL_FLOATS(SINGLE1, logit_within, log(between(v, p, (Real)1 - p) / ((Real)1 - between(v, p, (Real)1 - p))))
RL_FLOATS(SINGLE1, angle, v < (Real)0 ? (Real)PI : v != v ? v : (Real)0)
RL_FLOATS(SINGLE1, nan_to_num, v != v ? p : v == infinity<Real>() ? q : v == -infinity<Real>() ? r : v)
RL_FLOATS(SINGLE1, cube, v * v * v)
RL_FLOATS(SINGLE1, power_whole, integer_power(v, (int)p))
RL_FLOATS(SINGLE1, power, power_of(v, p))
SINGLE1(sign_i64, i64, (i64)((v > 0) - (v < 0)))

#define TO_BOOL(name, T, ...) RL_MAP1(1, Lie::line, name, T, boolean, (boolean)(__VA_ARGS__))
RL_FLOATS(TO_BOOL, signbit, copysign((Real)1, v) < (Real)0)
TO_BOOL(signbit_i64, i64, v < 0)
RL_FLOATS(TO_BOOL, not, v == (Real)0)
TO_BOOL(not_i64, i64, v == 0)
TO_BOOL(not_bool, boolean, v == 0)

// Python's remainder from that of C: the sign of y.
template <class T>
RL_INLINE T floor_rest(T rest, T y) { return rest != (T)0 && (rest < (T)0) != (y < (T)0) ? rest + y : rest; }

// The quotient rounded down, as CPython's `float_divmod`, so that it fits the remainder.
template <class T>
RL_INLINE T floor_quotient(T x, T y) {
    T rest = rest_of(x, y);
    T quotient = (x - rest) / y;
    if (rest != (T)0 && (rest < (T)0) != (y < (T)0)) quotient -= (T)1;
    T whole = floor(quotient);
    if (quotient - whole > (T)0.5) whole += (T)1;
    if (quotient == (T)0) whole = copysign((T)0, x / y);
    return y == (T)0 ? x / y : whole;
}

template <class T>
RL_INLINE T logaddexp(T x, T y, T rate) {
    T more = log1p(exp(-fabs(x - y) * rate)) / rate;
    // Equal infinities have no difference.
    return x == y ? x + (T)0.69314718055994530942 / rate : (x > y ? x : y) + more;
}

template <class T>
RL_INLINE T xlogy(T x, T y) {
    return y != y ? y : x == (T)0 ? (T)0 : x * log(y);
}

RL_FLOATS(SINGLE2, trunc_divide, trunc(v / w))
RL_FLOATS(SINGLE2, floor_divide, floor_quotient(v, w))
RL_FLOATS(SINGLE2, fmod, rest_of(v, w))
RL_FLOATS(SINGLE2, remainder, floor_rest(rest_of(v, w), w))
RL_FLOATS(SINGLE2, pow, power_of(v, w))
// A number wins over NaN.
RL_FLOATS(SINGLE2, fmax, v >= w || w != w ? v : w)
RL_FLOATS(SINGLE2, fmin, v <= w || w != w ? v : w)
RL_FLOATS(SINGLE2, atan2, atan2(v, w))
RL_FLOATS(SINGLE2, hypot, hypot(v, w))
RL_FLOATS(SINGLE2, copysign, copysign(v, w))
RL_FLOATS(SINGLE2, xlogy, xlogy(v, w))
// p is the logarithm of the base.
RL_FLOATS(SINGLE2, logaddexp, logaddexp(v, w, p))
RL_FLOATS(SINGLE2, heaviside, v == (Real)0 ? w : v > (Real)0 ? (Real)1 : (Real)0)

// The one quotient that has no place wraps.
RL_INLINE i64 quotient(i64 x, i64 y) { return y == -1 ? (i64)(0 - (uint64_t)x) : x / y; }
RL_INLINE i64 whole_rest(i64 x, i64 y) { return y == -1 ? 0 : x % y; }
RL_INLINE bool rounds_up(i64 x, i64 y) { return whole_rest(x, y) != 0 && (x < 0) != (y < 0); }

// x^y by squaring, wrapping; a negative power is the reciprocal cut towards zero.
RL_INLINE i64 power_i64(i64 x, i64 y) {
    if (x == 1) return 1;
    if (x == -1) return 1 - 2 * (y & 1);
    if (y < 0) return 0;
    uint64_t base = (uint64_t)x, power = 1;
    for (; y > 0; y >>= 1) {
        if (y & 1) power *= base;
        base *= base;
    }
    return (i64)power;
}

RL_INLINE uint64_t size_of(i64 x) { return x < 0 ? 0 - (uint64_t)x : (uint64_t)x; }

// Euclid's; not negative but for -2^63, whose magnitude has no place.
RL_INLINE i64 greatest_divisor(i64 x, i64 y) {
    uint64_t a = size_of(x), b = size_of(y);
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return (i64)a;
}

RL_INLINE i64 least_multiple(i64 x, i64 y) {
    i64 divisor = greatest_divisor(x, y);
    return divisor == 0 ? 0 : (i64)size_of((i64)((uint64_t)quotient(x, divisor) * (uint64_t)y));
}

SINGLE2(trunc_divide_i64, i64, quotient(v, w))
SINGLE2(floor_divide_i64, i64, quotient(v, w) - (rounds_up(v, w) ? 1 : 0))
SINGLE2(fmod_i64, i64, whole_rest(v, w))
SINGLE2(remainder_i64, i64, whole_rest(v, w) + (rounds_up(v, w) ? w : 0))
SINGLE2(pow_i64, i64, power_i64(v, w))
SINGLE2(pow_bool, boolean, (boolean)(v | (w ^ 1)))
SINGLE2(heaviside_i64, i64, v == 0 ? w : v > 0 ? 1 : 0)
SINGLE2(gcd_i64, i64, greatest_divisor(v, w))
SINGLE2(lcm_i64, i64, least_multiple(v, w))
SINGLE2(shift_left_i64, i64, w >= 0 && w < 64 ? (i64)((uint64_t)v << w) : 0)
SINGLE2(shift_right_i64, i64, v >> (w >= 0 && w < 64 ? w : 63))

// Three operands: u, v, w. p is the factor.
LONG3(addcmul, u + p * v * w)
LINE3(addcmul_i64, i64, (i64)((uint64_t)u + (uint64_t)p * (uint64_t)v * (uint64_t)w))
LONG3(addcdiv, u + p * v / w)
// From the nearer end, so that both ends are met exactly.
LONG3(lerp, fabs(w) < (Real)0.5 ? u + w * (v - u) : v - (v - u) * ((Real)1 - w))

template <class T>
RL_INLINE T clamp3(T x, T low, T high) {
    T y = x < low || low != low ? low : x;
    return y > high || (high != high && y == y) ? high : y;
}
LONG3(clamp3, clamp3(u, v, w))
LINE3(clamp3_i64, i64, clamp3(u, v, w))

// Mantissas of 1/2 to 1, and exponents; zeros, infinities and NaN are their own mantissas.
template <class T>
RL_INLINE void frexp_all(const T* x, T* mantissa, int* exponent, i64 count) {
#pragma unroll 1
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        T v = x[i];
        int e = 0;
        if (fabs(v) < infinity<T>()) v = frexp(v, &e);
        mantissa[i] = v;
        exponent[i] = e;
    }
}
RL_KERNEL(frexp_f32, const float* x, float* mantissa, int* exponent, i64 count) { frexp_all(x, mantissa, exponent, count); }
RL_KERNEL(frexp_f64, const double* x, double* mantissa, int* exponent, i64 count) {
    frexp_all(x, mantissa, exponent, count);
}
