// Scaled dot-product attention: as one kernel that keeps no scores, and the row-wise parts of attention by products.

#include "rushlight.h"

RL_INLINE float exponential(float x) { return expf(x); }
RL_INLINE double exponential(double x) { return exp(x); }
RL_INLINE float larger(float x, float y) { return fmaxf(x, y); }
RL_INLINE double larger(double x, double y) { return fmax(x, y); }

// A block has BQ queries of a head, and meets its keys BK at a time: their scores, what the greatest score so far makes of
// them, and the values times that (M. Milakov, N. Gimelshein 2018; T. Dao et al. 2022). 16 x 8 threads: each has BQ / 16
// queries, of the scores four keys, of the result E / 8 features. E is at least the size of heads.
template <class T, int BQ, int E>
RL_INLINE void attend(const T* q, const T* k, const T* v, T* y, i64 queries, i64 keys, i64 features, i64 values,
                      const i64 rows[4], const i64 columns[3], i64 heads, T scale, bool causal, const View<4>& view) {
    constexpr int BK = 32, THREADS = 128, WIDTH = 16 / sizeof(T);
    constexpr int R = BQ / 16, C = BK / 8, G = E / 8 / WIDTH;
    constexpr int QUERY_LD = BQ + WIDTH, KEY_LD = BK + WIDTH, VALUE_LD = E + WIDTH;
    constexpr int BOTH = E * KEY_LD > BK * VALUE_LD ? E * KEY_LD : BK * VALUE_LD;
    RL_DYN_SHARED(T, shared);
    // [E][BQ], then the keys as [E][BK] or the values as [BK][E], then the weights as [BK][BQ].
    T* some = shared;
    T* others = some + E * QUERY_LD;
    T* weights = others + BOTH;
    int tx = (int)threadIdx.x % 8, ty = (int)threadIdx.x / 8;

    i64 tiles = (queries + BQ - 1) / BQ;
    for (i64 task = blockIdx.x; task < tiles * heads; task += gridDim.x) {
        i64 head = task / tiles;
        // With a causal mask the last queries see the most keys: they come first.
        i64 first = (tiles - 1 - (task - head * tiles)) * BQ;
        i64 places[4];
        locate(view, head, places);
        const T* from_q = q + places[0] + first * rows[0];
        int there = (int)min(queries - first, (i64)BQ);
        for (int i = (int)threadIdx.x; i < BQ * E; i += THREADS) {
            int row = i / E, e = i % E;
            some[e * QUERY_LD + row] =
                row < there && e < features ? from_q[row * rows[0] + e * columns[0]] * scale : T(0);
        }

        T sums[R][G * WIDTH], most[R], shares[R];
#pragma unroll
        for (int r = 0; r < R; r++) {
            most[r] = -infinity<T>();
            shares[r] = T(0);
#pragma unroll
            for (int c = 0; c < G * WIDTH; c++) sums[r][c] = T(0);
        }
        i64 end = causal ? min(keys, first + BQ) : keys;
        for (i64 key = 0; key < end; key += BK) {
            int count = (int)min(keys - key, (i64)BK);
            const T* from_k = k + places[1] + key * rows[1];
            for (int i = (int)threadIdx.x; i < BK * E; i += THREADS) {
                int row = i / E, e = i % E;
                others[e * KEY_LD + row] = row < count && e < features ? from_k[row * rows[1] + e * columns[1]] : T(0);
            }
            __syncthreads();

            T scores[R][C];
#pragma unroll
            for (int r = 0; r < R; r++)
#pragma unroll
                for (int c = 0; c < C; c++) scores[r][c] = T(0);
#pragma unroll 4
            for (int e = 0; e < (int)features; e++) {
                const Pack<T, R> x = *reinterpret_cast<const Pack<T, R>*>(some + e * QUERY_LD + ty * R);
                const Pack<T, C> z = *reinterpret_cast<const Pack<T, C>*>(others + e * KEY_LD + tx * C);
#pragma unroll
                for (int r = 0; r < R; r++)
#pragma unroll
                    for (int c = 0; c < C; c++) scores[r][c] += x.at[r] * z.at[c];
            }

#pragma unroll
            for (int r = 0; r < R; r++) {
                i64 last = causal ? min(keys, first + ty * R + r + 1) : keys;
                T now = most[r];
#pragma unroll
                for (int c = 0; c < C; c++) {
                    if (key + tx * C + c >= last) scores[r][c] = -infinity<T>();
                    now = larger(now, scores[r][c]);
                }
#pragma unroll
                for (int bits = 1; bits < 8; bits *= 2) now = larger(now, __shfl_xor_sync(0xffffffffu, now, bits));
                // While all scores are minus infinity, the weights are zero.
                T base = now == -infinity<T>() ? T(0) : now;
                T factor = exponential(most[r] - base);
                most[r] = now;
                T sum = T(0);
#pragma unroll
                for (int c = 0; c < C; c++) {
                    T weight = exponential(scores[r][c] - base);
                    weights[(tx * C + c) * QUERY_LD + ty * R + r] = weight;
                    sum += weight;
                }
#pragma unroll
                for (int bits = 1; bits < 8; bits *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bits);
                shares[r] = shares[r] * factor + sum;
#pragma unroll
                for (int c = 0; c < G * WIDTH; c++) sums[r][c] *= factor;
            }
            // Nobody reads the keys any more.
            __syncthreads();

            const T* from_v = v + places[2] + key * rows[2];
            for (int i = (int)threadIdx.x; i < BK * E; i += THREADS) {
                int row = i / E, e = i % E;
                others[row * VALUE_LD + e] = row < count && e < values ? from_v[row * rows[2] + e * columns[2]] : T(0);
            }
            __syncthreads();
#pragma unroll 4
            for (int j = 0; j < BK; j++) {
                const Pack<T, R> x = *reinterpret_cast<const Pack<T, R>*>(weights + j * QUERY_LD + ty * R);
#pragma unroll
                for (int g = 0; g < G; g++) {
                    const Pack<T, WIDTH> z =
                        *reinterpret_cast<const Pack<T, WIDTH>*>(others + j * VALUE_LD + (g * 8 + tx) * WIDTH);
#pragma unroll
                    for (int r = 0; r < R; r++)
#pragma unroll
                        for (int c = 0; c < WIDTH; c++) sums[r][g * WIDTH + c] += x.at[r] * z.at[c];
                }
            }
            __syncthreads();
        }

        T* to = y + places[3] + first * rows[3];
#pragma unroll
        for (int r = 0; r < R; r++) {
            int row = ty * R + r;
            if (row >= there) continue;
            T share = T(1) / shares[r];
#pragma unroll
            for (int g = 0; g < G; g++)
#pragma unroll
                for (int c = 0; c < WIDTH; c++) {
                    int column = (g * 8 + tx) * WIDTH + c;
                    if (column < values) to[row * rows[3] + column] = sums[r][g * WIDTH + c] * share;
                }
        }
    }
}

#define ATTEND(name, T, queries_of_block, most)                                                                        \
    RL_BOUNDED(attend_##name, 128, 1, const T* q, const T* k, const T* v, T* y, i64 queries, i64 keys, i64 features,   \
               i64 values, i64 q_row, i64 k_row, i64 v_row, i64 y_row, i64 q_column, i64 k_column, i64 v_column,       \
               i64 heads, double scale, i64 causal, View<4> view) {                                                    \
        i64 rows[4] = {q_row, k_row, v_row, y_row}, columns[3] = {q_column, k_column, v_column};                       \
        attend<T, queries_of_block, most>(q, k, v, y, queries, keys, features, values, rows, columns, heads, (T)scale, \
                                          causal != 0, view);                                                         \
    }

ATTEND(f32_64, float, 64, 64)
ATTEND(f32_128, float, 32, 128)
ATTEND(f64_64, double, 32, 64)

// How many keys a row of scores has that its query sees.
RL_INLINE i64 seen_by(i64 row, i64 queries, i64 keys, bool causal) {
    return causal ? min(row % queries + 1, keys) : keys;
}

// So many elements of a row fit a lane's registers.
constexpr int HELD = 32;

template <class T>
RL_INLINE T larger_or_nan(T x, T y) { return x >= y || is_nan(x) ? x : y; }

template <class T>
RL_INLINE T greatest_of_warp(T x) {
#pragma unroll
    for (int bits = 16; bits > 0; bits /= 2) x = larger_or_nan(x, __shfl_xor_sync(0xffffffffu, x, bits));
    return x;
}

template <class T>
RL_INLINE T sum_of_warp(T x) {
#pragma unroll
    for (int bits = 16; bits > 0; bits /= 2) x += __shfl_xor_sync(0xffffffffu, x, bits);
    return x;
}

// The softmax of rows of scores times a factor, in their place; keys that are not seen get 0. A warp has a row.
template <class T>
RL_INLINE void weigh(T* x, i64 rows, i64 queries, i64 keys, T scale, bool causal) {
    int lane = (int)threadIdx.x % 32;
    i64 warps = stride_of_grid() / 32;
    for (i64 row = first_number() / 32; row < rows; row += warps) {
        i64 seen = seen_by(row, queries, keys, causal);
        T* at = x + row * keys;
        T most = -infinity<T>(), sum = T(0);
        if (keys <= HELD * 32) {
            T held[HELD];
#pragma unroll
            for (int i = 0; i < HELD; i++) {
                held[i] = i * 32 + lane < seen ? at[i * 32 + lane] * scale : -infinity<T>();
                most = larger_or_nan(most, held[i]);
            }
            most = greatest_of_warp(most);
#pragma unroll
            for (int i = 0; i < HELD; i++) {
                if (i * 32 >= seen) break;
                held[i] = i * 32 + lane < seen ? exponential(held[i] - most) : T(0);
                sum += held[i];
            }
            T share = T(1) / sum_of_warp(sum);
#pragma unroll
            for (int i = 0; i < HELD; i++) {
                if (i * 32 + lane < keys) at[i * 32 + lane] = i * 32 + lane < seen ? held[i] * share : T(0);
            }
        } else {
            for (i64 i = lane; i < seen; i += 32) most = larger_or_nan(most, at[i] * scale);
            most = greatest_of_warp(most);
            for (i64 i = lane; i < seen; i += 32) {
                T weight = exponential(at[i] * scale - most);
                at[i] = weight;
                sum += weight;
            }
            T share = T(1) / sum_of_warp(sum);
            for (i64 i = lane; i < keys; i += 32) at[i] = i < seen ? at[i] * share : T(0);
        }
    }
}

// From the gradient of the weights that of the products of queries and keys, in its place: `scale p (g - sum(p g))`.
template <class T>
RL_INLINE void weigh_grad(T* g, const T* p, i64 rows, i64 queries, i64 keys, T scale, bool causal) {
    int lane = (int)threadIdx.x % 32;
    i64 warps = stride_of_grid() / 32;
    for (i64 row = first_number() / 32; row < rows; row += warps) {
        i64 seen = seen_by(row, queries, keys, causal);
        T* at = g + row * keys;
        const T* weights = p + row * keys;
        T sum = T(0);
        for (i64 i = lane; i < seen; i += 32) sum += at[i] * weights[i];
        sum = sum_of_warp(sum);
        for (i64 i = lane; i < keys; i += 32) at[i] = i < seen ? weights[i] * (at[i] - sum) * scale : T(0);
    }
}

#define ROWS(dtype, T)                                                                                                 \
    RL_KERNEL(weigh_##dtype, T* x, i64 rows, i64 queries, i64 keys, double scale, i64 causal) {                        \
        weigh(x, rows, queries, keys, (T)scale, causal != 0);                                                          \
    }                                                                                                                  \
    RL_KERNEL(weigh_grad_##dtype, T* g, const T* p, i64 rows, i64 queries, i64 keys, double scale, i64 causal) {       \
        weigh_grad(g, p, rows, queries, keys, (T)scale, causal != 0);                                                  \
    }

ROWS(f32, float)
ROWS(f64, double)
