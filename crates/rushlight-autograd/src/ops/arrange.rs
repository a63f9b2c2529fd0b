//! The same elements in other places, or several times.

use super::layout::real_axis;
use super::operand::Operand;
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Dims, Scalar, Shape, axis, fail};

/// The opposite order along some dims.
#[derive(Debug)]
struct Flip(Dims);

impl Op for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].flip(self.0.clone())
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.flip(self.0.clone()));
    }
}

/// Places moved around along axes, each by so many, fewer than there are.
#[derive(Debug)]
struct Roll(Vec<(usize, isize)>);

impl Op for Roll {
    fn name(&self) -> &'static str {
        "roll"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let mut out = inputs[0].clone();
        for &(axis, shift) in &self.0 {
            let size = out.shape()[axis];
            // An empty axis has nothing to move, and numbers modulo 0 do not exist.
            let shift = shift.rem_euclid(size.max(1) as isize) as usize;
            if shift > 0 {
                let dim = axis as isize;
                out = Array::cat(
                    &[&out.narrow(dim, size - shift, shift), &out.narrow(dim, 0, size - shift)],
                    dim,
                );
            }
        }
        out
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let back = self.0.iter().map(|&(axis, shift)| (axis, -shift)).collect();
            Tensor::apply(Roll(back), &[grad])
        });
    }
}

/// Order and repetition.
impl Tensor {
    /// The elements in the opposite order along some dims.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).flip(1).to_vec::<i64>(), [2, 1, 4, 3]);
    /// ```
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn flip(&self, dims: impl Into<Dims>) -> Tensor {
        Tensor::apply(Flip(dims.into()), &[self])
    }

    /// The columns in the opposite order: [`Tensor::flip`] along dim 1.
    ///
    /// # Panics
    /// If there are fewer than two dims.
    #[track_caller]
    pub fn fliplr(&self) -> Tensor {
        if self.dim() < 2 {
            fail!("fliplr: shape {:?} has no columns; at least 2 dims are needed", self.shape());
        }
        self.flip(1)
    }

    /// The rows in the opposite order: [`Tensor::flip`] along dim 0.
    ///
    /// # Panics
    /// If the tensor is a scalar.
    #[track_caller]
    pub fn flipud(&self) -> Tensor {
        if self.dim() == 0 {
            fail!("flipud: a scalar has no rows; at least 1 dim is needed");
        }
        self.flip(0)
    }

    /// The elements, as one dim, moved on by `shift` places; what leaves at the end comes in at the beginning.
    /// [`Tensor::roll_dim`] moves them along dims.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).roll(1).to_vec::<i64>(), [4, 1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn roll(&self, shift: isize) -> Tensor {
        self.ravel().roll_dim(shift, 0).reshape(self.shape())
    }

    /// The places along each of `dims` moved on by as many as its shift says; what leaves at the end comes in at the
    /// beginning.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.roll_dim(1, 0).to_vec::<i64>(), [5, 6, 1, 2, 3, 4]);
    /// assert_eq!(x.roll_dim([1, -1], [0, 1]).to_vec::<i64>(), [6, 5, 2, 1, 4, 3]);
    /// ```
    ///
    /// # Panics
    /// If there is not one shift for each dim, there is none, or a dim is out of range.
    #[track_caller]
    pub fn roll_dim(&self, shifts: impl Into<Dims>, dims: impl Into<Dims>) -> Tensor {
        let (shifts, dims) = (shifts.into(), dims.into());
        let shape = self.shape();
        if shifts.is_empty() || shifts.iter().count() != dims.iter().count() {
            fail!(
                "roll: shifts {:?} for dims {:?}; there must be one for each",
                shifts.iter().collect::<Vec<_>>(),
                dims.iter().collect::<Vec<_>>()
            );
        }
        let mut moves = Vec::new();
        for (shift, dim) in shifts.iter().zip(dims.iter()) {
            let axis = real_axis("roll", dim, &shape);
            moves.push((axis, shift % shape[axis].max(1) as isize));
        }
        Tensor::apply(Roll(moves), &[self])
    }

    /// The plane of two dims turned by 90 degrees `k` times, from the first towards the second; a negative `k` turns
    /// back.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).rot90(1, [0, 1]).to_vec::<i64>(), [2, 4, 1, 3]);
    /// ```
    ///
    /// # Panics
    /// If there are not exactly two different dims.
    #[track_caller]
    pub fn rot90(&self, k: isize, dims: impl Into<Dims>) -> Tensor {
        let shape = self.shape();
        let dims: Vec<isize> = dims.into().iter().collect();
        let [a, b] = dims[..] else { fail!("rot90: dims {dims:?} of shape {shape:?}; a plane has two") };
        if axis("rot90", a, &shape) == axis("rot90", b, &shape) {
            fail!("rot90: dims {dims:?} of shape {shape:?} are not a plane; they must differ");
        }
        match k.rem_euclid(4) {
            0 => self.clone(),
            1 => self.flip(b).transpose(a, b),
            2 => self.flip(dims),
            _ => self.flip(a).transpose(a, b),
        }
    }

    /// The tensor `sizes[i]` times one behind the other along dim `i`; more sizes than dims add dims in front.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1, 2]).repeat([2, 2]).to_vec::<i64>(), [1, 2, 1, 2, 1, 2, 1, 2]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer sizes than dims, or the elements cannot be counted.
    #[track_caller]
    pub fn repeat(&self, sizes: impl Into<Shape>) -> Tensor {
        let (own, sizes) = (self.shape(), sizes.into());
        if sizes.len() < own.len() {
            fail!("repeat: sizes {sizes:?} for shape {own:?}; there must be one for each dim");
        }
        self.repeated("repeat", &sizes)
    }

    /// As [`Tensor::repeat`], where sizes that are missing in front are 1.
    ///
    /// # Panics
    /// If the elements cannot be counted.
    #[track_caller]
    pub fn tile(&self, dims: impl Into<Shape>) -> Tensor {
        let sizes = dims.into();
        let missing = self.dim().saturating_sub(sizes.len());
        let sizes: Shape = std::iter::repeat_n(1, missing).chain(sizes.iter().copied()).collect();
        self.repeated("tile", &sizes)
    }

    #[track_caller]
    fn repeated(&self, call: &str, sizes: &Shape) -> Tensor {
        let own = self.shape();
        let new = sizes.len() - own.len();
        // A dim in front of each for its copies; their merging is the only copy.
        let (mut apart, mut wide, mut merged) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &times) in sizes.iter().enumerate() {
            let size = i.checked_sub(new).map_or(1, |i| own[i]);
            apart.extend([1, size]);
            wide.extend([times, size]);
            let Some(size) = times.checked_mul(size) else {
                fail!("{call}: sizes {sizes:?} of shape {own:?} give more elements than can be counted")
            };
            merged.push(size);
        }
        self.reshape(apart).expand(wide).reshape(merged)
    }

    /// Each element of the flattened tensor `repeats` times (a number), or as often as its place in `repeats` says (an
    /// integer tensor). [`Tensor::repeat_interleave_dim`] works along a dim.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([7, 8]).repeat_interleave(2).to_vec::<i64>(), [7, 7, 8, 8]);
    /// assert_eq!(tensor([7, 8]).repeat_interleave(&tensor([0, 3])).to_vec::<i64>(), [8, 8, 8]);
    /// ```
    ///
    /// # Panics
    /// If a number is negative, or `repeats` is no integer or does not fit the number of elements.
    #[track_caller]
    pub fn repeat_interleave<'a>(&self, repeats: impl Into<Operand<'a>>) -> Tensor {
        self.ravel().repeat_interleave_dim(repeats, 0)
    }

    /// Each place along `dim` `repeats` times (a number), or as often as its place in `repeats` says (an integer tensor
    /// with one dim). PyTorch's `output_size` is not needed: the number is counted.
    ///
    /// # Panics
    /// If a number is negative, or `repeats` is no integer or does not fit the size of the dim.
    #[track_caller]
    pub fn repeat_interleave_dim<'a>(&self, repeats: impl Into<Operand<'a>>, dim: isize) -> Tensor {
        let shape = self.shape();
        let at = real_axis("repeat_interleave", dim, &shape);
        let repeats = match repeats.into() {
            Operand::Number(Scalar::Int(times)) => vec![times],
            Operand::Tensor(x) if x.dtype().is_int() && x.dim() < 2 => {
                x.array().cast(DType::I64).to_vec::<i64>()
            }
            Operand::Number(number) => {
                fail!("repeat_interleave: {number:?} repeats; they must be an integer")
            }
            Operand::Tensor(x) => fail!(
                "repeat_interleave: repeats of shape {:?} and dtype {}; they must be integers in at most one dim",
                x.shape(),
                x.dtype().name()
            ),
        };
        if let Some(times) = repeats.iter().find(|&&times| times < 0) {
            fail!("repeat_interleave: {times} repeats; they cannot be negative");
        }
        match repeats[..] {
            [times] => self.each_place(at, times as usize),
            _ if repeats.len() == shape[at] => self.places_by_count(at, &repeats),
            _ => fail!(
                "repeat_interleave: {} repeats for dim {dim} of shape {shape:?}; there must be one, or one for each place",
                repeats.len()
            ),
        }
    }

    #[track_caller]
    fn each_place(&self, axis: usize, times: usize) -> Tensor {
        let dim = axis as isize;
        let mut wide = self.shape().to_vec();
        wide.insert(axis + 1, times);
        self.unsqueeze(dim + 1).expand(wide).flatten(dim, dim + 1)
    }

    #[track_caller]
    fn places_by_count(&self, axis: usize, counts: &[i64]) -> Tensor {
        let total = counts.iter().try_fold(0i64, |sum, &count| sum.checked_add(count));
        if total.is_none_or(|total| total > i64::MAX / 8) {
            fail!("repeat_interleave: repeats that add up to more places than can be counted");
        }
        let places = counts.iter().enumerate();
        let index: Vec<i64> =
            places.flat_map(|(i, &count)| std::iter::repeat_n(i as i64, count as usize)).collect();
        let len = index.len();
        let index = Tensor::constant(Array::from_vec(index, len).to_device(&self.device()));
        self.index_select(axis as isize, &index)
    }
}

/// A leaf and some dims of it.
fn leaf_and_dims(draw: &mut Draw<'_>) -> (Tensor, Vec<isize>) {
    let shape = draw.shape(0, 3);
    let dims = (0..shape.len() as isize).filter(|_| draw.coin()).collect();
    (draw.leaf(&shape, Domain::Any), dims)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Flip", "flip", "torch.flip", |draw| {
        let (leaf, dims) = leaf_and_dims(draw);
        Sample::new(vec![leaf], move |x| x[0].flip(&dims).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("flip: dim 2 is out of range for shape [2, 3]", || {
                floats([2, 3]).flip(2);
            }),
            Reject::new("flip: dim -1 of shape [2, 3] is named twice in [1, -1]", || {
                floats([2, 3]).flip([1, -1]);
            }),
        ]
    }),
    OpInfo::composed("fliplr", "torch.fliplr", |draw| {
        let shape = draw.shape(2, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].fliplr().exp())
    })
    .rejects(|| {
        vec![Reject::new("fliplr: shape [2] has no columns", || {
            floats([2]).fliplr();
        })]
    }),
    OpInfo::composed("flipud", "torch.flipud", |draw| {
        let shape = draw.shape(1, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].flipud().exp())
    })
    .rejects(|| {
        vec![Reject::new("flipud: a scalar has no rows", || {
            floats([]).flipud();
        })]
    }),
    OpInfo::op("Roll", "roll", "torch.roll", |draw| {
        let shape = draw.shape(0, 3);
        let shift = draw.below(9) as isize - 4;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].roll(shift).exp())
    }),
    OpInfo::composed("roll_dim", "torch.roll", |draw| {
        let shape = draw.shape(1, 3);
        let (dims, shifts) = ([draw.dim(&shape), draw.dim(&shape)], [draw.below(9) as isize - 4, 1]);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].roll_dim(shifts, dims).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("roll: shifts [1, 2] for dims [0]; there must be one for each", || {
                floats([2, 3]).roll_dim([1, 2], 0);
            }),
            Reject::new("roll: a scalar has no dim 0", || {
                floats([]).roll_dim(1, 0);
            }),
        ]
    }),
    OpInfo::composed("rot90", "torch.rot90", |draw| {
        let shape = draw.shape(2, 3);
        let (k, last) = (draw.below(9) as isize - 4, shape.len() as isize - 1);
        let dims = if draw.coin() { [0, last] } else { [-1, 0] };
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].rot90(k, dims).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("rot90: dims [0] of shape [2, 3]; a plane has two", || {
                floats([2, 3]).rot90(1, 0);
            }),
            Reject::new("rot90: dims [0, -2] of shape [2, 3] are not a plane", || {
                floats([2, 3]).rot90(1, [0, -2]);
            }),
            Reject::new("rot90: dim 1 is out of range for shape [3]", || {
                floats([3]).rot90(1, [0, 1]);
            }),
        ]
    }),
    OpInfo::composed("repeat", "torch.Tensor.repeat", |draw| {
        let shape = draw.shape(0, 2);
        let sizes: Vec<usize> = (0..shape.len() + draw.below(2)).map(|_| draw.below(3)).collect();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].repeat(sizes.as_slice()).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("repeat: sizes [2] for shape [2, 3]; there must be one for each dim", || {
                floats([2, 3]).repeat([2]);
            }),
            Reject::new("repeat: sizes [9223372036854775807, 1] of shape [3, 3] give more elements", || {
                floats([3, 3]).repeat([usize::MAX / 2, 1]);
            }),
            Reject::new("holds more elements than can be counted", || {
                floats([1, 1]).repeat([usize::MAX / 2, 3]);
            }),
        ]
    }),
    OpInfo::composed("tile", "torch.tile", |draw| {
        let shape = draw.shape(0, 2);
        let sizes: Vec<usize> = (0..draw.below(4)).map(|_| draw.below(3)).collect();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].tile(sizes.as_slice()).exp())
    })
    .rejects(|| {
        vec![Reject::new("tile: sizes [1, 9223372036854775807] of shape [3, 3] give more elements", || {
            floats([3, 3]).tile([usize::MAX / 2]);
        })]
    }),
    OpInfo::composed("repeat_interleave", "torch.repeat_interleave", |draw| {
        let shape = draw.shape(0, 2);
        let times = draw.below(4) as i64;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].repeat_interleave(times).exp())
    })
    .differs("`output_size` is not needed."),
    OpInfo::composed("repeat_interleave_dim", "torch.repeat_interleave", |draw| {
        let shape = draw.shape(1, 3);
        let dim = draw.dim(&shape);
        let counts = draw.index(&[shape[axis("repeat_interleave", dim, &shape)]], 4);
        let counts = Tensor::constant(counts);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].repeat_interleave_dim(&counts, dim).exp()
        })
    })
    .rejects(|| {
        vec![
            Reject::new("repeat_interleave: 2 repeats for dim 1 of shape [2, 3]; there must be one", || {
                floats([2, 3]).repeat_interleave_dim(&crate::tensor([1, 2]), 1);
            }),
            Reject::new("repeat_interleave: -1 repeats; they cannot be negative", || {
                floats([2, 3]).repeat_interleave_dim(-1, 1);
            }),
            Reject::new("repeat_interleave: repeats of shape [3] and dtype float32", || {
                floats([2, 3]).repeat_interleave_dim(&floats([3]), 1);
            }),
            Reject::new("holds more elements than can be counted", || {
                floats([2, 3]).repeat_interleave_dim(i64::MAX, 1);
            }),
            Reject::new("repeat_interleave: repeats that add up to more places than can be counted", || {
                floats([2]).repeat_interleave(&crate::tensor([i64::MAX, 1]));
            }),
        ]
    }),
];
