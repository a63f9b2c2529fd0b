// The steps of optimisers: one pass over each parameter, its gradient and its states, whatever the rule, for many
// parameters at once.
//
// Parameter and gradient are of one type, the states of the type that is computed in.

#include "rl_half.h"
#include "rl_map.h"

template <class T>
RL_INLINE T widen(T x) { return x; }
RL_INLINE float widen(f16 x) { return to_float(x); }
RL_INLINE float widen(bf16 x) { return to_float(x); }
RL_INLINE void narrow(float x, float& y) { y = x; }
RL_INLINE void narrow(double x, double& y) { y = x; }
RL_INLINE void narrow(float x, f16& y) { y = to_f16(x); }
RL_INLINE void narrow(float x, bf16& y) { y = to_bf16(x); }

// As many as kernel arguments have room for, which end at 4 KB; a power of two. The host has the same number.
constexpr int MANY = 64;

// A parameter. States are null where the rule goes without.
template <class S, class T>
struct Parameter {
    S* w;
    const S* g;
    T *s0, *s1, *s2;
    // Twice the number of elements, and 1 more if they may be read in packs.
    i64 size;
};

// A list of them.
template <class S, class T>
struct Parameters {
    Parameter<S, T> of[MANY];
};

// Where the blocks of each end; after the last, the largest number.
struct Ends {
    uint32_t of[MANY];
};

// What happens before each rule: the sign of the gradient, its penalty, and the decay of the weight.
template <class T>
struct Before {
    T turn, decay, shrink;
};

// Which states there are, as the host says in a packing, and whether weights decay.
constexpr i64 FIRST = 1, SECOND = 2, THIRD = 4, DECAYS = 8;

template <int W, class T>
RL_INLINE Pack<T, W> take_state(const T* from, i64 place, bool there) {
    Pack<T, W> none = {};
    return there ? take<W>(from + place, true) : none;
}

// The rule for W elements from a place on; it changes the weight and the states.
template <int W, class S, class T, class F>
RL_INLINE void pass_at(i64 i, const Parameter<S, T>& of, i64 packing, Before<T> before, F rule) {
    Pack<S, W> weights = take<W>(of.w + i, true), grads = take<W>(of.g + i, true);
    // Whether there is a state is asked each time: a loop for each case would multiply the code.
    i64 there = undivided(packing);
    Pack<T, W> p0 = take_state<W>(of.s0, i, there & FIRST);
    Pack<T, W> p1 = take_state<W>(of.s1, i, there & SECOND);
    Pack<T, W> p2 = take_state<W>(of.s2, i, there & THIRD);
#pragma unroll
    for (int k = 0; k < W; k++) {
        T value = widen(weights.at[k]), grad = before.turn * widen(grads.at[k]);
        there = undivided(packing);
        grad = there & DECAYS ? grad + before.decay * value : grad;
        value = before.shrink * value;
        rule(there, grad, value, p0.at[k], p1.at[k], p2.at[k]);
        narrow(value, weights.at[k]);
    }
    put<W>(of.w + i, weights);
    there = undivided(packing);
    if (there & FIRST) put<W>(of.s0 + i, p0);
    if (there & SECOND) put<W>(of.s1 + i, p1);
    if (there & THIRD) put<W>(of.s2 + i, p2);
}

// Packs of f32, where half precision comes by of two.
template <class S, class T>
constexpr int WIDTH_OF = sizeof(S) == 2 ? 2 : sizeof(T) == 4 ? 4 : 1;

template <class S, class T, class F>
RL_INLINE void pass(const Ends& ends, const Parameters<S, T>& list, i64 packing, Before<T> before, F rule) {
    int place = 0;
#pragma unroll
    for (int half = MANY / 2; half > 0; half /= 2) place += ends.of[place + half - 1] <= blockIdx.x ? half : 0;
    const uint32_t first = place > 0 ? ends.of[place - 1] : 0, blocks = ends.of[place] - first;
    const Parameter<S, T> of = list.of[place];
    constexpr int W = WIDTH_OF<S, T>;
    const i64 count = of.size / 2, packs = W > 1 && (of.size & 1) ? count / W : 0, items = count - packs * (W - 1);
#pragma unroll 1
    for (i64 item = (i64)(blockIdx.x - first) * blockDim.x + threadIdx.x; item < items;
         item += (i64)blocks * blockDim.x) {
        if (W > 1 && item < packs) {
            pass_at<W>(item * W, of, packing, before, rule);
        } else {
            pass_at<1>(item + packs * (W - 1), of, packing, before, rule);
        }
    }
}

// The mean of squares after `x`.
template <class T>
RL_INLINE T square(T mean, T x, T keep, T take) { return keep * mean + take * x * x; }

// `from + weight (to - from)`, from the nearer end, as PyTorch's `lerp`.
template <class T>
RL_INLINE T lerp(T from, T to, T weight, bool near) {
    return near ? from + weight * (to - from) : to - (to - from) * ((T)1 - weight);
}

// The larger; NaN wins.
template <class T>
RL_INLINE T larger(T a, T b) { return a > b || a != a ? a : b; }

// -1, 0 or 1; 0 for NaN.
template <class T>
RL_INLINE T sign_of(T x) { return x > (T)0 ? (T)1 : x < (T)0 ? (T)-1 : (T)0; }

// A rule in `g`, `w`, the states `s`, `t` and `u`, which of them are `there`, and nine numbers, whose places the host
// knows (`optimize.rs`).
#define RULE_FOR(name, S, T, ...)                                                                                    \
    RL_KERNEL(name, i64 packing, Numbers n0, Numbers n1, Numbers n2, Numbers n3, const Ends ends,                    \
              const Parameters<S, T> list) {                                                                         \
        typedef T Real;                                                                                              \
        const T a0 = (T)n1.p, a1 = (T)n1.q, a2 = (T)n1.r, a3 = (T)n2.p, a4 = (T)n2.q, a5 = (T)n2.r;                  \
        const T a6 = (T)n3.p, a7 = (T)n3.q, a8 = (T)n3.r;                                                            \
        (void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;                    \
        const Before<T> before = {(T)n0.p, (T)n0.q, (T)n0.r};                                                        \
        pass(ends, list, packing, before,                                                                            \
             [=](i64 there, Real g, Real& w, Real& s, Real& t, Real& u) { __VA_ARGS__ });                            \
    }
#define RULE(name, ...)                               \
    RULE_FOR(name##_f32, float, float, __VA_ARGS__)   \
    RULE_FOR(name##_f64, double, double, __VA_ARGS__) \
    RULE_FOR(name##_f16, f16, float, __VA_ARGS__)     \
    RULE_FOR(name##_bf16, bf16, float, __VA_ARGS__)

RULE(sgd, {
    const Real lr = a0, momentum = a1, fresh = a2;
    const bool nesterov = a3 != (Real)0, first = a4 != (Real)0;
    if (!(there & FIRST)) {
        w = w - lr * g;
    } else {
        s = first ? g : momentum * s + fresh * g;
        w = w - lr * (nesterov ? g + momentum * s : s);
    }
})

// a5 says whether the mean moves less than half of the way. With a third state, that of the greatest mean of squares.
RULE(adam, {
    const Real take_m = a0, keep_v = a1, take_v = a2, eps = a3, rate = a4, scale = a6;
    s = lerp(s, g, take_m, a5 != (Real)0);
    t = square(t, g, keep_v, take_v);
    u = larger(u, t);
    w = w - rate * s / (sqrt(there & THIRD ? u : t) * scale + eps);
})

RULE(rmsprop, {
    const Real lr = a0, keep = a1, take = a2, eps = a3, momentum = a4;
    s = square(s, g, keep, take);
    u = lerp(u, g, take, a5 != (Real)0);
    Real root = sqrt(there & THIRD ? s - u * u : s) + eps;
    if (there & SECOND) {
        t = momentum * t + g / root;
        w = w - lr * t;
    } else {
        w = w - lr * g / root;
    }
})

RULE(adagrad, {
    const Real rate = a0, eps = a1;
    s = s + g * g;
    w = w - rate * g / (sqrt(s) + eps);
})

RULE(adadelta, {
    const Real lr = a0, keep = a1, take = a2, eps = a3;
    s = square(s, g, keep, take);
    Real change = sqrt(t + eps) / sqrt(s + eps) * g;
    w = w - lr * change;
    t = square(t, change, keep, take);
})

RULE(adamax, {
    const Real take = a0, keep = a1, eps = a2, rate = a3;
    s = lerp(s, g, take, a5 != (Real)0);
    t = larger(keep * t, fabs(g) + eps);
    w = w - rate * s / t;
})

RULE(nadam, {
    const Real take_m = a0, keep_v = a1, take_v = a2, eps = a3, scale = a4, rate_grad = a6, rate_mean = a7;
    s = lerp(s, g, take_m, a5 != (Real)0);
    t = square(t, g, keep_v, take_v);
    Real root = sqrt(t * scale) + eps;
    w = w - rate_grad * g / root - rate_mean * s / root;
})

// The root is below 0 in the first steps, which do not adapt.
RULE(radam, {
    const Real take_m = a0, keep_v = a1, take_v = a2, eps = a3, scale = a4, root = a6, rectification = a7, lr = a8;
    s = lerp(s, g, take_m, a5 != (Real)0);
    t = square(t, g, keep_v, take_v);
    Real change = s * scale * lr;
    w = w - (root >= (Real)0 ? change * (root / (sqrt(t) + eps)) * rectification : change);
})

// a5: whether the average is the weight itself.
RULE(asgd, {
    const Real rate = a0, average = a1;
    w = w - rate * g;
    s = a5 != (Real)0 ? w : s + (w - s) * average;
})

RULE(rprop, {
    const Real minus = a0, plus = a1, least = a2, most = a3;
    Real kept = g * s;
    Real factor = kept > (Real)0 ? plus : kept < (Real)0 ? minus : (Real)1;
    g = kept < (Real)0 ? (Real)0 : g;
    t = t * factor;
    t = t < least ? least : t;
    t = t > most ? most : t;
    w = w - sign_of(g) * t;
    s = g;
})
