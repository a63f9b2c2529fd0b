// Products of matrices, one fused multiply-add after the other over the inner axis for each element of the result.
//
// A block computes a tile, from slices of both operands in shared memory: while it multiplies one, it reads the next. The
// operands may lie in any way; what lies without gaps along one axis, at fitting addresses, is read in vectors. A long
// inner axis may be cut into parts, whose sums a second kernel adds up in order.

#include "rushlight.h"

// As in src/matmul.rs.
constexpr int A_ALONG = 1, B_ALONG = 2, A_VECTORS = 4, B_VECTORS = 8, Y_VECTORS = 16, RELU = 32;

// Where a matrix of this number begins in each array: `locate` in little code, as every block asks once.
RL_INLINE void locate_matrix(const View<3>& view, i64 number, i64 places[3]) {
    for (int k = 0; k < 3; k++) places[k] = 0;
#pragma unroll 1
    for (int axis = (int)view.rank - 1; axis >= 0; axis--) {
        i64 before = axis == 0 ? 0 : number / view.shape[axis], rest = number - before * view.shape[axis];
        for (int k = 0; k < 3; k++) places[k] += rest * view.strides[k][axis];
        number = before;
    }
}

// Which tile of the result a block computes: neighbours share rows and columns, which stay in the cache.
RL_INLINE void place_tile(unsigned number, unsigned down, unsigned across, unsigned& i, unsigned& j) {
    constexpr unsigned GROUP = 8;
    unsigned group = number / (GROUP * across), rest = number - group * GROUP * across;
    unsigned rows = min(down - group * GROUP, GROUP);
    j = rest / rows;
    i = group * GROUP + (rest - j * rows);
}

// The slice of an operand that is read while another is used: ROWS rows of A or columns of B, DEPTH places of the inner
// axis, kept in shared memory as [DEPTH][LD].
template <class T, int ROWS, int DEPTH, int THREADS>
struct Slice {
    static constexpr int WIDTH = 16 / sizeof(T);
    static constexpr int LD = ROWS + WIDTH;
    static constexpr int UNITS = ROWS * DEPTH / WIDTH / THREADS;
    static_assert(UNITS * WIDTH * THREADS == ROWS * DEPTH, "all threads read as much");

    Pack<T, WIDTH> held[UNITS];

    // Where the first element of a unit lies in the slice.
    RL_INLINE static void place(int unit, bool along, int& row, int& depth) {
        int number = unit * THREADS + (int)threadIdx.x;
        if (along) {
            row = number / (DEPTH / WIDTH);
            depth = number % (DEPTH / WIDTH) * WIDTH;
        } else {
            depth = number / (ROWS / WIDTH);
            row = number % (ROWS / WIDTH) * WIDTH;
        }
    }

    // Beyond the operand there are zeros.
    RL_INLINE void load(const T* x, i64 row_stride, i64 depth_stride, int rows, int depths, bool along, bool vectors) {
#pragma unroll
        for (int u = 0; u < UNITS; u++) {
            int row, depth;
            place(u, along, row, depth);
            const T* from = x + row * row_stride + depth * depth_stride;
            if (vectors) {
                if (row < rows && depth < depths) {
                    held[u] = *reinterpret_cast<const Pack<T, WIDTH>*>(from);
                } else {
#pragma unroll
                    for (int v = 0; v < WIDTH; v++) held[u].at[v] = T(0);
                }
            } else {
                i64 step = along ? depth_stride : row_stride;
                int there = along ? (row < rows ? depths - depth : 0) : (depth < depths ? rows - row : 0);
#pragma unroll
                for (int v = 0; v < WIDTH; v++) held[u].at[v] = v < there ? from[v * step] : T(0);
            }
        }
    }

    RL_INLINE void store(T* shared, bool along) const {
#pragma unroll
        for (int u = 0; u < UNITS; u++) {
            int row, depth;
            place(u, along, row, depth);
            T* to = shared + depth * LD + row;
            if (along) {
#pragma unroll
                for (int v = 0; v < WIDTH; v++) to[v * LD] = held[u].at[v];
            } else {
                *reinterpret_cast<Pack<T, WIDTH>*>(to) = held[u];
            }
        }
    }
};

// What relu moves a sum to at least, and what is as good as no relu. Integers are computed with as unsigned ones, which wrap.
template <class T>
RL_INLINE T at_least(T x, T low) { return x < low ? low : x; }
template <>
RL_INLINE uint64_t at_least<uint64_t>(uint64_t x, uint64_t low) { return (i64)x < (i64)low ? low : x; }
template <class T>
RL_INLINE T lowest(int flags) { return flags & RELU ? T(0) : -infinity<T>(); }
template <>
RL_INLINE uint64_t lowest<uint64_t>(int flags) { return flags & RELU ? 0 : (uint64_t)1 << 63; }

#define OPERANDS(T)                                                                                          \
    const T *a, const T *b, const T *bias, T *y, i64 m, i64 n, i64 k, i64 a_row, i64 a_column, i64 b_row,    \
        i64 b_column, i64 y_row, i64 part, i64 parts, i64 batch, i64 flags, View<3> view
#define NAMES a, b, bias, y, m, n, k, a_row, a_column, b_row, b_column, y_row, part, parts, batch, (int)flags, view

// A tile of BM x BN by threads that hold TM x TN elements each; `along` tells which operands lie without gaps along the
// inner axis.
template <class T, int BM, int BN, int DEPTH, int TM, int TN>
RL_INLINE void product(const T* a, const T* b, const T* bias, T* y, i64 m, i64 n, i64 k, i64 a_row, i64 a_column,
                       i64 b_row, i64 b_column, i64 y_row, i64 part, i64 parts, i64 batch, int flags,
                       const View<3>& view, bool a_along, bool b_along) {
    constexpr int DOWN = BM / TM, ACROSS = BN / TN, THREADS = DOWN * ACROSS;
    // A thread's rows are in groups of so many, one vector each.
    constexpr int WIDTH = 16 / sizeof(T);
    constexpr int WM = TM < WIDTH ? TM : WIDTH, WN = TN < WIDTH ? TN : WIDTH;
    typedef Slice<T, BM, DEPTH, THREADS> SliceA;
    typedef Slice<T, BN, DEPTH, THREADS> SliceB;
    constexpr int A_SIZE = DEPTH * SliceA::LD, B_SIZE = DEPTH * SliceB::LD;
    RL_DYN_SHARED(T, shared);
    T* shared_a = shared;
    T* shared_b = shared + 2 * A_SIZE;

    // The lanes of a warp form 4 x 8 threads, so that all read their operands from shared memory without conflicts.
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    int ty = warp % (DOWN / 4) * 4 + lane / 8, tx = warp / (DOWN / 4) * 8 + lane % 8;

    unsigned tiles_down = (unsigned)((m + BM - 1) / BM), tiles_across = (unsigned)((n + BN - 1) / BN);
    i64 tiles = (i64)tiles_down * tiles_across, tasks = tiles * parts * batch;
    for (i64 task = blockIdx.x; task < tasks; task += gridDim.x) {
        i64 rest = task / tiles, number = rest / parts, p = rest - number * parts;
        unsigned tile_i, tile_j;
        place_tile((unsigned)(task - rest * tiles), tiles_down, tiles_across, tile_i, tile_j);
        i64 places[3];
        locate_matrix(view, number, places);
        i64 i0 = (i64)tile_i * BM, j0 = (i64)tile_j * BN, k0 = p * part;
        i64 depth = min(part, k - k0);
        int rows = (int)min(m - i0, (i64)BM), columns = (int)min(n - j0, (i64)BN);
        const T* from_a = a + places[0] + i0 * a_row + k0 * a_column;
        const T* from_b = b + places[1] + k0 * b_row + j0 * b_column;

        T sums[TM][TN];
#pragma unroll
        for (int i = 0; i < TM; i++)
#pragma unroll
            for (int j = 0; j < TN; j++) sums[i][j] = T(0);

        SliceA slice_a;
        SliceB slice_b;
        bool a_vectors = flags & A_VECTORS, b_vectors = flags & B_VECTORS;
        int now = 0;
        // The first turn only reads the first slices.
        i64 left = depth;
        bool is_there = false;
#pragma unroll 1
        for (;;) {
            bool more = left > 0;
            if (more) {
                int there = (int)min(left, (i64)DEPTH);
                slice_a.load(from_a, a_row, a_column, rows, there, a_along, a_vectors);
                slice_b.load(from_b, b_column, b_row, columns, there, b_along, b_vectors);
                from_a += DEPTH * a_column;
                from_b += DEPTH * b_row;
                left -= DEPTH;
            }
            const T* row_a = shared_a + now * A_SIZE + ty * WM;
            const T* row_b = shared_b + now * B_SIZE + tx * WN;
            if (is_there) {
#pragma unroll 8
                for (int d = 0; d < DEPTH; d++) {
                    Pack<T, WM> x[TM / WM];
                    Pack<T, WN> z[TN / WN];
#pragma unroll
                    for (int g = 0; g < TM / WM; g++)
                        x[g] = *reinterpret_cast<const Pack<T, WM>*>(row_a + d * SliceA::LD + g * DOWN * WM);
#pragma unroll
                    for (int g = 0; g < TN / WN; g++)
                        z[g] = *reinterpret_cast<const Pack<T, WN>*>(row_b + d * SliceB::LD + g * ACROSS * WN);
#pragma unroll
                    for (int i = 0; i < TM; i++)
#pragma unroll
                        for (int j = 0; j < TN; j++) sums[i][j] += x[i / WM].at[i % WM] * z[j / WN].at[j % WN];
                }
            }
            if (!more) break;
            is_there = true;
            now ^= 1;
            slice_a.store(shared_a + now * A_SIZE, a_along);
            slice_b.store(shared_b + now * B_SIZE, b_along);
            __syncthreads();
        }
        // The next task begins to write where this one still reads.
        __syncthreads();

        T* to = parts > 1 ? y + (number * parts + p) * m * n : y + places[2];
        to += i0 * y_row + j0;
        T low = lowest<T>(flags);
#pragma unroll
        for (int g = 0; g < TN / WN; g++) {
            int column = g * ACROSS * WN + tx * WN;
            T terms[WN];
#pragma unroll
            for (int j = 0; j < WN; j++) terms[j] = bias != nullptr && column + j < columns ? bias[j0 + column + j] : T(0);
#pragma unroll
            for (int i = 0; i < TM; i++) {
                int row = i / WM * DOWN * WM + ty * WM + i % WM;
                T* at = to + row * y_row + column;
                Pack<T, WN> pack;
#pragma unroll
                for (int j = 0; j < WN; j++) pack.at[j] = at_least(sums[i][g * WN + j] + terms[j], low);
                if (row >= rows) continue;
                if (flags & Y_VECTORS) {
                    if (column < columns) *reinterpret_cast<Pack<T, WN>*>(at) = pack;
                } else {
#pragma unroll
                    for (int j = 0; j < WN; j++)
                        if (column + j < columns) at[j] = pack.at[j];
                }
            }
        }
    }
}

// Adds up the parts [batch, parts, m, n] in order.
template <class T>
RL_INLINE void add_parts(const T* x, const T* bias, T* y, i64 m, i64 n, i64 y_row, i64 parts, i64 batch, int flags,
                         const View<3>& view) {
    i64 size = m * n;
    for (i64 at = first_number(); at < size * batch; at += stride_of_grid()) {
        i64 number = at / size, place = at - number * size;
        i64 row = place / n, column = place - row * n;
        const T* from = x + number * parts * size + place;
        T sum = from[0];
        for (i64 p = 1; p < parts; p++) sum += from[p * size];
        i64 places[3];
        locate(view, number, places);
        if (bias != nullptr) sum += bias[column];
        y[places[2] + row * y_row + column] = at_least(sum, lowest<T>(flags));
    }
}

// A few rows times a matrix whose columns have no gaps: a warp has a column, of which each is read once.
constexpr int MOST_ROWS = 4;

template <class T>
RL_INLINE void multiply_rows(const T* a, const T* b, const T* bias, T* y, i64 m, i64 n, i64 k, i64 a_row, i64 b_column,
                             i64 y_row, int flags) {
    constexpr int WIDTH = 16 / sizeof(T);
    int lane = (int)threadIdx.x % 32;
    i64 warps = stride_of_grid() / 32;
    for (i64 column = first_number() / 32; column < n; column += warps) {
        T sums[MOST_ROWS] = {};
        const T* from = b + column * b_column;
#pragma unroll 4
        for (i64 i = lane * WIDTH; i < k; i += 32 * WIDTH) {
            Pack<T, WIDTH> z = *reinterpret_cast<const Pack<T, WIDTH>*>(from + i);
#pragma unroll
            for (int row = 0; row < MOST_ROWS; row++) {
                if (row >= m) break;
                Pack<T, WIDTH> x = *reinterpret_cast<const Pack<T, WIDTH>*>(a + row * a_row + i);
#pragma unroll
                for (int v = 0; v < WIDTH; v++) sums[row] += x.at[v] * z.at[v];
            }
        }
#pragma unroll
        for (int row = 0; row < MOST_ROWS; row++) {
            if (row >= m) break;
            T sum = sums[row];
#pragma unroll
            for (int bits = 16; bits > 0; bits /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bits);
            if (lane == 0) {
                if (bias != nullptr) sum += bias[column];
                y[row * y_row + column] = at_least(sum, lowest<T>(flags));
            }
        }
    }
}

#define ROWS(dtype, T)                                                                                                 \
    RL_BOUNDED(rows_##dtype, 128, 1, const T* a, const T* b, const T* bias, T* y, i64 m, i64 n, i64 k, i64 a_row,      \
               i64 b_column, i64 y_row, i64 flags) {                                                                   \
        multiply_rows(a, b, bias, y, m, n, k, a_row, b_column, y_row, (int)flags);                                     \
    }

ROWS(f32, float)
ROWS(f64, double)

// The large tile knows how its operands lie when it is compiled; where there is little to do it is asked.
#define LARGE(name, a_along, b_along) \
    RL_BOUNDED(product_large_##name, 256, 2, OPERANDS(float)) { product<float, 128, 128, 8, 8, 8>(NAMES, a_along, b_along); }

LARGE(nn, true, false)
LARGE(nt, true, true)
LARGE(tn, false, false)
LARGE(tt, false, true)

#define SIZES(dtype, T)                                                                                                \
    RL_BOUNDED(product_medium_##dtype, 256, 2, OPERANDS(T)) {                                                          \
        product<T, 64, 64, 16, 4, 4>(NAMES, flags & A_ALONG, flags & B_ALONG);                                         \
    }                                                                                                                  \
    RL_BOUNDED(product_small_##dtype, 128, 4, OPERANDS(T)) {                                                           \
        product<T, 32, 32, 16, 4, 2>(NAMES, flags & A_ALONG, flags & B_ALONG);                                         \
    }                                                                                                                  \
    RL_KERNEL(add_parts_##dtype, const T* x, const T* bias, T* y, i64 m, i64 n, i64 y_row, i64 parts, i64 batch,       \
              i64 flags, View<3> view) {                                                                               \
        add_parts(x, bias, y, m, n, y_row, parts, batch, (int)flags, view);                                            \
    }

SIZES(f32, float)
SIZES(f64, double)
SIZES(i64, uint64_t)
