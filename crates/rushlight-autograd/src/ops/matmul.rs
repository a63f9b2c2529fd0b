//! Matrix products.

use crate::autocast;
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::unary::relu_rule;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, fail};

/// The matrix product of any ranks; leading dims broadcast.
#[derive(Debug)]
struct Matmul {
    /// What PyTorch prints, which depends on the shapes.
    grad_fn: &'static str,
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        self.grad_fn = match (inputs[0].rank(), inputs[1].rank()) {
            (1, 1) => "DotBackward0",
            (2, 1) => "MvBackward0",
            (1, 2) => ROW_TIMES_MATRIX,
            (2, 2) => "MmBackward0",
            _ => FOLDED,
        };
        inputs[0].matmul(inputs[1])
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let (row, column) = (saved.shape(0).len() == 1, saved.shape(1).len() == 1);
        // Vectors become matrices of one row or column, as in the forward product.
        let grad = if column { grad.unsqueeze(-1) } else { grad.clone() };
        let grad = if row { grad.unsqueeze(-2) } else { grad };
        give.to(0, || {
            let b = saved.input(1);
            let b = if column { b.unsqueeze(1) } else { b };
            let da = grad.matmul(&b.transpose(-1, -2));
            if row { da.squeeze_dim(-2) } else { da }
        });
        give.to(1, || {
            let a = saved.input(0);
            let a = if row { a.unsqueeze(0) } else { a };
            let db = a.transpose(-1, -2).matmul(&grad);
            if column { db.squeeze_dim(-1) } else { db }
        });
    }
    fn grad_fn(&self) -> String {
        self.grad_fn.to_string()
    }
}

/// What PyTorch 2.15 prints last when it brings operands to matrices and the product back.
const FOLDED: &str = "UnsafeViewBackward0";
const ROW_TIMES_MATRIX: &str = "SqueezeBackward4";

/// x W^T + b as one node, also with a relu behind it.
#[derive(Debug)]
struct Linear {
    relu: bool,
    /// What PyTorch prints, which depends on the shapes.
    grad_fn: &'static str,
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (x, weight, bias) = (inputs[0], inputs[1], inputs.get(2).copied());
        check_linear(x, weight, bias);
        self.grad_fn = match (x.rank(), bias) {
            _ if self.relu => "ReluBackward0",
            (2, Some(_)) => "AddmmBackward0",
            (2, None) => "MmBackward0",
            (1, None) => ROW_TIMES_MATRIX,
            _ => FOLDED,
        };
        let out = weight.shape()[0];
        if x.rank() == 2 {
            return x.linear(weight, bias, self.relu);
        }
        let (count, features) = rows_of(x.shape());
        let rows = x.reshape([count, features]).linear(weight, bias, self.relu);
        let mut shape = x.shape().to_vec();
        *shape.last_mut().expect("checked above") = out;
        rows.reshape(shape.as_slice())
    }
    fn saves(&self) -> Saves {
        if self.relu { Saves::first(2).and_output() } else { Saves::first(2) }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let grad = &if self.relu { relu_rule(saved, grad) } else { grad.clone() };
        if !is_grad_enabled() && saved.shape(0).len() == 2 {
            let (grad, x, weight) = (grad.value(), saved.input_array(0), saved.input_array(1));
            give.to(0, || grad.matmul(weight).into());
            give.to(1, || grad.t().matmul(x).into());
            if saved.len() > 2 {
                give.to(2, || grad.sum_dim(0, false).into());
            }
            return;
        }
        give.to(0, || grad.matmul(&saved.input(1)));
        let rows = |x: &Tensor| {
            let (count, size) = rows_of(&x.shape());
            x.reshape([count, size])
        };
        give.to(1, || rows(grad).t().matmul(&rows(&saved.input(0))));
        if saved.len() > 2 {
            give.to(2, || rows(grad).sum_dim(0, false));
        }
    }
    fn grad_fn(&self) -> String {
        self.grad_fn.to_string()
    }
}

/// The number of rows along the last dim, and their length.
fn rows_of(shape: &[usize]) -> (usize, usize) {
    let (last, leading) = shape.split_last().expect("linear has at least one dim");
    (leading.iter().product(), *last)
}

#[track_caller]
fn check_linear(x: &Array, weight: &Array, bias: Option<&Array>) {
    if x.dtype() == DType::Bool {
        fail!("linear: not defined for bool; cast with .to(DType::I64) first");
    }
    if weight.rank() != 2 {
        fail!("linear: the weight has shape {:?}; it must be [out_features, in_features]", weight.shape());
    }
    let (out, features) = (weight.shape()[0], weight.shape()[1]);
    if x.shape().last() != Some(&features) {
        fail!(
            "linear: input shape {:?} does not fit weight {:?}; its last axis must be in_features = {features}",
            x.shape(),
            weight.shape()
        );
    }
    for (name, other) in [("weight", Some(weight)), ("bias", bias)] {
        let Some(other) = other else { continue };
        if other.dtype() != x.dtype() {
            fail!(
                "linear: the input is {}, the {name} {}; cast the input with .to(DType::{:?})",
                x.dtype().name(),
                other.dtype().name(),
                other.dtype()
            );
        }
        if other.device() != x.device() {
            fail!(
                "linear: the input is on {}, the {name} on {}; move one with .to(..)",
                x.device(),
                other.device()
            );
        }
    }
    if let Some(bias) = bias
        && *bias.shape() != [out]
    {
        fail!(
            "linear: bias shape {:?} does not fit weight {:?}; it must be [{out}]",
            bias.shape(),
            weight.shape()
        );
    }
}

/// `x W^T + b`: PyTorch's `functional.linear`.
///
/// Shape: `(*, in)`, weight `(out, in)`, bias `(out)` or what broadcasts to the result -> `(*, out)`; or weight `(in)`
/// without a bias -> `(*)`.
///
/// # Panics
/// If shapes, dtypes or devices do not fit.
#[track_caller]
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    if weight.dim() == 1 && bias.is_none() {
        let (shape, features) = (x.shape(), weight.numel());
        if shape.last() != Some(&features) {
            fail!(
                "linear: input shape {shape:?} does not fit weight [{features}]; its last axis must be {features}"
            );
        }
        return x.matmul(weight);
    }
    if let Some(bias) = bias
        && weight.dim() == 2
        && *bias.shape() != [weight.shape()[0]]
    {
        let y = apply(Linear { relu: false, grad_fn: "" }, x, weight, None);
        let (shape, own) = (y.shape(), bias.shape());
        let fits = own.len() <= shape.len()
            && own.iter().rev().zip(shape.iter().rev()).all(|(&own, &size)| own == size || own == 1);
        if !fits {
            let (weight, out) = (weight.shape(), weight.shape()[0]);
            fail!("linear: bias shape {own:?} does not fit weight {weight:?}; it must be [{out}]");
        }
        if autocast::joins(&y, bias) {
            return y.add(&bias.to(y.dtype()));
        }
        check_same("linear", &y, bias);
        return y.add(bias);
    }
    apply(Linear { relu: false, grad_fn: "" }, x, weight, bias)
}

/// Checks that two tensors have one dtype.
#[track_caller]
pub(crate) fn check_same(op: &str, a: &Tensor, b: &Tensor) {
    let (a, b) = (a.dtype(), b.dtype());
    if a != b {
        fail!("{op}: dtypes differ: {} and {}; cast one with .to(DType::{a:?})", a.name(), b.name());
    }
}

/// As [`check_same`], for operands that `autocast` may give one dtype.
#[track_caller]
pub(crate) fn check_joined(op: &str, a: &Tensor, b: &Tensor) {
    if !autocast::joins(a, b) {
        check_same(op, a, b);
    }
}

/// Checks the numbers of dims, the dtype and the inner sizes of a product.
#[track_caller]
pub(crate) fn check_product(op: &str, a: &Tensor, b: &Tensor, ranks: [usize; 2]) {
    let (left, right) = (a.shape(), b.shape());
    if [left.len(), right.len()] != ranks {
        fail!(
            "{op}: shapes {left:?} x {right:?}; expected {} and {} dims; matmul takes any",
            ranks[0],
            ranks[1]
        );
    }
    let (inner, rows) = (left[left.len() - 1], right[right.len().saturating_sub(2)]);
    let batches = ranks == [3, 3] && left[0] != right[0];
    if inner != rows || batches {
        fail!(
            "{op}: shapes {left:?} x {right:?} do not fit: {}",
            if batches {
                format!("the batches have {} and {} matrices", left[0], right[0])
            } else {
                format!("the inner sizes are {inner} and {rows}; they must be equal")
            }
        );
    }
    check_joined(op, a, b);
    if a.dtype() == DType::Bool {
        fail!("{op}: not defined for bool; cast with .to(DType::I64) first");
    }
}

/// `relu(x W^T + b)` as one node: the same numbers as [`linear`] and [`Tensor::relu`], in one pass.
///
/// Shape: as [`linear`].
///
/// # Panics
/// As [`linear`].
#[track_caller]
pub fn linear_relu(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    apply(Linear { relu: true, grad_fn: "" }, x, weight, bias)
}

#[track_caller]
fn apply(op: Linear, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    match bias {
        Some(bias) => Tensor::apply(op, &[x, weight, bias]),
        None => Tensor::apply(op, &[x, weight]),
    }
}

impl Tensor {
    /// The matrix product, for any number of leading batch dims, which broadcast: PyTorch's `a @ b`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.matmul(&x.t()).to_vec::<i64>(), [14, 32, 32, 77]);
    /// ```
    ///
    /// # Panics
    /// If the inner sizes or the dtypes differ, an operand is a scalar or bool, or batch dims do not broadcast.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        Tensor::apply(Matmul { grad_fn: "" }, &[self, other])
    }

    /// The product of two matrices; unlike [`Tensor::matmul`] it takes nothing else.
    ///
    /// Shape: `(m, k)`, `(k, n)` -> `(m, n)`.
    ///
    /// # Panics
    /// If an operand is not a matrix, sizes or dtypes do not fit, or they are bools.
    #[track_caller]
    pub fn mm(&self, mat2: &Tensor) -> Tensor {
        check_product("mm", self, mat2, [2, 2]);
        self.matmul(mat2)
    }

    /// The products of two batches of matrices, one by one, without broadcasting.
    ///
    /// Shape: `(b, m, k)`, `(b, k, n)` -> `(b, m, n)`.
    ///
    /// # Panics
    /// If an operand has not three dims, sizes or dtypes do not fit, or they are bools.
    #[track_caller]
    pub fn bmm(&self, mat2: &Tensor) -> Tensor {
        check_product("bmm", self, mat2, [3, 3]);
        self.matmul(mat2)
    }

    /// The product of a matrix and a vector.
    ///
    /// Shape: `(m, n)`, `(n)` -> `(m)`.
    ///
    /// # Panics
    /// If the operands are not a matrix and a vector, sizes or dtypes do not fit, or they are bools.
    #[track_caller]
    pub fn mv(&self, vec: &Tensor) -> Tensor {
        check_product("mv", self, vec, [2, 1]);
        self.matmul(vec)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Matmul", "matmul", "torch.matmul", |draw| {
            let (m, k, n) = (draw.size(), draw.size(), draw.size());
            let (a, b) = match draw.below(6) {
                0 => (vec![m, k], vec![k, n]),
                1 => (vec![k], vec![k]),
                2 => (vec![m, k], vec![k]),
                3 => (vec![k], vec![k, n]),
                4 => (vec![draw.size(), m, k], vec![k, n]),
                _ => {
                    let batch = draw.full_size();
                    let left = if draw.coin() { batch } else { 1 };
                    (vec![2, left, m, k], vec![batch, k, n])
                }
            };
            let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
            Sample::new(inputs, |x| x[0].matmul(&x[1]))
        }).rejects(|| {
            vec![
                Reject::new(
                    "matmul: inner dimensions differ: [32, 10] x [16, 4] (10 != 16); \
                     the last axis of the left must equal the second-last of the right",
                    || {
                        floats([32, 10]).matmul(&floats([16, 4]));
                    },
                ),
                Reject::new("matmul: shapes [] x [3]; both operands need at least one dim", || {
                    floats([]).matmul(&floats([3]));
                }),
                Reject::new("matmul: dtypes differ: float32 x int64", || {
                    floats([3]).matmul(&integers());
                }),
                Reject::new("matmul: shapes [2] and [3] do not broadcast", || {
                    floats([2, 1, 1]).matmul(&floats([3, 1, 1]));
                }),
            ]
        }),
    OpInfo::op("Linear", "linear", "torch.nn.functional.linear", |draw| {
            let (features, out) = (draw.full_size(), draw.full_size());
            let mut shape = draw.shape(0, 2).to_vec();
            shape.push(features);
            let mut inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&[out, features], Domain::Any)];
            if draw.coin() {
                inputs.push(draw.leaf(&[out], Domain::Any));
            }
            let call = if draw.coin() { linear_relu } else { linear };
            Sample::new(inputs, move |x| call(&x[0], &x[1], x.get(2)))
        }).rejects(|| {
            vec![
                Reject::new(
                    "linear: input shape [2, 3] does not fit weight [5, 4]; its last axis must be in_features = 4",
                    || {
                        linear(&floats([2, 3]), &floats([5, 4]), None);
                    },
                ),
                Reject::new("linear: not defined for bool", || {
                    let mask = integers().gt(1);
                    linear(&mask, &mask.unsqueeze(0), None);
                }),
                Reject::new("linear: bias shape [4] does not fit weight [5, 3]; it must be [5]", || {
                    linear(&floats([2, 3]), &floats([5, 3]), Some(&floats([4])));
                }),
                Reject::new("linear: the input is int64, the weight float32", || {
                    linear(&integers(), &floats([5, 3]), None);
                }),
                Reject::new(
                    "linear: the weight has shape [5, 4, 3]; it must be [out_features, in_features]",
                    || {
                        linear(&floats([2, 3]), &floats([5, 4, 3]), None);
                    },
                ),
                Reject::new("linear: the weight has shape [3]; it must be [out_features, in_features]", || {
                    linear(&floats([2, 3]), &floats([3]), Some(&floats([1])));
                }),
                Reject::new("linear: input shape [2, 3] does not fit weight [4]; its last axis must be 4", || {
                    linear(&floats([2, 3]), &floats([4]), None);
                }),
            ]
        }),
    OpInfo::composed("mm", "torch.mm", |draw| {
        let (m, k, n) = (draw.size(), draw.size(), draw.size());
        let inputs = vec![draw.leaf(&[m, k], Domain::Any), draw.leaf(&[k, n], Domain::Any)];
        Sample::new(inputs, |x| x[0].mm(&x[1]))
    })
    .rejects(|| {
        vec![
            Reject::new("mm: shapes [2, 3] x [3]; expected 2 and 2 dims; matmul takes any", || {
                floats([2, 3]).mm(&floats([3]));
            }),
            Reject::new("mm: shapes [2, 3] x [2, 3] do not fit: the inner sizes are 3 and 2", || {
                floats([2, 3]).mm(&floats([2, 3]));
            }),
        ]
    }),
    OpInfo::composed("bmm", "torch.bmm", |draw| {
        let (b, m, k, n) = (draw.size(), draw.size(), draw.size(), draw.size());
        let inputs = vec![draw.leaf(&[b, m, k], Domain::Any), draw.leaf(&[b, k, n], Domain::Any)];
        Sample::new(inputs, |x| x[0].bmm(&x[1]))
    })
    .rejects(|| {
        vec![Reject::new("bmm: shapes [2, 1, 1] x [3, 1, 1] do not fit: the batches have 2 and 3 matrices", || {
            floats([2, 1, 1]).bmm(&floats([3, 1, 1]));
        })]
    }),
    OpInfo::composed("mv", "torch.mv", |draw| {
        let (m, n) = (draw.size(), draw.size());
        let inputs = vec![draw.leaf(&[m, n], Domain::Any), draw.leaf(&[n], Domain::Any)];
        Sample::new(inputs, |x| x[0].mv(&x[1]))
    })
    .rejects(|| {
        vec![Reject::new("mv: dtypes differ: float32 and int64", || {
            floats([2, 3]).mv(&integers());
        })]
    }),
];
