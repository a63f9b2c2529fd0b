use crate::dataset::Dataset;
use rushlight_array::{Result, fail};
use rushlight_autograd::Tensor;

/// Tensors whose rows belong together: PyTorch's `TensorDataset`. Sample `i` has row `i` of each.
///
/// *Shape*: tensors `(N, ...)` with one N give N samples of `(...)`.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_data::{Dataset, TensorDataset};
/// let pairs = TensorDataset::new(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([0, 1]));
/// let (x, y) = pairs.get(1)?;
/// assert_eq!((x.to_vec::<f32>(), y.item_as::<i64>()), (vec![3.0, 4.0], 1));
///
/// let triples = TensorDataset::of(vec![tensor([1, 2]), tensor([3, 4]), tensor([5, 6])]);
/// assert_eq!(triples.get(0)?[2].item_as::<i64>(), 5);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TensorDataset<T: Rows = (Tensor, Tensor)> {
    tensors: T,
    len: usize,
}

/// What a [`TensorDataset`] can hold, and what its samples look like: a tensor, a pair, a triple, or a `Vec`.
pub trait Rows: Send + Sync + Sized {
    /// The tensors in order.
    fn tensors(&self) -> Vec<&Tensor>;

    /// Row `index` of each tensor, in the same form.
    ///
    /// # Panics
    /// If a tensor has no such row.
    #[track_caller]
    fn row(&self, index: usize) -> Self;
}

impl TensorDataset {
    /// Pairs of a row of `x` and a row of `y`.
    ///
    /// # Panics
    /// If the first sizes differ or one is a scalar.
    #[track_caller]
    pub fn new(x: Tensor, y: Tensor) -> TensorDataset {
        TensorDataset::of((x, y))
    }
}

impl<T: Rows> TensorDataset<T> {
    /// Rows of any number of tensors: a tensor, a pair, a triple, or a `Vec` of tensors.
    ///
    /// # Panics
    /// If there is none, the first sizes differ or one is a scalar.
    #[track_caller]
    pub fn of(tensors: T) -> TensorDataset<T> {
        let all = tensors.tensors();
        let Some(first) = all.first() else {
            fail!("TensorDataset: an empty list of tensors; at least one is needed")
        };
        let len = first.shape().first().copied();
        for (i, tensor) in all.iter().enumerate() {
            if tensor.dim() == 0 {
                fail!("TensorDataset: tensor {i} is a scalar; the first dim must count the samples");
            }
            if tensor.shape().first().copied() != len {
                fail!(
                    "TensorDataset: tensor 0 has shape {:?}, but tensor {i} {:?}; \
                     the first sizes must be equal",
                    first.shape(),
                    tensor.shape()
                );
            }
        }
        drop(all);
        TensorDataset { tensors, len: len.unwrap_or(0) }
    }

    /// The whole tensors.
    pub fn tensors(&self) -> &T {
        &self.tensors
    }
}

impl<T: Rows> Dataset for TensorDataset<T> {
    type Item = T;

    fn len(&self) -> usize {
        self.len
    }

    #[track_caller]
    fn get(&self, index: usize) -> Result<T> {
        if index >= self.len {
            fail!("TensorDataset: index {index} is out of range for {} samples", self.len);
        }
        Ok(self.tensors.row(index))
    }
}

impl Rows for Tensor {
    fn tensors(&self) -> Vec<&Tensor> {
        vec![self]
    }

    #[track_caller]
    fn row(&self, index: usize) -> Tensor {
        // A record for the gradient is made only where one is needed.
        if self.requires_grad() {
            return self.select(0, index as isize);
        }
        self.array().select(0, index as isize).into()
    }
}

impl Rows for (Tensor, Tensor) {
    fn tensors(&self) -> Vec<&Tensor> {
        vec![&self.0, &self.1]
    }

    #[track_caller]
    fn row(&self, index: usize) -> Self {
        (self.0.row(index), self.1.row(index))
    }
}

impl Rows for (Tensor, Tensor, Tensor) {
    fn tensors(&self) -> Vec<&Tensor> {
        vec![&self.0, &self.1, &self.2]
    }

    #[track_caller]
    fn row(&self, index: usize) -> Self {
        (self.0.row(index), self.1.row(index), self.2.row(index))
    }
}

impl Rows for Vec<Tensor> {
    fn tensors(&self) -> Vec<&Tensor> {
        self.iter().collect()
    }

    #[track_caller]
    fn row(&self, index: usize) -> Self {
        self.iter().map(|tensor| tensor.row(index)).collect()
    }
}
