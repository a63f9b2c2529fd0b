//! Other products: of vectors, of all elements, along chosen dims.

use super::matmul::{check_joined, check_product, check_same};
use crate::autocast::Choice;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, axis, broadcast_shapes, fail};

/// The sum along the diagonal.
#[derive(Debug)]
struct Trace;

impl Op for Trace {
    fn name(&self) -> &'static str {
        "trace"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let x = inputs[0];
        if x.rank() != 2 || x.dtype() == DType::Bool {
            fail!("trace: shape {:?} of {}; expected a matrix of numbers", x.shape(), x.dtype().name());
        }
        x.diagonal_view().sum()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let shape = saved.shape(0);
        give.to(0, || {
            grad * Tensor::constant(Array::eye(shape[0], shape[1], grad.dtype()).to_device(&grad.device()))
        });
    }
}

/// The cross products along an axis; the operands have one shape.
#[derive(Debug)]
struct Cross(usize);

impl Op for Cross {
    fn name(&self) -> &'static str {
        "linalg_cross"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].cross(inputs[1], self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || Tensor::apply(Cross(self.0), &[&saved.input(1), grad]));
        give.to(1, || Tensor::apply(Cross(self.0), &[grad, &saved.input(0)]));
    }
}

/// Along which dims [`tensordot`] sums: how many, the last of the first tensor and the first of the second, or a list for
/// each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contraction {
    /// So many dims.
    Count(usize),
    /// The dims of the first tensor, and those of the second that they meet.
    Dims(Vec<isize>, Vec<isize>),
}

impl From<usize> for Contraction {
    fn from(count: usize) -> Self {
        Contraction::Count(count)
    }
}

impl<const N: usize> From<([isize; N], [isize; N])> for Contraction {
    fn from((a, b): ([isize; N], [isize; N])) -> Self {
        Contraction::Dims(a.to_vec(), b.to_vec())
    }
}

impl Contraction {
    #[track_caller]
    fn axes(&self, a: &Tensor, b: &Tensor) -> (Vec<usize>, Vec<usize>) {
        let (a, b) = (a.shape(), b.shape());
        let (left, right) = match self {
            Contraction::Count(count) => {
                if *count > a.len().min(b.len()) {
                    fail!("tensordot: {count} dims of shapes {a:?} and {b:?}; both must have so many");
                }
                ((a.len() - count..a.len()).collect(), (0..*count).collect())
            }
            Contraction::Dims(left, right) => (axes_of(left, &a), axes_of(right, &b)),
        };
        let fits = |(&i, &j): (&usize, &usize)| a[i] == b[j] || a[i] == 1 || b[j] == 1;
        if left.len() != right.len() || !left.iter().zip(&right).all(fits) {
            fail!(
                "tensordot: dims {left:?} of shape {a:?} do not fit dims {right:?} of shape {b:?}; sizes must be equal \
                 pair by pair"
            );
        }
        (left, right)
    }
}

/// The distinct axes that dims name.
#[track_caller]
fn axes_of(dims: &[isize], shape: &[usize]) -> Vec<usize> {
    let mut axes = Vec::with_capacity(dims.len());
    for &dim in dims {
        let a = axis("tensordot", dim, shape);
        if a >= shape.len() || axes.contains(&a) {
            fail!("tensordot: dims {dims:?} of shape {shape:?}; each may be named once");
        }
        axes.push(a);
    }
    axes
}

/// Sums of products along dims of two tensors: a matrix product of any dims.
///
/// Shape: the other dims of `a`, then those of `b`. A contracted dim of size 1 meets any size.
///
/// ```
/// use rushlight_autograd::ops::tensordot;
/// use rushlight_autograd::tensor;
/// let (a, b) = (tensor([[1, 2], [3, 4]]), tensor([[5, 6], [7, 8]]));
/// assert_eq!(tensordot(&a, &b, 2).item(), 70.0);
/// assert_eq!(tensordot(&a, &b, ([0], [0])).to_vec::<i64>(), [26, 30, 38, 44]);
/// ```
///
/// # Panics
/// If a dim is out of range or named twice, sizes do not fit, dtypes differ, or they are bools.
#[track_caller]
pub fn tensordot(a: &Tensor, b: &Tensor, dims: impl Into<Contraction>) -> Tensor {
    let choice = Choice::of("tensordot", &[a, b]);
    let (mut a, mut b) = (choice.cast(a), choice.cast(b));
    check_joined("tensordot", &a, &b);
    let (left, right) = dims.into().axes(&a, &b);
    for (&i, &j) in left.iter().zip(&right) {
        if b.shape()[j] == 1 && a.shape()[i] != 1 {
            a = a.sum_dim(i as isize, true);
        } else if a.shape()[i] == 1 && b.shape()[j] != 1 {
            b = b.sum_dim(j as isize, true);
        }
    }
    let (p, q) = (a.shape(), b.shape());
    let others =
        |rank: usize, axes: &[usize]| (0..rank).filter(|i| !axes.contains(i)).collect::<Vec<usize>>();
    let (rows, columns) = (others(p.len(), &left), others(q.len(), &right));
    let size = |axes: &[usize], shape: &[usize]| axes.iter().map(|&i| shape[i]).product::<usize>();
    let order = |first: &[usize], last: &[usize]| -> Vec<isize> {
        first.iter().chain(last).map(|&i| i as isize).collect()
    };
    let x = a.permute(order(&rows, &left)).reshape([size(&rows, &p), size(&left, &p)]);
    let y = b.permute(order(&right, &columns)).reshape([size(&right, &q), size(&columns, &q)]);
    let shape: Vec<usize> = rows.iter().map(|&i| p[i]).chain(columns.iter().map(|&j| q[j])).collect();
    x.matmul(&y).reshape(shape.as_slice())
}

#[track_caller]
fn vectors(op: &str, a: &Tensor, b: &Tensor) -> Tensor {
    let choice = Choice::of(op, &[a, b]);
    let (a, b) = (choice.cast(a), choice.cast(b));
    check_product(op, &a, &b, [1, 1]);
    a.matmul(&b)
}

/// Products of vectors and of other dims.
impl Tensor {
    /// The sum of the products of two vectors' elements.
    ///
    /// # Panics
    /// If the operands are not vectors of one size and dtype, or are bools.
    #[track_caller]
    pub fn dot(&self, other: &Tensor) -> Tensor {
        vectors("dot", self, other)
    }

    /// [`Tensor::dot`]: PyTorch's `vdot`, which differs for complex numbers only.
    ///
    /// # Panics
    /// As [`Tensor::dot`].
    #[track_caller]
    pub fn vdot(&self, other: &Tensor) -> Tensor {
        vectors("vdot", self, other)
    }

    /// Sums of products along the last dims of both; with a scalar, the plain product.
    ///
    /// Shape: the other dims of this tensor, then those of the other.
    ///
    /// # Panics
    /// If the last sizes or the dtypes differ, or they are bools.
    #[track_caller]
    pub fn inner(&self, other: &Tensor) -> Tensor {
        let (a, b) = (self.shape(), other.shape());
        if a.is_empty() || b.is_empty() {
            return self.mul(other);
        }
        if a.last() != b.last() {
            fail!("inner: the last sizes of {a:?} and {b:?} differ; they must be equal");
        }
        let choice = Choice::of("tensordot", &[self, other]);
        let (x, y) = (choice.cast(self), choice.cast(other));
        check_joined("inner", &x, &y);
        match (a.len(), b.len()) {
            (_, 1) => x.matmul(&y),
            (1, _) => y.matmul(&x),
            _ => tensordot(&x, &y, ([-1], [-1])),
        }
    }

    /// The products of all elements of two vectors.
    ///
    /// Shape: `(m)`, `(n)` -> `(m, n)`.
    ///
    /// # Panics
    /// If an operand is not a vector.
    #[doc(alias = "ger")]
    #[track_caller]
    pub fn outer(&self, vec2: &Tensor) -> Tensor {
        if self.dim() != 1 || vec2.dim() != 1 {
            fail!("outer: shapes {:?} and {:?}; both must be vectors (1 dim)", self.shape(), vec2.shape());
        }
        self.unsqueeze(1).mul(vec2)
    }

    /// Kronecker's product: every element times the whole other tensor.
    ///
    /// Shape: the sizes multiply, dim by dim from the last.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1, 10]).kron(&tensor([2, 3])).to_vec::<i64>(), [2, 3, 20, 30]);
    /// ```
    ///
    /// # Panics
    /// If the devices differ.
    #[track_caller]
    pub fn kron(&self, other: &Tensor) -> Tensor {
        let (a, b) = (self.shape(), other.shape());
        let rank = a.len().max(b.len());
        let size = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
        let (mut left, mut right, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..rank {
            let (m, n) = (size(&a, i), size(&b, i));
            let Some(product) = m.checked_mul(n) else {
                fail!("kron: sizes {m} and {n} of dim {i} multiply to too much")
            };
            left.extend([m, 1]);
            right.extend([1, n]);
            out.push(product);
        }
        self.reshape(left.as_slice()).mul(&other.reshape(right.as_slice())).reshape(out.as_slice())
    }

    /// The sum along the diagonal of a matrix; integers give `i64`.
    ///
    /// # Panics
    /// If this is not a matrix, or of bools.
    #[track_caller]
    pub fn trace(&self) -> Tensor {
        Tensor::apply(Trace, &[self])
    }

    /// The cross products along the first dim of size 3: PyTorch's `torch.cross` without a dim.
    ///
    /// # Panics
    /// If there is no such dim; else as [`Tensor::cross_dim`].
    #[track_caller]
    pub fn cross(&self, other: &Tensor) -> Tensor {
        match self.shape().iter().position(|&size| size == 3) {
            Some(dim) => self.cross_dim(other, dim as isize),
            None => fail!("cross: no dim of shape {:?} has size 3", self.shape()),
        }
    }

    /// The cross products of vectors along a dim, which has size 3; other dims broadcast. PyTorch's `linalg.cross` has -1
    /// for the dim.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (x, y) = (tensor([1, 0, 0]), tensor([0, 1, 0]));
    /// assert_eq!(x.cross_dim(&y, -1).to_vec::<i64>(), [0, 0, 1]);
    /// ```
    ///
    /// # Panics
    /// If the numbers of dims or the dtypes differ, the dim has not size 3, shapes do not broadcast, or they are bools.
    #[track_caller]
    pub fn cross_dim(&self, other: &Tensor, dim: isize) -> Tensor {
        let choice = Choice::of("cross", &[self, other]);
        let (x, y) = (choice.cast(self), choice.cast(other));
        let (a, b) = (x.shape(), y.shape());
        check_same("cross", &x, &y);
        if a.len() != b.len() || a.is_empty() || self.dtype() == DType::Bool {
            fail!(
                "cross: shapes {a:?} and {b:?} of {}; expected numbers and equally many dims",
                self.dtype().name()
            );
        }
        let along = axis("cross", dim, &a);
        if a[along] != 3 || b[along] != 3 {
            fail!("cross: dim {dim} of shapes {a:?} and {b:?} must have size 3");
        }
        let shape = broadcast_shapes("cross", &a, &b);
        Tensor::apply(Cross(along), &[&x.expand(&shape), &y.expand(&shape)])
    }
}

/// `x1^T W x2 + b` for each output: PyTorch's `functional.bilinear`.
///
/// Shape: `(*, in1)`, `(*, in2)`, weight `(out, in1, in2)`, bias `(out)` -> `(*, out)`.
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn bilinear(input1: &Tensor, input2: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let (a, b, w) = (input1.shape(), input2.shape(), weight.shape());
    let fits = w.len() == 3
        && !a.is_empty()
        && a.len() == b.len()
        && a[..a.len() - 1] == b[..b.len() - 1]
        && a.last() == w.get(1)
        && b.last() == w.get(2);
    if !fits {
        fail!(
            "bilinear: shapes {a:?} and {b:?} do not fit weight {w:?}; expected (*, in1), (*, in2) and (out, in1, in2)"
        );
    }
    if let Some(bias) = bias
        && *bias.shape() != [w[0]]
    {
        fail!("bilinear: bias shape {:?} does not fit weight {w:?}; it must be [{}]", bias.shape(), w[0]);
    }
    let choice = Choice::of("bilinear", &[&[input1, input2, weight][..], bias.as_slice()].concat());
    let [input1, input2, weight] = [input1, input2, weight].map(|x| choice.cast(x));
    check_same("bilinear", &input1, &input2);
    check_same("bilinear", &input1, &weight);
    let rows: usize = a[..a.len() - 1].iter().product();
    let (out, first, second) = (w[0], w[1], w[2]);
    let weight = weight.permute([1, 0, 2]).reshape([first, out * second]);
    let left = input1.reshape([rows, first]).matmul(&weight).reshape([rows, out, second]);
    let y = left.matmul(&input2.reshape([rows, second, 1]));
    let shape: Vec<usize> = a[..a.len() - 1].iter().copied().chain([out]).collect();
    let y = y.reshape(shape.as_slice());
    match bias {
        Some(bias) => y.add(&choice.cast(bias)),
        None => y,
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("dot", "torch.dot", |draw| {
        let n = draw.size();
        Sample::new(vec![draw.leaf(&[n], Domain::Any), draw.leaf(&[n], Domain::Any)], |x| x[0].dot(&x[1]))
    })
    .rejects(|| {
        vec![
            Reject::new(
                "dot: shapes [2] x [3] do not fit: the inner sizes are 2 and 3; they must be equal",
                || {
                    floats([2]).dot(&floats([3]));
                },
            ),
            Reject::new("dot: not defined for bool", || {
                integers().gt(1).dot(&integers().gt(1));
            }),
        ]
    }),
    OpInfo::composed("vdot", "torch.vdot", |draw| {
        let n = draw.size();
        Sample::new(vec![draw.leaf(&[n], Domain::Any), draw.leaf(&[n], Domain::Any)], |x| x[0].vdot(&x[1]))
    }),
    OpInfo::composed("inner", "torch.inner", |draw| {
        let k = draw.size();
        let mut shapes = [draw.shape(0, 2).to_vec(), draw.shape(0, 2).to_vec()];
        if !draw.coin() {
            shapes.iter_mut().for_each(|shape| shape.push(k));
        } else {
            shapes[0].clear();
        }
        let inputs = shapes.iter().map(|shape| draw.leaf(shape, Domain::Any)).collect();
        Sample::new(inputs, |x| x[0].inner(&x[1]))
    })
    .rejects(|| {
        vec![Reject::new("inner: the last sizes of [2, 3] and [4] differ; they must be equal", || {
            floats([2, 3]).inner(&floats([4]));
        })]
    }),
    OpInfo::composed("outer", "torch.outer", |draw| {
        let (m, n) = (draw.size(), draw.size());
        Sample::new(vec![draw.leaf(&[m], Domain::Any), draw.leaf(&[n], Domain::Any)], |x| x[0].outer(&x[1]))
    })
    .rejects(|| {
        vec![Reject::new("outer: shapes [2, 1] and [3]; both must be vectors (1 dim)", || {
            floats([2, 1]).outer(&floats([3]));
        })]
    }),
    OpInfo::composed("kron", "torch.kron", |draw| {
        let (a, b) = (draw.shape(0, 2), draw.shape(0, 2));
        Sample::new(vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)], |x| x[0].kron(&x[1]))
    }),
    OpInfo::composed("tensordot", "torch.tensordot", |draw| {
        let (m, k, l, n) = (draw.size(), draw.size(), draw.size(), draw.size());
        let lists = draw.coin();
        let a = if lists { vec![l, m, k] } else { vec![m, k, l] };
        let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&[k, l, n], Domain::Any)];
        Sample::new(inputs, move |x| match lists {
            true => tensordot(&x[0], &x[1], ([-1, 0], [0, 1])),
            false => tensordot(&x[0], &x[1], 2),
        })
    })
    .rejects(|| {
        vec![
            Reject::new("tensordot: 2 dims of shapes [2] and [2, 2]; both must have so many", || {
                tensordot(&floats([2]), &floats([2, 2]), 2);
            }),
            Reject::new("tensordot: dims [0] of shape [2] do not fit dims [0] of shape [3]", || {
                tensordot(&floats([2]), &floats([3]), 1);
            }),
            Reject::new("tensordot: dims [0, -2] of shape [2, 2]; each may be named once", || {
                tensordot(&floats([2, 2]), &floats([2, 2]), ([0, -2], [0, 1]));
            }),
        ]
    }),
    OpInfo::op("Trace", "trace", "torch.trace", |draw| {
        let shape = draw.shape(2, 2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].trace().exp())
    })
    .rejects(|| {
        vec![Reject::new("trace: shape [2] of float32; expected a matrix of numbers", || {
            floats([2]).trace();
        })]
    }),
    OpInfo::op("Cross", "cross", "torch.cross", |draw| {
        let (mut a, n) = (vec![draw.size(), 3], draw.size());
        if draw.coin() {
            a.push(n);
        }
        let mut b = a.clone();
        if draw.coin() {
            b[0] = 1;
        }
        let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
        Sample::new(inputs, |x| x[0].cross_dim(&x[1], 1))
    })
    .rejects(|| {
        vec![
            Reject::new("cross: no dim of shape [2, 4] has size 3", || {
                floats([2, 4]).cross(&floats([2, 4]));
            }),
            Reject::new("cross: dim 0 of shapes [2, 3] and [2, 3] must have size 3", || {
                floats([2, 3]).cross_dim(&floats([2, 3]), 0);
            }),
        ]
    }),
    OpInfo::composed("bilinear", "torch.nn.functional.bilinear", |draw| {
        let (out, first, second) = (draw.full_size(), draw.full_size(), draw.full_size());
        let leading = draw.shape(0, 2).to_vec();
        let with = |last: usize| leading.iter().copied().chain([last]).collect::<Vec<usize>>();
        let mut inputs = vec![
            draw.leaf(&with(first), Domain::Any),
            draw.leaf(&with(second), Domain::Any),
            draw.leaf(&[out, first, second], Domain::Any),
        ];
        if draw.coin() {
            inputs.push(draw.leaf(&[out], Domain::Any));
        }
        Sample::new(inputs, |x| bilinear(&x[0], &x[1], &x[2], x.get(3)))
    })
    .rejects(|| {
        vec![Reject::new("bilinear: shapes [2, 3] and [2, 4] do not fit weight [5, 4, 3]", || {
            bilinear(&floats([2, 3]), &floats([2, 4]), &floats([5, 4, 3]), None);
        })]
    }),
];
