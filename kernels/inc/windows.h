// What kernels over evenly spaced windows share.
#pragma once

#include "rushlight.h"

// Windows along an axis; as in `src/columns.rs`.
struct Slide {
    int input, kernel, output, stride, padding, dilation;
};

// The window that reads a place of the input by a tap, or -1.
RL_INLINE int window_of(const Slide& a, int place, int tap) {
    const int at = place + a.padding - tap * a.dilation;
    if (at < 0) return -1;
    if (a.stride == 1) return at < a.output ? at : -1;
    const int window = at / a.stride;
    return window < a.output && window * a.stride == at ? window : -1;
}

// Division by a number that is known before, of numbers below 2^31.
struct Divider {
    uint32_t divisor, factor, shift;
};

RL_INLINE uint32_t divide(uint32_t number, const Divider& by) {
    return by.divisor == 1 ? number : (uint32_t)(((uint64_t)number * by.factor) >> 32) >> by.shift;
}

// The remainder, after which the number is the quotient.
RL_INLINE i64 take(i64& number, i64 size) {
    i64 quotient;
    if (((uint64_t)number | (uint64_t)size) <= 0xffffffffu) {
        // The division of 64-bit numbers takes five times as long.
        quotient = (uint32_t)number / (uint32_t)size;
    } else {
        quotient = number / size;
    }
    i64 rest = number - quotient * size;
    number = quotient;
    return rest;
}

// A convolution; as in `src/conv.rs`.
struct Sizes {
    Slide axis[3];
    int batch, groups;
    // Channels of a group.
    int inputs, outputs;
};

// By the places of a result's plane, of a layer and of a line.
struct Dividers {
    Divider plane, layer, line;
};

template <class T>
RL_INLINE T relu_of(T x) { return x < (T)0 ? (T)0 : x; }
