use super::Array;
use crate::fail;
use crate::layout::Layout;

/// Joining.
impl Array {
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
        first.device().kernels().cat(&cast.iter().collect::<Vec<_>>(), a)
    }

    /// As [`Array::cat`], but if the parts lie side by side in one storage as the result would, it is a view of that: nothing is
    /// copied, but the storage lives as long as the result, and who writes to either while both live copies it then.
    ///
    /// ```
    /// use rushlight_array::{Array, DType};
    /// let whole = Array::ones([2, 6], DType::F32);
    /// let parts = [whole.narrow(1, 0, 4), whole.narrow(1, 4, 2)];
    /// assert!(Array::rejoin(&[&parts[0], &parts[1]], 1).shares_storage(&whole));
    /// ```
    ///
    /// # Panics
    /// As [`Array::cat`].
    #[track_caller]
    pub fn rejoin(parts: &[&Array], dim: isize) -> Array {
        Self::side_by_side(parts, dim).unwrap_or_else(|| Self::cat(parts, dim))
    }

    fn side_by_side(parts: &[&Array], dim: isize) -> Option<Array> {
        let (first, rest) = parts.split_first()?;
        // Strides of nothing may be any number.
        if first.rank() == 0 || parts.iter().any(|part| part.numel() == 0) {
            return None;
        }
        let a = first.axis("cat", dim);
        let (mut shape, strides) = (first.shape().clone(), first.layout().strides());
        for part in rest {
            let reach = isize::try_from(shape[a]).ok()?.checked_mul(strides[a])?;
            let at = first.layout().offset().checked_add_signed(reach)?;
            let fits = first.shares_storage(part)
                && first.dtype() == part.dtype()
                && part.layout().strides() == strides
                && part.layout().offset() == at
                && (0..first.rank()).all(|d| d == a || part.shape()[d] == shape[d]);
            if !fits {
                return None;
            }
            shape.dims_mut()[a] = shape[a].checked_add(part.shape()[a])?;
        }
        let layout = Layout::strided(shape, strides, first.layout().offset());
        layout.is_contiguous().then(|| first.with_layout(layout))
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
}
