//! What an index list means: steps, of which the first give a view, and the last pick by an index array.

use super::elementwise::broadcast_shapes;
use super::{Array, Index, Indices};
use crate::backend::{OutOfRange, Scatter};
use crate::device::Device;
use crate::dtype::DType;
use crate::fail;
use crate::shape::Shape;

/// What one index of a list asks for, with places checked and negative ones resolved.
#[derive(Clone, Debug)]
pub enum Step {
    /// `select(axis, index)`.
    Select(usize, usize),
    /// `slice(axis, start, len, step)`.
    Slice(usize, usize, usize, usize),
    /// `unsqueeze(axis)`.
    Unsqueeze(usize),
    /// `permute(dims)`.
    Permute(Vec<isize>),
    /// `flatten(first axis, last axis)`.
    Flatten(usize, usize),
    /// `index_select(axis, index)`; the index array has any shape, its dims take the axis's place. Always the last.
    Take(usize, Array),
}

impl Step {
    /// Whether this step gives a view in which every element has its own place in the array.
    fn is_view(&self) -> bool {
        matches!(self, Step::Select(..) | Step::Slice(..) | Step::Unsqueeze(_))
    }
}

/// Turns an index list into steps, to be applied in order, for an array of this shape. Messages begin with `op`.
///
/// # Panics
/// If there are more indices than dims, a place is out of range, or a mask has the wrong shape.
#[track_caller]
pub fn index_steps(op: &str, indices: &[Index], shape: &[usize], device: &Device) -> Vec<Step> {
    let list = resolve(op, indices, shape, device);
    let (mut axis, mut dim, mut steps) = (0, 0, Vec::with_capacity(list.len()));
    let mut taken: Vec<Taken> = Vec::new();
    for index in list {
        let span = index.dims();
        match index {
            Resolved::At(at) => {
                steps.push(Step::Select(axis, place(op, at, dim, shape)));
                dim += 1;
                continue;
            }
            Resolved::Slice(start, end, step) => {
                let size = shape[dim];
                let cut =
                    |p: isize| (if p < 0 { p + size as isize } else { p }).clamp(0, size as isize) as usize;
                let (start, end) = (cut(start), end.map_or(size, cut));
                if step == 0 {
                    fail!("{op}: step 0 in dim {dim}; use at least 1");
                }
                if (start, end, step) != (0, size, 1) {
                    steps.push(Step::Slice(axis, start, end.saturating_sub(start).div_ceil(step), step));
                }
            }
            Resolved::NewAxis => steps.push(Step::Unsqueeze(axis)),
            // As PyTorch: a new dim, from which an index array takes its only place or none.
            Resolved::Flag(flag) => {
                steps.push(Step::Unsqueeze(axis));
                let index =
                    Array::from_vec(vec![0i64; usize::from(flag)], usize::from(flag)).to_device(device);
                taken.push(Taken { axis, span: 1, dim, size: 1, index });
            }
            Resolved::Mask(mask) => {
                let size = mask.numel();
                let index = true_places(op, &mask, dim, shape);
                taken.push(Taken { axis, span, dim, size, index });
            }
            Resolved::Places(index) => taken.push(Taken { axis, span: 1, dim, size: shape[dim], index }),
        }
        axis += span.max(1);
        dim += span;
    }
    take_together(op, &taken, axis + shape.len() - dim, shape, &mut steps);
    steps
}

/// An index as it stands in the list when the ellipsis is written out and arrays are known to be masks or places.
enum Resolved {
    At(isize),
    Slice(isize, Option<isize>, usize),
    NewAxis,
    Flag(bool),
    Mask(Array),
    Places(Array),
}

impl Resolved {
    /// The number of dims that this index stands for.
    fn dims(&self) -> usize {
        match self {
            Resolved::NewAxis | Resolved::Flag(_) => 0,
            Resolved::Mask(mask) => mask.rank(),
            _ => 1,
        }
    }
}

#[track_caller]
fn resolve(op: &str, indices: &[Index], shape: &[usize], device: &Device) -> Vec<Resolved> {
    let (mut list, mut ellipsis) = (Vec::with_capacity(indices.len()), None);
    for index in indices {
        list.push(match index {
            Index::At(at) => Resolved::At(*at),
            Index::Slice { start, end, step } => Resolved::Slice(*start, *end, *step),
            Index::NewAxis => Resolved::NewAxis,
            Index::Bool(flag) => Resolved::Flag(*flag),
            Index::Array(array) => match (array.dtype(), array.rank()) {
                (DType::Bool | DType::U8, 0) => Resolved::Flag(array.item::<bool>()),
                (DType::Bool | DType::U8, _) => Resolved::Mask(array.cast(DType::Bool).to_device(device)),
                (dtype, _) if dtype.is_float() => fail!(
                    "{op}: an index array of {}; it must hold integers or bools; cast with .to(DType::I64)",
                    dtype.name()
                ),
                // One place is a view, as PyTorch has it.
                (_, 0) => Resolved::At(array.item::<i64>() as isize),
                _ => Resolved::Places(array.cast(DType::I64).to_device(device)),
            },
            Index::Ellipsis if ellipsis.is_some() => {
                fail!("{op}: two ellipses in one index; it is not clear what the second stands for")
            }
            Index::Ellipsis => {
                ellipsis = Some(list.len());
                continue;
            }
        });
    }
    let asked: usize = list.iter().map(Resolved::dims).sum();
    if asked > shape.len() {
        fail!("{op}: {asked} indices for shape {shape:?}; it has only {} dims", shape.len());
    }
    if let Some(at) = ellipsis {
        let whole = (asked..shape.len()).map(|_| Resolved::Slice(0, None, 1));
        list.splice(at..at, whole);
    }
    list
}

/// An index array in a list.
struct Taken {
    /// Where it stands when the other steps are done.
    axis: usize,
    /// The number of axes that it indexes as one.
    span: usize,
    dim: usize,
    /// The number of places in these axes.
    size: usize,
    index: Array,
}

/// A mask stands for the row-major numbers of its true elements.
#[track_caller]
fn true_places(op: &str, mask: &Array, dim: usize, shape: &[usize]) -> Array {
    if shape.get(dim..dim + mask.rank()) != Some(&**mask.shape()) {
        fail!(
            "{op}: a mask of shape {:?} at dim {dim} of shape {shape:?}; it must have the sizes of the dims it stands for",
            mask.shape()
        );
    }
    mask.reshape([-1]).nonzero().reshape([-1])
}

/// The steps for the index arrays of a list. Several belong together, as in PyTorch: they broadcast, and
/// place by place they name one element. Their dims stand where the arrays stood if these are neighbours,
/// else in front.
#[track_caller]
fn take_together(op: &str, taken: &[Taken], rank: usize, shape: &[usize], steps: &mut Vec<Step>) {
    let [first, ..] = taken else { return };
    let mut common = Shape::from(());
    for Taken { index, .. } in taken {
        common = broadcast_shapes(op, &common, index.shape());
    }
    let arrays: Vec<Array> = taken.iter().map(|t| t.index.broadcast_to(op, &common)).collect();
    let sizes: Vec<usize> = taken.iter().map(|t| t.size).collect();
    let device = first.index.device().clone();
    let numbers = match device.kernels().ravel_index(&arrays.iter().collect::<Vec<_>>(), &sizes) {
        Ok(numbers) => numbers,
        Err((which, OutOfRange { index, size })) => out_of_range(op, index, taken[which].dim, shape, size),
    };
    let axes: Vec<usize> = taken.iter().flat_map(|t| t.axis..t.axis + t.span).collect();
    let neighbours = axes.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let to = if neighbours { first.axis } else { 0 };
    if !neighbours {
        let others = (0..rank).filter(|a| !axes.contains(a));
        steps.push(Step::Permute(axes.iter().copied().chain(others).map(|a| a as isize).collect()));
    }
    if axes.len() > 1 {
        steps.push(Step::Flatten(to, to + axes.len() - 1));
    }
    steps.push(Step::Take(to, numbers));
}

#[track_caller]
fn out_of_range(op: &str, index: i64, dim: usize, shape: &[usize], size: usize) -> ! {
    // "index: 7 is ..", "take: index 7 is ..".
    let what = if op == "index" { "" } else { "index " };
    if size == 0 {
        fail!("{op}: {what}{index} is out of range for dim {dim} of shape {shape:?}, which is empty");
    }
    fail!(
        "{op}: {what}{index} is out of range for dim {dim} of shape {shape:?}; expected -{size} to {}",
        size - 1
    )
}

#[track_caller]
fn place(op: &str, at: isize, dim: usize, shape: &[usize]) -> usize {
    let size = shape[dim] as isize;
    if at < -size || at >= size {
        out_of_range(op, at as i64, dim, shape, shape[dim]);
    }
    (if at < 0 { at + size } else { at }) as usize
}

impl Array {
    /// This array of places along a dim of a shape, as `i64` and with negative ones counted from the back. Messages begin
    /// with `op`.
    ///
    /// # Panics
    /// If the array does not hold integers, or a place is out of range.
    #[track_caller]
    pub fn wrap_index(&self, op: &str, dim: usize, shape: &[usize]) -> Array {
        if !self.dtype().is_int() {
            fail!("{op}: indices are {}, not integers; cast with .to(DType::I64)", self.dtype().name());
        }
        // A scalar has one place.
        let size = shape.get(dim).copied().unwrap_or(1);
        match self.device().kernels().ravel_index(&[&self.cast(DType::I64)], &[size]) {
            Ok(places) => places,
            Err((_, OutOfRange { index, .. })) => out_of_range(op, index, dim, shape, size),
        }
    }

    /// Indexing: places, ranges, new axes, index arrays and masks, one a dim; see [`Index`].
    ///
    /// # Panics
    /// If an index does not fit its dim.
    #[track_caller]
    pub fn get(&self, indices: impl Into<Indices>) -> Array {
        let mut out = self.clone();
        for step in index_steps("index", indices.into().as_slice(), self.shape(), self.device()) {
            out = out.step_in(&step);
        }
        out
    }

    #[track_caller]
    fn step_in(&self, step: &Step) -> Array {
        match step {
            Step::Select(axis, index) => self.select(*axis as isize, *index as isize),
            Step::Slice(axis, start, len, step) => self.slice("index", *axis as isize, *start, *len, *step),
            Step::Unsqueeze(axis) => self.unsqueeze(*axis as isize),
            Step::Permute(dims) => self.permute(dims),
            Step::Flatten(start, end) => self.flatten(*start as isize, *end as isize),
            Step::Take(axis, index) => {
                let out = self.pick(*axis, &index.reshape([-1])).expect("numbers were checked");
                out.reshape(taken_shape(self.shape(), *axis, index.shape()).as_slice())
            }
        }
    }

    /// This array with `values` at the places that an index list names, set or joined as `by` says; the values
    /// broadcast. Places that are named more than once take their values in row-major order. Messages begin with `op`.
    ///
    /// # Panics
    /// If an index does not fit its dim, the values do not broadcast to what the list names, or the dtypes differ.
    #[track_caller]
    pub fn index_put(&self, op: &str, by: Scatter, indices: &Indices, values: &Array) -> Array {
        self.same_device(op, values);
        if values.dtype() != self.dtype() {
            fail!(
                "{op}: the values are {}, the tensor {}; cast them with .to(DType::{:?})",
                values.dtype().name(),
                self.dtype().name(),
                self.dtype()
            );
        }
        let steps = index_steps(op, indices.as_slice(), self.shape(), self.device());
        let (views, takes) = steps.split_at(steps.iter().take_while(|step| step.is_view()).count());
        if views.is_empty() {
            return self.put_taken(op, by, takes, values);
        }
        // A copy, so that the view's places are those of the result.
        let base = self.device().kernels().copy(self);
        let view = views.iter().fold(base.clone(), |x, step| x.step_in(step));
        let put = view.put_taken(op, by, takes, values);
        let layout = view.layout().clone();
        drop(view);
        let device = base.device().clone();
        device.kernels().place(base, &layout, &put)
    }

    /// As [`Array::index_put`], behind the steps that give a view.
    #[track_caller]
    fn put_taken(&self, op: &str, by: Scatter, steps: &[Step], values: &Array) -> Array {
        let Some((Step::Take(axis, index), before)) = steps.split_last() else {
            let values = fit(op, values, self.shape());
            return match by {
                Scatter::Set => values,
                _ => self.add(&values),
            };
        };
        let mut permuted = self.clone();
        let mut flat = self.clone();
        for step in before {
            flat = flat.step_in(step);
            if let Step::Permute(_) = step {
                permuted = flat.clone();
            }
        }
        let shape = taken_shape(flat.shape(), *axis, index.shape());
        let mut lines = flat.shape().to_vec();
        lines[*axis] = index.numel();
        let dtype = self.scatter_dtype(by);
        let values = fit(op, values, &shape).reshape(lines.as_slice()).cast(dtype);
        let put = flat.put(by, *axis, &index.reshape([-1]), &values, dtype).expect("numbers were checked");
        let put = put.into_dtype(self.dtype()).reshape(permuted.shape());
        match before.first() {
            Some(Step::Permute(dims)) => {
                let mut back = vec![0; dims.len()];
                dims.iter().enumerate().for_each(|(i, &d)| back[d as usize] = i as isize);
                put.permute(&back)
            }
            _ => put,
        }
    }
}

/// The shape of what an index array of a shape takes along an axis.
fn taken_shape(own: &[usize], axis: usize, index: &[usize]) -> Vec<usize> {
    [&own[..axis], index, &own[axis + 1..]].concat()
}

#[track_caller]
fn fit(op: &str, values: &Array, shape: &[usize]) -> Array {
    let fits = Shape::broadcast(values.shape(), shape).is_ok_and(|both| *both == *shape);
    if !fits {
        fail!(
            "{op}: values of shape {:?} do not broadcast to shape {shape:?}, which the indices name",
            values.shape()
        );
    }
    values.broadcast_to(op, shape)
}
