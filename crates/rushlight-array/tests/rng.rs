//! The generators. Here PyTorch's bits, for the Torch kind; in `rng/` what holds for both kinds, and ChaCha.

#[path = "rng/chacha.rs"]
mod chacha;
#[path = "rng/generator.rs"]
mod generator;

use rushlight_array::random::{Generator, GeneratorState, RandomSource, Seed, TorchCompat, TorchSeed};
use serde_json::Value;

/// What a vector of `golden/rng.json` is compared with.
enum Drawn {
    F32(Vec<f32>),
    F64(Vec<f64>),
    Int(Vec<i64>),
    /// Not the draws themselves, but arithmetic on them that PyTorch does in f32 elsewhere.
    Close(Vec<f32>, f32),
}

fn uniform(g: &Generator, n: usize, low: f64, high: f64) -> Drawn {
    let mut out = vec![0.0; n];
    g.uniform_f32(&mut out, low, high);
    Drawn::F32(out)
}

fn normal_values(g: &Generator, n: usize, mean: f64, std: f64) -> Vec<f32> {
    let mut out = vec![0.0; n];
    g.normal_f32(&mut out, mean, std);
    out
}

fn normal(g: &Generator, n: usize, mean: f64, std: f64) -> Drawn {
    Drawn::F32(normal_values(g, n, mean, std))
}

fn normal_f64(g: &Generator, n: usize) -> Drawn {
    let mut out = vec![0.0; n];
    g.normal_f64(&mut out, 0.0, 1.0);
    Drawn::F64(out)
}

fn randint(g: &Generator, n: usize, low: i64, high: i64) -> Drawn {
    let mut out = vec![0; n];
    g.randint(&mut out, low, high);
    Drawn::Int(out)
}

fn bernoulli(g: &Generator, p: f64) -> Drawn {
    let mut out = [false; 30];
    g.bernoulli(&mut out, p);
    Drawn::Int(out.map(i64::from).to_vec())
}

fn bernoulli_each(g: &Generator, p: f32) -> Drawn {
    let mut out = [false; 30];
    g.bernoulli_f32(&mut out, &[p; 30]);
    Drawn::Int(out.map(i64::from).to_vec())
}

/// The weight of a Linear or Conv: `kaiming_uniform_(a=sqrt(5))`, evaluated in PyTorch's order.
fn layer_weight(g: &Generator, n: usize, fan_in: f64) -> Drawn {
    let a = 5.0_f64.sqrt();
    let bound = 3.0_f64.sqrt() * ((2.0 / (1.0 + a * a)).sqrt() / fan_in.sqrt());
    uniform(g, n, -bound, bound)
}

fn layer_bias(g: &Generator, n: usize, fan_in: f64) -> Drawn {
    let bound = 1.0 / fan_in.sqrt();
    uniform(g, n, -bound, bound)
}

/// A shuffled epoch takes a base seed (unused with one process) and a sampler seed from the generator.
fn epoch(g: &Generator, n: usize) -> Vec<i64> {
    let _base_seed = g.random_i64();
    g.fork(g.random_i64() as u64).randperm(n)
}

/// Normals, drawn anew as a whole until each place has had one within two standard deviations.
fn trunc_normal(g: &Generator, n: usize) -> Vec<f32> {
    let inside = |x: &f32| (-2.0..=2.0).contains(x);
    let mut out = normal_values(g, n, 0.0, 1.0);
    while !out.iter().all(inside) {
        let again = normal_values(g, n, 0.0, 1.0);
        out.iter_mut().zip(again).filter(|(x, _)| !inside(x)).for_each(|(x, y)| *x = y);
    }
    out
}

/// Orthonormal rows from normal draws. The QR whose R has a positive diagonal is unique, so Gram and Schmidt
/// find the one that PyTorch gets from LAPACK after its correction of the signs.
fn orthogonal(g: &Generator, rows: usize, columns: usize) -> Vec<f32> {
    let draws = normal_values(g, rows * columns, 0.0, 1.0);
    let mut done: Vec<Vec<f64>> = Vec::new();
    for row in draws.chunks(columns) {
        let mut row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        for unit in &done {
            let along: f64 = row.iter().zip(unit).map(|(x, u)| x * u).sum();
            row.iter_mut().zip(unit).for_each(|(x, u)| *x -= along * u);
        }
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        done.push(row.iter().map(|x| x / length).collect());
    }
    done.into_iter().flatten().map(|x| x as f32).collect()
}

/// The draws of one `call`; the `_x6` initialisations have fan_in 6, fan_out 4.
fn replay(call: &str, g: &Generator) -> Option<Drawn> {
    let weights = [0.1, 3.0, 0.7, 2.2, 0.0, 1.5];
    Some(match call {
        "u32 words (randint(0, 2**28 - 57, (8,)) is word % that)" => randint(g, 8, 0, (1 << 28) - 57),
        "rand(20) f32" => uniform(g, 20, 0.0, 1.0),
        "rand(2) next" => uniform(g, 2, 0.0, 1.0),
        "rand(5) f64" => {
            let mut out = vec![0.0; 5];
            g.uniform_f64(&mut out, 0.0, 1.0);
            Drawn::F64(out)
        }
        "randn(15) f32" => normal(g, 15, 0.0, 1.0),
        "randn(16) f32" => normal(g, 16, 0.0, 1.0),
        "randn(35) f32" | "Embedding(7,5).weight" => normal(g, 35, 0.0, 1.0),
        "randn(1000) f32" => normal(g, 1000, 0.0, 1.0),
        "randn(7) f64" => normal_f64(g, 7),
        "randn(35) f64" => normal_f64(g, 35),
        "randint(0,10,(20,))" => randint(g, 20, 0, 10),
        "randint(-2**40,2**62,(4,))" => randint(g, 4, -1 << 40, 1 << 62),
        "empty(3,int64).random_()" => Drawn::Int((0..3).map(|_| g.random_i64()).collect()),
        "randperm(5)" => Drawn::Int(g.randperm(5)),
        "randperm(20) next" => Drawn::Int(g.randperm(20)),
        "empty(30).bernoulli_(0.3)" => bernoulli(g, 0.3),
        "bernoulli(full((30,),0.3)) f32 p" => bernoulli_each(g, 0.3),
        "dropout(ones(30), 0.2, True) != 0" => bernoulli(g, 1.0 - 0.2),
        "empty(5,f64).exponential_()" => {
            let mut out = vec![0.0; 5];
            g.exponential_f64(&mut out, 1.0);
            Drawn::F64(out)
        }
        "multinomial([.1,3,.7,2.2,0,1.5], 12, replacement=True)" => {
            Drawn::Int(g.multinomial_f32(&weights, 12, true))
        }
        "multinomial(same, 4)" => Drawn::Int(g.multinomial_f32(&weights, 4, false)),
        "multinomial(same, 1)" => Drawn::Int(g.multinomial_f32(&weights, 1, false)),
        "uniform_(-0.3, 0.7) f32 x 12" => uniform(g, 12, -0.3, 0.7),
        "normal_(2, 3) f32 x 5 next" => normal(g, 5, 2.0, 3.0),
        "normal_(2, 3) f32 x 20" => normal(g, 20, 2.0, 3.0),
        "Linear(2,30).weight" => layer_weight(g, 60, 2.0),
        "Linear(2,30).bias" => layer_bias(g, 30, 2.0),
        "Conv2d(1,10,5).weight" => layer_weight(g, 250, 25.0),
        "Conv2d(1,10,5).bias" => layer_bias(g, 10, 25.0),
        "DataLoader(17 items, shuffle) 2 epochs, then rand(2)" => {
            Drawn::Int([epoch(g, 17), epoch(g, 17)].concat())
        }
        "randn(3); randn(1) = second of a pair" => {
            normal(g, 3, 0.0, 1.0);
            normal(g, 1, 0.0, 1.0)
        }
        "randn(3); randn(32); randn(1): the pair survives" => {
            normal(g, 3, 0.0, 1.0);
            normal(g, 32, 0.0, 1.0);
            normal(g, 1, 0.0, 1.0)
        }
        "init.kaiming_normal_(4x6, relu)" => normal(g, 24, 0.0, 2.0_f64.sqrt() / 6.0_f64.sqrt()),
        "init.kaiming_uniform_(4x6, relu)" => {
            let bound = 3.0_f64.sqrt() * (2.0_f64.sqrt() / 6.0_f64.sqrt());
            uniform(g, 24, -bound, bound)
        }
        "init.xavier_uniform_(4x6)" => {
            let bound = 3.0_f64.sqrt() * (2.0_f64 / 10.0).sqrt();
            uniform(g, 24, -bound, bound)
        }
        "init.xavier_normal_(4x6)" => normal(g, 24, 0.0, (2.0_f64 / 10.0).sqrt()),
        "init.trunc_normal_(4x6)" => Drawn::F32(trunc_normal(g, 24)),
        "init.orthogonal_(4x6)" => Drawn::Close(orthogonal(g, 4, 6), 1e-6),
        _ => return None,
    })
}

/// Whether `call` goes on with the generator of the vector before it. A layer draws its bias after its weight.
fn goes_on(call: &str) -> bool {
    call.ends_with(" next") || call.ends_with(".bias")
}

fn list<'a>(vector: &'a Value, key: &str) -> &'a [Value] {
    vector[key].as_array().unwrap_or_else(|| panic!("no list {key} in {vector}"))
}

fn bits(vector: &Value, key: &str) -> Vec<u64> {
    list(vector, key).iter().map(|hex| u64::from_str_radix(hex.as_str().unwrap(), 16).unwrap()).collect()
}

/// Compares hex words: all of them, or the first 40 and the last 4 of a long vector, whose sum is given too.
fn check_bits(drawn: &[u64], sum: f64, vector: &Value) {
    assert_eq!(drawn.len() as u64, vector["n"].as_u64().unwrap(), "length of {vector}");
    let first = bits(vector, "bits");
    assert_eq!(drawn[..first.len()], first, "bits of {vector}");
    if first.len() < drawn.len() {
        let last = bits(vector, "last_bits");
        assert_eq!(drawn[drawn.len() - last.len()..], last, "last bits of {vector}");
        let expected = vector["sum_f64"].as_f64().unwrap();
        assert!((sum - expected).abs() < 1e-10, "sum {sum}, expected {expected}");
    }
}

fn check(drawn: &Drawn, vector: &Value) {
    match drawn {
        Drawn::F32(x) => {
            let words: Vec<u64> = x.iter().map(|x| u64::from(x.to_bits())).collect();
            check_bits(&words, x.iter().map(|&x| f64::from(x)).sum(), vector);
        }
        Drawn::F64(x) => {
            let words: Vec<u64> = x.iter().map(|x| x.to_bits()).collect();
            check_bits(&words, x.iter().sum(), vector);
        }
        Drawn::Int(x) => {
            let nested = list(vector, "values").iter();
            let values: Vec<i64> = nested
                .flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]))
                .map(|value| value.as_i64().unwrap())
                .collect();
            assert_eq!(*x, values, "values of {vector}");
        }
        Drawn::Close(x, tolerance) => {
            let expected: Vec<f32> =
                bits(vector, "bits").iter().map(|&bits| f32::from_bits(bits as u32)).collect();
            assert_eq!(x.len(), expected.len(), "length of {vector}");
            for (i, (x, y)) in x.iter().zip(&expected).enumerate() {
                assert!((x - y).abs() <= *tolerance, "place {i}: {x}, expected {y} in {vector}");
            }
        }
    }
}

#[test]
fn torch_seeds_give_every_vector_of_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("golden/rng.json")).unwrap();
    let mut generator = Generator::new(TorchSeed(0));
    let mut checked = 0;
    for vector in list(&golden, "vectors") {
        let call = vector["call"].as_str().unwrap();
        let seed = Seed::Torch(vector["seed"].as_u64().unwrap());
        if goes_on(call) {
            assert_eq!(generator.initial_seed(), seed, "{call} goes on with another seed");
        } else {
            generator = Generator::new(seed);
        }
        let drawn = replay(call, &generator).unwrap_or_else(|| panic!("unknown vector: {call}"));
        check(&drawn, vector);
        checked += 1;
    }
    assert_eq!(checked, 168);
}

#[test]
fn mt19937_gives_the_reference_words() {
    // C++ standard, [rand.predef]: the 10000th word of seed 5489. The other words: seed 123 of torch-rng.md.
    let mut source = TorchCompat::new(5489);
    let ten_thousandth = (0..10_000).map(|_| source.next_u32()).last();
    assert_eq!(ten_thousandth, Some(4_123_659_995));
    let mut source = TorchCompat::new((1 << 32) + 123);
    let words: Vec<u32> = (0..3).map(|_| source.next_u32()).collect();
    assert_eq!(words, [2_991_312_382, 3_062_119_789, 1_228_959_102]);
    assert_eq!(TorchCompat::new(u64::MAX).next_u32(), 419_326_371);
}

#[test]
fn torch_normals_of_length_17_redraw_the_last_16_places() {
    // torch.manual_seed(123); torch.randn(17): 17 words for the fill, 16 more for the tail.
    let generator = Generator::new(TorchSeed(123));
    let drawn = normal_values(&generator, 17, 0.0, 1.0);
    let places = [0, 1, 15, 16].map(|i: usize| drawn[i].to_bits());
    assert_eq!(places, [0x3eac_bbc9, 0xbf82_9ed3, 0xc035_c276, 0xbf48_ec26]);
    assert!(matches!(generator.state(), GeneratorState::Torch { position: 33, kept_normal: None, .. }));
}

#[test]
fn torch_integers_take_a_second_word_from_2_to_the_28_on() {
    let draw = |high| match randint(&Generator::new(TorchSeed(123)), 2, 0, high) {
        Drawn::Int(x) => x,
        _ => unreachable!(),
    };
    assert_eq!(draw((1 << 28) - 1), [38_522_377, 109_329_784]);
    assert_eq!(draw(1 << 28), [109_329_773, 229_655_874]);
}

#[test]
fn torch_f32_normals_have_every_bit_over_400_000_draws() {
    // The vectors are too few to feel the last bits of the polynomials. The sum is from PyTorch 2.15 (AVX-512):
    // torch.manual_seed(77); x = torch.randn(400_000)
    // (x.view(torch.int32).to(torch.int64) * torch.arange(1, 400_001)).sum()
    let drawn = normal_values(&Generator::new(TorchSeed(77)), 400_000, 0.0, 1.0);
    let sum = drawn
        .iter()
        .zip(1_i64..)
        .fold(0_i64, |sum, (x, place)| sum.wrapping_add(i64::from(x.to_bits() as i32).wrapping_mul(place)));
    assert_eq!(sum, -1_364_278_074_474_021_621);
}
