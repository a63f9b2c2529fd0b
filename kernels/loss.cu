// Losses of pairs of numbers and their slopes, one pass each; and whether all numbers lie between two.

#include "rl_map.h"
#include "rl_math.h"

template <class T>
RL_INLINE T huber(T error, T delta) {
    T size = fabs(error);
    return size <= delta ? (T)0.5 * size * size : delta * (size - (T)0.5 * delta);
}

template <class T>
RL_INLINE T smooth_l1(T error, T beta) {
    T size = fabs(error);
    return size < beta ? (T)0.5 * size * size / beta : size - (T)0.5 * beta;
}

// PyTorch cuts the logarithms off at -100.
template <class T>
RL_INLINE T probability(T x, T y) {
    T yes = log(x), no = log1p(-x), least = (T)-100;
    yes = yes < least ? least : yes;
    no = no < least ? least : no;
    return (y - (T)1) * no - y * yes;
}

template <class T>
RL_INLINE T logit(T x, T y) {
    T below = x < (T)0 ? -x : (T)0;
    return ((T)1 - y) * x + (below + log1p(exp(-fabs(x))));
}

// 0 at 0, and beside NaN.
template <class T>
RL_INLINE T sign_of(T v) { return v < (T)0 ? (T)-1 : v > (T)0 ? (T)1 : (T)0; }

template <class T>
RL_INLINE T bounded(T x, T bound) {
    x = x > bound ? bound : x;
    return x < -bound ? -bound : x;
}

template <class T>
RL_INLINE T probability_slope(T x, T y, T least) {
    T spread = ((T)1 - x) * x;
    return (x - y) / (spread < least ? least : spread);
}

// The sigmoid on its small side: its distance from 1 would lose what is left.
template <class T>
RL_INLINE T logit_slope(T x, T y) {
    T small = sigmoid(-fabs(x));
    return x < (T)0 ? small - y : ((T)1 - y) - small;
}

LONG2(line, square_loss, (v - w) * (v - w))
LONG2(line, absolute_loss, fabs(v - w))
LONG2(line, huber_loss, huber(v - w, p))
LONG2(line, smooth_l1_loss, smooth_l1(v - w, p))
LONG2(line, probability_loss, probability(v, w))
LONG2(line, logit_loss, logit(v, w))

// u is the gradient of the loss.
LONG3(square_loss_grad, u * ((Real)2 * (v - w)))
LONG3(absolute_loss_grad, u * sign_of(v - w))
LONG3(huber_loss_grad, u * bounded(v - w, p))
LONG3(smooth_l1_loss_grad, u * bounded((v - w) / p, (Real)1))
LONG3(probability_loss_grad, u * probability_slope(v, w, p))
LONG3(logit_loss_grad, u * logit_slope(v, w))

// Sets the flag where a number does not lie in p..=q. All who set it write the same.
template <class T>
RL_INLINE void find_outside(const T* x, boolean* flag, i64 count, Numbers n) {
    T low = (T)n.p, high = (T)n.q;
    bool inside = true;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        T v = x[i];
        inside = inside && v >= low && v <= high;
    }
    if (!inside) *flag = 1;
}
RL_KERNEL(outside_f32, const float* x, boolean* flag, i64 count, Numbers n) { find_outside(x, flag, count, n); }
RL_KERNEL(outside_f64, const double* x, boolean* flag, i64 count, Numbers n) { find_outside(x, flag, count, n); }
