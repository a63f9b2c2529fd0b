//! Layers of transformers (Vaswani et al., "Attention is all you need", 2017).

use crate::attention::{AttentionCall, MultiheadAttention, MultiheadAttentionOptions};
use crate::dropout::Dropout;
use crate::fields;
use crate::linear::Linear;
use crate::module::{Module, Path};
use crate::norm::{LayerNorm, LayerNormOptions};
use crate::walk::{Field, Walk};
use rushlight_array::{DType, fail};
use rushlight_autograd::{Tensor, full_with};

/// The function between the two linear maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TransformerActivation {
    /// max(x, 0).
    #[default]
    Relu,
    /// See [`GELU`](crate::GELU).
    Gelu,
}

impl Field for TransformerActivation {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

impl TransformerActivation {
    fn of(self, x: &Tensor) -> Tensor {
        match self {
            TransformerActivation::Relu => x.relu(),
            TransformerActivation::Gelu => x.gelu(),
        }
    }
}

/// Options of [`TransformerEncoderLayer`] and [`TransformerDecoderLayer`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TransformerOptions {
    /// The width between the two linear maps.
    pub dim_feedforward: usize,
    /// The probability of all dropouts.
    pub dropout: f64,
    /// The function between the two linear maps.
    pub activation: TransformerActivation,
    /// Added to the variances.
    pub layer_norm_eps: f64,
    /// Whether the batch is the first dim, before the sequence.
    pub batch_first: bool,
    /// Whether the norms stand before the blocks instead of behind them.
    pub norm_first: bool,
    /// Whether linear maps and norms have biases.
    pub bias: bool,
}

impl Default for TransformerOptions {
    fn default() -> Self {
        TransformerOptions {
            dim_feedforward: 2048,
            dropout: 0.1,
            activation: TransformerActivation::Relu,
            layer_norm_eps: 1e-5,
            batch_first: false,
            norm_first: false,
            bias: true,
        }
    }
}

impl TransformerOptions {
    #[track_caller]
    fn attention(&self, d_model: usize, nhead: usize) -> MultiheadAttention {
        let TransformerOptions { dropout, bias, batch_first, .. } = *self;
        let options = MultiheadAttentionOptions { dropout, bias, batch_first, ..Default::default() };
        MultiheadAttention::with(d_model, nhead, options)
    }

    fn linear(&self, inputs: usize, outputs: usize) -> Linear {
        if self.bias { Linear::new(inputs, outputs) } else { Linear::without_bias(inputs, outputs) }
    }

    fn norm(&self, d_model: usize) -> LayerNorm {
        let options = LayerNormOptions { eps: self.layer_norm_eps, bias: self.bias, ..Default::default() };
        LayerNorm::with([d_model], options)
    }
}

/// The masks of a call of a transformer layer; each may be left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransformerMasks<'a> {
    /// What a place may not look at in its own sequence: `(L, L)`.
    pub mask: Option<&'a Tensor>,
    /// The places of its own sequence to be left out: `(N, L)`.
    pub key_padding_mask: Option<&'a Tensor>,
    /// A hint that `mask` is causal.
    pub is_causal: bool,
    /// What a place may not look at in the memory: `(L, S)`. Only of decoders.
    pub memory_mask: Option<&'a Tensor>,
    /// The places of the memory to be left out: `(N, S)`. Only of decoders.
    pub memory_key_padding_mask: Option<&'a Tensor>,
}

/// The scores that keep each place of a sequence from looking ahead: 0 and below, -inf above the diagonal, `(size, size)`.
///
/// ```
/// use rushlight_nn::generate_square_subsequent_mask;
/// let mask = generate_square_subsequent_mask(2);
/// assert_eq!(mask.to_vec::<f32>(), [0.0, f32::NEG_INFINITY, 0.0, 0.0]);
/// ```
pub fn generate_square_subsequent_mask(size: usize) -> Tensor {
    full_with([size, size], f64::NEG_INFINITY, DType::F32).triu_with(1)
}

/// Self-attention and a feed-forward network, each with a residual connection and a norm.
///
/// Shape: `(L, N, d_model)`, `(N, L, d_model)` with `batch_first`, or `(L, d_model)`, unchanged.
///
/// ```
/// use rushlight_autograd::randn;
/// use rushlight_nn::{Module, TransformerEncoderLayer};
/// let layer = TransformerEncoderLayer::new(8, 2);
/// assert_eq!(layer.forward(&randn([5, 3, 8])).shape(), [5, 3, 8]);
/// ```
#[derive(Debug)]
pub struct TransformerEncoderLayer {
    self_attn: MultiheadAttention,
    linear1: Linear,
    dropout: Dropout,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    dropout1: Dropout,
    dropout2: Dropout,
    activation: TransformerActivation,
    norm_first: bool,
    path: Path,
}
fields!(TransformerEncoderLayer {
    path,
    self_attn,
    linear1,
    dropout,
    linear2,
    norm1,
    norm2,
    dropout1,
    dropout2,
    activation,
    norm_first,
});

impl TransformerEncoderLayer {
    /// With PyTorch's defaults: width 2048, dropout 0.1, the batch second.
    ///
    /// # Panics
    /// If `d_model` is no multiple of `nhead`.
    #[track_caller]
    pub fn new(d_model: usize, nhead: usize) -> Self {
        TransformerEncoderLayer::with(d_model, nhead, TransformerOptions::default())
    }

    /// With other options.
    ///
    /// # Panics
    /// If `d_model` is no multiple of `nhead`, or the dropout is no probability.
    #[track_caller]
    pub fn with(d_model: usize, nhead: usize, options: TransformerOptions) -> Self {
        TransformerEncoderLayer {
            self_attn: options.attention(d_model, nhead),
            linear1: options.linear(d_model, options.dim_feedforward),
            dropout: Dropout::new(options.dropout),
            linear2: options.linear(options.dim_feedforward, d_model),
            norm1: options.norm(d_model),
            norm2: options.norm(d_model),
            dropout1: Dropout::new(options.dropout),
            dropout2: Dropout::new(options.dropout),
            activation: options.activation,
            norm_first: options.norm_first,
            path: Path::default(),
        }
    }

    /// The result with masks.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn forward_with(&self, src: &Tensor, masks: TransformerMasks<'_>) -> Tensor {
        let _place = self.path.enter(None, "TransformerEncoderLayer");
        let y = if self.norm_first {
            let x = src + self.attend(&self.norm1.forward(src), masks);
            &x + self.feed(&self.norm2.forward(&x))
        } else {
            let x = self.norm1.forward(&(src + self.attend(src, masks)));
            self.norm2.forward(&(&x + self.feed(&x)))
        };
        self.path.finish(self, src, y)
    }

    #[track_caller]
    fn attend(&self, x: &Tensor, masks: TransformerMasks<'_>) -> Tensor {
        self.dropout1.forward(&attend(
            &self.self_attn,
            x,
            x,
            masks.mask,
            masks.key_padding_mask,
            masks.is_causal,
        ))
    }

    #[track_caller]
    fn feed(&self, x: &Tensor) -> Tensor {
        let inner = self.dropout.forward(&self.activation.of(&self.linear1.forward(x)));
        self.dropout2.forward(&self.linear2.forward(&inner))
    }
}

impl Module for TransformerEncoderLayer {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with(x, TransformerMasks::default())
    }
}

#[track_caller]
fn attend(
    attention: &MultiheadAttention,
    x: &Tensor,
    memory: &Tensor,
    attn_mask: Option<&Tensor>,
    key_padding_mask: Option<&Tensor>,
    is_causal: bool,
) -> Tensor {
    let call = AttentionCall {
        attn_mask,
        key_padding_mask,
        need_weights: false,
        is_causal,
        ..AttentionCall::default()
    };
    attention.forward_with(x, memory, memory, call).0
}

/// Self-attention, attention to a memory, and a feed-forward network, each with a residual connection and a norm.
///
/// Shape: target as [`TransformerEncoderLayer`], memory with a length of its own -> as the target.
#[derive(Debug)]
pub struct TransformerDecoderLayer {
    self_attn: MultiheadAttention,
    multihead_attn: MultiheadAttention,
    linear1: Linear,
    dropout: Dropout,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
    dropout1: Dropout,
    dropout2: Dropout,
    dropout3: Dropout,
    activation: TransformerActivation,
    norm_first: bool,
    path: Path,
}
fields!(TransformerDecoderLayer {
    path,
    self_attn,
    multihead_attn,
    linear1,
    dropout,
    linear2,
    norm1,
    norm2,
    norm3,
    dropout1,
    dropout2,
    dropout3,
    activation,
    norm_first,
});

impl TransformerDecoderLayer {
    /// With PyTorch's defaults: width 2048, dropout 0.1, the batch second.
    ///
    /// # Panics
    /// If `d_model` is no multiple of `nhead`.
    #[track_caller]
    pub fn new(d_model: usize, nhead: usize) -> Self {
        TransformerDecoderLayer::with(d_model, nhead, TransformerOptions::default())
    }

    /// With other options.
    ///
    /// # Panics
    /// If `d_model` is no multiple of `nhead`, or the dropout is no probability.
    #[track_caller]
    pub fn with(d_model: usize, nhead: usize, options: TransformerOptions) -> Self {
        TransformerDecoderLayer {
            self_attn: options.attention(d_model, nhead),
            multihead_attn: options.attention(d_model, nhead),
            linear1: options.linear(d_model, options.dim_feedforward),
            dropout: Dropout::new(options.dropout),
            linear2: options.linear(options.dim_feedforward, d_model),
            norm1: options.norm(d_model),
            norm2: options.norm(d_model),
            norm3: options.norm(d_model),
            dropout1: Dropout::new(options.dropout),
            dropout2: Dropout::new(options.dropout),
            dropout3: Dropout::new(options.dropout),
            activation: options.activation,
            norm_first: options.norm_first,
            path: Path::default(),
        }
    }

    /// The result for a target and a memory.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn forward(&self, tgt: &Tensor, memory: &Tensor) -> Tensor {
        self.forward_with(tgt, memory, TransformerMasks::default())
    }

    /// The result with masks.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn forward_with(&self, tgt: &Tensor, memory: &Tensor, masks: TransformerMasks<'_>) -> Tensor {
        let _place = self.path.enter(None, "TransformerDecoderLayer");
        let y = if self.norm_first {
            let x = tgt + self.attend(&self.norm1.forward(tgt), masks);
            let x = &x + self.remember(&self.norm2.forward(&x), memory, masks);
            &x + self.feed(&self.norm3.forward(&x))
        } else {
            let x = self.norm1.forward(&(tgt + self.attend(tgt, masks)));
            let x = self.norm2.forward(&(&x + self.remember(&x, memory, masks)));
            self.norm3.forward(&(&x + self.feed(&x)))
        };
        self.path.finish(self, tgt, y)
    }

    #[track_caller]
    fn attend(&self, x: &Tensor, masks: TransformerMasks<'_>) -> Tensor {
        self.dropout1.forward(&attend(
            &self.self_attn,
            x,
            x,
            masks.mask,
            masks.key_padding_mask,
            masks.is_causal,
        ))
    }

    #[track_caller]
    fn remember(&self, x: &Tensor, memory: &Tensor, masks: TransformerMasks<'_>) -> Tensor {
        let (mask, padding) = (masks.memory_mask, masks.memory_key_padding_mask);
        self.dropout2.forward(&attend(&self.multihead_attn, x, memory, mask, padding, false))
    }

    #[track_caller]
    fn feed(&self, x: &Tensor) -> Tensor {
        let inner = self.dropout.forward(&self.activation.of(&self.linear1.forward(x)));
        self.dropout3.forward(&self.linear2.forward(&inner))
    }
}

impl Module for TransformerDecoderLayer {}

macro_rules! stacks {
    ($($(#[$doc:meta])* $Name:ident of $Layer:ident, ($($input:ident),*);)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $Name {
            layers: Vec<$Layer>,
            norm: Option<LayerNorm>,
            path: Path,
        }
        fields!($Name { path, layers, norm });

        impl $Name {
            /// These layers, with a last norm if there is one.
            ///
            /// # Panics
            /// If there is no layer.
            #[track_caller]
            pub fn new(layers: Vec<$Layer>, norm: Option<LayerNorm>) -> Self {
                if layers.is_empty() {
                    fail!("{}: there is no layer; it must have one or more", stringify!($Name));
                }
                $Name { layers, norm, path: Path::default() }
            }

            /// The result with masks, which go to every layer.
            ///
            /// # Panics
            /// If shapes or dtypes do not fit.
            #[track_caller]
            pub fn forward_with(&self, x: &Tensor, $($input: &Tensor,)* masks: TransformerMasks<'_>) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                let mut y = x.clone();
                for layer in &self.layers {
                    y = layer.forward_with(&y, $($input,)* masks);
                }
                if let Some(norm) = &self.norm {
                    y = norm.forward(&y);
                }
                self.path.finish(self, x, y)
            }

            /// Whether the batch is the first dim.
            pub fn batch_first(&self) -> bool {
                self.layers[0].self_attn.batch_first()
            }
        }
    )*};
}
stacks! {
    /// Encoder layers one after the other. In PyTorch the layers start as copies of one; here each is given with values of
    /// its own.
    ///
    /// Shape: as [`TransformerEncoderLayer`].
    TransformerEncoder of TransformerEncoderLayer, ();
    /// Decoder layers one after the other; see [`TransformerEncoder`].
    ///
    /// Shape: as [`TransformerDecoderLayer`].
    TransformerDecoder of TransformerDecoderLayer, (memory);
}

impl Module for TransformerEncoder {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with(x, TransformerMasks::default())
    }
}

impl Module for TransformerDecoder {}
