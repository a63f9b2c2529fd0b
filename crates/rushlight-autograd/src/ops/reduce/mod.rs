//! Reductions: many elements become one.
//!
//! `dims` is one dim or several, negative ones counted from the back; an empty list means all. With `keepdim` the reduced
//! dims stay with size 1.

mod extreme;
mod logic;
mod logsumexp;
mod product;
mod sum;
mod variance;
mod vector_norm;

pub use variance::{std_mean, std_mean_with, var_mean, var_mean_with};
pub use vector_norm::{NormOptions, vector_norm, vector_norm_with};

pub(crate) use vector_norm::VectorNorm;

use crate::table::{Domain, Draw, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Dims, Shape, axis, fail};

/// The rows of all reductions.
pub(crate) const TABLES: [&[OpInfo]; 7] = [
    sum::TABLE,
    product::TABLE,
    extreme::TABLE,
    logic::TABLE,
    variance::TABLE,
    vector_norm::TABLE,
    logsumexp::TABLE,
];

/// The dims of a reduction; `None` and an empty list mean all.
#[derive(Clone, Debug)]
pub(crate) struct Over {
    pub(crate) dims: Option<Dims>,
    pub(crate) keepdim: bool,
}

impl Over {
    pub(crate) const ALL: Over = Over { dims: None, keepdim: false };

    pub(crate) fn some(dims: impl Into<Dims>, keepdim: bool) -> Self {
        Over { dims: Some(dims.into()), keepdim }
    }

    /// Checks the dims, in the name of the operation.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, input: &[usize]) {
        for dim in self.list().iter() {
            axis(name, dim, input);
        }
    }

    /// The dims as a list; an empty one means all.
    pub(crate) fn list(&self) -> Dims {
        self.dims.clone().unwrap_or_else(|| Dims::from([0isize; 0]))
    }

    /// A result of the reduction in the shape in which it broadcasts with the input.
    pub(crate) fn restore(&self, y: &Tensor, input: &Shape) -> Tensor {
        y.reshape(self.kept(input).as_slice())
    }

    /// The input's shape with size 1 where it is reduced.
    pub(crate) fn kept(&self, input: &Shape) -> Vec<usize> {
        let mut shape: Vec<usize> = input.to_vec();
        match &self.dims {
            Some(dims) if !dims.is_empty() => {
                for dim in dims.iter().filter(|_| !input.is_empty()) {
                    shape[axis("reduce", dim, input)] = 1;
                }
            }
            _ => shape.fill(1),
        }
        shape
    }

    /// A result of an array's reduction, which kept its dims, in the shape that was asked for.
    pub(crate) fn shaped(&self, kept: &Array, input: &Shape) -> Array {
        if self.keepdim {
            return kept.clone();
        }
        let dims = self.list();
        let axes: Vec<usize> = dims.iter().map(|dim| axis("reduce", dim, input)).collect();
        let stays = |a: &usize| !axes.is_empty() && !axes.contains(a);
        let shape: Vec<usize> = (0..input.len()).filter(stays).map(|a| input[a]).collect();
        kept.reshape(shape.as_slice())
    }

    /// How many elements become one.
    pub(crate) fn count(&self, input: &Shape) -> usize {
        input.iter().zip(self.kept(input)).map(|(&size, kept)| if kept == 1 { size } else { 1 }).product()
    }

    /// A gradient in equal parts for all who won over the dims. They are counted as integers: half types end at 65504.
    pub(crate) fn shared(&self, winners: &Tensor, grad: &Tensor) -> Tensor {
        let dtype = grad.dtype();
        let count = winners.array().count_nonzero("reduce", self.list(), true).cast(dtype.compute());
        winners.to(dtype) * (grad.to(dtype.compute()) / Tensor::constant(count)).to(dtype)
    }
}

macro_rules! over {
    ($array:expr, $over:expr, $all:ident, $some:ident) => {
        match &$over.dims {
            None => $array.$all(),
            Some(dims) => $array.$some(dims.clone(), $over.keepdim),
        }
    };
}
use over;

/// Checks that the dtype is a float.
#[track_caller]
pub(crate) fn check_float(name: &str, x: &Array) {
    if !x.dtype().is_float() {
        fail!("{name}: the dtype is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
}

/// Checks that the dtype is not bool.
#[track_caller]
pub(crate) fn check_not_bool(name: &str, x: &Tensor) {
    if x.dtype() == DType::Bool {
        fail!("{name}: not defined for bool; cast with .to(DType::I64) first");
    }
}

/// A reduction over one dim, several, or all.
fn reduced(
    draw: &mut Draw<'_>,
    full: bool,
    domain: Domain,
    call: fn(&Tensor, &[isize], bool) -> Tensor,
) -> Sample {
    let shape = if full { draw.full_shape(0, 3) } else { draw.shape(0, 3) };
    let mut dims: Vec<isize> = draw.permutation(shape.len()).iter().map(|&d| d as isize).collect();
    dims.truncate(draw.below(shape.len() + 1));
    let keepdim = draw.coin();
    Sample::new(vec![draw.leaf(&shape, domain)], move |x| call(&x[0], &dims, keepdim))
}
