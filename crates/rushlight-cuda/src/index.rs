//! Picking elements by index, joining and placing arrays: `kernels/index.cu`.
//!
//! Whether an index is out of range is asked of a kernel of its own, whose answer the host waits for: the error is part of
//! the result. While a graph is recorded nobody waits, and nothing is asked; the kernels read and write nothing for such an
//! index, and what they give for it is 0.
//!
//! The host computes where more than eight axes are left that do not join, and places regions that may overlap themselves.

use crate::backend::{Cuda, address, host};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid, View};
use crate::memory::Address;
use rushlight_array::backend::OutOfRange;
use rushlight_array::{Array, Backend, Cpu, DType, Layout};
use std::sync::Arc;

/// A look at indices that has begun: kernels that use them may be asked for before the answer is read.
pub(crate) struct Look<'a> {
    index: &'a Array,
    size: usize,
    /// Not 0 if one is out of range; none if nobody looks.
    flag: Option<Array>,
}

/// The kernel of this operation for elements of so many bytes.
fn by_size(operation: &'static str, bytes: usize) -> KernelName {
    let variant = match bytes {
        1 => "1",
        2 => "2",
        4 => "4",
        8 => "8",
        _ => "16",
    };
    ("index", operation, variant)
}

/// The most bytes, up to 16, that divide all of these.
fn common(bytes: impl IntoIterator<Item = u64>) -> usize {
    let all = bytes.into_iter().fold(16, |all, bytes| all | bytes);
    1 << all.trailing_zeros()
}

/// The strides without the axis.
pub(crate) fn still(x: &Array, axis: usize) -> Vec<isize> {
    let mut strides = x.layout().strides().to_vec();
    strides[axis] = 0;
    strides
}

/// Whether no two elements of a layout can lie in the same place, as far as sizes and strides alone tell.
fn apart(layout: &Layout) -> bool {
    let mut axes: Vec<(usize, usize)> = layout
        .shape()
        .iter()
        .zip(layout.strides())
        .filter(|&(&size, _)| size > 1)
        .map(|(&size, &stride)| (stride.unsigned_abs(), size))
        .collect();
    axes.sort_unstable();
    let mut reach = 0;
    axes.into_iter().all(|(stride, size)| {
        let fine = stride > reach;
        reach += (size - 1) * stride;
        fine
    })
}

impl Cuda {
    /// A number in the GPU's memory, 0 at first.
    #[track_caller]
    pub(crate) fn flags(&self, count: usize) -> (Array, Address) {
        let (flags, at) = self.empty(&[count], DType::I64);
        self.gpu.zero(at, 8 * count);
        (flags, at)
    }

    /// The numbers that kernels have written, when all work that was asked for is done.
    #[track_caller]
    pub(crate) fn numbers(&self, x: &Array) -> Vec<i64> {
        self.gpu.read(address(x), DType::I64, x.numel()).as_slice().to_vec()
    }

    /// Begins to look for indices outside of `0..size`.
    #[track_caller]
    pub(crate) fn look<'a>(&self, index: &'a Array, size: usize) -> Look<'a> {
        if index.numel() == 0 {
            return Look { index, size, flag: None };
        }
        // A step that is collected must not wait for the answer: what is seen there is told when the host waits anyway.
        let later = self.gpu.is_capturing();
        let (flag, at) = if later { (None, self.gpu.bad_index()) } else { self.flag() };
        // Once is enough where the same is read again and again.
        let strides = index.layout().strides();
        let shape: Vec<usize> =
            index.shape().iter().zip(strides).map(|(&n, &step)| if step == 0 { 1 } else { n }).collect();
        let dense;
        let (from, view) = match View::of(&shape, [strides]) {
            Some(view) => (address(index), view),
            None => {
                dense = self.dense(index);
                (address(&dense), View::of(&[index.numel()], [&[1]]).expect("one axis"))
            }
        };
        let count = view.shape[..view.rank as usize].iter().product::<i64>() as usize;
        let args = Args::new().pointer(from).pointer(at).put(view).count(size).count(count);
        self.gpu.launch(("index", "index_check", "i64"), Grid::over(self.gpu, count), args);
        Look { index, size, flag }
    }

    fn flag(&self) -> (Option<Array>, Address) {
        let (flag, at) = self.flags(1);
        (Some(flag), at)
    }

    /// See [`Backend::class_numbers`](rushlight_array::Backend::class_numbers).
    #[track_caller]
    pub(crate) fn classes_seen(&self, x: &Array, classes: usize, ignored: Option<i64>) -> Option<[bool; 2]> {
        if x.numel() == 0 {
            return Some([false; 2]);
        }
        let x = self.dense(x);
        let later = self.gpu.is_capturing();
        let (flags, at) = self.flags(2);
        let bad = if later { self.gpu.bad_index() } else { at };
        let args = Args::new().pointer(address(&x)).pointer(bad).pointer(at + 8).count(classes);
        let args = args.put(ignored.unwrap_or(0)).put(i64::from(ignored.is_some())).count(x.numel());
        self.gpu.launch(("index", "class_check", "i64"), Grid::over(self.gpu, x.numel()), args);
        if later {
            return None;
        }
        let seen = self.numbers(&flags);
        Some([seen[0] != 0, seen[1] != 0])
    }

    /// The answer, which all work waits for.
    #[track_caller]
    pub(crate) fn seen(&self, look: Look<'_>) -> Result<(), OutOfRange> {
        match look.flag {
            Some(flag) if self.numbers(&flag)[0] != 0 => Err(culprit(look.index, look.size)),
            _ => Ok(()),
        }
    }

    /// `x` in row-major order, in a block that nobody else holds.
    #[track_caller]
    pub(crate) fn owned(&self, x: Array) -> (Array, Address) {
        let (mut storage, layout) = x.into_parts();
        let alone = Arc::get_mut(&mut storage).is_some();
        let x = Array::from_parts(storage, layout);
        let x = if alone && x.is_contiguous() { x } else { self.copied(&x) };
        let at = address(&x);
        (x, at)
    }

    #[track_caller]
    pub(crate) fn index_selected(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        let size = x.shape()[axis];
        let look = self.look(index, size);
        let mut shape = x.shape().to_vec();
        shape[axis] = index.numel();
        if x.numel() == 0 || index.numel() == 0 {
            self.seen(look)?;
            return Ok(self.empty(&shape, x.dtype()).0);
        }
        if !x.is_contiguous() {
            let mut column = vec![0; x.rank()];
            column[axis] = index.layout().strides()[0];
            if let Some(view) = View::of(&shape, [&still(x, axis), &column]) {
                return self.picked(x, axis, index, &shape, view, look);
            }
        }
        let (x, places) = (self.dense(x), self.dense(index));
        let (y, to) = self.empty(&shape, x.dtype());
        let row = x.shape()[axis + 1..].iter().product::<usize>() * x.dtype().size();
        let bytes = common([row as u64, address(&x)]);
        let count = y.numel() * x.dtype().size() / bytes;
        let args = Args::new().pointer(address(&x)).pointer(address(&places)).pointer(to);
        let args = args.count(row / bytes).count(index.numel()).count(size).count(count);
        self.gpu.launch(by_size("index_rows", bytes), Grid::over(self.gpu, count), args);
        self.seen(look)?;
        Ok(y)
    }

    #[track_caller]
    pub(crate) fn gathered(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        if index.numel() == 0 {
            return Ok(self.empty(index.shape(), x.dtype()).0);
        }
        if x.shape()[axis] == 0 {
            return Err(culprit(index, 0));
        }
        match View::of(index.shape(), [&still(x, axis), index.layout().strides()]) {
            Some(view) => self.picked(x, axis, index, index.shape(), view, self.look(index, x.shape()[axis])),
            None => Ok(Cpu.gather(&host(x), axis, &host(index))?.to_device(&self.device())),
        }
    }

    /// Single elements; the view has the strides of `x`, without the axis, and of the index.
    #[track_caller]
    fn picked(
        &self,
        x: &Array,
        axis: usize,
        index: &Array,
        shape: &[usize],
        view: View<2>,
        look: Look<'_>,
    ) -> Result<Array, OutOfRange> {
        let (y, to) = self.empty(shape, x.dtype());
        let args = Args::new().pointer(address(x)).pointer(address(index)).pointer(to).put(view);
        let args = args.put(x.layout().strides()[axis] as i64).count(x.shape()[axis]).count(y.numel());
        self.gpu.launch(by_size("index_gather", x.dtype().size()), Grid::over(self.gpu, y.numel()), args);
        self.seen(look)?;
        Ok(y)
    }

    /// Copies elements of a shape from evenly spaced places to others, in the widest steps that fit.
    #[track_caller]
    fn moved(&self, from: Address, to: Address, mut view: View<2>, count: usize, bytes: usize) {
        if view.steps().is_some_and(|steps| steps == [1, 1] || count == 1) {
            return self.gpu.copy_bytes(to, from, count * bytes);
        }
        let (mut count, mut wide, last) = (count, bytes, view.rank as usize - 1);
        if view.strides[0][last] == 1 && view.strides[1][last] == 1 {
            let outer = view.strides.iter().flat_map(|strides| &strides[..last]);
            let sizes = outer.chain([&view.shape[last]]).map(|&n| n.unsigned_abs() * bytes as u64);
            wide = common(sizes.chain([from, to])).max(bytes);
            let times = (wide / bytes) as i64;
            view.shape[last] /= times;
            for axis in 0..last {
                view.strides[0][axis] /= times;
                view.strides[1][axis] /= times;
            }
            count /= times as usize;
        }
        let args = Args::new().pointer(from).pointer(to).put(view).count(count);
        self.gpu.launch(by_size("index_move", wide), Grid::over(self.gpu, count), args);
    }

    #[track_caller]
    pub(crate) fn joined(&self, parts: &[&Array], axis: usize) -> Array {
        let dtype = parts[0].dtype();
        let mut shape = parts[0].shape().to_vec();
        shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
        let (y, mut to) = self.empty(&shape, dtype);
        let outer = shape[..axis].iter().product::<usize>().max(1);
        let row = y.numel() / outer;
        for part in parts.iter().filter(|part| part.numel() > 0) {
            let each = part.numel() / outer;
            match View::of(part.shape(), [part.layout().strides(), y.layout().strides()]) {
                Some(view) => self.moved(address(part), to, view, part.numel(), dtype.size()),
                None => {
                    let part = self.dense(part);
                    let strides: [&[isize]; 2] = [&[each as isize, 1], &[row as isize, 1]];
                    let view = View::of(&[outer, each], strides).expect("two axes");
                    self.moved(address(&part), to, view, part.numel(), dtype.size());
                }
            }
            to += (each * dtype.size()) as Address;
        }
        y
    }

    #[track_caller]
    pub(crate) fn placed(&self, x: Array, region: &Layout, source: &Array) -> Array {
        if source.numel() == 0 {
            return x;
        }
        let view = View::of(region.shape(), [source.layout().strides(), region.strides()]);
        let Some(view) = view.filter(|_| apart(region)) else {
            return self.on_host([&x, source], |[x, source]| Cpu.place(x.clone(), region, source));
        };
        let bytes = x.dtype().size();
        let (x, at) = self.owned(x);
        let to = at + (region.offset() * bytes) as Address;
        self.moved(address(source), to, view, source.numel(), bytes);
        x
    }

    #[track_caller]
    pub(crate) fn ravelled(&self, indices: &[&Array], sizes: &[usize]) -> Result<Array, (usize, OutOfRange)> {
        let count = indices[0].numel();
        let (numbers, to) = self.empty(indices[0].shape(), DType::I64);
        if count == 0 {
            return Ok(numbers);
        }
        let (flags, own) = self.flags(indices.len());
        let later = self.gpu.is_capturing();
        let flag = |k: usize| if later { self.gpu.bad_index() } else { own + 8 * k as Address };
        for (k, (index, &size)) in indices.iter().zip(sizes).enumerate() {
            let dense;
            let (from, view) = match View::of(index.shape(), [index.layout().strides()]) {
                Some(view) => (address(index), view),
                None => {
                    dense = self.dense(index);
                    (address(&dense), View::of(&[count], [&[1]]).expect("one axis"))
                }
            };
            let args = Args::new().pointer(from).pointer(to).pointer(flag(k)).put(view);
            let args = args.count(size).put(i64::from(k == 0)).count(count);
            self.gpu.launch(("index", "index_ravel", "i64"), Grid::over(self.gpu, count), args);
        }
        if later {
            return Ok(numbers);
        }
        match self.numbers(&flags).iter().position(|&flag| flag != 0) {
            None => Ok(numbers),
            Some(k) => {
                let size = sizes[k] as i64;
                let index = host(indices[k]).to_vec::<i64>().into_iter().find(|i| !(-size..size).contains(i));
                Err((k, OutOfRange { index: index.expect("one is bad"), size: sizes[k] }))
            }
        }
    }
}

/// The first index that is out of range, where one is.
pub(crate) fn culprit(index: &Array, size: usize) -> OutOfRange {
    let bad = host(index).to_vec::<i64>().into_iter().find(|&i| i as u64 >= size as u64);
    OutOfRange { index: bad.expect("one is bad"), size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_overlap_is_told_by_strides() {
        let layout = |shape: &[usize], strides: &[isize], offset| Layout::strided(shape, strides, offset);
        assert!(apart(&layout(&[3, 4], &[4, 1], 0)));
        assert!(apart(&layout(&[3, 4], &[-4, -1], 11)));
        assert!(apart(&layout(&[3, 1], &[4, 0], 0)));
        assert!(!apart(&layout(&[3, 2], &[4, 0], 0)));
        assert!(!apart(&layout(&[3, 4], &[3, 1], 0)));
    }

    #[test]
    fn the_widest_step_divides_all() {
        assert_eq!(common([48, 1 << 9]), 16);
        assert_eq!(common([24, 16]), 8);
        assert_eq!(common([6, 4]), 2);
        assert_eq!(common([]), 16);
    }
}
