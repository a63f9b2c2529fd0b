// Random draws: the words of ChaCha with 8 rounds (D. J. Bernstein, 2008) by their number, and the same arithmetic on them
// as on the CPU, multiplied and added one after the other, so that uniform values, normals of f32, truth values and integers
// have the same bits. Normals of f64 go through the device's `log`, `sin` and `cos`, which may differ in the last place.

#include "rushlight.h"

typedef uint64_t u64;

// The words of a block of threads: each makes 16 of them, which begin at a multiple of 16; the first wanted one need not.
constexpr int THREADS = 256, WORDS = THREADS * 16 - 16;

RL_INLINE uint32_t rotate(uint32_t x, int by) { return x << by | x >> (32 - by); }

RL_INLINE void quarter(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d) {
    a += b, d = rotate(d ^ a, 16);
    c += d, b = rotate(b ^ c, 12);
    a += b, d = rotate(d ^ a, 8);
    c += d, b = rotate(b ^ c, 7);
}

// The 16 words of a number.
RL_INLINE void chacha(u64 seed, u64 stream, u64 number, uint32_t out[16]) {
    uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, (uint32_t)seed, (uint32_t)(seed >> 32), 0, 0, 0, 0,
                       0, 0, (uint32_t)number, (uint32_t)(number >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
#pragma unroll
    for (int i = 0; i < 16; i++) out[i] = in[i];
#pragma unroll
    for (int round = 0; round < 4; round++) {
        quarter(out[0], out[4], out[8], out[12]);
        quarter(out[1], out[5], out[9], out[13]);
        quarter(out[2], out[6], out[10], out[14]);
        quarter(out[3], out[7], out[11], out[15]);
        quarter(out[0], out[5], out[10], out[15]);
        quarter(out[1], out[6], out[11], out[12]);
        quarter(out[2], out[7], out[8], out[13]);
        quarter(out[3], out[4], out[9], out[14]);
    }
#pragma unroll
    for (int i = 0; i < 16; i++) out[i] += in[i];
}

// The words of one value.
struct Words {
    const uint32_t* made;
    int at;
    RL_INLINE uint32_t operator()(int k) const { return made[(at + k) + (at + k) / 16]; }
};

// Calls `act(i, words)` for values of `each` words, of which the first is word `position` of the stream.
template <class F>
RL_INLINE void drawn(u64 seed, u64 stream, u64 position, int each, i64 values, F act) {
    // A place more for each 16 words, so that the threads write to different banks.
    __shared__ uint32_t made[THREADS * 17];
    i64 in_block = WORDS / each;
    i64 blocks = (values + in_block - 1) / in_block;
    for (i64 block = blockIdx.x; block < blocks; block += gridDim.x) {
        i64 first = block * in_block;
        u64 start = position + (u64)first * each;
        int skipped = (int)(start % 16);
        uint32_t words[16];
        chacha(seed, stream, start / 16 + threadIdx.x, words);
#pragma unroll
        for (int i = 0; i < 16; i++) made[threadIdx.x * 17 + i] = words[i];
        __syncthreads();
        i64 there = min(in_block, values - first);
        for (int i = threadIdx.x; i < there; i += THREADS) {
            act(first + i, Words{made, skipped + i * each});
        }
        __syncthreads();
    }
}

RL_INLINE float unit_f32(uint32_t word) { return __fmul_rn((float)(int)(word & 0x00ffffff), 1.0f / 16777216.0f); }
RL_INLINE u64 join(uint32_t upper, uint32_t lower) { return (u64)upper << 32 | lower; }
RL_INLINE double unit_f64(uint32_t upper, uint32_t lower) {
    u64 bits = join(upper, lower) & (((u64)1 << 53) - 1);
    return __dmul_rn((double)bits, 1.0 / 9007199254740992.0);
}

RL_BOUNDED(random_uniform_f32, THREADS, 4, float* out, u64 seed, u64 stream, u64 position, float low, float high, i64 count) {
    float range = __fadd_rn(high, -low);
    drawn(seed, stream, position, 1, count, [&](i64 i, Words word) {
        float x = __fadd_rn(__fmul_rn(unit_f32(word(0)), range), low);
        out[i] = x < high ? x : low;
    });
}

RL_BOUNDED(random_uniform_f64, THREADS, 4, double* out, u64 seed, u64 stream, u64 position, double low, double high, i64 count) {
    double range = __dadd_rn(high, -low);
    drawn(seed, stream, position, 2, count, [&](i64 i, Words word) {
        double x = __dadd_rn(__dmul_rn(unit_f64(word(0), word(1)), range), low);
        out[i] = x < high ? x : low;
    });
}

RL_BOUNDED(random_bernoulli_bool, THREADS, 4, boolean* out, u64 seed, u64 stream, u64 position, double p, i64 count) {
    drawn(seed, stream, position, 2, count, [&](i64 i, Words word) { out[i] = unit_f64(word(0), word(1)) < p; });
}

RL_BOUNDED(random_integers_i64, THREADS, 4, i64* out, u64 seed, u64 stream, u64 position, i64 low, u64 range, i64 count) {
    drawn(seed, stream, position, 2, count, [&](i64 i, Words word) {
        out[i] = (i64)((u64)low + __umul64hi(join(word(0), word(1)), range));
    });
}

// a * b + c, rounded twice.
RL_INLINE float mad(float a, float b, float c) { return __fadd_rn(__fmul_rn(a, b), c); }

// The polynomials of Cephes (S. L. Moshier, 1989), step by step as in `random/polynomial.rs`.
RL_INLINE float ln(float x) {
    constexpr float COEFFICIENTS[8] = {-1.151461e-1f, 1.16769984e-1f, -1.2420141e-1f, 1.4249323e-1f,
                                       -1.6668058e-1f, 2.0000714e-1f, -2.4999994e-1f, 3.333333e-1f};
    uint32_t bits = __float_as_uint(x);
    float mantissa = __uint_as_float((bits & 0x007fffffu) | 0x3f000000u);
    float exponent = (float)((int)(bits >> 23) - 126);
    // Half of the square root of 2, whose f32 is 1.41421356.
    bool small = mantissa < 1.41421356237309504880f / 2.0f;
    float e = __fadd_rn(exponent, small ? -1.0f : -0.0f);
    float t = __fadd_rn(__fadd_rn(mantissa, -1.0f), small ? mantissa : 0.0f);
    float square = __fmul_rn(t, t), series = 7.0376836e-2f;
#pragma unroll
    for (int i = 0; i < 8; i++) series = mad(series, t, COEFFICIENTS[i]);
    series = __fmul_rn(series, t);
    float tail = __fadd_rn(mad(series, square, __fmul_rn(e, -2.1219444e-4f)), -__fmul_rn(square, 0.5f));
    return mad(e, 355.0f / 512.0f, __fadd_rn(t, tail));
}

// Sine and cosine of x in [0, 2 pi].
RL_INLINE void sin_cos(float x, float& sine, float& cosine) {
    float eighths = __fmul_rn(x, 2.0f / 1.57079632679489661923f);
    int octant = 2 * ((eighths >= 1.0f) + (eighths >= 3.0f) + (eighths >= 5.0f) + (eighths >= 7.0f));
    float turn = (float)octant;
    x = mad(turn, -0.78515625f, x);
    x = mad(turn, -2.4187565e-4f, x);
    x = mad(turn, -3.774895e-8f, x);
    float z = __fmul_rn(x, x);
    float cos = __fmul_rn(mad(mad(2.4433157e-5f, z, -1.3887316e-3f), z, 4.1666646e-2f), z);
    cos = __fadd_rn(mad(cos, z, -__fmul_rn(z, 0.5f)), 1.0f);
    float sin = mad(mad(-1.9515296e-4f, z, 8.332161e-3f), z, -1.6666655e-1f);
    sin = mad(__fmul_rn(sin, z), x, x);
    bool same = (octant & 2) == 0;
    float first = same ? sin : cos, second = same ? cos : sin;
    sine = (octant & 4) == 0 ? first : -first;
    cosine = ((octant - 2) & 4) == 0 ? -second : second;
}

RL_BOUNDED(random_normal_f32, THREADS, 4, float* out, u64 seed, u64 stream, u64 position, float mean, float std, i64 count) {
    drawn(seed, stream, position, 2, (count + 1) / 2, [&](i64 i, Words word) {
        float u = __fmul_rn(__fadd_rn((float)(int)(word(0) >> 1), 0.5f), 1.0f / 2147483648.0f);
        float radius = __fsqrt_rn(__fmul_rn(-2.0f, ln(u)));
        float sine, cosine;
        sin_cos(__fmul_rn(6.28318530717958647692f, unit_f32(word(1))), sine, cosine);
        out[2 * i] = mad(__fmul_rn(radius, cosine), std, mean);
        if (2 * i + 1 < count) out[2 * i + 1] = mad(__fmul_rn(radius, sine), std, mean);
    });
}

RL_BOUNDED(random_normal_f64, THREADS, 2, double* out, u64 seed, u64 stream, u64 position, double mean, double std, i64 count) {
    drawn(seed, stream, position, 4, (count + 1) / 2, [&](i64 i, Words word) {
        double radius = sqrt(__dmul_rn(-2.0, log(1.0 - unit_f64(word(0), word(1)))));
        double angle = __dmul_rn(6.28318530717958647692, unit_f64(word(2), word(3)));
        double sine = sin(angle), cosine = cos(angle);
        out[2 * i] = __dadd_rn(__dmul_rn(__dmul_rn(radius, cosine), std), mean);
        if (2 * i + 1 < count) out[2 * i + 1] = __dadd_rn(__dmul_rn(__dmul_rn(radius, sine), std), mean);
    });
}
