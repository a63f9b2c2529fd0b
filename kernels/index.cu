// Picking elements by index, moving blocks of them, and looking for indices out of range.
//
// No kernel reads or writes beyond an array, whatever the indices are: they are checked by kernels of their own, whose
// result the host may read later, or never while a graph is recorded.

#include "rushlight.h"

// Sixteen bytes, for rows that divide into such.
struct __align__(16) Sixteen {
    uint64_t low, high;
};

RL_INLINE bool outside(i64 index, i64 size) { return (uint64_t)index >= (uint64_t)size; }

// Leaves `bad` as it is, or sets it to 1.
RL_KERNEL(index_check_i64, const i64* index, i64* bad, View<1> view, i64 size, i64 count) {
    bool any = false;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 place[1];
        locate(view, i, place);
        any |= outside(index[place[0]], size);
    }
    if (any) *bad = 1;
}

// The same for classes, of which one number stands for none; whether any is that number.
RL_KERNEL(class_check_i64, const i64* x, i64* bad, i64* any, i64 classes, i64 ignored, i64 has_ignored, i64 count) {
    bool is_bad = false, is_ignored = false;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        bool skipped = has_ignored && x[i] == ignored;
        is_ignored |= skipped;
        is_bad |= !skipped && outside(x[i], classes);
    }
    if (is_bad) *bad = 1;
    if (is_ignored) *any = 1;
}

// The same for places that may count from the back, which join row-major numbers.
RL_KERNEL(index_ravel_i64, const i64* index, i64* numbers, i64* bad, View<1> view, i64 size, i64 first, i64 count) {
    bool any = false;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 place[1];
        locate(view, i, place);
        i64 k = index[place[0]];
        if (k < 0) k = (i64)((uint64_t)k + (uint64_t)size);
        any |= outside(k, size);
        uint64_t before = first ? 0 : (uint64_t)numbers[i] * (uint64_t)size;
        numbers[i] = (i64)(before + (uint64_t)k);
    }
    if (any) *bad = 1;
}

// Each element of the index, which the second strides walk through, names a place along an axis of x.
template <class T>
RL_INLINE void gather(const T* x, const i64* index, T* y, const View<2>& view, i64 stride, i64 size, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 places[2];
        locate(view, i, places);
        i64 k = index[places[1]];
        T value{};
        if (!outside(k, size)) value = x[places[0] + k * stride];
        y[i] = value;
    }
}

// Rows of `inner` elements; N is the type of the numbers that are divided.
template <class T, class N>
RL_INLINE void select_rows(const T* x, const i64* index, T* y, N inner, N rows, i64 size, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        N row = (N)i / inner, column = (N)i - row * inner;
        N block = row / rows, j = row - block * rows;
        i64 k = index[j];
        T value{};
        if (!outside(k, size)) value = x[((i64)block * size + k) * (i64)inner + (i64)column];
        y[i] = value;
    }
}

template <class T>
RL_INLINE void move(const T* x, T* y, const View<2>& view, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 places[2];
        locate(view, i, places);
        y[places[1]] = x[places[0]];
    }
}

#define ROWS_AND_MOVES(bytes, T)                                                                               \
    RL_KERNEL(index_rows_##bytes, const T* x, const i64* index, T* y, i64 inner, i64 rows, i64 size, i64 count) {  \
        if (count <= 0xffffffff)                                                                               \
            select_rows<T, uint32_t>(x, index, y, (uint32_t)inner, (uint32_t)rows, size, count);               \
        else                                                                                                   \
            select_rows<T, uint64_t>(x, index, y, inner, rows, size, count);                                   \
    }                                                                                                          \
    RL_KERNEL(index_move_##bytes, const T* x, T* y, View<2> view, i64 count) { move(x, y, view, count); }

#define GATHER(bytes, T)                                                                                           \
    RL_KERNEL(index_gather_##bytes, const T* x, const i64* index, T* y, View<2> view, i64 stride, i64 size, i64 count) { \
        gather(x, index, y, view, stride, size, count);                                                            \
    }

ROWS_AND_MOVES(1, uint8_t)
ROWS_AND_MOVES(2, uint16_t)
ROWS_AND_MOVES(4, uint32_t)
ROWS_AND_MOVES(8, uint64_t)
ROWS_AND_MOVES(16, Sixteen)
GATHER(1, uint8_t)
GATHER(2, uint16_t)
GATHER(4, uint32_t)
GATHER(8, uint64_t)
