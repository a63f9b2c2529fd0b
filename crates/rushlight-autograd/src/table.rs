//! The table of operations. A row stands beside each `impl Op` and says how to test it; loops over the
//! table, each written once, give the gradient property tests, the second-order tests, the error table and
//! the documentation. It is there with the feature `op-table` only.

#[cfg(feature = "op-table")]
use crate::ops;
use crate::tensor::Tensor;
use rushlight_array::random::Generator;
use rushlight_array::{Array, DType, Device, Shape};
use std::fmt;
use std::panic::Location;

/// What is known of one operation.
///
/// Rows are made by [`OpInfo::op`] and [`OpInfo::composed`]; the methods behind them add what is not the rule.
pub struct OpInfo {
    /// The Rust type that implements [`Op`](crate::Op); empty for what is composed of other operations.
    pub op: &'static str,
    /// The method or function that users call.
    pub name: &'static str,
    /// The same in PyTorch.
    pub torch: &'static str,
    /// How often it can be differentiated.
    pub derivative: Derivative,
    /// What is other than in PyTorch; empty if nothing is.
    pub differs: &'static str,
    /// Draws inputs that the operation accepts, and on which it is smooth.
    pub sample: fn(&mut Draw<'_>) -> Sample,
    /// Calls that must panic.
    pub rejects: fn() -> Vec<Reject>,
    /// Where the row stands.
    place: &'static Location<'static>,
}

/// How often an operation can be differentiated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Derivative {
    /// As often as one likes.
    Every,
    /// Once: its gradient is computed by kernels without rules of their own.
    First,
    /// Never: its result does not require a gradient, or going backward through it panics and names it.
    None,
}

impl OpInfo {
    /// An operation with a type and a rule of its own.
    #[track_caller]
    pub const fn op(
        op: &'static str,
        name: &'static str,
        torch: &'static str,
        sample: fn(&mut Draw<'_>) -> Sample,
    ) -> OpInfo {
        OpInfo {
            op,
            name,
            torch,
            derivative: Derivative::Every,
            differs: "",
            sample,
            rejects: || Vec::new(),
            place: Location::caller(),
        }
    }

    /// An operation that is composed of others.
    #[track_caller]
    pub const fn composed(
        name: &'static str,
        torch: &'static str,
        sample: fn(&mut Draw<'_>) -> Sample,
    ) -> OpInfo {
        OpInfo::op("", name, torch, sample)
    }

    /// With other samples than those of the macro that made the row.
    #[must_use]
    pub const fn sample(self, sample: fn(&mut Draw<'_>) -> Sample) -> OpInfo {
        OpInfo { sample, ..self }
    }

    /// With calls that must panic.
    #[must_use]
    pub const fn rejects(self, rejects: fn() -> Vec<Reject>) -> OpInfo {
        OpInfo { rejects, ..self }
    }

    /// With a first derivative only.
    #[must_use]
    pub const fn once(self) -> OpInfo {
        OpInfo { derivative: Derivative::First, ..self }
    }

    /// Without a derivative, as in PyTorch.
    #[must_use]
    pub const fn never(self) -> OpInfo {
        OpInfo { derivative: Derivative::None, ..self }
    }

    /// With a remark on what is other than in PyTorch.
    #[must_use]
    pub const fn differs(self, differs: &'static str) -> OpInfo {
        OpInfo { differs, ..self }
    }

    /// The operation's kind: `reduce`, `loss`. It is the name of the file, or folder, under `ops/` that holds the row.
    ///
    /// ```
    /// let table = rushlight_autograd::table::op_table();
    /// let sum = table.iter().find(|info| info.torch == "torch.sum").unwrap();
    /// assert_eq!(sum.kind(), "reduce");
    /// ```
    pub fn kind(&self) -> &'static str {
        let mut parts = self.place.file().rsplit(['/', '\\']);
        let mut kind = parts.next().unwrap_or_default();
        for folder in parts {
            if folder == "ops" {
                break;
            }
            kind = folder;
        }
        kind.trim_end_matches(".rs")
    }
}

impl fmt::Debug for OpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpInfo({} = {})", self.name, self.torch)
    }
}

/// Every operation of this crate.
#[cfg(feature = "op-table")]
pub fn op_table() -> Vec<&'static OpInfo> {
    ops::TABLES.iter().flat_map(|table| table.iter()).collect()
}

/// A call of an operation on some inputs.
pub type Call = Box<dyn Fn(&[Tensor]) -> Tensor>;

/// Inputs of an operation (`f64` leaves and constants) and the call on such inputs.
pub struct Sample {
    /// What the gradient checks move.
    pub inputs: Vec<Tensor>,
    /// The call; parameters that are not tensors are captured.
    pub call: Call,
}

impl Sample {
    /// A sample from inputs and a call.
    pub fn new(inputs: Vec<Tensor>, call: impl Fn(&[Tensor]) -> Tensor + 'static) -> Self {
        Sample { inputs, call: Box::new(call) }
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

/// A wrong call and a part of the message that it must give.
pub struct Reject {
    /// The call.
    pub call: Box<dyn Fn() + std::panic::RefUnwindSafe>,
    /// What the message must contain.
    pub message: &'static str,
}

impl Reject {
    /// A wrong call and a part of its message.
    pub fn new(message: &'static str, call: impl Fn() + std::panic::RefUnwindSafe + 'static) -> Self {
        Reject { call: Box::new(call), message }
    }
}

impl fmt::Debug for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reject({:?})", self.message)
    }
}

/// Where the values of a sample may lie, so that the operation is smooth there.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Domain {
    /// Anywhere in -2..2.
    Any,
    /// Anywhere in -2..2 and no two equal, also not because dims are expanded: where elements are compared
    /// with each other.
    Distinct,
    /// At least 0.2 away from zero.
    NonZero,
    /// 0.3..2.
    Positive,
    /// 0.1..0.9.
    Unit,
}

/// Turns a list of numbers, as property tests shrink them, into shapes and values. Smaller numbers give
/// simpler samples; past the end of the list all numbers are 0.
#[derive(Debug)]
pub struct Draw<'a> {
    choices: &'a [u32],
    next: usize,
    values: Generator,
    device: Device,
    /// By how much sizes are larger.
    stretch: usize,
}

impl<'a> Draw<'a> {
    /// A source of samples on the CPU; the same choices give the same samples.
    pub fn new(choices: &'a [u32]) -> Self {
        Draw::on(choices, &Device::cpu())
    }

    /// A source of samples on a device: those of [`Draw::new`] in another place.
    pub fn on(choices: &'a [u32], device: &Device) -> Self {
        let seed = choices.iter().fold(7u64, |s, &c| s.wrapping_mul(31).wrapping_add(u64::from(c)));
        Draw { choices, next: 0, values: Generator::new(seed), device: device.clone(), stretch: 1 }
    }

    /// A source of samples whose sizes are so many times those of [`Draw::new`]: large enough that several threads
    /// share the work.
    pub fn stretched(choices: &'a [u32], stretch: usize) -> Self {
        Draw { stretch, ..Draw::new(choices) }
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let choice = self.choices.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        choice as usize % n
    }

    /// True half of the time.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A size of a dim: mostly 1 to 4, sometimes 0.
    pub fn size(&mut self) -> usize {
        [1, 2, 3, 4, 2, 3, 1, 0][self.below(8)] * self.stretch
    }

    /// A size that is not 0.
    pub fn full_size(&mut self) -> usize {
        (1 + self.below(4)) * self.stretch
    }

    /// A shape with between `least` and `most` dims.
    pub fn shape(&mut self, least: usize, most: usize) -> Shape {
        let rank = least + self.below(most - least + 1);
        (0..rank).map(|_| self.size()).collect()
    }

    /// A shape whose sizes are not 0.
    pub fn full_shape(&mut self, least: usize, most: usize) -> Shape {
        let rank = least + self.below(most - least + 1);
        (0..rank).map(|_| self.full_size()).collect()
    }

    /// A dim of a shape, counted from the front or from the back.
    pub fn dim(&mut self, shape: &[usize]) -> isize {
        let rank = shape.len().max(1) as isize;
        self.below(2 * rank as usize) as isize - rank
    }

    /// Two shapes that broadcast: some sizes of one of them become 1, or its first dims are left out.
    pub fn broadcast_pair(&mut self) -> (Shape, Shape) {
        let full = self.shape(0, 3);
        let mut pair = (full.clone(), full.clone());
        let side = if self.coin() { &mut pair.0 } else { &mut pair.1 };
        let skip = self.below(full.len() + 1);
        *side = full[skip..].iter().map(|&s| if self.coin() { 1 } else { s }).collect();
        pair
    }

    /// An `f64` leaf of a shape: contiguous, transposed, a slice of something larger, or expanded.
    pub fn leaf(&mut self, shape: &[usize], domain: Domain) -> Tensor {
        Tensor::new_leaf(self.values(shape, domain), true)
    }

    /// An `f64` constant.
    pub fn constant(&mut self, shape: &[usize], domain: Domain) -> Tensor {
        self.values(shape, domain).into()
    }

    fn values(&mut self, shape: &[usize], domain: Domain) -> Array {
        match self.below(5) {
            1 if shape.len() > 1 => {
                let swapped: Vec<usize> = shape.iter().rev().copied().collect();
                let dims: Vec<isize> = (0..shape.len() as isize).rev().collect();
                self.dense(&swapped, domain).permute(&dims)
            }
            2 if !shape.is_empty() => {
                let mut larger = shape.to_vec();
                larger[0] += 2;
                self.dense(&larger, domain).narrow(0, 1, shape[0])
            }
            3 if !shape.is_empty() => {
                let mut wide = shape.to_vec();
                let last = wide.len() - 1;
                wide[last] *= 2;
                self.dense(&wide, domain).step(last as isize, 0, shape[last], 2)
            }
            4 if !shape.is_empty() && domain != Domain::Distinct => {
                let mut one = shape.to_vec();
                let dim = self.below(shape.len());
                one[dim] = 1;
                self.dense(&one, domain).expand(shape)
            }
            _ => self.dense(shape, domain),
        }
    }

    /// Distinct values.
    fn dense(&mut self, shape: &[usize], domain: Domain) -> Array {
        let n: usize = shape.iter().product();
        let order = self.values.randperm(n);
        let value = |i: i64| {
            // Evenly spread and in random order; the noise added below keeps two samples from being equal.
            let u = (i as f64 + 0.5) / n as f64;
            match domain {
                Domain::Any | Domain::Distinct => 4.0 * u - 2.0,
                Domain::Positive => 0.3 + 1.7 * u,
                Domain::Unit => 0.1 + 0.8 * u,
                Domain::NonZero if u < 0.5 => -2.0 + 3.6 * u,
                Domain::NonZero => 0.2 + 3.6 * (u - 0.5),
            }
        };
        let mut noise = vec![0.0; n];
        self.values.uniform_f64(&mut noise, 0.0, 0.3 / n.max(1) as f64);
        let values: Vec<f64> = order.iter().zip(noise).map(|(&i, e)| value(i) + e).collect();
        self.here(&Array::from_vec(values, shape))
    }

    /// An array on the device of the samples.
    fn here(&self, array: &Array) -> Array {
        array.to_device(&self.device)
    }

    /// Indices below `size`, `i64`.
    pub fn index(&mut self, shape: &[usize], size: usize) -> Array {
        let n: usize = shape.iter().product();
        let values: Vec<i64> = (0..n).map(|_| self.below(size) as i64).collect();
        self.integers(values, shape)
    }

    /// Integers of your choice, `i64`.
    pub fn integers(&self, values: Vec<i64>, shape: &[usize]) -> Array {
        self.here(&Array::from_vec(values, shape))
    }

    /// The numbers `0..n` in some order, `i64`.
    pub fn permutation(&mut self, n: usize) -> Vec<i64> {
        self.values.randperm(n)
    }

    /// A mask of a shape.
    pub fn mask(&mut self, shape: &[usize]) -> Array {
        let n: usize = shape.iter().product();
        let values: Vec<bool> = (0..n).map(|_| self.coin()).collect();
        self.here(&Array::from_vec(values, shape))
    }
}

/// An integer tensor, for calls that must fail.
pub(crate) fn integers() -> Tensor {
    Array::from_vec(vec![1i64, 2, 3], 3).into()
}

/// A float tensor of a shape, for calls that must fail.
pub(crate) fn floats<const N: usize>(shape: [usize; N]) -> Tensor {
    Array::zeros(shape, DType::F32).into()
}
