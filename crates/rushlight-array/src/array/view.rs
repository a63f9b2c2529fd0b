use super::Array;
use crate::fail;
use crate::layout::{Layout, axis};
use crate::shape::{Dims, NewShape, Shape};
use crate::short::Short;
use std::sync::Arc;

/// Views: the same elements under another layout. Only `reshape` and `flatten` may have to copy.
impl Array {
    /// The same elements, in row-major order, in another shape; one size may be -1.
    ///
    /// A view where strides allow it, else a copy.
    ///
    /// # Panics
    /// If the shape does not hold the same number of elements.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<NewShape>) -> Array {
        self.reshaped(&shape.into())
    }

    /// Apart from [`Array::reshape`], which is compiled for each way to write a shape.
    #[track_caller]
    fn reshaped(&self, shape: &NewShape) -> Array {
        let (shape, layout) = self.layout.reshape("reshape", shape);
        match layout {
            Some(layout) => self.with_layout(layout),
            None => {
                let copy = self.contiguous();
                copy.with_layout(Layout::contiguous(shape))
            }
        }
    }

    /// As [`Array::reshape`], but never a copy.
    ///
    /// # Panics
    /// If the shape does not hold the same number of elements, or strides cannot express it.
    #[track_caller]
    pub fn view(&self, shape: impl Into<NewShape>) -> Array {
        match self.layout.reshape("view", &shape.into()) {
            (_, Some(layout)) => self.with_layout(layout),
            (shape, None) => fail!(
                "view: shape {shape:?} needs a copy of this array of shape {:?} and strides {:?}; use reshape",
                self.shape(),
                self.layout.strides()
            ),
        }
    }

    /// Merges the dims `start..=end` into one.
    ///
    /// # Panics
    /// If a dim is out of range or `start` lies behind `end`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Array {
        let (a, b) = (axis("flatten", start, self.shape()), axis("flatten", end, self.shape()));
        if a > b {
            fail!("flatten: start dim {start} lies behind end dim {end} in shape {:?}", self.shape());
        }
        if self.rank() == 0 {
            return self.reshape([1]);
        }
        let mut shape: Vec<usize> = self.shape()[..a].to_vec();
        // Where another size is 0 these need not be countable.
        shape.push(Shape::from(&self.shape()[a..=b]).numel());
        shape.extend(&self.shape()[b + 1..]);
        self.reshape(shape.as_slice())
    }

    /// Swaps two dims.
    ///
    /// # Panics
    /// If a dim is out of range.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Array {
        let (a, b) = (axis("transpose", a, self.shape()), axis("transpose", b, self.shape()));
        if self.rank() == 0 { self.clone() } else { self.with_layout(self.layout.transpose(a, b)) }
    }

    /// The transpose of a matrix; arrays with fewer dims stay as they are.
    ///
    /// # Panics
    /// If there are more than two dims; use `transpose` or `permute`.
    #[track_caller]
    pub fn t(&self) -> Array {
        match self.rank() {
            0 | 1 => self.clone(),
            2 => self.with_layout(self.layout.transpose(0, 1)),
            _ => {
                fail!("t: expected at most 2 dims, but shape is {:?}; use transpose or permute", self.shape())
            }
        }
    }

    /// Reorders the dims: dim `i` of the result is `dims[i]` of this array.
    ///
    /// # Panics
    /// If `dims` is not an order of all dims.
    #[track_caller]
    pub fn permute(&self, dims: impl Into<Dims>) -> Array {
        let mut axes: Short<usize> = Short::new();
        for d in dims.into().iter() {
            axes.push(axis("permute", d, self.shape()));
        }
        self.with_layout(self.layout.permute(&axes))
    }

    /// The `len` places from `start` along `dim`.
    ///
    /// # Panics
    /// If they leave the dim.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: usize, len: usize) -> Array {
        self.slice("narrow", dim, start, len, 1)
    }

    /// The `len` places from `start` along `dim`, `step` apart.
    ///
    /// # Panics
    /// If they leave the dim, or `step` is 0.
    #[track_caller]
    pub fn step(&self, dim: isize, start: usize, len: usize, step: usize) -> Array {
        self.slice("step", dim, start, len, step)
    }

    #[track_caller]
    pub(crate) fn slice(&self, op: &str, dim: isize, start: usize, len: usize, step: usize) -> Array {
        let a = self.axis(op, dim);
        self.with_layout(self.layout.slice(op, a, start, len, step))
    }

    /// The elements at one index along `dim`, without that dim; a negative index counts from the back.
    ///
    /// # Panics
    /// If the index is out of range.
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Array {
        let a = self.axis("select", dim);
        let size = self.shape()[a];
        if index >= size as isize || index < -(size as isize) {
            fail!("select: index {index} is out of range for dim {dim} of shape {:?}", self.shape());
        }
        let index = if index < 0 { index + size as isize } else { index };
        self.with_layout(self.layout.select(a, index as usize))
    }

    /// A new dim of size 1 before dim `dim`; -1 means behind the last.
    ///
    /// # Panics
    /// If `dim` is out of range.
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Array {
        let rank = self.rank() as isize;
        if dim < -rank - 1 || dim > rank {
            fail!(
                "unsqueeze: dim {dim} is out of range for shape {:?}; expected {} to {rank}",
                self.shape(),
                -rank - 1
            );
        }
        self.with_layout(self.layout.unsqueeze((if dim < 0 { dim + rank + 1 } else { dim }) as usize))
    }

    /// Drops all dims of size 1.
    pub fn squeeze(&self) -> Array {
        let all: Short<usize> = (0..self.rank()).collect();
        self.with_layout(self.layout.squeeze(&all))
    }

    /// Drops those of the named dims whose size is 1.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn squeeze_dim(&self, dims: impl Into<Dims>) -> Array {
        let axes = self.distinct_axes("squeeze", &dims.into());
        self.with_layout(self.layout.squeeze(&axes))
    }

    /// The axes that dims name.
    #[track_caller]
    pub(crate) fn distinct_axes(&self, op: &str, dims: &Dims) -> Short<usize> {
        let mut axes: Short<usize> = Short::new();
        for dim in dims.iter() {
            let axis = axis(op, dim, self.shape());
            if axes.contains(&axis) {
                fail!("{op}: dim {dim} of shape {:?} is named twice in {:?}", self.shape(), dims.0);
            }
            axes.push(axis);
        }
        axes
    }

    /// The elements whose indices along two dims differ by `offset` (second minus first), as a new last dim.
    ///
    /// # Panics
    /// If a dim is out of range or both are the same.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, dim1: isize, dim2: isize) -> Array {
        let (first, second) = (self.axis("diagonal", dim1), self.axis("diagonal", dim2));
        self.with_layout(self.layout.diagonal("diagonal", offset, first, second))
    }

    /// The storage's elements under other sizes and strides, counted from the storage's beginning, not this array's.
    ///
    /// # Panics
    /// If the storage has no such elements, a stride is negative, or there is not one for each dim.
    #[track_caller]
    pub fn as_strided(&self, shape: impl Into<Shape>, strides: &[usize], offset: usize) -> Array {
        let layout = Layout::unsigned(shape.into(), strides, offset);
        Array::from_parts(Arc::clone(&self.storage), layout)
    }

    /// The elements in the opposite order along some dims, in a block of their own.
    ///
    /// A view would need strides below zero, which other programs that are lent the memory do not know.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn flip(&self, dims: impl Into<Dims>) -> Array {
        let axes = self.distinct_axes("flip", &dims.into());
        if self.rank() == 0 || self.numel() == 0 {
            return self.clone();
        }
        // Turning rows and columns and their order at once would read neither in order.
        let in_rows = self.layout.strides().last().is_none_or(|&stride| stride == 1);
        let x = if in_rows { self.clone() } else { self.contiguous() };
        self.device().kernels().copy(&x.with_layout(x.layout.flip(&axes)))
    }

    /// The elements in row-major order in a block of their own.
    pub fn copy(&self) -> Array {
        self.device().kernels().copy(self)
    }

    /// The elements in row-major order, with those of `source` in the places of `region`: a layout within this array as
    /// [`Array::contiguous`] would lay it out, not within its storage. Where places meet, one of the elements stays.
    ///
    /// What nobody else holds is overwritten.
    ///
    /// # Panics
    /// If `region` has another shape than `source` or leaves this array, or dtypes or devices differ.
    #[track_caller]
    pub fn place(self, region: &Layout, source: &Array) -> Array {
        self.same_device("place", source);
        let fits = region.shape() == source.shape() && region.lies_within(self.numel());
        if !fits || self.dtype() != source.dtype() {
            fail!(
                "place: elements of shape {:?} and dtype {} do not fit {region:?} within shape {:?} of {}",
                source.shape(),
                source.dtype().name(),
                self.shape(),
                self.dtype().name()
            );
        }
        let device = self.device().clone();
        device.kernels().place(self, region, source)
    }

    /// Repeats dims of size 1 to the given sizes, and adds dims in front, without copying; -1 keeps a size.
    ///
    /// # Panics
    /// If a size differs and is not 1, or -1 stands for a dim in front that does not exist yet.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<NewShape>) -> Array {
        let wanted = shape.into().0;
        let added = wanted.len().saturating_sub(self.rank());
        if wanted.iter().enumerate().any(|(i, &s)| s < if i < added { 0 } else { -1 }) {
            fail!(
                "expand: sizes {wanted:?} for shape {:?}; -1 may only keep a dim that exists, of the last {}",
                self.shape(),
                self.rank()
            );
        }
        let size = |(i, &s): (usize, &isize)| if s < 0 { self.shape()[i - added] } else { s as usize };
        let sizes: Short<usize> = wanted.iter().enumerate().map(size).collect();
        self.broadcast_to("expand", &sizes)
    }

    #[track_caller]
    pub(crate) fn broadcast_to(&self, op: &str, shape: &[usize]) -> Array {
        if **self.shape() == *shape { self.clone() } else { self.with_layout(self.layout.expand(op, shape)) }
    }

    /// Windows of `size` places, `step` apart, along `dim`; the window becomes a new last dim.
    ///
    /// # Panics
    /// If the window is larger than the dim or `step` is 0.
    #[track_caller]
    pub fn unfold(&self, dim: isize, size: usize, step: usize) -> Array {
        let a = axis("unfold", dim, self.shape());
        // A scalar is one place, as in PyTorch.
        let row = if self.rank() == 0 { self.unsqueeze(0) } else { self.clone() };
        let layout = row.layout.unfold(a, size, step);
        if self.rank() > 0 {
            self.with_layout(layout)
        } else {
            self.with_layout(layout.slice("unfold", 0, 0, 1, 1).squeeze(&[0]))
        }
    }

    /// Pieces of `size` along `dim`; the last may be smaller.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn split(&self, size: usize, dim: isize) -> Vec<Array> {
        let a = self.axis("split", dim);
        if size == 0 {
            fail!("split: pieces of size 0 along dim {dim} of shape {:?}; use at least 1", self.shape());
        }
        let total = self.shape()[a];
        let starts = (0..total.max(1)).step_by(size);
        starts.map(|start| self.narrow(a as isize, start, size.min(total - start))).collect()
    }

    /// The axis that `dim` names; unlike reductions, views of a scalar have none.
    #[track_caller]
    pub(crate) fn axis(&self, op: &str, dim: isize) -> usize {
        if self.rank() == 0 {
            fail!("{op}: a scalar has no dim {dim}; reshape it to [1] first");
        }
        axis(op, dim, self.shape())
    }
}
