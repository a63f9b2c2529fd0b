// Casts: a kernel for each type that is read, which knows all that are written. A number goes by way of f32, f64 or i64.

#include "rl_half.h"
#include "rl_map.h"

struct Truth {
    uint8_t value;
};

RL_INLINE float widen(float x) { return x; }
RL_INLINE double widen(double x) { return x; }
RL_INLINE float widen(f16 x) { return to_float(x); }
RL_INLINE float widen(bf16 x) { return to_float(x); }
RL_INLINE i64 widen(i64 x) { return x; }
RL_INLINE i64 widen(int x) { return x; }
RL_INLINE i64 widen(int16_t x) { return x; }
RL_INLINE i64 widen(int8_t x) { return x; }
RL_INLINE i64 widen(uint8_t x) { return x; }
RL_INLINE i64 widen(Truth x) { return x.value; }

// Cut towards zero; what is too large becomes the nearest integer, and NaN 0.
template <class T>
RL_INLINE int cut_to_int(T x) {
    if (x != x) return 0;
    return x >= (T)2147483648.0 ? 2147483647 : x < (T)-2147483648.0 ? -2147483647 - 1 : (int)x;
}
template <class T>
RL_INLINE i64 cut_to_i64(T x) {
    constexpr i64 MOST = 0x7fffffffffffffffLL;
    if (x != x) return 0;
    return x >= (T)9223372036854775808.0 ? MOST : x < (T)-9223372036854775808.0 ? -MOST - 1 : (i64)x;
}

template <class O>
struct To {
    // A narrow integer: of a float by way of 32 bits, of an integer its last bits.
    RL_INLINE static O of(float x) { return (O)cut_to_int(x); }
    RL_INLINE static O of(double x) { return (O)cut_to_int(x); }
    RL_INLINE static O of(i64 x) { return (O)x; }
};
template <>
struct To<i64> {
    RL_INLINE static i64 of(float x) { return cut_to_i64(x); }
    RL_INLINE static i64 of(double x) { return cut_to_i64(x); }
    RL_INLINE static i64 of(i64 x) { return x; }
};
template <>
struct To<float> {
    template <class C>
    RL_INLINE static float of(C x) { return (float)x; }
};
template <>
struct To<double> {
    template <class C>
    RL_INLINE static double of(C x) { return (double)x; }
};
template <>
struct To<f16> {
    template <class C>
    RL_INLINE static f16 of(C x) { return to_f16((float)x); }
};
template <>
struct To<bf16> {
    template <class C>
    RL_INLINE static bf16 of(C x) { return to_bf16((float)x); }
};
template <>
struct To<Truth> {
    template <class C>
    RL_INLINE static Truth of(C x) { return Truth{(uint8_t)(x != (C)0)}; }
};

template <class O, int W, class C>
RL_INLINE void write(void* y, i64 place, const C (&values)[W]) {
    Pack<O, W> pack;
#pragma unroll
    for (int k = 0; k < W; k++) pack.at[k] = To<O>::of(values[k]);
    put<W>((O*)y + place, pack);
}

// To the type of this number in the list of all.
template <int W, class C>
RL_INLINE void write_as(int type, void* y, i64 place, const C (&values)[W]) {
    switch (type) {
        case 0: return write<float>(y, place, values);
        case 1: return write<double>(y, place, values);
        case 2: return write<f16>(y, place, values);
        case 3: return write<bf16>(y, place, values);
        case 4: return write<i64>(y, place, values);
        case 5: return write<int>(y, place, values);
        case 6: return write<int16_t>(y, place, values);
        case 7: return write<int8_t>(y, place, values);
        case 8: return write<uint8_t>(y, place, values);
        case 9: return write<Truth>(y, place, values);
    }
}

template <class A>
RL_INLINE void cast(const A* x, void* y, const View<1>& view, Packing packing, i64 count, int type) {
    typedef decltype(widen(A())) C;
    constexpr int W = 4;
    const i64 packs = packing & 1 ? count / W : 0, items = count - packs * (W - 1);
#pragma unroll 1
    for (i64 item = first_number(); item < items; item += stride_of_grid()) {
        const bool whole = item < packs;
        const i64 i = whole ? item * W : item + packs * (W - 1);
        i64 places[1];
        find<Lie::any>(view, i, places);
        const int to = (int)undivided(type);
        if (whole) {
            Pack<A, W> pack = take<W>(x + places[0], undivided(packing) & 2);
            C values[W];
#pragma unroll
            for (int k = 0; k < W; k++) values[k] = widen(pack.at[k]);
            write_as(to, y, i, values);
        } else {
            C values[1] = {widen(x[places[0]])};
            write_as(to, y, i, values);
        }
    }
}

#define CAST(suffix, A)                                                                                      \
    RL_KERNEL(cast_##suffix, const A* x, void* y, View<1> view, Packing packing, i64 count, int type) {      \
        cast(x, y, view, packing, count, type);                                                              \
    }

CAST(f32, float)
CAST(f64, double)
CAST(f16, f16)
CAST(bf16, bf16)
CAST(i64, i64)
CAST(i32, int)
CAST(i16, int16_t)
CAST(i8, int8_t)
CAST(u8, uint8_t)
CAST(bool, Truth)
