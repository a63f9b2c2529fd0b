// Pools: the largest element or the mean of each window, and their gradients. A gradient is gathered: a thread adds up, in the
// order of the windows, what those that cover its place send there, so the numbers are those of a loop over the windows.

#include "windows.h"

// The windows of an axis: evenly spaced ones, those that cut it into parts, or a table of them; as in `src/pool.rs`.
enum Kind { REGULAR, ADAPTIVE, TABLE };

struct Axis {
    int kind, input, output, step;
    // Of regular windows. The last place that counts for a mean is below `limit`; 0 if only those inside count. Of a table: where
    // the windows stand, as start, end and count, and where the first and last window of each place, in `first` and `stride`.
    int first, stride, extent, limit;
};

struct Windows {
    Axis axis[3];
};

struct Span {
    int start, end, count;
};

RL_INLINE int scaled(int number, int by, int over) {
    uint64_t product = (uint64_t)(uint32_t)number * (uint32_t)by;
    return product <= 0xffffffffu ? (int)((uint32_t)product / (uint32_t)over) : (int)(product / (uint32_t)over);
}

RL_INLINE Span span_of(const Axis& a, const int* table, int i) {
    if (a.kind == REGULAR) {
        int raw = a.first + i * a.stride, behind = raw + a.extent;
        int start = raw;
        if (raw < 0) start = a.step == 1 ? 0 : raw + (a.step - 1 - raw) / a.step * a.step;
        int end = min(behind, a.input);
        return {start, end, a.limit == 0 ? max(end - start, 0) : min(behind, a.limit) - raw};
    }
    if (a.kind == ADAPTIVE) {
        int start = scaled(i, a.input, a.output);
        // Rounded up.
        int end = a.input - scaled(a.output - 1 - i, a.input, a.output);
        return {start, end, end - start};
    }
    const int* entry = table + a.first + 3 * i;
    return {entry[0], entry[1], entry[2]};
}

// The windows among which are all that cover a place: from `start` to before `end`.
RL_INLINE Span windows_of(const Axis& a, const int* table, int place) {
    if (a.kind == REGULAR) {
        int after = place - a.first;
        if (after < 0) return {0, 0, 0};
        int low = after < a.extent ? 0 : (after - a.extent) / a.stride + 1;
        return {low, min(after / a.stride + 1, a.output), 0};
    }
    if (a.kind == ADAPTIVE) {
        uint64_t last = ((uint64_t)(uint32_t)(place + 1) * (uint32_t)a.output - 1) / (uint32_t)a.input;
        return {scaled(place, a.output, a.input), (int)last + 1, 0};
    }
    const int* entry = table + a.stride + 2 * place;
    return {entry[0], entry[1], 0};
}

RL_INLINE bool covers(const Axis& a, const Span& span, int place) {
    if (place < span.start || place >= span.end) return false;
    return a.step == 1 || (place - span.start) % a.step == 0;
}

template <class T>
RL_INLINE T least();
template <>
RL_INLINE float least<float>() { return -INFINITY; }
template <>
RL_INLINE double least<double>() { return -(double)INFINITY; }
template <>
RL_INLINE i64 least<i64>() { return (i64)(1ull << 63); }

template <class T>
RL_INLINE T over(T x, i64 divisor) { return x / (T)divisor; }
template <>
RL_INLINE i64 over<i64>(i64 x, i64 divisor) {
    if (divisor == -1) return (i64)(0 - (uint64_t)x);
    return divisor == 0 ? 0 : x / divisor;
}

// The first of equals and the last NaN.
template <class T>
RL_INLINE void take_larger(T& best, i64& index, T value, i64 place) {
    if (value > best || is_nan(value)) best = value, index = place;
}

// A window, and the number of places along each axis.
struct Box {
    Span d, h, w;
    i64 plane;
};

RL_INLINE Box window_at(const Windows& s, const int* table, i64 number) {
    Box box;
    box.w = span_of(s.axis[2], table, (int)take(number, s.axis[2].output));
    box.h = span_of(s.axis[1], table, (int)take(number, s.axis[1].output));
    box.d = span_of(s.axis[0], table, (int)take(number, s.axis[0].output));
    box.plane = number;
    return box;
}

RL_INLINE int places_of(const Axis& a, const Span& span) {
    int size = max(span.end - span.start, 0);
    return a.step == 1 ? size : (size + a.step - 1) / a.step;
}

// Calls `visit(place)` for the places of a window, by one thread or by the lanes of a warp.
template <class Visit>
RL_INLINE void visit_places(const Windows& s, const Box& box, Visit visit) {
    const int height = s.axis[1].input, width = s.axis[2].input;
    for (int z = box.d.start; z < box.d.end; z += s.axis[0].step) {
        for (int y = box.h.start; y < box.h.end; y += s.axis[1].step) {
            const i64 line = ((i64)z * height + y) * width;
            for (int x = box.w.start; x < box.w.end; x += s.axis[2].step) visit(line + x);
        }
    }
}

template <class Visit>
RL_INLINE void visit_by_lanes(const Windows& s, const Box& box, int lane, Visit visit) {
    const int height = s.axis[1].input, width = s.axis[2].input;
    const i64 wide = places_of(s.axis[2], box.w), high = places_of(s.axis[1], box.h);
    const i64 count = wide * high * places_of(s.axis[0], box.d);
    for (i64 i = lane; i < count; i += 32) {
        i64 rest = i;
        const i64 x = box.w.start + take(rest, wide) * s.axis[2].step;
        const i64 y = box.h.start + take(rest, high) * s.axis[1].step;
        visit(((box.d.start + rest * s.axis[0].step) * height + y) * width + x);
    }
}

RL_INLINE i64 input_plane(const Windows& s) { return (i64)s.axis[0].input * s.axis[1].input * s.axis[2].input; }

template <class T>
RL_INLINE void max_pool(const T* x, T* values, i64* index, const Windows& s, const int* table, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        const Box box = window_at(s, table, i);
        const T* plane = x + box.plane * input_plane(s);
        T best = least<T>();
        i64 at = ((i64)box.d.start * s.axis[1].input + box.h.start) * s.axis[2].input + box.w.start;
        visit_places(s, box, [&](i64 place) { take_larger(best, at, plane[place], place); });
        values[i] = best;
        index[i] = at;
    }
}

// A warp for each window.
template <class T>
RL_INLINE void max_pool_wide(const T* x, T* values, i64* index, const Windows& s, const int* table, i64 count) {
    const int lane = threadIdx.x % 32;
    for (i64 i = first_number() / 32; i < count; i += stride_of_grid() / 32) {
        const Box box = window_at(s, table, i);
        const T* plane = x + box.plane * input_plane(s);
        T best = least<T>();
        i64 at = ((i64)box.d.start * s.axis[1].input + box.h.start) * s.axis[2].input + box.w.start;
        visit_by_lanes(s, box, lane, [&](i64 place) { take_larger(best, at, plane[place], place); });
        for (int half = 16; half > 0; half /= 2) {
            T other = __shfl_xor_sync(0xffffffffu, best, half);
            i64 place = __shfl_xor_sync(0xffffffffu, at, half);
            bool wins = other > best || (other == best && place < at);
            if (is_nan(best)) wins = is_nan(other) && place > at;
            else if (is_nan(other)) wins = true;
            if (wins) best = other, at = place;
        }
        if (lane == 0) {
            values[i] = best;
            index[i] = at;
        }
    }
}

// Windows of two by two, side by side. A row is a line of results; `lanes` threads go along it.
template <class T>
RL_INLINE void max_pool_pairs(const T* x, T* values, i64* index, const Windows& s, int lanes, i64 rows) {
    const int width = s.axis[2].input, wide = s.axis[2].output;
    const bool aligned = width % 2 == 0 && (uint64_t)x % sizeof(Pack<T, 2>) == 0;
    for (i64 row = first_number() / lanes; row < rows; row += stride_of_grid() / lanes) {
        i64 plane = row;
        const i64 first = 2 * take(plane, s.axis[1].output) * width;
        const T* upper = x + plane * s.axis[1].input * width + first;
        for (int i = threadIdx.x % lanes; i < wide; i += lanes) {
            Pack<T, 2> a, b;
            if (aligned) {
                a = reinterpret_cast<const Pack<T, 2>*>(upper)[i];
                b = reinterpret_cast<const Pack<T, 2>*>(upper + width)[i];
            } else {
                for (int k = 0; k < 2; k++) a.at[k] = upper[2 * i + k], b.at[k] = upper[width + 2 * i + k];
            }
            T best = a.at[0];
            i64 at = 0;
            take_larger(best, at, a.at[1], (i64)1);
            take_larger(best, at, b.at[0], (i64)width);
            take_larger(best, at, b.at[1], (i64)width + 1);
            values[row * wide + i] = best;
            index[row * wide + i] = first + 2 * i + at;
        }
    }
}

template <class T>
RL_INLINE void max_pool_grad(const T* grad, const i64* index, T* out, const Windows& s, const int* table, i64 count) {
    const i64 windows = (i64)s.axis[0].output * s.axis[1].output * s.axis[2].output;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 plane = i;
        const i64 place = take(plane, input_plane(s));
        i64 rest = place;
        const Span w = windows_of(s.axis[2], table, (int)take(rest, s.axis[2].input));
        const Span h = windows_of(s.axis[1], table, (int)take(rest, s.axis[1].input));
        const Span d = windows_of(s.axis[0], table, (int)rest);
        T sum = (T)0;
        for (int z = d.start; z < d.end; z++) {
            for (int y = h.start; y < h.end; y++) {
                const i64 line = plane * windows + ((i64)z * s.axis[1].output + y) * s.axis[2].output;
                for (int x = w.start; x < w.end; x++) {
                    if (index[line + x] == place) sum += grad[line + x];
                }
            }
        }
        out[i] = sum;
    }
}

// A thread for two by two places; those behind the last window get nothing.
template <class T>
RL_INLINE void max_pool_grad_pairs(const T* grad, const i64* index, T* out, const Windows& s, int lanes, i64 rows) {
    const int width = s.axis[2].input, height = s.axis[1].input, wide = s.axis[2].output, high = s.axis[1].output;
    const bool aligned = width % 2 == 0 && (uint64_t)out % sizeof(Pack<T, 2>) == 0;
    for (i64 row = first_number() / lanes; row < rows; row += stride_of_grid() / lanes) {
        i64 plane = row;
        const int line = (int)take(plane, (height + 1) / 2);
        T* upper = out + (plane * height + 2 * line) * width;
        for (int i = threadIdx.x % lanes; 2 * i < width; i += lanes) {
            T g = (T)0;
            i64 at = -1;
            if (line < high && i < wide) {
                const i64 window = (plane * high + line) * wide + i;
                g = grad[window];
                at = index[window] - (2 * (i64)line * width + 2 * i);
            }
            for (int k = 0; k < 2 && 2 * line + k < height; k++) {
                Pack<T, 2> pair;
                for (int j = 0; j < 2; j++) pair.at[j] = at == (i64)k * width + j ? g + (T)0 : (T)0;
                if (aligned) {
                    reinterpret_cast<Pack<T, 2>*>(upper + k * width)[i] = pair;
                } else {
                    for (int j = 0; j < 2 && 2 * i + j < width; j++) upper[k * width + 2 * i + j] = pair.at[j];
                }
            }
        }
    }
}

RL_INLINE i64 divisor_of(const Box& box, int divided, i64 divisor) {
    return divided ? divisor : (i64)box.d.count * box.h.count * box.w.count;
}

// Sums are divided by `divisor` if `divided`, else by what counts of each window.
template <class T>
RL_INLINE void avg_pool(const T* x, T* y, const Windows& s, const int* table, int divided, i64 divisor, i64 count) {
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        const Box box = window_at(s, table, i);
        const T* plane = x + box.plane * input_plane(s);
        T sum = (T)0;
        visit_places(s, box, [&](i64 place) { sum += plane[place]; });
        y[i] = over(sum, divisor_of(box, divided, divisor));
    }
}

template <class T>
RL_INLINE void avg_pool_wide(const T* x, T* y, const Windows& s, const int* table, int divided, i64 divisor, i64 count) {
    const int lane = threadIdx.x % 32;
    for (i64 i = first_number() / 32; i < count; i += stride_of_grid() / 32) {
        const Box box = window_at(s, table, i);
        const T* plane = x + box.plane * input_plane(s);
        T sum = (T)0;
        visit_by_lanes(s, box, lane, [&](i64 place) { sum += plane[place]; });
        for (int half = 16; half > 0; half /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, half);
        if (lane == 0) y[i] = over(sum, divisor_of(box, divided, divisor));
    }
}

template <class T>
RL_INLINE void avg_pool_grad(const T* grad, T* out, const Windows& s, const int* table, int divided, i64 divisor, i64 count) {
    const i64 windows = (i64)s.axis[0].output * s.axis[1].output * s.axis[2].output;
    for (i64 i = first_number(); i < count; i += stride_of_grid()) {
        i64 plane = i;
        const int at_w = (int)take(plane, s.axis[2].input), at_h = (int)take(plane, s.axis[1].input);
        const int at_d = (int)take(plane, s.axis[0].input);
        const Span w = windows_of(s.axis[2], table, at_w);
        const Span h = windows_of(s.axis[1], table, at_h);
        const Span d = windows_of(s.axis[0], table, at_d);
        Box box;
        T sum = (T)0;
        for (int z = d.start; z < d.end; z++) {
            box.d = span_of(s.axis[0], table, z);
            if (!covers(s.axis[0], box.d, at_d)) continue;
            for (int y = h.start; y < h.end; y++) {
                box.h = span_of(s.axis[1], table, y);
                if (!covers(s.axis[1], box.h, at_h)) continue;
                const i64 line = plane * windows + ((i64)z * s.axis[1].output + y) * s.axis[2].output;
                for (int x = w.start; x < w.end; x++) {
                    box.w = span_of(s.axis[2], table, x);
                    if (covers(s.axis[2], box.w, at_w)) sum += over(grad[line + x], divisor_of(box, divided, divisor));
                }
            }
        }
        out[i] = sum;
    }
}

#define POOLS(T, dtype)                                                                                                     \
    RL_KERNEL(max_pool_##dtype, const T* x, T* values, i64* index, Windows windows, const int* table, i64 count) {          \
        max_pool(x, values, index, windows, table, count);                                                                  \
    }                                                                                                                       \
    RL_KERNEL(max_pool_wide_##dtype, const T* x, T* values, i64* index, Windows windows, const int* table, i64 count) {     \
        max_pool_wide(x, values, index, windows, table, count);                                                             \
    }                                                                                                                       \
    RL_KERNEL(max_pool_pairs_##dtype, const T* x, T* values, i64* index, Windows windows, int lanes, i64 rows) {            \
        max_pool_pairs(x, values, index, windows, lanes, rows);                                                             \
    }                                                                                                                       \
    RL_KERNEL(max_pool_grad_##dtype, const T* grad, const i64* index, T* out, Windows windows, const int* table,            \
              i64 count) {                                                                                                  \
        max_pool_grad(grad, index, out, windows, table, count);                                                             \
    }                                                                                                                       \
    RL_KERNEL(max_pool_grad_pairs_##dtype, const T* grad, const i64* index, T* out, Windows windows, int lanes, i64 rows) { \
        max_pool_grad_pairs(grad, index, out, windows, lanes, rows);                                                        \
    }                                                                                                                       \
    RL_KERNEL(avg_pool_##dtype, const T* x, T* y, Windows windows, const int* table, int divided, i64 divisor, i64 count) { \
        avg_pool(x, y, windows, table, divided, divisor, count);                                                            \
    }                                                                                                                       \
    RL_KERNEL(avg_pool_wide_##dtype, const T* x, T* y, Windows windows, const int* table, int divided, i64 divisor,         \
              i64 count) {                                                                                                  \
        avg_pool_wide(x, y, windows, table, divided, divisor, count);                                                       \
    }                                                                                                                       \
    RL_KERNEL(avg_pool_grad_##dtype, const T* grad, T* out, Windows windows, const int* table, int divided, i64 divisor,    \
              i64 count) {                                                                                                  \
        avg_pool_grad(grad, out, windows, table, divided, divisor, count);                                                  \
    }

POOLS(float, f32)
POOLS(double, f64)
POOLS(i64, i64)
