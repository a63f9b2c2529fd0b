// Reductions: sums, products, extremes, their places, sums of terms, counts.
//
// One axis is reduced at a time, whose elements lie `step` apart. If they are nearer to each other than results are, a group
// of lanes or a block folds a row; else each thread folds parts of neighbouring columns. Long rows and columns are
// cut in chunks, and another launch folds their parts. Each thread keeps several parts, folds LEAF packs at most in one
// chain, and the rest meets in trees: sums round about as pairwise ones do. The trees hang on sizes, strides and whether an
// array begins at an address that packs can be read from.

#include "rushlight.h"
#include "rows.h"

// An element and where it stood; -1 before there was one.
template <class T>
struct Place {
    T value;
    i64 at;
};

template <class T>
RL_INLINE Place<T> shuffle_xor(Place<T> x, int bits) { return {shuffle_xor(x.value, bits), shuffle_xor(x.at, bits)}; }

template <class T>
RL_INLINE T lowest() { return -infinity<T>(); }
template <>
RL_INLINE i64 lowest<i64>() { return (i64)0x8000000000000000ull; }
template <>
RL_INLINE boolean lowest<boolean>() { return 0; }
template <class T>
RL_INLINE T highest() { return infinity<T>(); }
template <>
RL_INLINE i64 highest<i64>() { return 0x7fffffffffffffffll; }
template <>
RL_INLINE boolean highest<boolean>() { return 1; }

// Elements that are read at once.
template <class T>
constexpr int WIDTH_OF = 16 / sizeof(T);

// A way to reduce: from elements `In` by way of `Part`, which two threads fold, to `Out`.
template <class T>
struct Plain {
    typedef T In;
    typedef T Part;
    typedef T Out;
    static constexpr int WIDTH = WIDTH_OF<T>;
    static RL_INLINE T out(T part) { return part; }
};

template <class T>
struct Sum : Plain<T> {
    static RL_INLINE T start() { return 0; }
    static RL_INLINE T fold(T a, T b) { return sum_of(a, b); }
    static RL_INLINE void take(T& part, T x, i64, T) { part = fold(part, x); }
};

template <class T>
struct Prod : Plain<T> {
    static RL_INLINE T start() { return 1; }
    static RL_INLINE T fold(T a, T b) { return product_of(a, b); }
    static RL_INLINE void take(T& part, T x, i64, T) { part = fold(part, x); }
};

template <class T>
struct Max : Plain<T> {
    static RL_INLINE T start() { return lowest<T>(); }
    static RL_INLINE T fold(T a, T b) { return a > b || is_nan(a) ? a : b; }
    static RL_INLINE void take(T& part, T x, i64, T) { part = fold(part, x); }
};

template <class T>
struct Min : Plain<T> {
    static RL_INLINE T start() { return highest<T>(); }
    static RL_INLINE T fold(T a, T b) { return a < b || is_nan(a) ? a : b; }
    static RL_INLINE void take(T& part, T x, i64, T) { part = fold(part, x); }
};

template <class T>
struct Absolute : Sum<T> {
    static RL_INLINE void take(T& part, T x, i64, T centre) { part += size_of(x - centre); }
};

template <class T>
struct Square : Sum<T> {
    static RL_INLINE void take(T& part, T x, i64, T centre) { part += (x - centre) * (x - centre); }
};

template <class T>
struct Nonzero : Sum<i64> {
    typedef T In;
    static constexpr int WIDTH = WIDTH_OF<T>;
    static RL_INLINE void take(i64& part, T x, i64, T) { part += x != 0; }
};

// The first place of the best element; NaN is best.
template <class T, bool MAX>
struct Arg {
    typedef T In;
    typedef Place<T> Part;
    typedef i64 Out;
    static constexpr int WIDTH = 1;
    static RL_INLINE bool better(T a, T b) {
        if (is_nan(a) || is_nan(b)) return is_nan(a) && !is_nan(b);
        return MAX ? a > b : a < b;
    }
    static RL_INLINE Part start() { return {0, -1}; }
    static RL_INLINE void take(Part& part, T x, i64 at, T) {
        if (part.at < 0 || better(x, part.value)) part = {x, at};
    }
    static RL_INLINE Part fold(Part a, Part b) {
        if (a.at < 0) return b;
        if (b.at < 0 || better(a.value, b.value)) return a;
        if (better(b.value, a.value)) return b;
        return a.at < b.at ? a : b;
    }
    static RL_INLINE i64 out(Part part) { return part.at; }
};

// The same of parts.
template <class T, bool MAX>
struct ArgJoin : Arg<T, MAX> {
    typedef Place<T> In;
    static RL_INLINE void take(Place<T>& part, Place<T> x, i64, Place<T>) { part = Arg<T, MAX>::fold(part, x); }
};

// Elements that a thread folds in one chain at most.
constexpr int LEAF = 32;

template <class Op, int WIDTH>
RL_INLINE typename Op::Part fold_tree(typename Op::Part* part) {
#pragma unroll
    for (int half = WIDTH / 2; half > 0; half /= 2)
#pragma unroll
        for (int k = 0; k < half; k++) part[k] = Op::fold(part[k], part[k + half]);
    return part[0];
}

// Takes in the packs `first`, `first + by`, .. before `end`, `step` elements apart, four loads at a time. The elements of
// pack i have the numbers from `at + i * unit`, or all this one if the unit is 1.
template <class Op, int WIDTH>
RL_INLINE void take_packs(typename Op::Part* part, const typename Op::In* x, i64 step, i64 first, i64 by, i64 end, i64 at,
                          i64 unit, const typename Op::In* centre) {
    typedef Pack<typename Op::In, WIDTH> Elements;
    i64 i = first;
#pragma unroll 1
    for (; i + 3 * by < end; i += 4 * by) {
        Elements pack[4];
#pragma unroll
        for (int u = 0; u < 4; u++) pack[u] = *reinterpret_cast<const Elements*>(x + (i + u * by) * step);
#pragma unroll
        for (int u = 0; u < 4; u++)
#pragma unroll
            for (int k = 0; k < WIDTH; k++) Op::take(part[k], pack[u].at[k], at + (i + u * by) * unit + (unit > 1 ? k : 0), centre[k]);
    }
#pragma unroll 1
    for (; i < end; i += by) {
        Elements pack = *reinterpret_cast<const Elements*>(x + i * step);
#pragma unroll
        for (int k = 0; k < WIDTH; k++) Op::take(part[k], pack.at[k], at + i * unit + (unit > 1 ? k : 0), centre[k]);
    }
}

// What thread `rank` of `threads` folds of `count` elements, the first of which has the number `first`. For packs they lie
// without gaps from an address that is a multiple of a pack.
template <class Op, int WIDTH>
RL_INLINE typename Op::Part fold_run(const typename Op::In* x, i64 step, i64 count, i64 first, int rank, int threads,
                                     typename Op::In centre) {
    typename Op::In centres[WIDTH];
#pragma unroll
    for (int k = 0; k < WIDTH; k++) centres[k] = centre;
    typename Op::Part total = Op::start();
    i64 packs = count / WIDTH;
#pragma unroll 1
    for (i64 base = 0; base < packs; base += (i64)threads * LEAF) {
        typename Op::Part part[WIDTH];
#pragma unroll
        for (int k = 0; k < WIDTH; k++) part[k] = Op::start();
        i64 end = packs - base < (i64)threads * LEAF ? packs : base + (i64)threads * LEAF;
        take_packs<Op, WIDTH>(part, x, WIDTH == 1 ? step : WIDTH, base + rank, threads, end, first, WIDTH, centres);
        total = Op::fold(total, fold_tree<Op, WIDTH>(part));
    }
    if constexpr (WIDTH > 1)
#pragma unroll 1
        for (i64 i = packs * WIDTH + rank; i < count; i += threads) Op::take(total, x[i], first + i, centre);
    return total;
}

template <class Op>
RL_INLINE typename Op::Part fold_row(const typename Op::In* x, i64 step, i64 count, i64 first, int rank, int threads,
                                     typename Op::In centre, int packed) {
    if constexpr (Op::WIDTH > 1)
        if (packed) return fold_run<Op, Op::WIDTH>(x, step, count, first, rank, threads, centre);
    return fold_run<Op, 1>(x, step, count, first, rank, threads, centre);
}

template <class T>
RL_INLINE T centre_at(const T* centre, i64 at) { return centre == nullptr ? T{} : centre[at]; }

RL_CALLED void locate_called(const View<3>* view, i64 number, i64* places) { locate(*view, number, places); }

struct Chunk {
    i64 row, number;
};
RL_CALLED Chunk chunk_of(i64 task, i64 chunks) { return {task / chunks, task % chunks}; }

// `width` lanes, or a block of 256 threads, for each chunk of a row, with its part as result if there are several. The view
// has the places of rows, of results and of centres.
template <class Op>
RL_INLINE void reduce_rows(const typename Op::In* x, typename Op::Out* y, typename Op::Part* parts,
                           const typename Op::In* centre, const View<3>& kept, i64 tasks, i64 count, i64 step,
                           i64 chunks, i64 chunk, int width, int packed) {
    i64 own = width == 256 ? (i64)blockIdx.x : (i64)blockIdx.x * (256 / width) + threadIdx.x / (unsigned)width;
    bool there = own < tasks;
    i64 task = there ? own : tasks - 1;
    Chunk part_of = {task, 0};
    if (chunks > 1) part_of = chunk_of(task, chunks);
    i64 at[3];
    locate_called(&kept, part_of.row, at);
    i64 first = part_of.number * chunk;
    i64 length = count - first < chunk ? count - first : chunk;
    int rank = (int)threadIdx.x & (width - 1);
    typename Op::Part part =
        fold_row<Op>(x + at[0] + first * step, step, length, first, rank, width, centre_at(centre, at[2]), packed);
    part = width == 256 ? fold_block<Op, 8>(part) : fold_lanes<Op>(part, width);
    if (!there || rank != 0) return;
    if (chunks == 1) {
        y[at[1]] = Op::out(part);
    } else {
        parts[task] = part;
    }
}

// `width` threads side by side, each for WIDTH neighbouring columns, take turns with the rows of a chunk.
template <class Op, int WIDTH>
RL_INLINE void reduce_columns(const typename Op::In* x, typename Op::Out* y, typename Op::Part* parts,
                              const typename Op::In* centre, const View<3>& kept, i64 columns, i64 count, i64 step,
                              i64 chunk, int width) {
    typedef typename Op::In In;
    typedef typename Op::Part Part;
    __shared__ Part box[256 * WIDTH];
    int slot = (int)threadIdx.x / width, slots = 256 / width;
    i64 column = ((i64)blockIdx.x * width + (int)threadIdx.x % width) * WIDTH;
    bool there = column < columns;
    i64 at[3];
    locate_called(&kept, there ? column : 0, at);
    // Neighbours differ along the last axis alone.
    i64 inner = kept.rank == 0 ? 0 : kept.strides[1][kept.rank - 1];
    i64 centres = kept.rank == 0 ? 0 : kept.strides[2][kept.rank - 1];
    i64 first = blockIdx.y * chunk;
    i64 last = count - first < chunk ? count : first + chunk;
    Part total[WIDTH];
    In centre_of[WIDTH];
#pragma unroll
    for (int k = 0; k < WIDTH; k++) {
        total[k] = Op::start();
        centre_of[k] = centre_at(centre, at[2] + k * centres);
    }
    x += at[0];
#pragma unroll 1
    for (i64 base = first; there && base < last; base += slots * LEAF) {
        Part part[WIDTH];
#pragma unroll
        for (int k = 0; k < WIDTH; k++) part[k] = Op::start();
        i64 end = last - base < slots * LEAF ? last : base + slots * LEAF;
        take_packs<Op, WIDTH>(part, x, step, base + slot, slots, end, 0, 1, centre_of);
#pragma unroll
        for (int k = 0; k < WIDTH; k++) total[k] = Op::fold(total[k], part[k]);
    }
#pragma unroll
    for (int k = 0; k < WIDTH; k++) box[k * 256 + threadIdx.x] = total[k];
#pragma unroll 1
    for (int half = slots / 2; half > 0; half /= 2) {
        __syncthreads();
        if (slot < half)
#pragma unroll
            for (int k = 0; k < WIDTH; k++) {
                Part* own = &box[k * 256 + threadIdx.x];
                *own = Op::fold(*own, own[half * width]);
            }
    }
    if (slot != 0 || !there) return;
#pragma unroll
    for (int k = 0; k < WIDTH; k++) {
        Part part = box[k * 256 + threadIdx.x];
        if (gridDim.y == 1) {
            y[at[1] + k * inner] = Op::out(part);
        } else {
            parts[blockIdx.y * columns + column + k] = part;
        }
    }
}

#define REDUCE(name, ...)                                                                                              \
    RL_BOUNDED(rows_##name, 256, 1, const __VA_ARGS__::In* x, __VA_ARGS__::Out* y, __VA_ARGS__::Part* parts,           \
               const __VA_ARGS__::In* centre, const __grid_constant__ View<3> kept, i64 tasks, i64 count, i64 step, i64 chunks, i64 chunk,     \
               i64 width, i64 packed) {                                                                                \
        reduce_rows<__VA_ARGS__>(x, y, parts, centre, kept, tasks, count, step, chunks, chunk, (int)width, (int)packed); \
    }                                                                                                                  \
    COLUMNS(columns, name, 1, __VA_ARGS__)

// Columns one at a time, or as many as a pack has where they lie so.
#define COLUMNS(way, name, at_once, ...)                                                                              \
    RL_BOUNDED(way##_##name, 256, 1, const __VA_ARGS__::In* x, __VA_ARGS__::Out* y, __VA_ARGS__::Part* parts,         \
               const __VA_ARGS__::In* centre, const __grid_constant__ View<3> kept, i64 columns, i64 count, i64 step, i64 chunk, i64 width) { \
        reduce_columns<__VA_ARGS__, at_once>(x, y, parts, centre, kept, columns, count, step, chunk, (int)width);     \
    }

#define NUMBERS(T, dtype, width)               \
    REDUCE(sum_##dtype, Sum<T>)                \
    REDUCE(prod_##dtype, Prod<T>)              \
    REDUCE(max_##dtype, Max<T>)                \
    REDUCE(min_##dtype, Min<T>)                \
    COLUMNS(packed, sum_##dtype, width, Sum<T>) \
    COLUMNS(packed, max_##dtype, width, Max<T>) \
    COLUMNS(packed, min_##dtype, width, Min<T>)

#define FLOATS(T, dtype, width)                \
    REDUCE(abs_##dtype, Absolute<T>)           \
    REDUCE(square_##dtype, Square<T>)          \
    COLUMNS(packed, abs_##dtype, width, Absolute<T>) \
    COLUMNS(packed, square_##dtype, width, Square<T>)

#define ALL(T, dtype)                                  \
    REDUCE(nonzero_##dtype, Nonzero<T>)                \
    REDUCE(argmax_##dtype, Arg<T, true>)               \
    REDUCE(argmin_##dtype, Arg<T, false>)              \
    REDUCE(joinmax_##dtype, ArgJoin<T, true>)          \
    REDUCE(joinmin_##dtype, ArgJoin<T, false>)

NUMBERS(float, f32, 4)
NUMBERS(double, f64, 2)
NUMBERS(i64, i64, 2)
FLOATS(float, f32, 4)
FLOATS(double, f64, 2)
REDUCE(max_bool, Max<boolean>)
REDUCE(min_bool, Min<boolean>)
ALL(float, f32)
ALL(double, f64)
ALL(i64, i64)
ALL(boolean, bool)
