// Products of matrices on tensor cores, for GPUs of compute capability 8.0 and newer: f16 and bf16 with sums in f32, and
// f32 whose factors are rounded to tf32.
//
// A block computes a tile by warps with a part of it each. Slices of 64 bytes along the inner axis are on their way from
// global to shared memory while others are multiplied. In shared memory the 16-byte chunks of a row are put in another
// order, row by row, so that the lanes of a warp find theirs in different banks.

#include "rushlight.h"

// As in src/matmul.rs.
constexpr int A_VECTORS = 4, B_VECTORS = 8, Y_VECTORS = 16, RELU = 32;

// The bits of a narrow float.
struct Half { uint16_t bits; };
struct Brain { uint16_t bits; };

RL_INLINE float wide(float x) { return x; }
RL_INLINE float wide(Brain x) { return __uint_as_float((uint32_t)x.bits << 16); }
template <class T>
RL_INLINE T narrow(float x);
template <>
RL_INLINE float narrow<float>(float x) { return x; }
template <>
RL_INLINE Brain narrow<Brain>(float x) {
    uint32_t bits = __float_as_uint(x);
    if (x != x) return {(uint16_t)(bits >> 16 | 0x40)};
    // To the nearest, and to the even one of two.
    return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

#ifdef RL_HOST
RL_INLINE float wide(Half x) {
    uint32_t sign = (uint32_t)(x.bits & 0x8000) << 16, exponent = x.bits >> 10 & 31, mantissa = x.bits & 1023;
    if (exponent == 31) return __uint_as_float(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) {
        float size = (float)mantissa / 16777216.0f;
        return sign ? -size : size;
    }
    return __uint_as_float(sign | (exponent + 112) << 23 | mantissa << 13);
}
template <>
RL_INLINE Half narrow<Half>(float x) {
    uint32_t bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return {(uint16_t)(sign | 0x7e00)};
    if (rest >= 0x477ff000) return {(uint16_t)(sign | 0x7c00)};
    if (rest < 0x38800000) {
        // Below the normal numbers: the sum with 0.5 leaves the bits of a multiple of 2^-24, rounded to the even.
        float shifted = __uint_as_float(rest) + 0.5f;
        return {(uint16_t)(sign | (__float_as_uint(shifted) - 0x3f000000))};
    }
    return {(uint16_t)(sign | (rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13)};
}

// The copies of a thread that are on their way, in groups: they arrive as late as they may.
struct Copies {
    struct { void* to; const void* from; bool there; } of[64];
    int count, ends[8], groups;
};
RL_INLINE Copies& own_copies() {
    static thread_local Copies copies[1024];
    return copies[threadIdx.x];
}

// 16 bytes into shared memory, or zeros.
RL_INLINE void copy_chunk(void* to, const void* from, bool there) {
    Copies& copies = own_copies();
    copies.of[copies.count++] = {to, from, there};
}
RL_INLINE void commit_copies() {
    Copies& copies = own_copies();
    copies.ends[copies.groups++] = copies.count;
}
template <int LEFT>
RL_INLINE void wait_for_copies() {
    Copies& copies = own_copies();
    int groups = max(copies.groups - LEFT, 0), done = groups > 0 ? copies.ends[groups - 1] : 0;
    for (int i = 0; i < done; i++) {
        if (copies.of[i].there) memcpy(copies.of[i].to, copies.of[i].from, 16); else memset(copies.of[i].to, 0, 16);
    }
    for (int i = done; i < copies.count; i++) copies.of[i - done] = copies.of[i];
    for (int i = groups; i < copies.groups; i++) copies.ends[i - groups] = copies.ends[i] - done;
    copies.count -= done;
    copies.groups -= groups;
}

// Four matrices of 8 rows of 16 bytes, whose addresses lanes 0-7, 8-15, .. bring. Lane 4 g + t gets bytes 4 t to 4 t + 3 of
// row g of each; if TURNED, elements g of rows 2 t and 2 t + 1.
template <bool TURNED>
RL_INLINE void load_matrices(uint32_t to[4], const void* row) {
    int lane = (int)rl_host::lane(), g = lane / 4, t = lane % 4;
    const void* rows[32];
    memcpy(rl_host::slot(lane), &row, sizeof row);
    rl_host::warp_barrier(0xffffffffu);
    for (int i = 0; i < 32; i++) memcpy(&rows[i], rl_host::slot(i), sizeof row);
    rl_host::warp_barrier(0xffffffffu);
    for (int j = 0; j < 4; j++) {
        if (TURNED) {
            uint32_t low = static_cast<const uint16_t*>(rows[j * 8 + 2 * t])[g];
            uint32_t high = static_cast<const uint16_t*>(rows[j * 8 + 2 * t + 1])[g];
            to[j] = low | high << 16;
        } else {
            to[j] = static_cast<const uint32_t*>(rows[j * 8 + g])[t];
        }
    }
}

RL_INLINE uint32_t rounded_to_tf32(float x) {
    uint32_t bits = __float_as_uint(x);
    return x - x == 0 ? (bits + 0x1000) & ~0x1fffu : bits;
}

RL_INLINE float element(Half, uint32_t bits, int i) { return wide(Half{(uint16_t)(bits >> 16 * i)}); }
RL_INLINE float element(Brain, uint32_t bits, int i) { return wide(Brain{(uint16_t)(bits >> 16 * i)}); }
RL_INLINE float element(float, uint32_t bits, int) { return __uint_as_float(bits & ~0x1fffu); }

// The sums of a 16 x 8 tile: lane 4 g + t has rows g and g + 8, columns 2 t and 2 t + 1. Of A it has rows g and g + 8, of B
// column g, at the places of the inner axis that its registers are for: PER of them from PER t on, and as many from
// 4 PER + PER t on.
template <class T>
RL_INLINE void multiply_add(float sums[4], const uint32_t a[4], const uint32_t b[2]) {
    constexpr int PER = 4 / sizeof(T);
    static thread_local uint32_t brought[32][32][6];
    uint32_t(&warp)[32][6] = brought[threadIdx.x / 32];
    int lane = (int)threadIdx.x % 32, g = lane / 4, t = lane % 4;
    memcpy(warp[lane], a, 16);
    memcpy(warp[lane] + 4, b, 8);
    rl_host::warp_barrier(0xffffffffu);
    float x[2][8 * PER], z[2][8 * PER];
    for (int u = 0; u < 4; u++) {
        for (int r = 0; r < 4; r++)
            for (int i = 0; i < PER; i++) x[r % 2][r / 2 * 4 * PER + u * PER + i] = element(T(), warp[g * 4 + u][r], i);
        for (int c = 0; c < 2; c++)
            for (int r = 0; r < 2; r++)
                for (int i = 0; i < PER; i++)
                    z[c][r * 4 * PER + u * PER + i] = element(T(), warp[(2 * t + c) * 4 + u][4 + r], i);
    }
    rl_host::warp_barrier(0xffffffffu);
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 2; c++)
            for (int k = 0; k < 8 * PER; k++) sums[r * 2 + c] += x[r][k] * z[c][k];
}
#else
RL_INLINE float wide(Half x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
template <>
RL_INLINE Half narrow<Half>(float x) {
    Half y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

RL_INLINE uint32_t shared_address(const void* x) { return (uint32_t)__cvta_generic_to_shared(x); }

RL_INLINE void copy_chunk(void* to, const void* from, bool there) {
    int bytes = there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}
RL_INLINE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int LEFT>
RL_INLINE void wait_for_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory"); }

template <bool TURNED>
RL_INLINE void load_matrices(uint32_t to[4], const void* row) {
    if (TURNED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(shared_address(row)) : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(shared_address(row)) : "memory");
}

RL_INLINE uint32_t rounded_to_tf32(float x) {
    uint32_t y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
}

#define MULTIPLY_ADD(T, shape, type)                                                                                  \
    template <>                                                                                                       \
    RL_INLINE void multiply_add<T>(float sums[4], const uint32_t a[4], const uint32_t b[2]) {                         \
        asm("mma.sync.aligned." shape ".row.col.f32." type "." type ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "       \
            "{%8, %9}, {%0, %1, %2, %3};"                                                                             \
            : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])                                              \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                                      \
    }
template <class T>
RL_INLINE void multiply_add(float sums[4], const uint32_t a[4], const uint32_t b[2]);
MULTIPLY_ADD(Half, "m16n8k16", "f16")
MULTIPLY_ADD(Brain, "m16n8k16", "bf16")
MULTIPLY_ADD(float, "m16n8k8", "tf32")
#endif

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

// A slice of an operand: ROWS rows of A or columns of B, 64 bytes of elements of the inner axis. ALONG: in memory, and in
// shared memory too, the elements of the inner axis lie one behind the other; else those of the other one.
template <class T, int ROWS, int THREADS, bool ALONG>
struct Slice {
    static constexpr int WIDTH = 16 / sizeof(T);
    static constexpr int DEPTH = 64 / sizeof(T);
    // Chunks of a line, and of the slice.
    static constexpr int LINE = ALONG ? 4 : ROWS / WIDTH;
    static constexpr int CHUNKS = ROWS * 4;
    static constexpr int BYTES = CHUNKS * 16;
    static_assert(CHUNKS % THREADS == 0, "all threads copy as much");

    // Where a chunk lies.
    RL_INLINE static int chunk(int line, int number) {
        int turn = ALONG ? line >> 1 & 3 : (sizeof(T) == 4 ? (line & 3) * 2 : line & 7);
        return line * LINE + (number ^ turn);
    }

    RL_INLINE static const T* element(const char* slice, int row, int depth) {
        int line = ALONG ? row : depth, place = ALONG ? depth : row;
        return reinterpret_cast<const T*>(slice + chunk(line, place / WIDTH) * 16) + place % WIDTH;
    }

    RL_INLINE static void load(char* slice, const T* x, i64 row_stride, i64 depth_stride, int rows, int depths, bool vectors) {
        // Where a thread's first chunk lies; its others are some lines further.
        int line = (int)threadIdx.x / LINE, place = (int)threadIdx.x % LINE;
        constexpr int LINES = THREADS / LINE;
        i64 line_stride = ALONG ? row_stride : depth_stride, step = ALONG ? depth_stride : row_stride;
        int lines = ALONG ? rows : depths, left = (ALONG ? depths : rows) - place * WIDTH;
        const T* from = x + line * line_stride + place * WIDTH * step;
        if (vectors) {
#pragma unroll
            for (int u = 0; u < CHUNKS / THREADS; u++) {
                bool there = line < lines && left > 0;
                copy_chunk(slice + chunk(line, place) * 16, there ? from : x, there);
                line += LINES;
                from += LINES * line_stride;
            }
        } else {
#pragma unroll 1
            for (int u = 0; u < CHUNKS / THREADS; u++) {
                Pack<T, WIDTH> pack;
#pragma unroll
                for (int v = 0; v < WIDTH; v++) {
                    pack.at[v] = narrow<T>(0.0f);
                    if (line < lines && v < left) pack.at[v] = from[v * step];
                }
                *reinterpret_cast<Pack<T, WIDTH>*>(slice + chunk(line, place) * 16) = pack;
                line += LINES;
                from += LINES * line_stride;
            }
        }
    }

    // The registers of 16 rows from `row` on, at the places of the inner axis of this step: as A wants them, rows first, or as
    // two operands B, the inner axis first.
    template <bool AS_A>
    RL_INLINE static void fragment(uint32_t to[4], const char* slice, int row, int step) {
        int lane = (int)threadIdx.x % 32;
        if (sizeof(T) == 4) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int down = AS_A ? i % 2 : i / 2, along = AS_A ? i / 2 : i % 2;
                const T* at = element(slice, row + down * 8 + lane / 4, step * 8 + along * 4 + lane % 4);
                to[i] = rounded_to_tf32(wide(*at));
            }
        } else {
            int down = AS_A ? lane / 8 % 2 : lane / 16, along = AS_A ? lane / 16 : lane / 8 % 2;
            // Of a matrix that is turned, a line has all rows.
            int r = row + down * 8 + (ALONG ? lane % 8 : 0), d = step * 16 + along * 8 + (ALONG ? 0 : lane % 8);
            load_matrices<!ALONG>(to, element(slice, r, d));
        }
    }
};

template <class T>
RL_INLINE T finished(float sum, float bias, int flags) {
    sum += bias;
    return narrow<T>(flags & RELU && sum < 0.0f ? 0.0f : sum);
}

// Writes so many rows of a tile, which lie in shared memory, to a result from `y` on: two columns per thread.
template <int BN, int LD, int THREADS, class T>
RL_INLINE void write(const float* tile, T* y, const T* bias, int rows, int columns, i64 y_row, int flags) {
    constexpr int LINES = THREADS / (BN / 2);
    int column = (int)threadIdx.x % (BN / 2) * 2, line = (int)threadIdx.x / (BN / 2);
    if (column >= columns) return;
    bool both = column + 1 < columns;
    float terms[2] = {0.0f, 0.0f};
    if (bias != nullptr) {
        terms[0] = wide(bias[column]);
        if (both) terms[1] = wide(bias[column + 1]);
    }
#pragma unroll 2
    for (int row = line; row < rows; row += LINES) {
        const float* sums = tile + row * LD + column;
        T one = finished<T>(sums[0], terms[0], flags), other = finished<T>(sums[1], terms[1], flags);
        T* to = y + row * y_row + column;
        if (flags & Y_VECTORS) {
            *reinterpret_cast<Pack<T, 2>*>(to) = {{one, other}};
        } else {
            to[0] = one;
            if (both) to[1] = other;
        }
    }
}

#define OPERANDS(T)                                                                                                   \
    const T *a, const T *b, const T *bias, T *y, i64 m, i64 n, i64 k, i64 a_row, i64 a_column, i64 b_row,             \
        i64 b_column, i64 y_row, i64 part, i64 parts, i64 batch, i64 flags, View<3> view
#define NAMES a, b, bias, y, m, n, k, a_row, a_column, b_row, b_column, y_row, part, parts, batch, (int)flags, view

// A tile of BM x BN by warps that have WM x WN of it each, with so many slices on their way.
template <class T, int BM, int BN, int WM, int WN, int STAGES, bool A_ALONG, bool B_ALONG>
RL_INLINE void product(const T* a, const T* b, const T* bias, T* y, i64 m, i64 n, i64 k, i64 a_row, i64 a_column,
                       i64 b_row, i64 b_column, i64 y_row, i64 part, i64 parts, i64 batch, int flags,
                       const View<3>& view) {
    constexpr int DOWN = BM / WM, THREADS = DOWN * (BN / WN) * 32;
    typedef Slice<T, BM, THREADS, A_ALONG> SliceA;
    typedef Slice<T, BN, THREADS, B_ALONG> SliceB;
    constexpr int DEPTH = SliceA::DEPTH, STAGE = SliceA::BYTES + SliceB::BYTES;
    RL_DYN_SHARED(char, shared);

    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    int warp_row = warp % DOWN * WM, warp_column = warp / DOWN * WN;
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
        i64 steps = (depth + DEPTH - 1) / DEPTH;
        // Beyond the last slice nothing is read, and a group of no copies keeps the count.
        auto load = [&](i64 step) {
            if (step < steps) {
                char* stage = shared + step % STAGES * STAGE;
                int there = (int)min(depth - step * DEPTH, (i64)DEPTH);
                SliceA::load(stage, from_a, a_row, a_column, rows, there, flags & A_VECTORS);
                SliceB::load(stage + SliceA::BYTES, from_b, b_column, b_row, columns, there, flags & B_VECTORS);
                from_a += DEPTH * a_column;
                from_b += DEPTH * b_row;
            }
            commit_copies();
        };

        float sums[WM / 16][WN / 8][4];
#pragma unroll
        for (int i = 0; i < WM / 16; i++)
#pragma unroll
            for (int j = 0; j < WN / 8; j++)
#pragma unroll
                for (int c = 0; c < 4; c++) sums[i][j][c] = 0.0f;

#pragma unroll 1
        for (i64 step = 1 - STAGES; step < steps; step++) {
            if (step >= 0) {
                wait_for_copies<STAGES - 2>();
                // All have the slice of this step, and nobody reads the one before any more, whose place the next takes.
                __syncthreads();
            }
            load(step + STAGES - 1);
            if (step < 0) continue;
            const char* stage = shared + step % STAGES * STAGE;
#pragma unroll
            for (int inner = 0; inner < 2; inner++) {
                uint32_t x[WM / 16][4], z[WN / 16][4];
#pragma unroll
                for (int i = 0; i < WM / 16; i++)
                    SliceA::template fragment<true>(x[i], stage, warp_row + i * 16, inner);
#pragma unroll
                for (int j = 0; j < WN / 16; j++)
                    SliceB::template fragment<false>(z[j], stage + SliceA::BYTES, warp_column + j * 16, inner);
#pragma unroll
                for (int i = 0; i < WM / 16; i++)
#pragma unroll
                    for (int j = 0; j < WN / 8; j++) multiply_add<T>(sums[i][j], x[i], z[j / 2] + j % 2 * 2);
            }
        }
        wait_for_copies<0>();
        __syncthreads();

        // By way of shared memory, 64 rows at a time, so that whole lines are written.
        constexpr int LD = BN + 8;
        float* tile = reinterpret_cast<float*>(shared);
        for (int first = 0; first < BM; first += 64) {
            if (warp_row / 64 * 64 == first) {
                float* at = tile + (warp_row % 64 + lane / 4) * LD + warp_column + lane % 4 * 2;
#pragma unroll
                for (int i = 0; i < WM / 16; i++)
#pragma unroll
                    for (int j = 0; j < WN / 8; j++)
#pragma unroll
                        for (int half = 0; half < 2; half++)
                            *reinterpret_cast<Pack<float, 2>*>(at + (i * 16 + half * 8) * LD + j * 8) = {
                                {sums[i][j][half * 2], sums[i][j][half * 2 + 1]}};
            }
            __syncthreads();
            int left = min(rows - first, 64);
            i64 i = i0 + first;
            // Parts are sums in f32, to be finished later.
            if (parts > 1)
                write<BN, LD, THREADS>(tile, reinterpret_cast<float*>(y) + (number * parts + p) * m * n + i * n + j0,
                                       static_cast<const float*>(nullptr), left, columns, n, flags);
            else
                write<BN, LD, THREADS>(tile, y + places[2] + i * y_row + j0, bias == nullptr ? bias : bias + j0, left,
                                       columns, y_row, flags);
            __syncthreads();
        }
    }
}

// Adds up the parts [batch, parts, m, n] in order.
template <class T>
RL_INLINE void add_parts(const float* x, const T* bias, T* y, i64 m, i64 n, i64 y_row, i64 parts, i64 batch, int flags,
                         const View<3>& view) {
    i64 size = m * n;
    for (i64 at = first_number(); at < size * batch; at += stride_of_grid()) {
        i64 number = at / size, place = at - number * size;
        i64 row = place / n, column = place - row * n;
        const float* from = x + number * parts * size + place;
        float sum = from[0];
        for (i64 p = 1; p < parts; p++) sum += from[p * size];
        i64 places[3];
        locate(view, number, places);
        y[places[2] + row * y_row + column] = finished<T>(sum, bias == nullptr ? 0.0f : wide(bias[column]), flags);
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
        float sums[MOST_ROWS] = {};
        const T* from = b + column * b_column;
#pragma unroll 4
        for (i64 i = lane * WIDTH; i < k; i += 32 * WIDTH) {
            Pack<T, WIDTH> z = *reinterpret_cast<const Pack<T, WIDTH>*>(from + i);
#pragma unroll
            for (int row = 0; row < MOST_ROWS; row++) {
                if (row >= m) break;
                Pack<T, WIDTH> x = *reinterpret_cast<const Pack<T, WIDTH>*>(a + row * a_row + i);
#pragma unroll
                for (int v = 0; v < WIDTH; v++) sums[row] += wide(x.at[v]) * wide(z.at[v]);
            }
        }
#pragma unroll
        for (int row = 0; row < MOST_ROWS; row++) {
            if (row >= m) break;
            float sum = sums[row];
#pragma unroll
            for (int bits = 16; bits > 0; bits /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, bits);
            if (lane == 0) {
                y[row * y_row + column] = finished<T>(sum, bias == nullptr ? 0.0f : wide(bias[column]), flags);
            }
        }
    }
}

#define ROWS(dtype, T)                                                                                                 \
    RL_BOUNDED(rows_##dtype, 128, 1, const T* a, const T* b, const T* bias, T* y, i64 m, i64 n, i64 k, i64 a_row,      \
               i64 b_column, i64 y_row, i64 flags) {                                                                   \
        multiply_rows(a, b, bias, y, m, n, k, a_row, b_column, y_row, (int)flags);                                     \
    }

#define LAYOUT(dtype, T, blocks, layout, a_along, b_along)                                                            \
    RL_BOUNDED(large_##layout##_##dtype, 256, blocks, OPERANDS(T)) {                                                  \
        product<T, 128, 128, 64, 32, 3, a_along, b_along>(NAMES);                                                     \
    }                                                                                                                 \
    RL_BOUNDED(small_##layout##_##dtype, 128, 4, OPERANDS(T)) {                                                       \
        product<T, 64, 64, 32, 32, 4, a_along, b_along>(NAMES);                                                       \
    }

#define DTYPE(dtype, T, blocks)                                                                                       \
    LAYOUT(dtype, T, blocks, nn, true, false)                                                                         \
    LAYOUT(dtype, T, blocks, nt, true, true)                                                                          \
    LAYOUT(dtype, T, blocks, tn, false, false)                                                                        \
    LAYOUT(dtype, T, blocks, tt, false, true)

#define PARTS(dtype, T)                                                                                               \
    RL_KERNEL(add_parts_##dtype, const float* x, const T* bias, T* y, i64 m, i64 n, i64 y_row, i64 parts, i64 batch,  \
              i64 flags, View<3> view) {                                                                              \
        add_parts(x, bias, y, m, n, y_row, parts, batch, (int)flags, view);                                           \
    }

DTYPE(f16, Half, 2)
DTYPE(bf16, Brain, 2)
// With 128 registers for each thread its fragments would not fit.
DTYPE(tf32, float, 1)
PARTS(f16, Half)
PARTS(bf16, Brain)
ROWS(f16, Half)
ROWS(bf16, Brain)
