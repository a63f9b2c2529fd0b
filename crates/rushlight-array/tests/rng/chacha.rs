//! The ChaCha generator: pure in (seed, stream, position), and of the right distribution.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rushlight_array::random::{ChaCha, Generator, GeneratorState, Purpose, RandomSource, TorchSeed};

#[test]
fn chacha_words_are_those_of_rand_chacha() {
    let mut reference = ChaCha8Rng::from_seed([0; 32]);
    let mut source = ChaCha::new(0, 0, 0);
    for _ in 0..1000 {
        assert_eq!(source.next_u32(), reference.next_u32());
    }
    let mut key = [0; 32];
    key[0] = 7;
    let mut reference = ChaCha8Rng::from_seed(key);
    reference.set_stream(3);
    let mut source = ChaCha::new(7, 3, 0);
    assert!((0..1000).all(|_| source.next_u32() == reference.next_u32()));
}

#[test]
fn chacha_words_are_those_of_the_published_cipher() {
    // draft-strombergson-chacha-test-vectors-01, TC1 (all-zero key and nonce), 256-bit key, 8 rounds:
    // the keystream starts with the bytes 3e 00 ef 2f 89 5f 40 d6 7f 5b b8 e8 1f 09 a5 a1.
    let mut source = ChaCha::new(0, 0, 0);
    let words: Vec<u32> = (0..4).map(|_| source.next_u32()).collect();
    assert_eq!(words, [0x2fef_003e, 0xd640_5f89, 0xe8b8_5b7f, 0xa1a5_091f]);
}

#[test]
fn chacha_numbers_follow_from_the_words_as_documented() {
    let words = |n| {
        let mut source = ChaCha::new(9, 0, 0);
        (0..n).map(|_| source.next_u32()).collect::<Vec<u32>>()
    };
    let generator = Generator::new(9);
    let mut x = [0.0; 3];
    generator.uniform_f32(&mut x, 0.0, 1.0);
    assert_eq!(x, [0, 1, 2].map(|i| (words(3)[i] % (1 << 24)) as f32 / 16_777_216.0));
    generator.manual_seed(9);
    let mut x = [0; 2];
    generator.randint(&mut x, -5, 5);
    let wide = |i: usize| u128::from(words(4)[2 * i]) << 32 | u128::from(words(4)[2 * i + 1]);
    assert_eq!(x, [0, 1].map(|i| ((wide(i) * 10) >> 64) as i64 - 5));
}

/// A name, the words that it takes, and the draw.
type Draw = (&'static str, u64, fn(&Generator));

/// The table in the documentation of `ChaCha`: every draw takes its fixed number of words.
#[test]
fn chacha_draws_take_a_fixed_number_of_words() {
    let draws: [Draw; 12] = [
        ("uniform f32", 7, |g| g.uniform_f32(&mut [0.0; 7], 0.0, 1.0)),
        ("uniform f64", 14, |g| g.uniform_f64(&mut [0.0; 7], 0.0, 1.0)),
        ("normal f32", 8, |g| g.normal_f32(&mut [0.0; 7], 0.0, 1.0)),
        ("normal f64", 16, |g| g.normal_f64(&mut [0.0; 7], 0.0, 1.0)),
        ("randint", 14, |g| g.randint(&mut [0; 7], i64::MIN, i64::MAX)),
        ("bernoulli", 14, |g| g.bernoulli(&mut [false; 7], 0.0)),
        ("bernoulli f32", 7, |g| g.bernoulli_f32(&mut [false; 7], &[1.0; 7])),
        ("bernoulli f64", 14, |g| g.bernoulli_f64(&mut [false; 7], &[1.0; 7])),
        ("exponential f32", 14, |g| g.exponential_f32(&mut [0.0; 7], 2.0)),
        ("randperm", 12, |g| drop(g.randperm(7))),
        ("multinomial without replacement", 14, |g| drop(g.multinomial_f32(&[1.0; 7], 3, false))),
        ("multinomial with replacement", 6, |g| drop(g.multinomial_f64(&[1.0; 7], 3, true))),
    ];
    for (name, words, draw) in draws {
        let generator = Generator::new(3);
        draw(&generator);
        let expected = GeneratorState::ChaCha { seed: 3, stream: 0, position: words };
        assert_eq!(generator.state(), expected, "{name}");
    }
}

#[test]
fn chacha_threads_fill_what_one_fill_gives() {
    const CHUNK: usize = 1000;
    let start = ChaCha::new(5, 0, 17);
    let mut whole = vec![0.0; 10 * CHUNK];
    start.clone().normal_f32(&mut whole, 1.0, 2.0);
    let mut pieces = vec![0.0; 10 * CHUNK];
    std::thread::scope(|scope| {
        for (i, chunk) in pieces.chunks_mut(CHUNK).enumerate() {
            let mut source = start.at(start.position() + (i * CHUNK) as u64);
            scope.spawn(move || source.normal_f32(chunk, 1.0, 2.0));
        }
    });
    assert_eq!(whole, pieces);
}

/// Mean, variance and the share beyond 1, 2 and 3 standard deviations, each within five standard errors.
fn assert_standard_normal(draws: &[f64]) {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    assert!(mean.abs() < 5.0 / n.sqrt(), "mean {mean}");
    let variance = draws.iter().map(|x| x * x).sum::<f64>() / n;
    assert!((variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "variance {variance}");
    let skewness = draws.iter().map(|x| x * x * x).sum::<f64>() / n;
    assert!(skewness.abs() < 5.0 * (15.0 / n).sqrt(), "third moment {skewness}");
    // 2 (1 - Phi(x)) from a table of the normal distribution.
    for (x, share) in [(1.0, 0.317_310_507_9), (2.0, 0.045_500_263_9), (3.0, 0.002_699_796_1)] {
        let found = draws.iter().filter(|z| z.abs() > x).count() as f64 / n;
        let error = (share * (1.0 - share) / n).sqrt();
        assert!((found - share).abs() < 5.0 * error, "share beyond {x}: {found}, expected {share}");
    }
    let neighbours = draws.chunks_exact(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / (n / 2.0);
    assert!(neighbours.abs() < 5.0 / (n / 2.0).sqrt(), "correlation within pairs {neighbours}");
}

#[test]
fn chacha_normals_are_standard_normal() {
    let mut draws = vec![0.0; 1_000_000];
    Generator::new(2024).normal_f64(&mut draws, 0.0, 1.0);
    assert_standard_normal(&draws);
    let mut draws = vec![0.0_f32; 1_000_000];
    Generator::new(2025).normal_f32(&mut draws, 0.0, 1.0);
    assert_standard_normal(&draws.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
}

#[test]
fn chacha_f32_normals_are_box_muller_of_their_words() {
    let mut source = ChaCha::new(1, 0, 0);
    let mut words = source.clone();
    let mut draws = [0.0; 2000];
    source.normal_f32(&mut draws, 0.0, 1.0);
    for pair in draws.chunks(2) {
        let u1 = (f64::from(words.next_u32() >> 1) + 0.5) / 2_147_483_648.0;
        let u2 = f64::from(words.next_u32() % (1 << 24)) / 16_777_216.0;
        let (radius, angle) = ((-2.0 * u1.ln()).sqrt(), std::f64::consts::TAU * u2);
        assert!((f64::from(pair[0]) - radius * angle.cos()).abs() < 2e-6);
        assert!((f64::from(pair[1]) - radius * angle.sin()).abs() < 2e-6);
    }
}

#[test]
fn weighted_draws_follow_their_weights() {
    let weights = [1.0, 0.0, 3.0, 4.0];
    let n = 100_000;
    for generator in [Generator::new(1), Generator::new(TorchSeed(1))] {
        let drawn = generator.multinomial_f32(&weights, n, true);
        let singles: Vec<i64> = (0..n).flat_map(|_| generator.multinomial_f32(&weights, 1, false)).collect();
        for draws in [drawn, singles] {
            for (place, weight) in weights.iter().enumerate() {
                let share = draws.iter().filter(|&&x| x == place as i64).count() as f64 / n as f64;
                assert!((share - f64::from(weight / 8.0)).abs() < 0.01, "place {place}: {share}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chacha_pieces_of_even_length_make_the_whole(
        seed in any::<u64>(), start in 0_u64..200, halves in 0_usize..100, n in 200_usize..400,
    ) {
        let cut = 2 * halves;
        let begin = ChaCha::new(seed, 0, start);
        let (mut whole, mut source) = (vec![0.0; n], begin.clone());
        source.normal_f32(&mut whole, 0.0, 1.0);
        let (mut pieces, mut source) = (vec![0.0; n], begin.clone());
        source.normal_f32(&mut pieces[..cut], 0.0, 1.0);
        source.normal_f32(&mut pieces[cut..], 0.0, 1.0);
        prop_assert_eq!(&whole, &pieces);
        // The second piece alone, from its own word: one word for each f32 normal, two for each f64 uniform.
        let mut tail = vec![0.0; n - cut];
        begin.at(start + cut as u64).normal_f32(&mut tail, 0.0, 1.0);
        prop_assert_eq!(&whole[cut..], &tail[..]);
        let (mut whole, mut tail) = (vec![0.0; n], vec![0.0; n - cut]);
        begin.clone().uniform_f64(&mut whole, 0.0, 1.0);
        begin.at(start + 2 * cut as u64).uniform_f64(&mut tail, 0.0, 1.0);
        prop_assert_eq!(&whole[cut..], &tail[..]);
    }

    #[test]
    fn chacha_streams_depend_on_nothing_but_seed_and_id(
        seed in any::<u64>(), step in 0_u64..1 << 24, index in 0_u64..1 << 32, drawn in 0_usize..50,
    ) {
        let draw = |g: &Generator| (0..8).map(|_| g.random_i64()).collect::<Vec<i64>>();
        let fresh = Generator::new(seed);
        let used = Generator::new(seed);
        used.uniform_f32(&mut vec![0.0; drawn], 0.0, 1.0);
        let stream = draw(&fresh.stream(Purpose::Dropout, step, index));
        prop_assert_eq!(&draw(&used.stream(Purpose::Dropout, step, index)), &stream);
        prop_assert_ne!(&draw(&fresh.stream(Purpose::Augment, step, index)), &stream);
        prop_assert_ne!(&draw(&fresh.stream(Purpose::Dropout, step ^ 1, index)), &stream);
        prop_assert_ne!(&draw(&fresh.stream(Purpose::Dropout, step, index ^ 1)), &stream);
        prop_assert_ne!(&draw(&fresh), &stream);
    }

    #[test]
    fn chacha_streams_are_uncorrelated(seed in any::<u64>(), step in 0_u64..1000) {
        let draw = |step| {
            let mut x = vec![0.0; 4096];
            Generator::new(seed).stream(Purpose::Init, step, 0).normal_f64(&mut x, 0.0, 1.0);
            x
        };
        let product: f64 = draw(step).iter().zip(draw(step + 1)).map(|(x, y)| x * y).sum();
        // Six standard errors of a mean of 4096 products of variance 1.
        prop_assert!((product / 4096.0).abs() < 6.0 / 64.0);
    }
}
