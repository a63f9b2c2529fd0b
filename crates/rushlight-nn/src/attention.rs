//! Attention with several heads.

use crate::linear::Linear;
use crate::module::{Mode, Module, Parameter, Path};
use crate::{fields, init};
use rushlight_array::{Array, DType, fail};
use rushlight_autograd::Tensor;
use rushlight_autograd::ops::{self, MultiHeadAttentionOptions};

/// Options of [`MultiheadAttention`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MultiheadAttentionOptions {
    /// The probability that a weight becomes 0, in training.
    pub dropout: f64,
    /// Whether the projections have biases.
    pub bias: bool,
    /// Whether a trained key and value are added.
    pub add_bias_kv: bool,
    /// Whether a key and a value of zeros are added.
    pub add_zero_attn: bool,
    /// The features of the keys; `None` for `embed_dim`.
    pub kdim: Option<usize>,
    /// The features of the values; `None` for `embed_dim`.
    pub vdim: Option<usize>,
    /// Whether the batch is the first dim, before the sequence.
    pub batch_first: bool,
}

impl Default for MultiheadAttentionOptions {
    fn default() -> Self {
        MultiheadAttentionOptions {
            dropout: 0.0,
            bias: true,
            add_bias_kv: false,
            add_zero_attn: false,
            kdim: None,
            vdim: None,
            batch_first: false,
        }
    }
}

/// What a call of [`MultiheadAttention`] may be told.
#[derive(Clone, Copy, Debug)]
pub struct AttentionCall<'a> {
    /// The keys to be left out, where a bool is true, or what is added to their scores: `(S)` or `(N, S)`.
    pub key_padding_mask: Option<&'a Tensor>,
    /// Whether to return the weights, which takes longer.
    pub need_weights: bool,
    /// What may not be looked at, where a bool is true, or what is added to the scores: `(L, S)` or `(N H, L, S)`.
    pub attn_mask: Option<&'a Tensor>,
    /// Whether the weights are averaged over the heads.
    pub average_attn_weights: bool,
    /// A hint that `attn_mask` is causal.
    pub is_causal: bool,
}

impl Default for AttentionCall<'_> {
    fn default() -> Self {
        AttentionCall {
            key_padding_mask: None,
            need_weights: true,
            attn_mask: None,
            average_attn_weights: true,
            is_causal: false,
        }
    }
}

/// The weights of query, key and value: one above the other, or apart if their features differ.
#[derive(Debug)]
enum Projection {
    Joint(Parameter),
    Apart([Parameter; 3]),
}

impl crate::walk::Field for Projection {
    fn accept(&self, _: &str, walk: &mut crate::walk::Walk<'_>) {
        match self {
            Projection::Joint(weight) => walk.field("in_proj_weight", weight),
            Projection::Apart(weights) => {
                for (weight, name) in weights.iter().zip(["q_proj_weight", "k_proj_weight", "v_proj_weight"])
                {
                    walk.field(name, weight);
                }
            }
        }
    }
}

/// Attention with several heads (Vaswani et al., "Attention is all you need", 2017).
///
/// Shape: query `(L, N, E)`, key `(S, N, E)`, value `(S, N, E)`, with `batch_first` `(N, L, E)` and so on, or without `N`
/// -> as the query; weights `(N, L, S)`.
///
/// ```
/// use rushlight_autograd::randn;
/// use rushlight_nn::{MultiheadAttention, MultiheadAttentionOptions};
/// let options = MultiheadAttentionOptions { batch_first: true, ..Default::default() };
/// let attention = MultiheadAttention::with(8, 2, options);
/// let x = randn([3, 5, 8]);
/// let (y, weights) = attention.forward(&x, &x, &x);
/// assert_eq!((y.shape().to_vec(), weights.unwrap().shape().to_vec()), (vec![3, 5, 8], vec![3, 5, 5]));
/// ```
#[derive(Debug)]
pub struct MultiheadAttention {
    projection: Projection,
    in_proj_bias: Option<Parameter>,
    bias_k: Option<Parameter>,
    bias_v: Option<Parameter>,
    /// The map of the joined heads.
    pub out_proj: Linear,
    embed_dim: usize,
    num_heads: usize,
    dropout: f64,
    add_zero_attn: bool,
    batch_first: bool,
    training: Mode,
    path: Path,
}
fields!(MultiheadAttention {
    path,
    training,
    projection,
    in_proj_bias,
    bias_k,
    bias_v,
    out_proj,
    embed_dim,
    num_heads,
    dropout,
    add_zero_attn,
    batch_first,
});

impl MultiheadAttention {
    /// With PyTorch's defaults.
    ///
    /// # Panics
    /// If the features cannot be cut into the heads.
    #[track_caller]
    pub fn new(embed_dim: usize, num_heads: usize) -> Self {
        MultiheadAttention::with(embed_dim, num_heads, MultiheadAttentionOptions::default())
    }

    /// With other options.
    ///
    /// # Panics
    /// If the features cannot be cut into the heads.
    #[track_caller]
    pub fn with(embed_dim: usize, num_heads: usize, options: MultiheadAttentionOptions) -> Self {
        if num_heads == 0 || embed_dim == 0 || !embed_dim.is_multiple_of(num_heads) {
            fail!(
                "MultiheadAttention: {embed_dim} features cannot be cut into {num_heads} heads; they must be a multiple"
            );
        }
        let zeros = |shape: &[usize]| Parameter::new(Array::zeros(shape, DType::F32));
        let (kdim, vdim) = (options.kdim.unwrap_or(embed_dim), options.vdim.unwrap_or(embed_dim));
        // In PyTorch's order of draws: the last layer comes first.
        let mut out_proj = match options.bias {
            true => Linear::new(embed_dim, embed_dim),
            false => Linear::without_bias(embed_dim, embed_dim),
        };
        // The name by which PyTorch's quantiser passes it over.
        out_proj.kind = "NonDynamicallyQuantizableLinear";
        let xavier = |shape: &[usize]| {
            let weight = zeros(shape);
            init::xavier_uniform_(&weight, 1.0);
            weight
        };
        let projection = if kdim == embed_dim && vdim == embed_dim {
            Projection::Joint(xavier(&[3 * embed_dim, embed_dim]))
        } else {
            Projection::Apart([embed_dim, kdim, vdim].map(|features| xavier(&[embed_dim, features])))
        };
        if let Some(bias) = &out_proj.bias {
            init::zeros_(bias);
        }
        let added = || {
            options.add_bias_kv.then(|| {
                let bias = zeros(&[1, 1, embed_dim]);
                init::xavier_normal_(&bias, 1.0);
                bias
            })
        };
        let (bias_k, bias_v) = (added(), added());
        MultiheadAttention {
            projection,
            in_proj_bias: options.bias.then(|| zeros(&[3 * embed_dim])),
            bias_k,
            bias_v,
            out_proj,
            embed_dim,
            num_heads,
            dropout: options.dropout,
            add_zero_attn: options.add_zero_attn,
            batch_first: options.batch_first,
            training: Mode::default(),
            path: Path::default(),
        }
    }

    /// Whether the batch is the first dim.
    pub(crate) fn batch_first(&self) -> bool {
        self.batch_first
    }

    /// The result and the weights, averaged over the heads.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn forward(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> (Tensor, Option<Tensor>) {
        self.forward_with(query, key, value, AttentionCall::default())
    }

    /// The result, and the weights if they are needed.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn forward_with(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        call: AttentionCall<'_>,
    ) -> (Tensor, Option<Tensor>) {
        let _place = self.path.enter(None, "MultiheadAttention");
        let turned = self.batch_first && query.dim() == 3;
        let turn = |x: &Tensor| if turned { x.transpose(0, 1) } else { x.clone() };
        let (joint, apart) = match &self.projection {
            Projection::Joint(weight) => (Some(&**weight), [None; 3]),
            Projection::Apart(weights) => (None, weights.each_ref().map(|weight| Some(&**weight))),
        };
        let options = MultiHeadAttentionOptions {
            in_proj_weight: joint,
            in_proj_bias: self.in_proj_bias.as_deref(),
            bias_k: self.bias_k.as_deref(),
            bias_v: self.bias_v.as_deref(),
            add_zero_attn: self.add_zero_attn,
            dropout_p: self.dropout,
            out_proj_bias: self.out_proj.bias.as_deref(),
            training: self.training.is_training(),
            key_padding_mask: call.key_padding_mask,
            need_weights: call.need_weights,
            attn_mask: call.attn_mask,
            use_separate_proj_weight: joint.is_none(),
            q_proj_weight: apart[0],
            k_proj_weight: apart[1],
            v_proj_weight: apart[2],
            average_attn_weights: call.average_attn_weights,
            is_causal: call.is_causal,
            ..MultiHeadAttentionOptions::default()
        };
        let (y, weights) = ops::multi_head_attention_forward(
            &turn(query),
            &turn(key),
            &turn(value),
            self.embed_dim,
            self.num_heads,
            &self.out_proj.weight,
            &options,
        );
        (self.path.finish(self, query, turn(&y)), weights)
    }
}

impl Module for MultiheadAttention {
    /// The attention of a sequence to itself, without the weights.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with(x, x, x, AttentionCall { need_weights: false, ..AttentionCall::default() }).0
    }

    /// Of a sequence's attention to itself.
    fn multiply_adds(&self, x: &Tensor, _: &Tensor) -> usize {
        let shape = x.shape();
        let length = match (shape.len(), self.batch_first) {
            (3, true) => shape[1],
            _ => shape[0],
        };
        let rows = x.numel() / self.embed_dim;
        rows * (4 * self.embed_dim * self.embed_dim + 2 * length * self.embed_dim)
    }
}
