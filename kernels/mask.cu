// Elements that a mask names: counted by tiles, whose starts are summed up, so that each tile knows where its part goes.

#include "rushlight.h"

// Elements of a tile, each warp with a row of its own; as in `mask.rs`.
constexpr int THREADS = 256, WARPS = THREADS / 32, ROUNDS = 16, TILE = THREADS * ROUNDS;

// How many elements of each tile are true.
RL_BOUNDED(mask_count, THREADS, 4, const boolean* mask, i64* starts, i64 numel) {
    __shared__ int sums[WARPS];
    i64 first = (i64)blockIdx.x * TILE;
    int sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        i64 i = first + round * THREADS + threadIdx.x;
        if (i < numel) sum += mask[i];
    }
    for (int bits = 16; bits > 0; bits /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bits);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        int all = 0;
        for (int warp = 0; warp < WARPS; warp++) all += sums[warp];
        starts[blockIdx.x] = all;
    }
}

// One block: the number before each tile, and behind the last one, in place of the numbers of each.
RL_BOUNDED(mask_starts, 1024, 1, i64* starts, i64 tiles) {
    __shared__ i64 sums[32];
    i64 before = 0;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (i64 base = 0; base < tiles; base += blockDim.x) {
        i64 i = base + threadIdx.x;
        i64 own = i < tiles ? starts[i] : 0, sum = own;
        for (int by = 1; by < 32; by *= 2) {
            i64 other = __shfl_up_sync(0xffffffffu, sum, by);
            if (lane >= by) sum += other;
        }
        if (lane == 31) sums[warp] = sum;
        __syncthreads();
        i64 ahead = 0, all = 0;
        for (int w = 0; w < (int)blockDim.x / 32; w++) {
            if (w < warp) ahead += sums[w];
            all += sums[w];
        }
        if (i < tiles) starts[i] = before + ahead + sum - own;
        before += all;
        __syncthreads();
    }
    if (threadIdx.x == 0) starts[tiles] = before;
}

// Calls `act(number, rank)` for all elements of this block's tile; `rank` counts the true ones before it, and is below 0,
// as -1 - count, where it is false.
template <class F>
RL_INLINE void ranked(const boolean* mask, const i64* starts, i64 numel, F act) {
    __shared__ int sums[WARPS];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    i64 first = (i64)blockIdx.x * TILE + warp * 32 * ROUNDS + lane;
    // Each lane keeps the flags of one round.
    unsigned kept = 0;
    int sum = 0;
#pragma unroll
    for (int round = 0; round < ROUNDS; round++) {
        i64 i = first + round * 32;
        unsigned flags = __ballot_sync(0xffffffffu, i < numel && mask[i]);
        if (lane == round) kept = flags;
        sum += __popc(flags);
    }
    if (lane == 0) sums[warp] = sum;
    __syncthreads();
    i64 rank = starts[blockIdx.x];
    for (int w = 0; w < warp; w++) rank += sums[w];
#pragma unroll 1
    for (int round = 0; round < ROUNDS; round++) {
        i64 i = first + round * 32;
        unsigned flags = __shfl_sync(0xffffffffu, kept, round);
        i64 own = rank + __popc(flags & ((1u << lane) - 1));
        if (i < numel) act(i, (flags >> lane & 1) ? own : -1 - own);
        rank += __popc(flags);
    }
}

// The place of each true element along each axis of a shape.
RL_BOUNDED(mask_places, THREADS, 4, const boolean* mask, const i64* starts, i64* out, View<1> shape, i64 numel) {
    ranked(mask, starts, numel, [&](i64 number, i64 rank) {
        if (rank < 0) return;
        i64* row = out + rank * shape.rank;
        for (int axis = (int)shape.rank - 1; axis > 0; axis--) {
            i64 size = shape.shape[axis], rest;
            if ((uint64_t)number <= 0xffffffffu && (uint64_t)size <= 0xffffffffu) {
                uint32_t quotient = (uint32_t)number / (uint32_t)size;
                rest = (uint32_t)number - quotient * (uint32_t)size;
                number = quotient;
            } else {
                rest = number % size;
                number /= size;
            }
            row[axis] = rest;
        }
        if (shape.rank > 0) row[0] = number;
    });
}

template <class T>
RL_INLINE void select(const T* x, const boolean* mask, const i64* starts, T* out, const View<1>& view, i64 numel) {
    ranked(mask, starts, numel, [&](i64 number, i64 rank) {
        if (rank < 0) return;
        i64 place[1];
        locate(view, number, place);
        out[rank] = x[place[0]];
    });
}

template <class T>
RL_INLINE void scatter(const T* x, const boolean* mask, const i64* starts, const T* source, T* out, const View<1>& view,
                       i64 numel) {
    ranked(mask, starts, numel, [&](i64 number, i64 rank) {
        i64 place[1];
        locate(view, number, place);
        out[number] = rank < 0 ? x[place[0]] : source[rank];
    });
}

#define BY_SIZE(bytes, T)                                                                                          \
    RL_BOUNDED(mask_select_##bytes, THREADS, 4, const T* x, const boolean* mask, const i64* starts, T* out,             \
               View<1> view, i64 numel) {                                                                          \
        select(x, mask, starts, out, view, numel);                                                                 \
    }                                                                                                              \
    RL_BOUNDED(mask_scatter_##bytes, THREADS, 4, const T* x, const boolean* mask, const i64* starts, const T* source,   \
               T* out, View<1> view, i64 numel) {                                                                  \
        scatter(x, mask, starts, source, out, view, numel);                                                        \
    }

BY_SIZE(1, uint8_t)
BY_SIZE(2, uint16_t)
BY_SIZE(4, uint32_t)
BY_SIZE(8, uint64_t)
