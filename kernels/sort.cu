// Sorting: values become whole numbers in their order, which are sorted with the places where they stood.
//
// Rows that fit into shared memory are sorted there by a bitonic network of keys with places below, in which nothing is
// equal; longer ones are dealt out by digits of eight bits, from the lowest on, each time keeping the order (LSD radix
// sort; Harada and Howes, "Introduction to GPU Radix Sort", 2011). Keys are as on the CPU: zeros of both signs are equal,
// and all NaN are the largest.

#include "rushlight.h"

typedef uint64_t u64;

RL_INLINE uint32_t key_of(float value) {
    if (value != value) return 0xffffffffu;
    uint32_t bits = __float_as_uint(value + 0.0f);
    return bits ^ ((uint32_t)((int)bits >> 31) | 0x80000000u);
}
RL_INLINE u64 key_of(double value) {
    if (value != value) return ~(u64)0;
    u64 bits = (u64)__double_as_longlong(value + 0.0);
    return bits ^ ((u64)((i64)bits >> 63) | (u64)1 << 63);
}
RL_INLINE u64 key_of(i64 value) { return (u64)value ^ (u64)1 << 63; }
RL_INLINE uint32_t key_of(boolean value) { return value; }
RL_INLINE uint32_t key_of(uint32_t value) { return value; }

template <class K>
RL_INLINE bool before(K a, uint32_t place, K b, uint32_t other) {
    return a < b || (a == b && place < other);
}

// The network over all rows of a block at once: `width` elements for each, a power of two.
template <class K>
RL_INLINE void network(K* keys, uint32_t* places, int width, int all) {
    for (int run = 2; run <= width; run *= 2) {
        for (int by = run / 2; by > 0; by /= 2) {
            for (int pair = threadIdx.x; pair < all / 2; pair += blockDim.x) {
                int low = pair / by * by * 2 + pair % by, high = low + by;
                // The last merge rises in every row.
                bool rises = (low & (width - 1) & run) == 0;
                K a = keys[low], b = keys[high];
                uint32_t p = places[low], q = places[high];
                if (before(b, q, a, p) == rises) {
                    keys[low] = b, keys[high] = a;
                    places[low] = q, places[high] = p;
                }
            }
            __syncthreads();
        }
    }
}

// The first `count` of each row of `size` elements in order. A block has `each` rows, of `width` places in shared memory.
template <class T, class K>
RL_INLINE void sort_short(const T* x, T* values, i64* index, i64 rows, int size, int count, int width, int each, int flip) {
    RL_DYN_SHARED(unsigned char, room);
    K* keys = reinterpret_cast<K*>(room);
    uint32_t* places = reinterpret_cast<uint32_t*>(keys + width * each);
    i64 first = (i64)blockIdx.x * each;
    for (int i = threadIdx.x; i < width * each; i += blockDim.x) {
        i64 row = first + i / width;
        int column = i % width;
        bool there = row < rows && column < size;
        K key = there ? key_of(x[row * size + column]) : (K)0;
        keys[i] = there ? (flip ? (K)~key : key) : (K)~(K)0;
        places[i] = column;
    }
    __syncthreads();
    network(keys, places, width, width * each);
    for (int i = threadIdx.x; i < count * each; i += blockDim.x) {
        i64 row = first + i / count;
        int column = i % count;
        if (row >= rows) break;
        uint32_t place = places[i / count * width + column];
        values[row * count + column] = x[row * size + place];
        index[row * count + column] = place;
    }
}

// One row of keys, with the places where they stood.
RL_BOUNDED(sort_pairs, 512, 1, const uint32_t* x, uint32_t* keys_out, uint32_t* places_out, int size, int width) {
    RL_DYN_SHARED(uint32_t, pairs);
    uint32_t *keys = pairs, *places = pairs + width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        keys[i] = i < size ? x[i] : 0xffffffffu;
        places[i] = i;
    }
    __syncthreads();
    network(keys, places, width, width);
    for (int i = threadIdx.x; i < size; i += blockDim.x) {
        keys_out[i] = keys[i];
        places_out[i] = places[i];
    }
}

template <class T, class K>
RL_INLINE void keys_of(const T* x, K* keys, int flip, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        K key = key_of(x[i]);
        keys[i] = flip ? (K)~key : key;
    }
}

#define KEYS(dtype, T, K)                                                                                            \
    RL_BOUNDED(sort_short_##dtype, 512, 1, const T* x, T* values, i64* index, i64 rows, int size, int count, int width,   \
               int each, int flip) {                                                                                 \
        sort_short<T, K>(x, values, index, rows, size, count, width, each, flip);                                    \
    }                                                                                                                \
    RL_KERNEL(sort_keys_##dtype, const T* x, K* keys, int flip, i64 count) { keys_of<T, K>(x, keys, flip, count); }

KEYS(f32, float, uint32_t)
KEYS(f64, double, u64)
KEYS(i64, i64, u64)
KEYS(bool, boolean, uint32_t)

// Long rows. A tile is what a block deals out at once: so many elements of each of its threads; as in `sort.rs`.
constexpr int THREADS = 256, WARPS = THREADS / 32, DIGITS = 256;
template <class K>
constexpr int ITEMS = sizeof(K) == 4 ? 16 : 8;

template <class K>
RL_INLINE int digit_of(K key, int shift) { return (int)(key >> shift) & (DIGITS - 1); }

// How often each digit stands in each tile: `counts[row][digit][tile]`. There are `tiles` in a row of `size` keys.
template <class K>
RL_INLINE void count(const K* keys, uint32_t* counts, i64 size, i64 tiles, int shift) {
    __shared__ unsigned own[DIGITS];
    own[threadIdx.x] = 0;
    __syncthreads();
    i64 row = blockIdx.x / tiles, tile = blockIdx.x - row * tiles;
    i64 start = tile * THREADS * ITEMS<K>;
    const K* from = keys + row * size;
#pragma unroll
    for (int item = 0; item < ITEMS<K>; item++) {
        i64 i = start + item * THREADS + threadIdx.x;
        if (i < size) atomicAdd(own + digit_of(from[i], shift), 1u);
    }
    __syncthreads();
    counts[(row * DIGITS + threadIdx.x) * tiles + tile] = own[threadIdx.x];
}

// Sums what each thread has up to and with it. `sums` has room for a number of each warp.
RL_INLINE uint32_t sum_up(uint32_t own, uint32_t* sums, uint32_t& all) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    uint32_t sum = own;
    for (int by = 1; by < 32; by *= 2) {
        uint32_t other = __shfl_up_sync(0xffffffffu, sum, by);
        if (lane >= by) sum += other;
    }
    if (lane == 31) sums[warp] = sum;
    __syncthreads();
    all = 0;
    for (int w = 0; w < WARPS; w++) {
        if (w < warp) sum += sums[w];
        all += sums[w];
    }
    __syncthreads();
    return sum;
}

// A warp for each row and digit: where each tile's share begins among those of the digit, and how many there are.
RL_BOUNDED(radix_starts, THREADS, 4, uint32_t* counts, uint32_t* totals, i64 tiles) {
    int lane = threadIdx.x % 32;
    i64 number = (i64)blockIdx.x * WARPS + threadIdx.x / 32;
    uint32_t* own = counts + number * tiles;
    uint32_t ahead = 0;
    for (i64 base = 0; base < tiles; base += 32) {
        i64 i = base + lane;
        uint32_t value = i < tiles ? own[i] : 0, sum = value;
        for (int by = 1; by < 32; by *= 2) {
            uint32_t other = __shfl_up_sync(0xffffffffu, sum, by);
            if (lane >= by) sum += other;
        }
        if (i < tiles) own[i] = ahead + sum - value;
        ahead += __shfl_sync(0xffffffffu, sum, 31);
    }
    if (lane == 0) totals[number] = ahead;
}

// Deals a tile out. Without places, the keys stand where they were at first.
template <class K>
RL_INLINE void deal(const K* keys, const uint32_t* places, K* keys_out, uint32_t* places_out, const uint32_t* counts,
                    const uint32_t* totals, i64 size, i64 tiles, int shift) {
    constexpr int TILE = THREADS * ITEMS<K>;
    __shared__ K dealt[TILE];
    __shared__ uint32_t dealt_places[TILE];
    // For each warp, how many of a digit it has; then where its first one goes in the tile.
    __shared__ uint32_t ranks[WARPS][DIGITS];
    // Where a digit's elements go in the row, less where they stand in the tile.
    __shared__ uint32_t moves[DIGITS];
    __shared__ uint32_t sums[WARPS];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, own = threadIdx.x;
    for (int w = 0; w < WARPS; w++) ranks[w][own] = 0;
    __syncthreads();
    i64 row = blockIdx.x / tiles, tile = blockIdx.x - row * tiles;
    i64 start = tile * TILE;
    int there = (int)min((i64)TILE, size - start);
    K key[ITEMS<K>];
    uint32_t rank[ITEMS<K>];
    // Each warp has a stretch of its own, of which it takes 32 neighbours at a time.
    int first = warp * 32 * ITEMS<K> + lane;
#pragma unroll
    for (int item = 0; item < ITEMS<K>; item++) {
        int i = first + item * 32;
        key[item] = i < there ? keys[row * size + start + i] : (K)0;
        int digit = i < there ? digit_of(key[item], shift) : DIGITS;
        unsigned equal = __match_any_sync(0xffffffffu, digit);
        uint32_t ahead = digit < DIGITS ? ranks[warp][digit] : 0;
        __syncwarp();
        rank[item] = ahead + __popc(equal & ((1u << lane) - 1));
        // The last of those with this digit counts for all.
        if (digit < DIGITS && equal >> lane == 1) ranks[warp][digit] = rank[item] + 1;
        __syncwarp();
    }
    __syncthreads();
    uint32_t in_tile = 0;
    for (int w = 0; w < WARPS; w++) in_tile += ranks[w][own];
    uint32_t all, before = sum_up(in_tile, sums, all) - in_tile;
    uint32_t total = totals[row * DIGITS + own];
    uint32_t smaller = sum_up(total, sums, all) - total;
    moves[own] = smaller + counts[(row * DIGITS + own) * tiles + tile] - before;
    for (int w = 0; w < WARPS; w++) {
        uint32_t count = ranks[w][own];
        ranks[w][own] = before;
        before += count;
    }
    __syncthreads();
#pragma unroll
    for (int item = 0; item < ITEMS<K>; item++) {
        int i = first + item * 32;
        if (i >= there) continue;
        uint32_t at = ranks[warp][digit_of(key[item], shift)] + rank[item];
        dealt[at] = key[item];
        dealt_places[at] = places == nullptr ? (uint32_t)(start + i) : places[row * size + start + i];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < there; i += THREADS) {
        K mine = dealt[i];
        i64 at = row * size + (uint32_t)(moves[digit_of(mine, shift)] + i);
        keys_out[at] = mine;
        places_out[at] = dealt_places[i];
    }
}

#define LONG(bits, K)                                                                                               \
    RL_BOUNDED(radix_count_##bits, THREADS, 4, const K* keys, uint32_t* counts, i64 size, i64 tiles, int shift) {         \
        count<K>(keys, counts, size, tiles, shift);                                                                 \
    }                                                                                                               \
    RL_BOUNDED(radix_deal_##bits, THREADS, 2, const K* keys, const uint32_t* places, K* keys_out, uint32_t* places_out,   \
               const uint32_t* counts, const uint32_t* totals, i64 size, i64 tiles, int shift) {                    \
        deal<K>(keys, places, keys_out, places_out, counts, totals, size, tiles, shift);                            \
    }
LONG(32, uint32_t)
LONG(64, u64)

// The first `count` of each sorted row.
template <class T>
RL_INLINE void take(const T* x, const uint32_t* places, T* values, i64* index, i64 size, i64 count, i64 numel) {
    for (i64 i = first_number(); i < numel; i += stride_of_grid()) {
        i64 row = i / count, column = i - row * count;
        uint32_t place = places[row * size + column];
        values[i] = x[row * size + place];
        index[i] = place;
    }
}

#define TAKE(bytes, T)                                                                                                     \
    RL_KERNEL(sort_take_##bytes, const T* x, const uint32_t* places, T* values, i64* index, i64 size, i64 count, i64 numel) {   \
        take(x, places, values, index, size, count, numel);                                                                \
    }
TAKE(1, uint8_t)
TAKE(4, uint32_t)
TAKE(8, uint64_t)

// The median of each sorted row: the first NaN if there is one, or with `skip` the median of the numbers.
template <class T>
RL_INLINE void median(const T* sorted, const i64* places, T* values, i64* index, i64 size, int skip, i64 rows) {
    for (i64 row = first_number(); row < rows; row += stride_of_grid()) {
        const T* own = sorted + row * size;
        i64 start = 0, end = size;
        while (start < end) {
            i64 middle = start + (end - start) / 2;
            if (own[middle] != own[middle]) end = middle;
            else start = middle + 1;
        }
        i64 at = skip ? (start == 0 ? 0 : (start - 1) / 2) : (start < size ? start : (size - 1) / 2);
        values[row] = own[at];
        index[row] = places[row * size + at];
    }
}

#define MEDIAN(dtype, T)                                                                                                     \
    RL_KERNEL(median_##dtype, const T* sorted, const i64* places, T* values, i64* index, i64 size, int skip, i64 rows) {     \
        median(sorted, places, values, index, size, skip, rows);                                                             \
    }
MEDIAN(f32, float)
MEDIAN(f64, double)
