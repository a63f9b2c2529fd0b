// Softmax, its logarithm, cross entropy, and their gradients.
//
// Rows of neighbouring elements: a team of threads holds a row in registers, as much of it as they have; what is beyond
// is read again. Along other axes, threads side by side each have a column, and read it twice.

#include "rushlight.h"
#include "rows.h"

// The largest of some numbers, and the sum of the exponentials of the distances to it.
template <class T>
struct Online {
    T most, sum;
    static RL_INLINE Online start() { return {-infinity<T>(), 0}; }
    // The sum for another largest number. Infinities of one sign are not subtracted.
    RL_INLINE T sum_at(T other) const { return most == other ? sum : sum * exp_of(most - other); }
    template <int N>
    RL_INLINE void take(const T (&x)[N]) {
        T now = most;
#pragma unroll
        for (int k = 0; k < N; k++) now = Larger::fold(now, x[k]);
        sum = sum_at(now);
#pragma unroll
        for (int k = 0; k < N; k++) sum += x[k] == -infinity<T>() ? T(0) : exp_of(x[k] - now);
        most = now;
    }
};

struct Join {
    template <class T>
    static RL_INLINE Online<T> fold(Online<T> a, Online<T> b) {
        T most = Larger::fold(a.most, b.most);
        return {most, a.sum_at(most) + b.sum_at(most)};
    }
};

// Elements of a row that are read at once beyond those in registers.
constexpr int BATCH = 4;

// The largest element of a row and the sum of the exponentials of the distances to it; `at` gets its first elements, or with
// `EXP` their exponentials. An infinite largest element gives NaN.
template <bool EXP, class T, int THREADS, int ITEMS>
RL_INLINE Online<T> read_row(const T* x, i64 size, T (&at)[ITEMS]) {
    typedef Team<THREADS> Team;
    int rank = Team::rank();
    Online<T> rest = Online<T>::start();
    T most = -infinity<T>();
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        i64 i = k * THREADS + rank;
        at[k] = i < size ? x[i] : -infinity<T>();
    }
#pragma unroll
    for (int k = 0; k < ITEMS; k++) most = Larger::fold(most, at[k]);
    if constexpr (THREADS > 32) {
#pragma unroll 1
        for (i64 i = ITEMS * THREADS + rank; i < size; i += BATCH * THREADS) {
            T batch[BATCH];
#pragma unroll
            for (int k = 0; k < BATCH; k++) batch[k] = i + k * THREADS < size ? x[i + k * THREADS] : -infinity<T>();
            rest.take(batch);
        }
    }
    most = Team::template fold<Larger>(Larger::fold(most, rest.most));
    T sum = 0;
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        if (k * THREADS + rank < size) {
            T e = exp_of(at[k] - most);
            sum += e;
            if (EXP) at[k] = e;
        }
    }
    if constexpr (THREADS > 32) sum += rest.sum_at(most);
    sum = Team::template fold<Add>(sum);
    return {most, sum + (most - most)};
}

template <class T, int THREADS, int ITEMS, bool LOG>
RL_INLINE void softmax_row(const T* x, T* y, i64 rows, i64 size) {
    typedef Team<THREADS> Team;
    i64 row = Team::row();
    bool there = row < rows;
    i64 start = (there ? row : rows - 1) * size;
    x += start;
    y += start;
    T at[ITEMS];
    Online<T> stats = read_row<!LOG, T, THREADS, ITEMS>(x, size, at);
    if (!there) return;
    int rank = Team::rank();
    T factor = LOG ? log_of(stats.sum) : T(1) / stats.sum;
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        i64 i = k * THREADS + rank;
        if (i < size) y[i] = LOG ? at[k] - stats.most - factor : at[k] * factor;
    }
    if constexpr (THREADS > 32) {
#pragma unroll 4
        for (i64 i = ITEMS * THREADS + rank; i < size; i += THREADS)
            y[i] = LOG ? x[i] - stats.most - factor : exp_of(x[i] - stats.most) * factor;
    }
}

template <class T, int THREADS, int ITEMS, bool LOG>
RL_INLINE void softmax_grad_row(const T* grad, const T* y, T* dx, i64 rows, i64 size) {
    typedef Team<THREADS> Team;
    i64 row = Team::row();
    bool there = row < rows;
    i64 start = (there ? row : rows - 1) * size;
    grad += start;
    y += start;
    dx += start;
    int rank = Team::rank();
    T gs[ITEMS], ys[ITEMS];
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        i64 i = k * THREADS + rank;
        gs[k] = i < size ? grad[i] : T(0);
        ys[k] = i < size ? y[i] : T(0);
    }
    T sum = 0;
#pragma unroll
    for (int k = 0; k < ITEMS; k++) sum += LOG ? gs[k] : gs[k] * ys[k];
    if constexpr (THREADS > 32) {
        T rest = 0;
#pragma unroll 4
        for (i64 i = ITEMS * THREADS + rank; i < size; i += THREADS) rest += LOG ? grad[i] : grad[i] * y[i];
        sum += rest;
    }
    sum = Team::template fold<Add>(sum);
    if (!there) return;
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        i64 i = k * THREADS + rank;
        if (i < size) dx[i] = LOG ? gs[k] - exp_of(ys[k]) * sum : ys[k] * (gs[k] - sum);
    }
    if constexpr (THREADS > 32) {
#pragma unroll 4
        for (i64 i = ITEMS * THREADS + rank; i < size; i += THREADS)
            dx[i] = LOG ? grad[i] - exp_of(y[i]) * sum : y[i] * (grad[i] - sum);
    }
}

// The loss of a row, and its two numbers.
template <class T, int THREADS, int ITEMS>
RL_INLINE void cross_entropy_row(const T* x, const i64* target, T* loss, T* stats, i64 rows, i64 size) {
    typedef Team<THREADS> Team;
    i64 row = Team::row();
    bool there = row < rows;
    if (!there) row = rows - 1;
    x += row * size;
    T at[ITEMS];
    Online<T> found = read_row<false, T, THREADS, ITEMS>(x, size, at);
    if (!there || Team::rank() != 0) return;
    T sum = log_of(found.sum);
    stats[2 * row] = found.most;
    stats[2 * row + 1] = sum;
    // Within a graph nobody has looked at the classes yet when this runs; the host tells of a bad one later.
    i64 place = target[row];
    bool known = (uint64_t)place < (uint64_t)size;
    loss[row] = known ? sum - (x[place] - found.most) : infinity<T>();
}

// Gradients: blocks share a row, or have several.
template <class T>
RL_INLINE void cross_entropy_slopes(const T* x, const T* stats, const i64* target, const T* grad, i64 grad_step, T* dx,
                                    i64 rows, i64 size, i64 lanes, i64 tiles) {
    int width = (int)lanes;
    i64 group = blockIdx.x;
    i64 tile = 0;
    if (tiles > 1) {
        tile = group % tiles;
        group /= tiles;
    }
    i64 row = group * (256 / width) + (int)threadIdx.x / width;
    if (row >= rows) return;
    T most = stats[2 * row], sum = stats[2 * row + 1], g = grad[row * grad_step];
    i64 place = target[row];
    x += row * size;
    dx += row * size;
    i64 first = tile * width * 8 + (int)threadIdx.x % width;
    T at[8];
#pragma unroll
    for (int k = 0; k < 8; k++) at[k] = first + k * width < size ? x[first + k * width] : T(0);
#pragma unroll
    for (int k = 0; k < 8; k++) {
        i64 i = first + k * width;
        if (i < size) dx[i] = (exp_of(at[k] - most - sum) - (i == place ? T(1) : T(0))) * g;
    }
}

// Columns: `[outer, size, inner]`, a column for each place of outer and inner. `width` threads side by side take
// turns with the rows of their columns.
struct Columns {
    i64 first, step;
    int slot, slots, width;
    bool there;
};
RL_INLINE Columns columns_of(i64 columns, i64 size, i64 inner, int width) {
    i64 column = (i64)blockIdx.x * width + (int)threadIdx.x % width;
    bool there = column < columns;
    if (!there) column = 0;
    i64 outer = column / inner;
    return {outer * size * inner + (column - outer * inner), inner, (int)threadIdx.x / width, 256 / width, width, there};
}

// The fold of what the threads of a column have.
template <class F, class T>
RL_INLINE T fold_slots(T own, const Columns& c) {
    __shared__ T box[256];
    box[threadIdx.x] = own;
#pragma unroll 1
    for (int half = c.slots / 2; half > 0; half /= 2) {
        __syncthreads();
        if (c.slot < half) box[threadIdx.x] = F::fold(box[threadIdx.x], box[threadIdx.x + half * c.width]);
    }
    __syncthreads();
    return box[(int)threadIdx.x % c.width];
}

template <class T, bool LOG>
RL_INLINE void softmax_columns(const T* x, T* y, i64 columns, i64 size, i64 inner, int width) {
    Columns c = columns_of(columns, size, inner, width);
    Online<T> own = Online<T>::start();
    x += c.first;
    y += c.first;
#pragma unroll 1
    for (i64 i = c.slot; i < size; i += BATCH * c.slots) {
        T batch[BATCH];
#pragma unroll
        for (int k = 0; k < BATCH; k++) {
            i64 at = i + k * c.slots;
            batch[k] = at < size ? x[at * c.step] : -infinity<T>();
        }
        own.take(batch);
    }
    Online<T> stats = fold_slots<Join>(own, c);
    if (!c.there) return;
    stats.sum += stats.most - stats.most;
    T factor = LOG ? log_of(stats.sum) : T(1) / stats.sum;
#pragma unroll 4
    for (i64 i = c.slot; i < size; i += c.slots) {
        T v = x[i * c.step] - stats.most;
        y[i * c.step] = LOG ? v - factor : exp_of(v) * factor;
    }
}

template <class T, bool LOG>
RL_INLINE void softmax_grad_columns(const T* grad, const T* y, T* dx, i64 columns, i64 size, i64 inner, int width) {
    Columns c = columns_of(columns, size, inner, width);
    grad += c.first;
    y += c.first;
    dx += c.first;
    T own = 0;
#pragma unroll 4
    for (i64 i = c.slot; i < size; i += c.slots) own += LOG ? grad[i * c.step] : grad[i * c.step] * y[i * c.step];
    T sum = fold_slots<Add>(own, c);
    if (!c.there) return;
#pragma unroll 4
    for (i64 i = c.slot; i < size; i += c.slots) {
        T g = grad[i * c.step], v = y[i * c.step];
        dx[i * c.step] = LOG ? g - exp_of(v) * sum : v * (g - sum);
    }
}

// The rows of one team: how many threads, how many elements each has in registers, and in the gradients'.
#define TEAM(T, dtype, threads, block, items, pairs)                                                                    \
    RL_BOUNDED(softmax_##threads##x##items##_##dtype, block, 1, const T* x, T* y, i64 rows, i64 size) {                 \
        softmax_row<T, threads, items, false>(x, y, rows, size);                                                        \
    }                                                                                                                   \
    RL_BOUNDED(log_softmax_##threads##x##items##_##dtype, block, 1, const T* x, T* y, i64 rows, i64 size) {             \
        softmax_row<T, threads, items, true>(x, y, rows, size);                                                         \
    }                                                                                                                   \
    RL_BOUNDED(softmax_grad_##threads##x##items##_##dtype, block, 1, const T* grad, const T* y, T* dx, i64 rows,        \
               i64 size) {                                                                                              \
        softmax_grad_row<T, threads, pairs, false>(grad, y, dx, rows, size);                                            \
    }                                                                                                                   \
    RL_BOUNDED(log_softmax_grad_##threads##x##items##_##dtype, block, 1, const T* grad, const T* y, T* dx, i64 rows,    \
               i64 size) {                                                                                              \
        softmax_grad_row<T, threads, pairs, true>(grad, y, dx, rows, size);                                             \
    }                                                                                                                   \
    RL_BOUNDED(cross_entropy_##threads##x##items##_##dtype, block, 1, const T* x, const i64* target, T* loss, T* stats, \
               i64 rows, i64 size) {                                                                                    \
        cross_entropy_row<T, threads, items>(x, target, loss, stats, rows, size);                                       \
    }

#define FLOATS(T, dtype, most)                                                                                           \
    TEAM(T, dtype, 8, 256, 2, 2)                                                                                         \
    TEAM(T, dtype, 16, 256, 4, 4)                                                                                        \
    TEAM(T, dtype, 32, 256, 8, 8)                                                                                        \
    TEAM(T, dtype, 32, 256, 32, 32)                                                                                      \
    TEAM(T, dtype, 256, 256, 16, 16)                                                                                     \
    TEAM(T, dtype, 512, 512, 32, most)                                                                                   \
    RL_BOUNDED(softmax_columns_##dtype, 256, 1, const T* x, T* y, i64 columns, i64 size, i64 inner, i64 width) {         \
        softmax_columns<T, false>(x, y, columns, size, inner, (int)width);                                               \
    }                                                                                                                    \
    RL_BOUNDED(log_softmax_columns_##dtype, 256, 1, const T* x, T* y, i64 columns, i64 size, i64 inner, i64 width) {     \
        softmax_columns<T, true>(x, y, columns, size, inner, (int)width);                                                \
    }                                                                                                                    \
    RL_BOUNDED(softmax_grad_columns_##dtype, 256, 1, const T* grad, const T* y, T* dx, i64 columns, i64 size, i64 inner, \
               i64 width) {                                                                                              \
        softmax_grad_columns<T, false>(grad, y, dx, columns, size, inner, (int)width);                                   \
    }                                                                                                                    \
    RL_BOUNDED(log_softmax_grad_columns_##dtype, 256, 1, const T* grad, const T* y, T* dx, i64 columns, i64 size,        \
               i64 inner, i64 width) {                                                                                   \
        softmax_grad_columns<T, true>(grad, y, dx, columns, size, inner, (int)width);                                    \
    }                                                                                                                    \
    RL_BOUNDED(cross_entropy_grad_##dtype, 256, 1, const T* x, const T* stats, const i64* target, const T* grad,         \
               i64 grad_step, T* dx, i64 rows, i64 size, i64 width, i64 tiles) {                                         \
        cross_entropy_slopes<T>(x, stats, target, grad, grad_step, dx, rows, size, width, tiles);                        \
    }

FLOATS(float, f32, 32)
FLOATS(double, f64, 16)
