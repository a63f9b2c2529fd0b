// Placing elements by index. What goes into one place goes there in row-major order of the index, never by float atomics.
//
// Two ways: `line` gives each line along the axis to one thread, which walks it in order; `fold` takes the index sorted
// (stably, by `sort.cu`), so that what goes into one place lies side by side, in chunks: a thread joins what its chunk has
// for a place and a column, and `link` joins the chunks of places that reach over several. The order within depends on the
// indices alone.

#include "rushlight.h"

// Sorted indices that one thread walks through; as in `scatter.rs`.
constexpr int CHUNK = 32;
// Elements that are asked for before the first of them is used.
constexpr int AHEAD = 4;

RL_INLINE bool outside(i64 index, i64 size) { return (uint64_t)index >= (uint64_t)size; }

struct Set {
    template <class T>
    RL_INLINE static T join(T, T next) { return next; }
};
struct Add {
    template <class T>
    RL_INLINE static T join(T old, T next) { return old + next; }
    RL_INLINE static i64 join(i64 old, i64 next) { return (i64)((uint64_t)old + (uint64_t)next); }
};
struct Mul {
    template <class T>
    RL_INLINE static T join(T old, T next) { return old * next; }
    RL_INLINE static i64 join(i64 old, i64 next) { return (i64)((uint64_t)old * (uint64_t)next); }
};
struct Max {
    template <class T>
    RL_INLINE static T join(T old, T next) { return next > old || next != next ? next : old; }
};
struct Min {
    template <class T>
    RL_INLINE static T join(T old, T next) { return next < old || next != next ? next : old; }
};

// The view has the result, the index and the source, with the axis cut to one place; the steps lead along the axis.
template <class Op, class T>
RL_INLINE void line(T* out, const i64* index, const T* source, const View<3>& view, i64 stride, i64 index_step,
                    i64 source_step, i64 length, i64 size, i64 lines) {
    for (i64 i = first_number(); i < lines; i += stride_of_grid()) {
        i64 places[3];
        locate(view, i, places);
        const i64* own = index + places[1];
        const T* values = source + places[2];
        for (i64 j = 0; j < length; j++) {
            i64 k = own[j * index_step];
            if (outside(k, size)) continue;
            T* place = out + places[0] + k * stride;
            *place = Op::join(*place, values[j * source_step]);
        }
    }
}

// The place in the result that each element of the index means; `none` for those out of range.
RL_KERNEL(scatter_keys_u32, const i64* index, uint32_t* keys, View<2> view, i64 stride, i64 size, uint32_t none, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 places[2];
        locate(view, i, places);
        i64 k = index[places[1]];
        keys[i] = outside(k, size) ? none : (uint32_t)(places[0] + k * stride);
    }
}

// One thread for each chunk and column of each block of the result, `size` rows of `inner` elements. `keys` are the rows,
// sorted; `places` where each stood, of `count`; `partial` has a row for each chunk. `step` is 0 if one value stands for all.
template <class Op, class T>
RL_INLINE void fold(T* out, const uint32_t* keys, const uint32_t* places, const T* source, T* partial, i64 size, i64 inner,
                    i64 count, i64 chunks, i64 step, i64 threads) {
    for (i64 i = first_number(); i < threads; i += stride_of_grid()) {
        i64 part = i / inner, column = i - part * inner;
        i64 block = part / chunks, chunk = part - block * chunks;
        i64 start = chunk * CHUNK, end = min(count, start + CHUNK);
        T* rows = out + block * size * inner + column;
        const T* values = source + (block * count * inner + column) * step;
        uint32_t key = keys[start];
        if (key >= size) continue;
        // The first of these may have begun in the chunk before: then it begins with nothing here.
        bool goes_on = start > 0 && keys[start - 1] == key, fresh = goes_on;
        T sum = goes_on ? T{} : rows[key * inner];
        for (i64 j = start; j < end; j += AHEAD) {
            uint32_t next[AHEAD];
            T value[AHEAD];
            for (int k = 0; k < AHEAD; k++) {
                i64 at = j + k;
                next[k] = at < end ? keys[at] : 0xffffffffu;
                value[k] = next[k] < size ? values[places[at] * inner * step] : T{};
            }
            for (int k = 0; k < AHEAD; k++) {
                if (next[k] != key) {
                    if (key < size) {
                        if (goes_on) partial[part * inner + column] = sum;
                        else rows[key * inner] = sum;
                    }
                    key = next[k];
                    goes_on = fresh = false;
                    if (key < size) sum = rows[key * inner];
                }
                sum = fresh ? value[k] : Op::join(sum, value[k]);
                fresh = false;
            }
        }
        if (key < size) {
            if (goes_on) partial[part * inner + column] = sum;
            else rows[key * inner] = sum;
        }
    }
}

// Joins what the chunks behind a place's first one have for it.
template <class Op, class T>
RL_INLINE void link(T* out, const uint32_t* keys, const T* partial, i64 size, i64 inner, i64 count, i64 chunks,
                    i64 threads) {
    for (i64 i = first_number(); i < threads; i += stride_of_grid()) {
        i64 part = i / inner, column = i - part * inner;
        i64 block = part / chunks, chunk = part - block * chunks;
        i64 start = chunk * CHUNK, end = start + CHUNK;
        if (end >= count) continue;
        uint32_t key = keys[end - 1];
        bool begins = start == 0 || keys[start - 1] != key;
        if (key >= size || keys[end] != key || !begins) continue;
        T* place = out + (block * size + key) * inner + column;
        T sum = *place;
        for (part++; end < count && keys[end] == key; part++, end += CHUNK)
            sum = Op::join(sum, partial[part * inner + column]);
        *place = sum;
    }
}

#define SCATTER(name, Op, variant, T)                                                                                   \
    RL_KERNEL(scatter_line_##name##_##variant, T* out, const i64* index, const T* source, View<3> view, i64 stride,             \
              i64 index_step, i64 source_step, i64 length, i64 size, i64 lines) {                                       \
        line<Op, T>(out, index, source, view, stride, index_step, source_step, length, size, lines);                    \
    }                                                                                                                   \
    RL_KERNEL(scatter_fold_##name##_##variant, T* out, const uint32_t* keys, const uint32_t* places, const T* source,           \
              T* partial, i64 size, i64 inner, i64 count, i64 chunks, i64 step, i64 threads) {                          \
        fold<Op, T>(out, keys, places, source, partial, size, inner, count, chunks, step, threads);                     \
    }                                                                                                                   \
    RL_KERNEL(scatter_link_##name##_##variant, T* out, const uint32_t* keys, const T* partial, i64 size, i64 inner, i64 count,  \
              i64 chunks, i64 threads) {                                                                                \
        link<Op, T>(out, keys, partial, size, inner, count, chunks, threads);                                           \
    }

#define JOINED(variant, T)        \
    SCATTER(add, Add, variant, T) \
    SCATTER(mul, Mul, variant, T) \
    SCATTER(max, Max, variant, T) \
    SCATTER(min, Min, variant, T)

SCATTER(set, Set, 1, uint8_t)
SCATTER(set, Set, 2, uint16_t)
SCATTER(set, Set, 4, uint32_t)
SCATTER(set, Set, 8, uint64_t)
JOINED(f32, float)
JOINED(f64, double)
JOINED(i64, i64)
// Sums of bools are their maxima, products their minima.
SCATTER(max, Max, bool, boolean)
SCATTER(min, Min, bool, boolean)
