// Half precision: IEEE's, and the upper half of a float. Elements are kept in these types; nothing is computed in them.
#pragma once
#include "rushlight.h"

struct f16 {
    uint16_t bits;
};
struct bf16 {
    uint16_t bits;
};

RL_INLINE float to_float(f16 x) {
#ifdef RL_HOST
    // Without its sign, and with the bias of the exponent left as it is: the product sets it right, and makes normal
    // numbers of subnormal ones.
    float size = __uint_as_float((x.bits & 0x7fffu) << 13) * 0x1p112f;
    if ((x.bits & 0x7c00u) == 0x7c00u) size = __uint_as_float(0x7f800000u | (x.bits & 0x03ffu) << 13);
    return __uint_as_float(__float_as_uint(size) | (x.bits & 0x8000u) << 16);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#endif
}

RL_INLINE float to_float(bf16 x) { return __uint_as_float((uint32_t)x.bits << 16); }

RL_INLINE double to_double(f16 x) { return (double)to_float(x); }
RL_INLINE double to_double(bf16 x) { return (double)to_float(x); }

// To the nearest, an even one where two are equally near; what is too large becomes an infinity.
RL_INLINE f16 to_f16(float x) {
    f16 y;
#ifdef RL_HOST
    uint32_t bits = __float_as_uint(x), size = bits & 0x7fffffffu, half;
    if (size > 0x7f800000u) {
        half = 0x7e00u | (size >> 13 & 0x03ffu);
    } else if (size >= 0x47800000u) {
        half = 0x7c00u;
    } else if (size < 0x38800000u) {
        // In units of the smallest subnormal number, which the addition of 1.5 * 2^23 rounds to whole ones.
        half = __float_as_uint(__uint_as_float(size) * 0x1p24f + 12582912.0f) & 0x7ffu;
    } else {
        half = (size - 0x38000000u + 0x0fffu + (size >> 13 & 1u)) >> 13;
    }
    y.bits = (uint16_t)(half | (bits >> 16 & 0x8000u));
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#endif
    return y;
}

RL_INLINE bf16 to_bf16(float x) {
    uint32_t bits = __float_as_uint(x);
    uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    bf16 y;
    y.bits = (uint16_t)((x != x ? bits | 0x00400000u : rounded) >> 16);
    return y;
}

// By way of float, as everywhere in the library: rounded twice, as PyTorch's.
RL_INLINE f16 to_f16(double x) { return to_f16((float)x); }
RL_INLINE bf16 to_bf16(double x) { return to_bf16((float)x); }
