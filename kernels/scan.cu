// What stands at each place is made of all elements up to there: sums, products, extremes, recurrences.
//
// Rows: a block goes through a chunk of a row, a tile of elements at a time, from what the chunks before it come to, which
// other launches find out. Columns: threads side by side go through one each. Floats are added up in f64, as on the CPU.

#include "rushlight.h"
#include "rows.h"

template <class T>
struct Place {
    T value;
    i64 at;
};

RL_INLINE double lane_below(double x, int by) { return __shfl_up_sync(ALL_LANES, x, by); }
RL_INLINE i64 lane_below(i64 x, int by) { return __shfl_up_sync(ALL_LANES, x, by); }
RL_INLINE float lane_below(float x, int by) { return __shfl_up_sync(ALL_LANES, x, by); }
RL_INLINE boolean lane_below(boolean x, int by) { return (boolean)__shfl_up_sync(ALL_LANES, (int)x, by); }
template <class T>
RL_INLINE Place<T> lane_below(Place<T> x, int by) { return {lane_below(x.value, by), lane_below(x.at, by)}; }

// Ways to scan: `Part` is what some neighbours come to, `fold` that of earlier and later ones, `start` that of none.
template <class T, class A>
struct Sum {
    typedef T In;
    typedef A Part;
    static RL_INLINE A start() { return 0; }
    static RL_INLINE A fold(A a, A b) { return sum_of(a, b); }
    static RL_INLINE A of(T x, i64) { return (A)x; }
    static RL_INLINE void write(A part, T* y, i64*, i64 at) { y[at] = (T)part; }
};

template <class T, class A>
struct Prod : Sum<T, A> {
    static RL_INLINE A start() { return 1; }
    static RL_INLINE A fold(A a, A b) { return product_of(a, b); }
};

RL_CALLED double log_add(double a, double b) {
    double low = a < b ? a : b, high = a < b ? b : a;
    // Infinities of one sign are not subtracted from each other.
    if (low == high && (low == infinity<double>() || low == -infinity<double>())) return low;
    return high + log1p(exp(low - high));
}

template <class T>
struct LogSum : Sum<T, double> {
    static RL_INLINE double start() { return -infinity<double>(); }
    static RL_INLINE double fold(double a, double b) { return log_add(a, b); }
};

// The best element and the last place where it stands; NaN is best.
template <class T, bool MAX>
struct Extreme {
    typedef T In;
    typedef Place<T> Part;
    static RL_INLINE Part start() { return {0, -1}; }
    static RL_INLINE Part fold(Part a, Part b) {
        if (b.at < 0) return a;
        if (a.at < 0 || is_nan(b.value)) return b;
        return !is_nan(a.value) && (MAX ? b.value >= a.value : b.value <= a.value) ? b : a;
    }
    static RL_INLINE Part of(T x, i64 place) { return {x, place}; }
    static RL_INLINE void write(Part part, T* y, i64* index, i64 at) {
        y[at] = part.value;
        index[at] = part.at;
    }
};

constexpr int EACH = 4;

// What the lanes up to each come to.
template <class Op>
RL_INLINE typename Op::Part scan_lanes(typename Op::Part x) {
    int lane = (int)threadIdx.x % 32;
#pragma unroll
    for (int by = 1; by < 32; by *= 2) {
        typename Op::Part before = lane_below(x, by);
        if (lane >= by) x = Op::fold(before, x);
    }
    return x;
}

// What the threads before each come to, in `before`, and all of a block, the result.
template <class Op>
RL_INLINE typename Op::Part scan_block(typename Op::Part x, typename Op::Part& before) {
    typedef typename Op::Part Part;
    __shared__ Part box[8];
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;
    Part own = scan_lanes<Op>(x);
    // All have read what was there before.
    __syncthreads();
    if (lane == 31) box[warp] = own;
    __syncthreads();
    Part warps = Op::start(), all = Op::start();
#pragma unroll
    for (int k = 0; k < 8; k++) {
        if (k == warp) warps = all;
        all = Op::fold(all, box[k]);
    }
    Part left = lane_below(own, 1);
    before = lane == 0 ? warps : Op::fold(warps, left);
    return all;
}

// A block for each chunk of a row. Without a result it leaves behind what each chunk comes to; with one, and several
// chunks, it starts from what those before come to.
template <class Op>
RL_INLINE void scan_rows(const typename Op::In* x, typename Op::In* y, i64* index, typename Op::Part* chunks_of,
                         i64 size, i64 chunks, i64 chunk, i64 reverse) {
    typedef typename Op::Part Part;
    i64 row = chunks == 1 ? blockIdx.x : blockIdx.x / chunks;
    i64 number = blockIdx.x - row * chunks;
    i64 first = number * chunk;
    i64 last = size - first < chunk ? size : first + chunk;
    x += row * size;
    Part carry = y != nullptr && number > 0 ? chunks_of[blockIdx.x - 1] : Op::start();
#pragma unroll 1
    for (i64 base = first; base < last; base += 256 * EACH) {
        i64 own = base + threadIdx.x * EACH;
        Part parts[EACH];
        Part total = Op::start();
#pragma unroll
        for (int k = 0; k < EACH; k++) {
            i64 at = reverse ? size - 1 - (own + k) : own + k;
            if (own + k < last) total = Op::fold(total, Op::of(x[at], at));
            parts[k] = total;
        }
        Part before;
        Part all = scan_block<Op>(total, before);
        if (y != nullptr) {
            before = Op::fold(carry, before);
#pragma unroll
            for (int k = 0; k < EACH; k++) {
                i64 at = reverse ? size - 1 - (own + k) : own + k;
                if (own + k < last) Op::write(Op::fold(before, parts[k]), y + row * size, index + row * size, at);
            }
        }
        carry = Op::fold(carry, all);
    }
    if (y == nullptr && threadIdx.x == 0) chunks_of[blockIdx.x] = carry;
}

// What the chunks of each row up to each come to: a thread for each row.
template <class Op>
RL_INLINE void scan_chunks(typename Op::Part* chunks_of, i64 rows, i64 chunks) {
    i64 row = first_number();
    if (row >= rows) return;
    typename Op::Part all = Op::start();
#pragma unroll 1
    for (i64 k = 0; k < chunks; k++) {
        all = Op::fold(all, chunks_of[row * chunks + k]);
        chunks_of[row * chunks + k] = all;
    }
}

// A thread for each column of `[outer, size, inner]`.
template <class Op>
RL_INLINE void scan_columns(const typename Op::In* x, typename Op::In* y, i64* index, i64 columns, i64 size, i64 inner,
                            i64 reverse) {
    i64 column = first_number();
    if (column >= columns) return;
    i64 outer = column / inner;
    i64 start = outer * size * inner + (column - outer * inner);
    typename Op::Part all = Op::start();
#pragma unroll 4
    for (i64 k = 0; k < size; k++) {
        i64 row = reverse ? size - 1 - k : k;
        all = Op::fold(all, Op::of(x[start + row * inner], row));
        Op::write(all, y + start, index + start, row * inner);
    }
}

// y[k] = b[k] + a[k] y[k - 1], one after the other. The factor of the first is not read: it may be infinite.
template <class T>
RL_INLINE void recurrence_columns(const T* a, const T* b, T* y, i64 columns, i64 size, i64 inner, i64 reverse) {
    i64 column = first_number();
    if (column >= columns) return;
    i64 outer = column / inner;
    i64 start = outer * size * inner + (column - outer * inner);
    double now = 0;
#pragma unroll 4
    for (i64 k = 0; k < size; k++) {
        i64 at = start + (reverse ? size - 1 - k : k) * inner;
        now = (double)b[at] + (k == 0 ? 0.0 : (double)a[at] * now);
        y[at] = (T)now;
    }
}

// A warp for each row reads 32 neighbours at once; each step is done by all of its lanes.
template <class T>
RL_INLINE void recurrence_rows(const T* a, const T* b, T* y, i64 rows, i64 size, i64 reverse) {
    i64 row = first_number() / 32;
    if (row >= rows) return;
    int lane = (int)threadIdx.x % 32;
    double now = 0;
#pragma unroll 1
    for (i64 base = 0; base < size; base += 32) {
        i64 k = base + lane;
        i64 at = row * size + (reverse ? size - 1 - k : k);
        T factor = k > 0 && k < size ? a[at] : T(0), term = k < size ? b[at] : T(0);
        double own = 0;
        int steps = size - base < 32 ? (int)(size - base) : 32;
        for (int step = 0; step < steps; step++) {
            double before = (double)__shfl_sync(ALL_LANES, factor, step) * now;
            now = (double)__shfl_sync(ALL_LANES, term, step) + (base + step == 0 ? 0.0 : before);
            if (lane == step) own = now;
        }
        if (k < size) y[at] = (T)own;
    }
}

#define SCAN(name, ...)                                                                                                 \
    RL_BOUNDED(scan_rows_##name, 256, 1, const __VA_ARGS__::In* x, __VA_ARGS__::In* y, i64* index, __VA_ARGS__::Part* chunks_of, \
               i64 size, i64 chunks, i64 chunk, i64 reverse) {                                                          \
        scan_rows<__VA_ARGS__>(x, y, index, chunks_of, size, chunks, chunk, reverse);                                   \
    }                                                                                                                   \
    RL_KERNEL(scan_chunks_##name, __VA_ARGS__::Part* chunks_of, i64 rows, i64 chunks) {                                      \
        scan_chunks<__VA_ARGS__>(chunks_of, rows, chunks);                                                              \
    }                                                                                                                   \
    RL_BOUNDED(scan_columns_##name, 256, 1, const __VA_ARGS__::In* x, __VA_ARGS__::In* y, i64* index, i64 columns, i64 size, \
               i64 inner, i64 reverse) {                                                                                \
        scan_columns<__VA_ARGS__>(x, y, index, columns, size, inner, reverse);                                          \
    }

#define EXTREMES(T, dtype)                   \
    SCAN(max_##dtype, Extreme<T, true>)      \
    SCAN(min_##dtype, Extreme<T, false>)

#define FLOATS(T, dtype)                                                                                              \
    SCAN(sum_##dtype, Sum<T, double>)                                                                                 \
    SCAN(prod_##dtype, Prod<T, double>)                                                                               \
    SCAN(logsum_##dtype, LogSum<T>)                                                                                   \
    EXTREMES(T, dtype)                                                                                                \
    RL_KERNEL(rows_recurrence_##dtype, const T* a, const T* b, T* y, i64 rows, i64 size, i64 reverse) {               \
        recurrence_rows(a, b, y, rows, size, reverse);                                                                \
    }                                                                                                                 \
    RL_KERNEL(columns_recurrence_##dtype, const T* a, const T* b, T* y, i64 columns, i64 size, i64 inner,             \
              i64 reverse) {                                                                                          \
        recurrence_columns(a, b, y, columns, size, inner, reverse);                                                   \
    }

FLOATS(float, f32)
FLOATS(double, f64)
SCAN(sum_i64, Sum<i64, i64>)
SCAN(prod_i64, Prod<i64, i64>)
EXTREMES(i64, i64)
EXTREMES(boolean, bool)
