// Activation functions and their gradients. Relu, sigmoid, tanh, silu, gelu and hardtanh, which is a clamp, are in
// `elementwise.cu`.

#include "rl_map.h"
#include "rl_math.h"

// tanh(ln(1 + e^x)) = n / (n + 2) for n = e^x (e^x + 2), which rounds to 1 from 20 on.
template <class T>
RL_INLINE T tanh_of_softplus(T x) {
    T e = exp(x > (T)20 ? (T)20 : x);
    T n = e * (e + (T)2);
    return n / (n + (T)2);
}

template <class T>
RL_INLINE T silu_slope(T x) {
    T s = sigmoid(x);
    return s * ((T)1 + x * ((T)1 - s));
}

template <class T>
RL_INLINE T mish_slope(T x) {
    T t = tanh_of_softplus(x);
    return t + x * sigmoid(x) * ((T)1 - t * t);
}

RL_FLOATS(LINE1, leaky_relu, v > (Real)0 ? v : p * v)
LONG1(line, mish, v * tanh_of_softplus(v))
// p is beta, q the threshold.
LONG1(line, softplus, v * p > q ? v : log1p(exp(v * p)) / p)
// p is alpha times the scale, q the scale, r the rate.
LONG1(line, elu, v > (Real)0 ? v * q : expm1(v * r) * p)
LONG1(line, log_sigmoid, (v < (Real)0 ? v : (Real)0) - log1p(exp(-fabs(v))))
RL_FLOATS(LINE1, hardsigmoid, between(v + (Real)3, (Real)0, (Real)6) / (Real)6)
RL_FLOATS(LINE1, hardswish, v * between(v + (Real)3, (Real)0, (Real)6) / (Real)6)
RL_FLOATS(LINE1, threshold, v <= p ? q : v)
RL_FLOATS(LINE1, hardshrink, v >= -p && v <= p ? (Real)0 : v)
// The product with 0 keeps NaN.
RL_FLOATS(LINE1, softshrink, v > p ? v - p : v < -p ? v + p : v * (Real)0)
LINE1(threshold_i64, i64, v <= p ? q : v)

// From the gradient v of the result and the input w. Where the slope is 0 they are 0, whatever comes in.
RL_FLOATS(LINE2, leaky_relu_grad, w > (Real)0 ? v : v * p)
LONG2(line, silu_grad, v * silu_slope(w))
LONG2(line, mish_grad, v * mish_slope(w))
LONG2(line, softplus_grad, w * p > q ? v : v * sigmoid(w * p))
// p is alpha times scale and rate.
LONG2(line, elu_grad, w <= (Real)0 ? v * (exp(w * r) * p) : v * q)
LONG2(line, log_sigmoid_grad, v * sigmoid(-w))
RL_FLOATS(LINE2, hardsigmoid_grad, w > (Real)-3 && w < (Real)3 ? v / (Real)6 : (Real)0)
RL_FLOATS(LINE2, hardswish_grad, w <= (Real)-3 ? (Real)0 : w < (Real)3 ? v * (w / (Real)3 + (Real)0.5) : v)
RL_FLOATS(LINE2, hardtanh_grad, w <= p || w >= q ? (Real)0 : v)
RL_FLOATS(LINE2, threshold_grad, w <= p ? (Real)0 : v)
// Of hardshrink and softshrink.
RL_FLOATS(LINE2, shrink_grad, w >= -p && w <= p ? (Real)0 : v)
