//! Tables of vectors.

use crate::fields;
use crate::init;
use crate::module::{Module, Parameter, Path};
use crate::walk::{Field, Walk};
use rushlight_array::{Array, DType, fail};
use rushlight_autograd::ops::{self, EmbeddingBagOptions, EmbeddingOptions};
use rushlight_autograd::{GradModeGuard, Tensor};

impl Field for EmbeddingOptions {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl Field for EmbeddingBagOptions {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

/// Normal values, but zeros in the row of the padding.
#[track_caller]
fn draw(name: &str, rows: usize, columns: usize, padding: Option<isize>) -> Parameter {
    let weight = Parameter::new(Array::zeros([rows, columns], DType::F32));
    init::normal_(&weight, 0.0, 1.0);
    let Some(row) = padding else { return weight };
    if row >= rows as isize || row < -(rows as isize) {
        fail!("{name}: padding_idx {row} for {rows} embeddings; it must be less than their number");
    }
    let _mode = GradModeGuard::no_grad();
    let row = row.rem_euclid(rows as isize);
    let rows = rushlight_autograd::arange(0, rows as i64, 1).ne(row as i64).unsqueeze(1);
    weight.set(rushlight_autograd::ops::where_(&rows, &weight.detach(), 0.0));
    weight
}

/// A vector for each integer: row `i` of the weight for `i`.
///
/// Shape: `(*)` of integers -> `(*, embedding_dim)`; weight `(num_embeddings, embedding_dim)`, normal values at the start.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_nn::{Embedding, Module};
/// let embedding = Embedding::from_pretrained(&tensor([[0.0, 1.0], [2.0, 3.0]]));
/// assert_eq!(embedding.forward(&tensor([1, 0])).to_vec::<f32>(), [2.0, 3.0, 0.0, 1.0]);
/// ```
#[derive(Debug)]
pub struct Embedding {
    /// `(num_embeddings, embedding_dim)`.
    pub weight: Parameter,
    options: EmbeddingOptions,
    path: Path,
}
fields!(Embedding { path, weight, options });

impl Embedding {
    /// With PyTorch's defaults.
    #[track_caller]
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Embedding::with(num_embeddings, embedding_dim, EmbeddingOptions::default())
    }

    /// With other options; the row of `padding_idx` starts as zeros and gets no gradient.
    ///
    /// # Panics
    /// If `padding_idx` is out of range.
    #[track_caller]
    pub fn with(num_embeddings: usize, embedding_dim: usize, options: EmbeddingOptions) -> Self {
        let weight = draw("Embedding", num_embeddings, embedding_dim, options.padding_idx);
        Embedding { weight, options, path: Path::default() }
    }

    /// With these vectors, which do not learn until `requires_grad_(true)`.
    ///
    /// # Panics
    /// If they are no float tensor with two dims.
    #[track_caller]
    pub fn from_pretrained(embeddings: &Tensor) -> Self {
        if embeddings.dim() != 2 {
            fail!("Embedding: the embeddings have shape {:?}; they must have two dims", embeddings.shape());
        }
        let weight = Parameter::new(embeddings.array());
        weight.set_requires_grad(false);
        Embedding { weight, options: EmbeddingOptions::default(), path: Path::default() }
    }
}

impl Module for Embedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Embedding");
        let y = ops::embedding_with(x, &self.weight, &self.options);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        let (shape, options) = (self.weight.shape(), &self.options);
        let mut text = format!("{}, {}", shape[0], shape[1]);
        if let Some(row) = options.padding_idx {
            text += &format!(", padding_idx={}", row.rem_euclid(shape[0] as isize));
        }
        if let Some(norm) = options.max_norm {
            text += &format!(", max_norm={norm:?}");
        }
        if options.norm_type != 2.0 {
            text += &format!(", norm_type={:?}", options.norm_type);
        }
        if options.scale_grad_by_freq {
            text += ", scale_grad_by_freq=True";
        }
        text
    }
}

/// The sum, mean or maximum of the vectors of each bag of integers, without the single vectors.
///
/// Shape: `(B, N)` of integers, or `(N)` with the offsets `(B)` where each bag begins -> `(B, embedding_dim)`.
#[derive(Debug)]
pub struct EmbeddingBag {
    /// `(num_embeddings, embedding_dim)`.
    pub weight: Parameter,
    options: EmbeddingBagOptions,
    path: Path,
}
fields!(EmbeddingBag { path, weight, options });

impl EmbeddingBag {
    /// The mean of each bag.
    #[track_caller]
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        EmbeddingBag::with(num_embeddings, embedding_dim, EmbeddingBagOptions::default())
    }

    /// With other options.
    ///
    /// # Panics
    /// If `padding_idx` is out of range.
    #[track_caller]
    pub fn with(num_embeddings: usize, embedding_dim: usize, options: EmbeddingBagOptions) -> Self {
        let weight = draw("EmbeddingBag", num_embeddings, embedding_dim, options.padding_idx);
        EmbeddingBag { weight, options, path: Path::default() }
    }

    /// The result for bags of one length, or with the offsets where each begins.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or an integer is out of range.
    #[track_caller]
    pub fn forward(&self, input: &Tensor, offsets: Option<&Tensor>) -> Tensor {
        let _place = self.path.enter(None, "EmbeddingBag");
        let y = ops::embedding_bag_with(input, &self.weight, offsets, &self.options);
        self.path.finish(self, input, y)
    }
}

impl Module for EmbeddingBag {
    fn extra_repr(&self) -> String {
        let shape = self.weight.shape();
        format!("{}, {}, mode='{}'", shape[0], shape[1], format!("{:?}", self.options.mode).to_lowercase())
    }
}
