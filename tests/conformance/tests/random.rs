//! Random arguments at every operation: the answer is a value or a message in the house form, never a panic from
//! inside, an overflow, or a call that does not come back.

use proptest::prelude::*;
use rushlight::array::random::Generator;
use rushlight::{DType, Tensor};
use rushlight_conformance::args::{Args, Py};
use rushlight_conformance::golden::{self, Golden};
use rushlight_conformance::ops;
use rushlight_conformance::run::{Inputs, hush, last_panic};
use safetensors::SafeTensors;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Integers at the edges. None lies between small ones and those whose product with any size cannot be had: what could
/// be had would only be slow.
const INTS: [i64; 14] = [0, 1, 2, 3, 4, 7, -1, -2, -3, -5, 1 << 44, -(1 << 44), i64::MAX, i64::MIN];
const FLOATS: [f64; 10] = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
const SIZES: [usize; 6] = [0, 1, 2, 3, 4, 5];

/// A generous time for any call on arguments as small as these.
const LONGEST: Duration = Duration::from_secs(20);

fn goldens() -> &'static [Golden] {
    static GOLDENS: OnceLock<Vec<Golden>> = OnceLock::new();
    GOLDENS.get_or_init(|| {
        hush();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens.tar.gz");
        golden::read(&path).expect("the archive is part of the repository")
    })
}

/// Draws numbers for the changes.
struct Dice(Generator);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        let mut value = [0.0];
        self.0.uniform_f64(&mut value, 0.0, n as f64);
        (value[0] as usize).min(n - 1)
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// Another argument in the place of this one.
fn change(value: &mut Py, dice: &mut Dice) {
    *value = match value {
        Py::Tensor(x) => Py::Tensor(other_tensor(x, dice)),
        Py::Int(_) | Py::None => Py::Int(dice.of(&INTS)),
        Py::Float(_) => Py::Float(dice.of(&FLOATS)),
        Py::Bool(x) => Py::Bool(!*x),
        Py::DType(_) => Py::DType(dice.of(&DType::ALL)),
        Py::Slice(ends) => {
            ends[dice.below(3)] = Some(dice.of(&INTS));
            return;
        }
        Py::List(items) | Py::Tuple(items) => {
            change_list(items, dice);
            return;
        }
        Py::Str(_) | Py::Ellipsis => return,
    };
}

fn change_list(items: &mut Vec<Py>, dice: &mut Dice) {
    if items.is_empty() {
        items.push(Py::Int(dice.of(&INTS)));
        return;
    }
    let at = dice.below(items.len());
    match dice.below(4) {
        0 => drop(items.remove(at)),
        1 => items.push(items[at].clone()),
        _ => change(&mut items[at], dice),
    }
}

/// A tensor of another shape, dtype or content; sometimes of all three.
fn other_tensor(x: &Tensor, dice: &mut Dice) -> Tensor {
    let mut shape = x.shape().to_vec();
    match dice.below(5) {
        0 => drop(shape.pop()),
        1 => shape.insert(dice.below(shape.len() + 1), dice.of(&SIZES)),
        2 if !shape.is_empty() => {
            let at = dice.below(shape.len());
            shape[at] = dice.of(&SIZES);
        }
        _ => {}
    }
    let dtype = if dice.below(3) == 0 { dice.of(&DType::ALL) } else { x.dtype() };
    let n: usize = shape.iter().product();
    if n > 100_000 {
        return x.clone();
    }
    let special = dice.below(3) == 0;
    let values: Vec<f64> = (0..n)
        .map(|_| match (special, dice.below(4)) {
            (true, 0) => dice.of(&FLOATS),
            _ => dice.below(16) as f64 - 6.0,
        })
        .collect();
    let y = Tensor::from_vec(values, shape.as_slice()).to(dtype);
    if dtype.is_float() && x.requires_grad() { y.requires_grad_() } else { y }
}

/// What a call must not say: it comes from inside.
const INTERNAL: [&str; 14] = [
    "index out of bounds",
    "attempt to",
    "unwrap",
    "range end index",
    "range start index",
    "slice index",
    "out of range for slice",
    "capacity overflow",
    "assertion",
    "removal index",
    "insertion index",
    "mid > len",
    "chunk size must",
    "it was made contiguous",
];

/// Why the message of a panic is not one for users.
fn complaint(message: &str) -> Option<String> {
    // `panic at FILE:LINE: op: what is wrong`
    let text = message.split_once(": ").map_or("", |(_, text)| text);
    let name = text.split(": ").next().unwrap_or_default();
    let named = !name.is_empty()
        && text.len() > name.len()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.[] ".contains(c));
    let inside = INTERNAL.iter().any(|words| text.contains(words));
    (!named || inside).then(|| message.to_string())
}

/// One call with changed arguments, and the backward pass of its result.
fn try_one(golden: &Golden, seed: u64) -> Result<(), String> {
    let Some(call) = ops::call(&golden.op) else { return Ok(()) };
    let mut dice = Dice(Generator::new(seed));
    let tensors = SafeTensors::deserialize(&golden.tensors).map_err(|e| e.to_string())?;
    let cases = if golden.cases.is_empty() { &golden.errors } else { &golden.cases };
    let case = &cases[dice.below(cases.len())];
    let (mut args, mut kwargs) = Inputs::new(&tensors).values(case)?;
    for _ in 0..1 + dice.below(3) {
        let at = dice.below(args.len() + kwargs.len() + 1);
        if at < args.len() {
            change(&mut args[at], &mut dice);
        } else if let Some((_, value)) = kwargs.get_mut(at - args.len()) {
            change(value, &mut dice);
        } else if dice.below(2) == 0 {
            args.pop();
        } else {
            kwargs.pop();
        }
    }
    let described = format!("{} {args:?} {kwargs:?}", golden.op);
    if std::env::var_os("RUSHLIGHT_RANDOM_TRACE").is_some() {
        eprintln!("{described}");
    }
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let Ok(out) = call(&mut Args::new(args, kwargs)) else { return };
        for value in out.0 {
            // A view can be larger than anything that can be summed.
            if let Py::Tensor(y) = value
                && y.requires_grad()
                && y.numel() < 1 << 24
            {
                y.sum().backward();
            }
        }
    }));
    if start.elapsed() > LONGEST {
        return Err(format!("it took {:?}: {described}", start.elapsed()));
    }
    match result {
        Ok(()) => Ok(()),
        Err(_) => match complaint(&last_panic().1) {
            None => Ok(()),
            Some(message) => Err(format!("{message}\n{described}")),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("RUSHLIGHT_RANDOM_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(12),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_operation_answers_any_arguments(seed in any::<u64>()) {
        let complaints: Vec<String> = goldens()
            .iter()
            .filter_map(|golden| try_one(golden, seed).err())
            .map(|why| why.chars().take(1500).collect())
            .collect();
        // The hook that keeps expected panics silent would swallow this one's message as well.
        eprintln!("seed {seed}\n{}", complaints.join("\n\n"));
        prop_assert!(complaints.is_empty(), "{} complaints", complaints.len());
    }
}

#[test]
fn messages_from_inside_are_told_from_those_for_users() {
    let says = |text: &str| complaint(&format!("panic at src/x.rs:7: {text}")).is_some();
    assert!(says("index out of bounds: the len is 3 but the index is 7"));
    assert!(says("attempt to multiply with overflow"));
    assert!(says("called `Option::unwrap()` on a `None` value"));
    assert!(says("no colon"));
    assert!(!says("matmul: inner dimensions differ: [32, 10] x [16, 4] (10 != 16)"));
    assert!(!says("linalg.inv: the matrix is singular"));
}
