// Copies and fills, of elements of any type by their size.

#include "rushlight.h"

template <class T>
RL_INLINE void copy_view(const T* x, T* y, const View<1>& view, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 place[1];
        locate(view, i, place);
        y[i] = x[place[0]];
    }
}

template <class T>
RL_INLINE void fill(T* y, T value, i64 count) {
    constexpr int WIDTH = 16 / sizeof(T);
    i64 packs = count / WIDTH;
    Pack<T, WIDTH> pack;
    for (int k = 0; k < WIDTH; k++) pack.at[k] = value;
    for (i64 i = first_number(); i < packs; i += stride_of_grid()) reinterpret_cast<Pack<T, WIDTH>*>(y)[i] = pack;
    for (i64 i = packs * WIDTH + first_number(); i < count; i += stride_of_grid()) y[i] = value;
}

#define BY_SIZE(bytes, T)                                                                                \
    RL_KERNEL(copy_##bytes, const T* x, T* y, View<1> view, i64 count) { copy_view(x, y, view, count); } \
    RL_KERNEL(fill_##bytes, T* y, i64 value, i64 count) { fill(y, (T)value, count); }

BY_SIZE(1, uint8_t)
BY_SIZE(2, uint16_t)
BY_SIZE(4, uint32_t)
BY_SIZE(8, uint64_t)
