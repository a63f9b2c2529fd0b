//! Some of the places of a tensor, evenly spaced: read as a view, filled in, replaced.
//!
//! The three are each other's gradients, so that slices, diagonals and padding share them. Their rows of the table stand
//! with those: `narrow`, `constant_pad_nd`, `slice_scatter`.

use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved};
use crate::tensor::Tensor;
use rushlight_array::{Array, Layout, Scalar, Shape, fail};

/// Which places are meant.
#[derive(Clone, Debug)]
pub(crate) enum Region {
    /// Some along one axis.
    Slice { axis: usize, start: usize, len: usize, step: usize },
    /// One along an axis, which disappears.
    Select { axis: usize, index: usize },
    /// Those whose indices along two axes differ by so much; they become the last axis.
    Diagonal { offset: isize, first: usize, second: usize },
    /// A block: where it begins and its size, for each axis.
    Window { starts: Vec<usize>, sizes: Vec<usize> },
}

impl Region {
    /// The places within a layout.
    #[track_caller]
    pub(crate) fn of(&self, op: &str, layout: &Layout) -> Layout {
        match self {
            Region::Slice { axis, start, len, step } => layout.slice(op, *axis, *start, *len, *step),
            Region::Select { axis, index } => layout.select(*axis, *index),
            Region::Diagonal { offset, first, second } => layout.diagonal(op, *offset, *first, *second),
            Region::Window { starts, sizes } => {
                let mut window = layout.clone();
                for (axis, (&start, &size)) in starts.iter().zip(sizes).enumerate() {
                    window = window.slice(op, axis, start, size, 1);
                }
                window
            }
        }
    }

    /// The axis, the first place along it and their number, if it is a run of neighbours along one axis.
    pub(crate) fn run(&self) -> Option<(usize, usize, usize)> {
        match *self {
            Region::Slice { axis, start, len, step: 1 } => Some((axis, start, len)),
            Region::Select { axis, index } => Some((axis, index, 1)),
            _ => None,
        }
    }

    /// Whether two regions of one tensor surely have no place in common.
    pub(crate) fn is_apart(&self, other: &Region) -> bool {
        // The axis, and the places along it from the first to behind the last.
        let span = |region: &Region| match *region {
            Region::Slice { axis, start, len, step } => {
                Some((axis, start, start + len.saturating_sub(1) * step + 1))
            }
            Region::Select { axis, index } => Some((axis, index, index + 1)),
            _ => None,
        };
        match (span(self), span(other)) {
            (Some((a, start, end)), Some((b, first, last))) => a == b && (end <= first || last <= start),
            _ => false,
        }
    }

    /// The places of a tensor: a view.
    #[track_caller]
    pub(crate) fn pick(&self, name: &'static str, x: &Tensor) -> Tensor {
        Tensor::apply(Part { region: self.clone(), name }, &[x])
    }

    /// A tensor of a shape, filled with a value, with `x` in these places.
    #[track_caller]
    pub(crate) fn embed(
        &self,
        name: &'static str,
        x: &Tensor,
        shape: &Shape,
        fill: impl Into<Scalar>,
    ) -> Tensor {
        let op = Embed { region: self.clone(), shape: shape.clone(), fill: fill.into(), name };
        Tensor::apply(op, &[x])
    }

    /// The tensor `x` with `source` in these places.
    #[track_caller]
    pub(crate) fn replace(&self, name: &'static str, x: &Tensor, source: &Tensor) -> Tensor {
        Tensor::apply(Replace { region: self.clone(), name }, &[x, source])
    }
}

/// The places of a tensor.
#[derive(Debug)]
struct Part {
    region: Region,
    name: &'static str,
}

impl Op for Part {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (storage, layout) = inputs[0].clone().into_parts();
        Array::from_parts(storage, self.region.of(self.name, &layout))
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        if is_grad_enabled() {
            give.to(0, || self.region.embed("slice_backward", grad, saved.shape(0), 0.0));
        } else {
            give.part(0, &self.region, grad);
        }
    }
}

/// A tensor of one value with another in some places.
#[derive(Debug)]
struct Embed {
    region: Region,
    shape: Shape,
    fill: Scalar,
    name: &'static str,
}

impl Op for Embed {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let x = inputs[0];
        let whole = Array::full(&self.shape, self.fill, x.dtype(), x.device());
        let region = self.region.of(self.name, whole.layout());
        whole.place(&region, x)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || self.region.pick("slice", grad));
    }
}

/// A tensor with another's elements in some places.
#[derive(Debug)]
struct Replace {
    region: Region,
    name: &'static str,
}

impl Op for Replace {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let [x, source] = [inputs[0], inputs[1]];
        let region = self.region.of(self.name, &Layout::contiguous(x.shape()));
        if region.shape() != source.shape() {
            fail!(
                "{}: the source has shape {:?}, but its places in shape {:?} have shape {:?}; they must be equal",
                self.name,
                source.shape(),
                x.shape(),
                region.shape()
            );
        }
        x.clone().place(&region, &source.cast(x.dtype()))
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let zeros = Array::full((), 0.0, grad.dtype(), &grad.device()).expand(saved.shape(1));
            self.region.replace(self.name, grad, &zeros.into())
        });
        give.to(1, || self.region.pick("slice", grad));
    }
}
