//! What holds for generators of both kinds.

use proptest::prelude::*;
use rushlight_array::random::{
    Generator, GeneratorState, Purpose, Seed, TorchSeed, default_generator, manual_seed,
    with_default_generator,
};
use std::cell::RefCell;

#[test]
fn integers_of_every_type_make_seeds() {
    assert_eq!(Seed::from(5_u32), Seed::ChaCha(5));
    assert_eq!(Seed::from(5_usize), Seed::ChaCha(5));
    assert_eq!(Seed::from(5_u64), Seed::ChaCha(5));
    assert_eq!(Seed::from(-5_i32), Seed::ChaCha(u64::MAX - 4));
    assert_eq!(Seed::from(-5_i64), Seed::ChaCha(u64::MAX - 4));
    assert_eq!(Seed::from(TorchSeed(5)), Seed::Torch(5));
}

/// The one test that touches the process-wide generator, because tests run side by side.
#[test]
fn manual_seed_starts_the_default_generator_anew() {
    let unseeded = default_generator();
    assert!(matches!(unseeded.initial_seed(), Seed::ChaCha(_)));
    let first = manual_seed(3).random_i64();
    assert_ne!(default_generator().random_i64(), first);
    manual_seed(3);
    assert_eq!(unseeded.random_i64(), first);
    manual_seed(TorchSeed(123));
    assert_eq!(default_generator().randperm(5), [2, 0, 1, 3, 4]);
    assert_eq!(default_generator().initial_seed(), Seed::Torch(123));
}

/// The seed of the default generator of this place.
fn seed_here() -> Seed {
    default_generator().initial_seed()
}

#[test]
fn a_scope_has_a_default_generator_of_its_own() {
    let seen = with_default_generator(
        || Generator::new(1),
        || {
            let first = default_generator().random_i64();
            let second = default_generator().random_i64();
            let inner = with_default_generator(|| Generator::new(2), seed_here);
            (first, second, inner, seed_here())
        },
    );
    let one = Generator::new(1);
    assert_eq!(seen, (one.random_i64(), one.random_i64(), Seed::ChaCha(2), Seed::ChaCha(1)));
}

#[test]
fn a_scope_makes_its_generator_when_it_is_asked_for_or_never() {
    assert_eq!(with_default_generator(|| panic!("nobody asked"), || 5), 5);
    // What is asked for while it is made is the scope's outside.
    let outside = || Generator::new(3);
    let seed =
        with_default_generator(outside, || with_default_generator(|| default_generator().fork(4), seed_here));
    assert_eq!(seed, Seed::ChaCha(4));
}

#[test]
fn a_panic_ends_its_scopes() {
    with_default_generator(
        || Generator::new(1),
        || {
            let panic = std::panic::catch_unwind(|| {
                with_default_generator(
                    || Generator::new(2),
                    || with_default_generator(|| panic!(), seed_here),
                )
            });
            assert!(panic.is_err());
            assert_eq!(seed_here(), Seed::ChaCha(1));
        },
    );
}

#[test]
fn manual_seed_in_a_scope_seeds_the_scope_alone() {
    with_default_generator(
        || Generator::new(1),
        || {
            with_default_generator(
                || Generator::new(2),
                || assert_eq!(manual_seed(7).initial_seed(), seed_here()),
            );
            assert_eq!(seed_here(), Seed::ChaCha(1));
        },
    );
}

#[test]
fn forks_keep_the_kind_and_leave_the_parent_alone() {
    let parent = Generator::new(TorchSeed(1));
    assert_eq!(parent.fork(123).randperm(5), [2, 0, 1, 3, 4]);
    assert_eq!(parent.state(), Generator::new(TorchSeed(1)).state());
    assert_eq!(Generator::new(1).fork(123).initial_seed(), Seed::ChaCha(123));
}

#[test]
fn streams_of_a_torch_generator_differ_from_it_and_from_each_other() {
    let parent = Generator::new(TorchSeed(1));
    let first = |g: &Generator| g.random_i64();
    let draws = [
        first(&parent.stream(Purpose::Init, 0, 0)),
        first(&parent.stream(Purpose::Dropout, 0, 0)),
        first(&parent.stream(Purpose::Init, 1, 0)),
        first(&parent.stream(Purpose::Init, 0, 1)),
        first(&parent),
    ];
    for (i, draw) in draws.iter().enumerate() {
        assert!(!draws[..i].contains(draw));
    }
    assert_eq!(first(&parent.stream(Purpose::Init, 0, 1)), draws[3]);
    assert_eq!(parent.stream(Purpose::Init, 0, 0).initial_seed(), Seed::Torch(1));
}

#[test]
fn stream_ids_are_purpose_step_index() {
    let id = |purpose, step, index| match Generator::new(0).stream(purpose, step, index).state() {
        GeneratorState::ChaCha { stream, .. } => stream,
        GeneratorState::Torch { .. } => unreachable!(),
    };
    assert_eq!(id(Purpose::Init, 0, 0), 0x0100_0000_0000_0000);
    assert_eq!(id(Purpose::Shuffle, 2, 3), 0x0300_0002_0000_0003);
    assert_eq!(id(Purpose::User(127), (1 << 24) - 1, (1 << 32) - 1), u64::MAX);
}

#[test]
fn empty_fills_use_up_nothing() {
    for generator in [Generator::new(1), Generator::new(TorchSeed(1))] {
        let before = generator.state();
        generator.uniform_f32(&mut [], 0.0, 1.0);
        generator.normal_f64(&mut [], 0.0, 1.0);
        assert_eq!(generator.randperm(0), [0_i64; 0]);
        assert_eq!(generator.randperm(1), [0]);
        assert_eq!(generator.state(), before);
    }
}

thread_local! {
    /// The file of this thread's last panic.
    static PANICKED_IN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A message, and the call that panics with it.
type Wrong = (&'static str, fn(&Generator));

/// A wrong argument panics with its value, at the caller's line, and draws nothing.
#[test]
fn wrong_arguments_panic_clearly() {
    let cases: [Wrong; 19] = [
        ("randint: low 3 must be below high 2", |g| g.randint(&mut [0], 3, 2)),
        ("uniform: low 2.0 must not be above high 1.0", |g| g.uniform_f32(&mut [0.0], 2.0, 1.0)),
        ("uniform: low NaN must not be above high 1.0", |g| g.uniform_f64(&mut [0.0], f64::NAN, 1.0)),
        ("uniform: the range from low -3e38 to high 3e38 must be finite in its type", |g| {
            g.uniform_f32(&mut [0.0], -3e38, 3e38)
        }),
        ("normal: std -1.0 must be at least 0", |g| g.normal_f32(&mut [0.0], 0.0, -1.0)),
        ("bernoulli: probability 1.5 must be between 0 and 1", |g| g.bernoulli(&mut [false], 1.5)),
        ("bernoulli: probability NaN at index 1 must be between 0 and 1", |g| {
            g.bernoulli_f32(&mut [false; 2], &[0.5, f32::NAN])
        }),
        ("bernoulli: 2 places to fill, but 1 probabilities; one each is needed", |g| {
            g.bernoulli_f64(&mut [false; 2], &[0.5])
        }),
        ("exponential: lambda 0.0 must be above 0", |g| g.exponential_f64(&mut [0.0], 0.0)),
        ("multinomial: weight NaN at index 1 must be finite and at least 0", |g| {
            g.multinomial_f32(&[1.0, f32::NAN], 1, true);
        }),
        ("multinomial: weight -1.0 at index 0 must be finite and at least 0", |g| {
            g.multinomial_f64(&[-1.0], 1, false);
        }),
        ("multinomial: the sum of the 2 weights is 0; at least one must be above 0", |g| {
            g.multinomial_f32(&[0.0, 0.0], 1, false);
        }),
        ("multinomial: the sum of the 2 weights overflows its type", |g| {
            g.multinomial_f32(&[3e38, 3e38], 1, false);
        }),
        ("multinomial: 0 draws asked for; at least 1 is needed", |g| {
            g.multinomial_f32(&[1.0], 0, false);
        }),
        ("multinomial: 2 draws without replacement from 1 weights above 0 (of 2)", |g| {
            g.multinomial_f32(&[1.0, 0.0], 2, false);
        }),
        ("stream: step 16777216 must be below 2^24 = 16777216", |g| {
            drop(g.stream(Purpose::Init, 1 << 24, 0))
        }),
        ("stream: index 4294967296 must be below 2^32 = 4294967296", |g| {
            drop(g.stream(Purpose::Init, 0, 1 << 32))
        }),
        ("Purpose::User: the number must be at most 127", |g| drop(g.stream(Purpose::User(128), 0, 0))),
        ("TorchCompat: position 625 must be at most 624", |g| {
            let words = Box::new([0; 624]);
            g.set_state(&GeneratorState::Torch { seed: 0, words, position: 625, kept_normal: None });
        }),
    ];
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let file = info.location().map_or("", |location| location.file());
        PANICKED_IN.with(|panicked| *panicked.borrow_mut() = file.to_string());
        print(info);
    }));
    for (expected, draw) in cases {
        let generator = Generator::new(0);
        let panic = std::panic::catch_unwind(|| draw(&generator)).expect_err(expected);
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        assert_eq!(message.as_deref(), Some(expected));
        assert_eq!(PANICKED_IN.take(), file!(), "{expected}");
        assert_eq!(generator.state(), Generator::new(0).state(), "{expected}");
    }
}

/// Some of everything, so that the state is somewhere in the middle of a block, with or without a kept normal.
fn draw_a_little(g: &Generator, n: usize) -> Vec<f64> {
    let mut x = vec![0.0; n];
    g.normal_f64(&mut x, 0.0, 1.0);
    let mut y = vec![0.0; n];
    g.uniform_f32(&mut y, 0.0, 1.0);
    let mut z = vec![0.0; 3];
    g.exponential_f64(&mut z, 1.0);
    [x, y.into_iter().map(f64::from).collect(), z].concat()
}

fn any_seed() -> impl Strategy<Value = Seed> {
    prop_oneof![any::<u64>().prop_map(Seed::ChaCha), any::<u64>().prop_map(Seed::Torch)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_saved_state_goes_on_exactly(seed in any_seed(), before in 0_usize..900, after in 0_usize..40) {
        let generator = Generator::new(seed);
        draw_a_little(&generator, before);
        let state = generator.state();
        let expected = draw_a_little(&generator, after);
        let other = Generator::new(0);
        other.set_state(&state);
        prop_assert_eq!(other.initial_seed(), seed);
        prop_assert_eq!(other.state(), state);
        prop_assert_eq!(draw_a_little(&other, after), expected);
        prop_assert_eq!(other.state(), generator.state());
    }

    #[test]
    fn randperm_is_a_permutation(seed in any_seed(), n in 0_usize..300) {
        let mut order = Generator::new(seed).randperm(n);
        order.sort_unstable();
        prop_assert_eq!(order, (0..n as i64).collect::<Vec<i64>>());
    }

    #[test]
    fn uniform_draws_stay_in_their_range(seed in any_seed(), low in -1e3_f64..1e3, width in 1e-9_f64..1e3) {
        let generator = Generator::new(seed);
        let high = low + width;
        let mut x = [0.0; 200];
        generator.uniform_f64(&mut x, low, high);
        prop_assert!(x.iter().all(|x| (low..high).contains(x)));
        let mut y = [0.0; 200];
        generator.uniform_f32(&mut y, low, high);
        // The bounds are those of the type: rounded to f32 they may be one number, which is then the draw.
        let (low, high) = (low as f32, high as f32);
        prop_assert!(y.iter().all(|&y| y == low || (low..high).contains(&y)));
    }

    #[test]
    fn integers_stay_in_their_range(seed in any_seed(), a in any::<i64>(), b in any::<i64>()) {
        prop_assume!(a != b);
        let mut x = [0; 50];
        Generator::new(seed).randint(&mut x, a.min(b), a.max(b));
        prop_assert!(x.iter().all(|x| (a.min(b)..a.max(b)).contains(x)));
    }

    #[test]
    fn draws_without_replacement_are_distinct(seed in any_seed(), n in 1_usize..50, k in 1_usize..50) {
        prop_assume!(k <= n);
        let mut places = Generator::new(seed).multinomial_f64(&vec![0.5; n], k, false);
        places.sort_unstable();
        places.dedup();
        prop_assert_eq!(places.len(), k);
        prop_assert!(places.iter().all(|&place| (0..n as i64).contains(&place)));
    }
}
