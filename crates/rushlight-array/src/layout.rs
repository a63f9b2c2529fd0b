use crate::fail;
use crate::shape::{NewShape, Shape};
use crate::short::Short;

/// How the elements of an array lie in its storage: shape, strides and offset, all in elements.
///
/// Strides may be negative ([`Layout::flip`]); no array keeps such a layout, but a backend's `copy` must read one.
///
/// Every view of an array is a new `Layout` over the same storage. The methods panic at the
/// caller's line with the name of the view operation when their arguments do not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    shape: Shape,
    strides: Short<isize>,
    offset: usize,
}

/// The axis that `dim` names in an array of this shape; negative ones count from the back.
///
/// A scalar has, as in PyTorch, one axis for this purpose: dims 0 and -1 are accepted.
///
/// # Panics
/// If `dim` is out of range; the message names `op`, the dim and the shape.
#[track_caller]
pub fn axis(op: &str, dim: isize, shape: &[usize]) -> usize {
    let rank = shape.len().max(1) as isize;
    if dim < -rank || dim >= rank {
        fail!("{op}: dim {dim} is out of range for shape {shape:?}; expected {} to {}", -rank, rank - 1);
    }
    (if dim < 0 { dim + rank } else { dim }) as usize
}

impl Layout {
    /// The row-major layout of a shape.
    ///
    /// # Panics
    /// If its elements cannot be counted.
    #[track_caller]
    pub fn contiguous(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        // What follows cannot overflow then; where a size is 0, no stride is ever used.
        let _ = shape.numel();
        Layout::of_counted(shape)
    }

    /// [`Layout::contiguous`] of a shape whose elements were counted.
    #[inline]
    pub(crate) fn of_counted(shape: Shape) -> Self {
        let mut strides: Short<isize> = Short::filled(1, shape.len());
        for i in (1..shape.len()).rev() {
            strides[i - 1] = strides[i].wrapping_mul(shape[i].max(1) as isize);
        }
        Layout { shape, strides, offset: 0 }
    }

    /// A layout of any strides; [`Array::from_parts`](crate::Array::from_parts) checks that it lies in the storage.
    ///
    /// # Panics
    /// If there is not one stride for each dim.
    #[track_caller]
    pub fn strided(shape: impl Into<Shape>, strides: &[isize], offset: usize) -> Self {
        let shape = shape.into();
        if strides.len() != shape.len() {
            fail!(
                "as_strided: {} strides {strides:?} for shape {shape:?}; there must be one for each dim",
                strides.len()
            );
        }
        let _ = shape.numel();
        Layout { shape, strides: Short::from_slice(strides), offset }
    }

    /// As [`Layout::strided`], of strides that go forward.
    #[track_caller]
    pub(crate) fn unsigned(shape: Shape, strides: &[usize], offset: usize) -> Self {
        let empty = shape.contains(&0);
        // A stride that leads nowhere may be any number: later arithmetic with it must not overflow.
        let forward = |(&stride, &size): (&usize, &usize)| match size {
            0 | 1 => 1,
            _ => isize::try_from(stride).unwrap_or(isize::MAX),
        };
        let used: Short<isize> = match strides.len() == shape.len() {
            true => strides.iter().zip(shape.iter()).map(forward).collect(),
            false => strides.iter().map(|_| 1).collect(),
        };
        Layout::strided(shape, &used, if empty { 0 } else { offset })
    }

    /// Whether every element has its place in a storage of this length.
    pub(crate) fn lies_within(&self, len: usize) -> bool {
        if self.shape.contains(&0) {
            return true;
        }
        // i128: neither a product of two 64-bit numbers nor a sum of a few of them overflows.
        let (mut lowest, mut highest) = (self.offset as i128, self.offset as i128);
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            let reach = (size as i128 - 1) * stride as i128;
            if reach < 0 { lowest += reach } else { highest += reach }
        }
        lowest >= 0 && highest < len as i128
    }

    /// The sizes of the dimensions.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The distance in elements between neighbours along each dimension; 0 where it is expanded.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The place of the first element in the storage.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The number of elements.
    #[track_caller]
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        if self.numel() == 0 {
            // The other sizes may have no product.
            return true;
        }
        let mut expected = 1;
        for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if size != 1 {
                if stride != expected {
                    return false;
                }
                expected *= size as isize;
            }
        }
        true
    }

    /// The same elements in another shape, if strides can express it; `None` if a copy is needed.
    #[track_caller]
    pub fn reshape(&self, op: &str, new: &NewShape) -> (Shape, Option<Layout>) {
        let shape = self.resolve(op, new);
        let layout = self.view_as(&shape);
        (shape, layout)
    }

    /// Replaces a -1 by the size that is left.
    #[track_caller]
    fn resolve(&self, op: &str, new: &NewShape) -> Shape {
        let numel = self.numel();
        let known = new.0.iter().filter(|&&s| s >= 0).fold(1usize, |n, &s| n.saturating_mul(s as usize));
        let open = new.0.iter().filter(|&&s| s < 0).count();
        let fits = match open {
            0 => known == numel,
            1 => known != 0 && numel.is_multiple_of(known),
            _ => false,
        };
        if !fits || new.0.iter().any(|&s| s < -1) {
            fail!(
                "{op}: shape {:?} does not hold the {numel} elements of shape {:?}; at most one size may be -1",
                new.0,
                self.shape
            );
        }
        new.0.iter().map(|&s| if s < 0 { numel / known } else { s as usize }).collect()
    }

    /// The strides of a row-major reading of this layout in another shape of the same size.
    fn view_as(&self, shape: &Shape) -> Option<Layout> {
        if self.numel() == 0 || self.is_contiguous() {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape.clone()) });
        }
        let mut strides: Short<isize> = Short::filled(0, shape.len());
        let mut next = shape.len();
        let mut axis = self.shape.len();
        while axis > 0 {
            // A block of old dimensions that lie behind each other without gaps ...
            axis -= 1;
            let mut size = self.shape[axis];
            let stride = self.strides[axis];
            while axis > 0 && (self.shape[axis - 1] == 1 || self.strides[axis - 1] == size as isize * stride)
            {
                axis -= 1;
                size *= self.shape[axis];
            }
            // ... must be cut exactly by new dimensions.
            let mut taken = 1;
            while next > 0 && (taken < size || shape[next - 1] == 1) {
                next -= 1;
                strides[next] = stride * taken as isize;
                taken *= shape[next];
            }
            if taken != size {
                return None;
            }
        }
        Some(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// Reorders the dimensions: dimension `i` of the result is `dims[i]` of this layout.
    #[track_caller]
    pub fn permute(&self, dims: &[usize]) -> Layout {
        let mut seen: Short<bool> = Short::filled(false, self.shape.len());
        for &d in dims {
            if d < seen.len() {
                seen[d] = true;
            }
        }
        if dims.len() != self.shape.len() || seen.contains(&false) {
            fail!(
                "permute: dims {dims:?} are not an order of the {} dims of shape {:?}",
                seen.len(),
                self.shape
            );
        }
        Layout {
            shape: dims.iter().map(|&d| self.shape[d]).collect(),
            strides: dims.iter().map(|&d| self.strides[d]).collect(),
            offset: self.offset,
        }
    }

    /// Swaps two dimensions.
    pub fn transpose(&self, a: usize, b: usize) -> Layout {
        let mut layout = self.clone();
        if a != b {
            layout.shape.dims_mut().swap(a, b);
            layout.strides.swap(a, b);
        }
        layout
    }

    /// The `len` places from `start` along one axis, `step` apart.
    #[track_caller]
    pub fn slice(&self, op: &str, axis: usize, start: usize, len: usize, step: usize) -> Layout {
        let size = self.shape[axis];
        // The last place, so that nothing overflows whatever the caller asks for.
        let last = len.checked_sub(1).map(|n| n.saturating_mul(step).saturating_add(start));
        if last.map_or(start > size, |last| last >= size) || step == 0 {
            fail!(
                "{op}: start {start}, length {len}, step {step} leave axis {axis} of shape {:?}",
                self.shape
            );
        }
        let mut layout = self.clone();
        layout.shape.dims_mut()[axis] = len;
        // Without elements a stride may be anything: see `contiguous`.
        if len > 1 {
            layout.strides[axis] = self.strides[axis].wrapping_mul(step as isize);
        }
        if !self.shape.contains(&0) {
            layout.offset = (layout.offset as isize + start as isize * self.strides[axis]) as usize;
        }
        layout
    }

    /// The places of one index along an axis; the axis disappears.
    #[track_caller]
    pub fn select(&self, axis: usize, index: usize) -> Layout {
        let mut layout = self.slice("select", axis, index, 1, 1);
        layout.shape.remove(axis);
        layout.strides.remove(axis);
        layout
    }

    /// Adds a dimension of size 1 before `axis`.
    pub fn unsqueeze(&self, axis: usize) -> Layout {
        let stride = if axis < self.shape.len() {
            self.strides[axis].wrapping_mul(self.shape[axis] as isize)
        } else {
            1
        };
        let mut layout = self.clone();
        layout.shape.insert(axis, 1);
        layout.strides.insert(axis, stride);
        layout
    }

    /// Drops the dimensions of size 1 among `axes`.
    pub fn squeeze(&self, axes: &[usize]) -> Layout {
        let keep = |i: &usize| self.shape[*i] != 1 || !axes.contains(i);
        let kept: Short<usize> = (0..self.shape.len()).filter(keep).collect();
        Layout {
            shape: kept.iter().map(|&i| self.shape[i]).collect(),
            strides: kept.iter().map(|&i| self.strides[i]).collect(),
            offset: self.offset,
        }
    }

    /// Repeats dimensions of size 1, and adds new ones in front, without copying.
    #[track_caller]
    pub fn expand(&self, op: &str, shape: &[usize]) -> Layout {
        let new = shape.len().checked_sub(self.shape.len());
        let fits =
            new.is_some_and(|new| self.shape.iter().zip(&shape[new..]).all(|(&s, &t)| s == t || s == 1));
        let Some(new) = new.filter(|_| fits) else {
            fail!(
                "{op}: shape {:?} does not expand to {shape:?}; sizes must be equal or 1, from the last axis",
                self.shape
            )
        };
        let stride = |i: usize| match i.checked_sub(new) {
            Some(i) if self.shape[i] == shape[i + new] => self.strides[i],
            _ => 0,
        };
        let layout = Layout {
            shape: shape.into(),
            strides: (0..shape.len()).map(stride).collect(),
            offset: self.offset,
        };
        // Panics if they cannot be counted: an expanded dim needs no memory that would limit it.
        let _ = layout.numel();
        layout
    }

    /// The places whose indices along two axes differ by `offset` (second minus first): the axes disappear, and the
    /// diagonal is the last one.
    #[track_caller]
    pub fn diagonal(&self, op: &str, offset: isize, first: usize, second: usize) -> Layout {
        if first == second {
            fail!(
                "{op}: dims {first} and {second} of shape {:?} are the same; a diagonal needs two",
                self.shape
            );
        }
        // Saturating: an offset of any size leaves both axes empty and nothing else.
        let below = usize::try_from(offset.saturating_neg()).unwrap_or(0);
        let right = usize::try_from(offset).unwrap_or(0);
        let rows = self.shape[first].saturating_sub(below);
        let len = rows.min(self.shape[second].saturating_sub(right));
        let mut layout = self.clone();
        if len > 0 {
            // Where a size is 0 strides may have wrapped around; nothing is read there.
            let start = (below as isize)
                .wrapping_mul(self.strides[first])
                .wrapping_add((right as isize).wrapping_mul(self.strides[second]));
            layout.offset = (layout.offset as isize).wrapping_add(start) as usize;
        }
        for axis in [first.max(second), first.min(second)] {
            layout.shape.remove(axis);
            layout.strides.remove(axis);
        }
        layout.shape.push(len);
        layout.strides.push(if len > 1 { self.strides[first].wrapping_add(self.strides[second]) } else { 1 });
        layout
    }

    /// The same places in the opposite order along some axes.
    pub fn flip(&self, axes: &[usize]) -> Layout {
        let mut layout = self.clone();
        for &axis in axes {
            if let Some(last) = self.shape[axis].checked_sub(1) {
                layout.offset = (layout.offset as isize + last as isize * layout.strides[axis]) as usize;
                layout.strides[axis] = -layout.strides[axis];
            }
        }
        layout
    }

    /// The places of the elements in the storage, in row-major order.
    pub fn places(&self) -> Vec<i64> {
        let mut places = vec![self.offset as i64];
        if self.numel() == 0 {
            places.clear();
        }
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            places =
                places.iter().flat_map(|&at| (0..size as i64).map(move |i| at + i * stride as i64)).collect();
        }
        places
    }

    /// Windows of `size` places, `step` apart, along an axis; they become a new last dimension.
    #[track_caller]
    pub fn unfold(&self, axis: usize, size: usize, step: usize) -> Layout {
        if size > self.shape[axis] || step == 0 {
            fail!(
                "unfold: size {size}, step {step} do not fit axis {axis} of shape {:?}; size may be at most {}, step at least 1",
                self.shape,
                self.shape[axis]
            );
        }
        let mut layout = self.clone();
        let windows = (self.shape[axis] - size) / step + 1;
        layout.shape.dims_mut()[axis] = windows;
        if windows > 1 {
            layout.strides[axis] *= step as isize;
        }
        layout.shape.push(size);
        layout.strides.push(self.strides[axis]);
        layout
    }
}
