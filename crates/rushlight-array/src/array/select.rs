use super::Array;
use super::elementwise::broadcast_shapes;
use crate::backend::{OutOfRange, Scatter};
use crate::dtype::DType;
use crate::fail;

/// Picking and placing elements by index arrays and masks; joining arrays.
impl Array {
    /// The places along `dim` that a one-dimensional integer array names.
    ///
    /// # Panics
    /// If an index is out of range or the index array is not one-dimensional integers.
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Array) -> Array {
        self.pick("index_select", dim, index)
    }

    #[track_caller]
    pub(super) fn pick(&self, op: &str, dim: isize, index: &Array) -> Array {
        let a = self.axis(op, dim);
        self.check_index(op, index);
        if index.rank() != 1 {
            fail!("{op}: the index has shape {:?}; it must have one dim", index.shape());
        }
        let out = self.device().backend().index_select(self, a, &index.cast(DType::I64));
        self.in_range(op, dim, out)
    }

    /// `out[i][j] = x[i][index[i][j]]` for dim 1, and so on.
    ///
    /// # Panics
    /// If the index array has another rank, is larger in another dim, or holds a place out of range.
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Array) -> Array {
        let a = self.axis("gather", dim);
        self.check_index("gather", index);
        self.check_same_but("gather", a, index, self.shape());
        let out = self.device().backend().gather(self, a, &index.cast(DType::I64));
        self.in_range("gather", dim, out)
    }

    /// This array with `out[i][index[i][j]] = source[i][j]` for dim 1, and so on.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter(&self, dim: isize, index: &Array, source: &Array) -> Array {
        self.scatter_by("scatter", Scatter::Set, dim, index, source)
    }

    /// This array with `out[i][index[i][j]] += source[i][j]` for dim 1, and so on.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, index: &Array, source: &Array) -> Array {
        self.scatter_by("scatter_add", Scatter::Add, dim, index, source)
    }

    #[track_caller]
    fn scatter_by(&self, op: &str, kind: Scatter, dim: isize, index: &Array, source: &Array) -> Array {
        let a = self.axis(op, dim);
        self.check_index(op, index);
        self.same_device(op, source);
        self.check_same_but(op, a, index, self.shape());
        if source.dtype() != self.dtype() {
            fail!(
                "{op}: the source is {}, the array {}; cast the source with .to(DType::{:?})",
                source.dtype().name(),
                self.dtype().name(),
                self.dtype()
            );
        }
        if source.rank() != index.rank() || source.shape().iter().zip(&**index.shape()).any(|(s, i)| s < i) {
            fail!(
                "{op}: source shape {:?} is smaller than index shape {:?}; it must hold a value for every index",
                source.shape(),
                index.shape()
            );
        }
        let mut part = source.clone();
        for (d, &size) in index.shape().iter().enumerate() {
            part = part.narrow(d as isize, 0, size);
        }
        let dtype = self.dtype().compute();
        let out = self.device().backend().scatter(
            kind,
            &self.cast(dtype),
            a,
            &index.cast(DType::I64),
            &part.cast(dtype),
        );
        self.in_range(op, dim, out).cast(self.dtype())
    }

    /// This array with `source`'s places along `dim` added at the places that `index` names.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn index_add(&self, dim: isize, index: &Array, source: &Array) -> Array {
        let a = self.axis("index_add", dim);
        let mut shape = self.shape().to_vec();
        shape[a] = index.numel();
        if index.rank() > 1 || **source.shape() != *shape {
            fail!(
                "index_add: source shape {:?} for index shape {:?} along dim {dim} of shape {:?}; expected {shape:?}",
                source.shape(),
                index.shape(),
                self.shape()
            );
        }
        shape.iter_mut().enumerate().filter(|(d, _)| *d != a).for_each(|(_, size)| *size = 1);
        let index = index.reshape(shape.as_slice()).broadcast_to("index_add", source.shape());
        self.scatter_by("index_add", Scatter::Add, dim, &index, source)
    }

    /// The elements where the mask is true, as one dim; mask and array broadcast.
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Array) -> Array {
        if mask.dtype() != DType::Bool {
            fail!(
                "masked_select: the mask is {}, not bool; compare it, as in x.gt(0.0)",
                mask.dtype().name()
            );
        }
        let shape = broadcast_shapes("masked_select", self.shape(), mask.shape());
        let mask = mask.broadcast_to("masked_select", &shape);
        let index = mask.reshape([-1]).nonzero().reshape([-1]);
        self.broadcast_to("masked_select", &shape).reshape([-1]).index_select(0, &index)
    }

    /// The positions of the elements that are not zero: `[count, rank]`, `i64`, in row-major order.
    pub fn nonzero(&self) -> Array {
        let flags = self.cast(DType::Bool).to_vec::<bool>();
        let rank = self.rank();
        let mut out = Vec::new();
        for flat in (0..flags.len()).filter(|&i| flags[i]) {
            let (start, mut rest) = (out.len(), flat);
            out.resize(start + rank, 0);
            for d in (0..rank).rev() {
                out[start + d] = (rest % self.shape()[d]) as i64;
                rest /= self.shape()[d];
            }
        }
        let count = flags.iter().filter(|&&f| f).count();
        Array::from_vec(out, [count, rank]).to_device(self.device())
    }

    /// Joins arrays along an existing dim; dtypes are promoted. One of shape `[0]` counts as nothing.
    ///
    /// # Panics
    /// If there is none, one is a scalar, or shapes differ in another dim.
    #[track_caller]
    pub fn cat(parts: &[&Array], dim: isize) -> Array {
        let Some(first) = parts.first() else { fail!("cat: an empty list of tensors") };
        let dtype = parts.iter().fold(first.dtype(), |d, p| d.promote(p.dtype()));
        for (i, part) in parts.iter().enumerate() {
            first.same_device("cat", part);
            if part.rank() == 0 {
                fail!("cat: tensor {i} is a scalar, which has no dim to join along; reshape it to [1]");
            }
        }
        // PyTorch lets a list of no numbers stand for an empty array of any shape.
        let joined: Vec<&Array> = parts.iter().copied().filter(|part| *part.shape() != [0]).collect();
        let Some(first) = joined.first() else { return first.cast(dtype) };
        let a = first.axis("cat", dim);
        for part in &joined {
            let fits = part.rank() == first.rank()
                && (0..first.rank()).all(|d| d == a || part.shape()[d] == first.shape()[d]);
            if !fits {
                let i = parts.iter().position(|other| std::ptr::eq(*other, *part)).unwrap_or(0);
                fail!(
                    "cat: shapes {:?} and {:?} (tensor {i}) differ outside of dim {dim}",
                    first.shape(),
                    part.shape()
                );
            }
        }
        let total = joined.iter().try_fold(0usize, |total, part| total.checked_add(part.shape()[a]));
        if total.is_none() {
            fail!("cat: the sizes along dim {dim} add up to more than can be counted");
        }
        let cast: Vec<Array> = joined.iter().map(|p| p.cast(dtype)).collect();
        first.device().backend().cat(&cast.iter().collect::<Vec<_>>(), a)
    }

    /// Joins arrays of one shape along a new dim.
    ///
    /// # Panics
    /// If there is none, or shapes differ.
    #[track_caller]
    pub fn stack(parts: &[&Array], dim: isize) -> Array {
        let Some(first) = parts.first() else { fail!("stack: an empty list of tensors") };
        if let Some((i, other)) = parts.iter().enumerate().find(|(_, p)| p.shape() != first.shape()) {
            fail!(
                "stack: shapes {:?} and {:?} (tensor {i}) differ; all must be equal",
                first.shape(),
                other.shape()
            );
        }
        let rank = first.rank() as isize;
        if dim < -rank - 1 || dim > rank {
            fail!(
                "stack: dim {dim} is out of range for shape {:?}; expected {} to {rank}",
                first.shape(),
                -rank - 1
            );
        }
        let dim = if dim < 0 { dim + rank + 1 } else { dim };
        let rows: Vec<Array> = parts.iter().map(|p| p.unsqueeze(dim)).collect();
        Array::cat(&rows.iter().collect::<Vec<_>>(), dim)
    }

    #[track_caller]
    fn check_index(&self, op: &str, index: &Array) {
        self.same_device(op, index);
        if !index.dtype().is_int() {
            fail!("{op}: indices are {}, not integers; cast with .to(DType::I64)", index.dtype().name());
        }
    }

    #[track_caller]
    fn check_same_but(&self, op: &str, axis: usize, index: &Array, shape: &[usize]) {
        let fits = index.rank() == shape.len()
            && (0..shape.len()).all(|d| d == axis || index.shape()[d] <= shape[d]);
        if !fits {
            fail!(
                "{op}: index shape {:?} does not fit shape {shape:?}; it must have the same rank and be no larger outside of dim {axis}",
                index.shape()
            );
        }
    }

    #[track_caller]
    fn in_range(&self, op: &str, dim: isize, result: Result<Array, OutOfRange>) -> Array {
        match result {
            Ok(array) => array,
            Err(OutOfRange { index, size }) => fail!(
                "{op}: index {index} is out of range for dim {dim} of shape {:?}; expected 0 to {}",
                self.shape(),
                size as i64 - 1
            ),
        }
    }
}
