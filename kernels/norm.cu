// Layer norm and RMS norm of rows, and their gradients.

#include "rushlight.h"
#include "rows.h"

// Calls `each(k, i)` for the elements i of a row that this thread has in registers, and `beyond(i)` for those that it reads
// again.
template <int THREADS, int ITEMS, class Each, class Beyond>
RL_INLINE void over_row(i64 size, const Each& each, const Beyond& beyond) {
    int rank = Team<THREADS>::rank();
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        i64 i = k * THREADS + rank;
        if (i < size) each(k, i);
    }
    if constexpr (THREADS > 32) {
#pragma unroll 1
        for (i64 i = ITEMS * THREADS + rank; i < size; i += THREADS) beyond(i);
    }
}

template <class T, int THREADS, int ITEMS>
RL_INLINE void norm_row(const T* x, const T* weight, const T* bias, T* y, T* stats, i64 rows, i64 size, double epsilon,
                        i64 layer) {
    typedef Team<THREADS> Team;
    i64 row = Team::row();
    bool there = row < rows;
    if (!there) row = rows - 1;
    x += row * size;
    y += row * size;
    T at[ITEMS];
    T share = T(1.0 / (double)size);
    over_row<THREADS, ITEMS>(size, [&](int k, i64 i) { at[k] = x[i]; }, [](i64) {});
    T mean = 0;
    if (layer) {
        T sum = 0;
        over_row<THREADS, ITEMS>(size, [&](int k, i64) { sum += at[k]; }, [&](i64 i) { sum += x[i]; });
        T near = Team::template fold<Add>(sum) * share;
        // The product rounds; the mean of the differences is what it missed by. So rows of equal numbers give zeros.
        T missed = 0;
        over_row<THREADS, ITEMS>(
            size, [&](int k, i64) { missed += at[k] - near; }, [&](i64 i) { missed += x[i] - near; });
        mean = near + Team::template fold<Add>(missed) * share;
    }
    T square = 0;
    over_row<THREADS, ITEMS>(
        size, [&](int k, i64) { square += (at[k] - mean) * (at[k] - mean); },
        [&](i64 i) { square += (x[i] - mean) * (x[i] - mean); });
    T rate = T(1) / root_of(Team::template fold<Add>(square) * share + T(epsilon));
    if (!there) return;
    if (Team::rank() == 0) {
        stats[2 * row] = mean;
        stats[2 * row + 1] = rate;
    }
    auto write = [&](i64 i, T v) {
        v = (v - mean) * rate;
        if (weight != nullptr) v *= weight[i];
        if (bias != nullptr) v += bias[i];
        y[i] = v;
    };
    over_row<THREADS, ITEMS>(size, [&](int k, i64 i) { write(i, at[k]); }, [&](i64 i) { write(i, x[i]); });
}

// The gradient of a row: what normalising takes out is taken out of it, too.
template <class T, int THREADS, int ITEMS>
RL_INLINE void norm_grad_row(const T* grad, const T* x, const T* stats, const T* weight, T* dx, i64 rows, i64 size,
                             i64 layer) {
    typedef Team<THREADS> Team;
    i64 row = Team::row();
    bool there = row < rows;
    if (!there) row = rows - 1;
    grad += row * size;
    x += row * size;
    dx += row * size;
    T mean = stats[2 * row], rate = stats[2 * row + 1];
    T share = T(1.0 / (double)size);
    auto weighted = [&](i64 i) { return weight != nullptr ? grad[i] * weight[i] : grad[i]; };
    T gs[ITEMS], ds[ITEMS];
    over_row<THREADS, ITEMS>(
        size,
        [&](int k, i64 i) {
            gs[k] = weighted(i);
            ds[k] = x[i] - mean;
        },
        [](i64) {});
    T along = 0, level = 0;
    over_row<THREADS, ITEMS>(
        size,
        [&](int k, i64) {
            along += gs[k] * ds[k];
            level += gs[k];
        },
        [&](i64 i) {
            T g = weighted(i);
            along += g * (x[i] - mean);
            level += g;
        });
    along = Team::template fold<Add>(along) * rate * rate * share;
    level = layer ? Team::template fold<Add>(level) * share : T(0);
    if (!there) return;
    over_row<THREADS, ITEMS>(
        size, [&](int k, i64 i) { dx[i] = rate * (gs[k] - level - ds[k] * along); },
        [&](i64 i) { dx[i] = rate * (weighted(i) - level - (x[i] - mean) * along); });
}

// Rows that a thread adds up in one chain.
constexpr int LEAF = 32;

// The gradients of weight and bias from the rows of a chunk, `[chunks, 2, size]`: 32 columns side by side, of which each
// eight threads have a row in turn.
template <class T>
RL_INLINE void norm_grad_columns(const T* grad, const T* x, const T* stats, T* parts, i64 rows, i64 size, i64 chunk) {
    __shared__ T box[2][8][32];
    int lane = (int)threadIdx.x % 32, slot = (int)threadIdx.x / 32;
    i64 column = (i64)blockIdx.x * 32 + lane;
    bool there = column < size;
    i64 first = blockIdx.y * chunk;
    i64 last = rows - first < chunk ? rows : first + chunk;
    T slope = 0, shift = 0;
#pragma unroll 1
    for (i64 base = first; there && base < last; base += 8 * LEAF) {
        T slopes = 0, shifts = 0;
        i64 end = last - base < 8 * LEAF ? last : base + 8 * LEAF;
#pragma unroll 4
        for (i64 row = base + slot; row < end; row += 8) {
            T g = grad[row * size + column];
            slopes += (x[row * size + column] - stats[2 * row]) * stats[2 * row + 1] * g;
            shifts += g;
        }
        slope += slopes;
        shift += shifts;
    }
    box[0][slot][lane] = slope;
    box[1][slot][lane] = shift;
#pragma unroll
    for (int half = 4; half > 0; half /= 2) {
        __syncthreads();
        if (slot < half) {
            box[0][slot][lane] += box[0][slot + half][lane];
            box[1][slot][lane] += box[1][slot + half][lane];
        }
    }
    if (slot != 0 || !there) return;
    parts[blockIdx.y * 2 * size + column] = box[0][0][lane];
    parts[(blockIdx.y * 2 + 1) * size + column] = box[1][0][lane];
}

// Elements that a thread holds: of the largest blocks, half as many in f64, whose registers would not do.
template <class T, int THREADS>
RL_INLINE constexpr int held(int items) { return THREADS == 512 && sizeof(T) == 8 ? items / 2 : items; }

#define TEAM(T, dtype, threads, block, items, pairs)                                                                  \
    RL_BOUNDED(norm_##threads##x##items##_##dtype, block, 1, const T* x, const T* weight, const T* bias, T* y,        \
               T* stats, i64 rows, i64 size, double epsilon, i64 layer) {                                             \
        norm_row<T, threads, held<T, threads>(items)>(x, weight, bias, y, stats, rows, size, epsilon, layer);         \
    }                                                                                                                 \
    RL_BOUNDED(norm_grad_##threads##x##items##_##dtype, block, 1, const T* grad, const T* x, const T* stats,          \
               const T* weight, T* dx, i64 rows, i64 size, i64 layer) {                                               \
        norm_grad_row<T, threads, pairs>(grad, x, stats, weight, dx, rows, size, layer);                              \
    }

#define FLOATS(T, dtype)                                                                                             \
    TEAM(T, dtype, 8, 256, 2, 2)                                                                                     \
    TEAM(T, dtype, 16, 256, 4, 4)                                                                                    \
    TEAM(T, dtype, 32, 256, 8, 8)                                                                                    \
    TEAM(T, dtype, 32, 256, 32, 32)                                                                                  \
    TEAM(T, dtype, 256, 256, 16, 16)                                                                                 \
    TEAM(T, dtype, 512, 512, 32, 16)                                                                                 \
    RL_BOUNDED(norm_grad_columns_##dtype, 256, 1, const T* grad, const T* x, const T* stats, T* parts, i64 rows,     \
               i64 size, i64 chunk) {                                                                                \
        norm_grad_columns<T>(grad, x, stats, parts, rows, size, chunk);                                              \
    }

FLOATS(float, f32)
FLOATS(double, f64)
