//! Attention.

use super::matmul::check_same;
use crate::autocast::Choice;
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::backend;
use rushlight_array::random::default_generator;
use rushlight_array::{Array, DType, Shape, fail};

/// The optional arguments of [`scaled_dot_product_attention_with`].
#[derive(Clone, Copy, Debug, Default)]
pub struct AttentionOptions {
    /// The probability that a weight becomes 0; the others are divided by the rest. Always in effect: pass 0 in
    /// evaluation.
    pub dropout_p: f64,
    /// Whether each query sees the keys up to its own place only.
    pub is_causal: bool,
    /// The factor of the scores; `None` means one over the root of the features.
    pub scale: Option<f64>,
    /// Whether fewer heads (dim -3) of key and value serve groups of the query's heads.
    pub enable_gqa: bool,
}

/// `softmax(Q K^T scale + mask) V` (Vaswani et al., "Attention is all you need", 2017).
///
/// A bool mask is true where a query may look at a key, a float mask is added to the scores; masks broadcast. A query
/// that may look at no key gets zeros.
///
/// Shape: `(..., L, E)`, `(..., S, E)`, `(..., S, Ev)`, mask `(..., L, S)` -> `(..., L, Ev)`.
///
/// # Panics
/// If shapes or dtypes do not fit, or the dtype is not a float.
#[track_caller]
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    attn_mask: Option<&Tensor>,
) -> Tensor {
    scaled_dot_product_attention_with(query, key, value, attn_mask, &AttentionOptions::default())
}

/// [`scaled_dot_product_attention`] with options.
///
/// # Panics
/// As there; if `dropout_p` is not a probability, a mask and `is_causal` are given together, or with `enable_gqa` the heads
/// of the query are no multiple of those of key and value.
#[track_caller]
pub fn scaled_dot_product_attention_with(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    attn_mask: Option<&Tensor>,
    options: &AttentionOptions,
) -> Tensor {
    const NAME: &str = "scaled_dot_product_attention";
    let (q, k, v) = (query.shape(), key.shape(), value.shape());
    if q.len() < 2 || k.len() < 2 || v.len() < 2 || !query.dtype().is_float() {
        fail!(
            "{NAME}: shapes {q:?}, {k:?}, {v:?} of {}; expected floats with (L, E) last",
            query.dtype().name()
        );
    }
    let choice = Choice::of(NAME, &[query, key, value]);
    let [query, key, value] = [query, key, value].map(|x| choice.cast(x));
    let attn_mask = attn_mask.map(|mask| choice.cast(mask));
    check_same(NAME, &query, &key);
    check_same(NAME, &query, &value);
    let (features, keys) = (q[q.len() - 1], k[k.len() - 2]);
    if k[k.len() - 1] != features || v[v.len() - 2] != keys {
        fail!(
            "{NAME}: query {q:?}, key {k:?} and value {v:?} do not fit; expected (.., L, E), (.., S, E) and (.., S, Ev)"
        );
    }
    if options.is_causal && attn_mask.is_some() {
        fail!("{NAME}: both a mask and is_causal; give one of them");
    }
    let (key, value) = match options.enable_gqa {
        true => (for_groups(&key, &q), for_groups(&value, &q)),
        false => (key, value),
    };
    let scale = options.scale.unwrap_or(1.0 / (features as f64).sqrt());
    let (q, k, v) = (query.shape(), key.shape(), value.shape());
    let plain =
        attn_mask.is_none() && options.dropout_p == 0.0 && matches!(query.dtype(), DType::F32 | DType::F64);
    let leading = |shape: &Shape| Shape::from(&shape[..shape.len() - 2]);
    if plain
        && leading(&q) == leading(&k)
        && leading(&q) == leading(&v)
        && ![q, k, v].iter().any(|x| x.contains(&0))
    {
        let what = backend::Attention { scale, causal: options.is_causal };
        let inputs = [&query, &key, &value];
        let keep = is_grad_enabled() && inputs.iter().any(|x| x.requires_grad());
        return Tensor::apply(Attention { what, keep, weights: None }, &inputs);
    }
    let weights = if let Some(mask) = &attn_mask {
        let scores = (&query * scale).matmul(&key.transpose(-1, -2));
        let scores = match mask.dtype() {
            DType::Bool => {
                let none = Tensor::constant(scores.array().scalar_operand(f64::NEG_INFINITY));
                super::where_(mask, &scores, &none)
            }
            DType::F32 => scores.add(&mask.to(query.dtype())),
            _ => {
                check_same(NAME, &query, mask);
                scores.add(mask)
            }
        };
        softmax_or_zero(&scores)
    } else {
        unmasked(&query, &key, scale, options.is_causal)
    };
    dropped(&weights, options.dropout_p, NAME).matmul(&value)
}

/// The weights without a mask but the causal one.
#[track_caller]
fn unmasked(query: &Tensor, key: &Tensor, scale: f64, is_causal: bool) -> Tensor {
    let scores = (query * scale).matmul(&key.transpose(-1, -2));
    if !is_causal {
        return scores.softmax(-1);
    }
    let [places, keys] = [query, key].map(|x| x.shape()[x.dim() - 2]);
    let hidden = causal(places, keys).logical_not().to(query.device());
    scores.masked_fill(&hidden, f64::NEG_INFINITY).softmax(-1)
}

/// Attention without a mask but the causal one, and without dropout, as one node.
#[derive(Debug)]
struct Attention {
    what: backend::Attention,
    /// Whether a backward pass may ask for the weights.
    keep: bool,
    weights: Option<Array>,
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (y, weights) = inputs[0].attention(inputs[1], inputs[2], &self.what, self.keep);
        self.weights = weights;
        y
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn by_product(&mut self) -> Option<Array> {
        self.weights.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let grads = if is_grad_enabled() {
            // In operations that have rules of their own, for second derivatives.
            let [q, k, v] = [0, 1, 2].map(|i| saved.input(i));
            let weights = unmasked(&q, &k, self.what.scale, self.what.causal);
            let change = grad.matmul(&v.transpose(-1, -2));
            let scores = &weights * (&change - (&weights * &change).sum_dim(-1, true));
            [
                scores.matmul(&k) * self.what.scale,
                scores.transpose(-1, -2).matmul(&(q * self.what.scale)),
                weights.transpose(-1, -2).matmul(grad),
            ]
        } else {
            let inputs = [0, 1, 2].map(|i| saved.input_array(i));
            grad.value().attention_grad(inputs, saved.by_product_array(), &self.what).map(Tensor::from)
        };
        for (i, grad) in grads.into_iter().enumerate() {
            give.to(i, || grad);
        }
    }
    fn grad_fn(&self) -> String {
        "ScaledDotProductFlashAttentionForCpuBackward0".to_string()
    }
}

/// Heads repeated, so that there are as many as the query has.
#[track_caller]
fn for_groups(x: &Tensor, query: &[usize]) -> Tensor {
    let shape = x.shape();
    let heads = |shape: &[usize]| shape.len().checked_sub(3).map(|i| shape[i]);
    let (Some(own), Some(wanted)) = (heads(&shape), heads(query)) else {
        fail!(
            "scaled_dot_product_attention: enable_gqa for shapes {query:?} and {shape:?}; heads are dim -3"
        );
    };
    if own == wanted {
        return x.clone();
    }
    if own == 0 || wanted % own != 0 {
        fail!(
            "scaled_dot_product_attention: {wanted} heads of the query are no multiple of {own} heads of the key"
        );
    }
    let mut wide = shape.to_vec();
    wide.insert(shape.len() - 2, wanted / own);
    let mut full = shape.to_vec();
    full[shape.len() - 3] = wanted;
    x.unsqueeze(-3).expand(wide.as_slice()).reshape(full.as_slice())
}

/// True up to the diagonal.
fn causal(rows: usize, columns: usize) -> Tensor {
    let place = |n: usize| Array::arange(0, n as i64, 1);
    Tensor::constant(place(columns).le(&place(rows).unsqueeze(1)))
}

/// The softmax along the last dim, zeros where all scores are minus infinity.
#[track_caller]
fn softmax_or_zero(scores: &Tensor) -> Tensor {
    if scores.numel() == 0 {
        return scores.softmax(-1);
    }
    let blind = scores.detach().amax(-1, true).eq(f64::NEG_INFINITY);
    if !blind.any().item_as::<bool>() {
        return scores.softmax(-1);
    }
    scores.masked_fill(&blind, 0.0).softmax(-1).masked_fill(&blind, 0.0)
}

/// Dropout that is always in effect, as PyTorch draws it.
#[track_caller]
pub(super) fn dropped(x: &Tensor, p: f64, name: &str) -> Tensor {
    if !(0.0..=1.0).contains(&p) {
        fail!("{name}: dropout_p is {p}; a probability must be between 0 and 1");
    }
    if p == 0.0 || x.numel() == 0 {
        return x.clone();
    }
    if p == 1.0 {
        return x * 0.0;
    }
    let mask = Array::bernoulli_on(x.shape(), 1.0 - p, &default_generator(), &x.device()).cast(x.dtype());
    x * Tensor::constant(mask.div(&mask.scalar_operand(1.0 - p)))
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::op(
    "Attention",
    "scaled_dot_product_attention",
    "torch.nn.functional.scaled_dot_product_attention",
    |draw| {
        let (heads, length, keys) = (1 + draw.below(2), draw.full_size(), draw.full_size());
        let (features, values, mode) = (draw.full_size(), draw.full_size(), draw.below(4));
        let shape = |heads, rows, columns| [2, heads, rows, columns];
        let mut inputs = vec![
            draw.leaf(&shape(2 * heads, length, features), Domain::Any),
            draw.leaf(&shape(heads, keys, features), Domain::Any),
            draw.leaf(&shape(heads, keys, values), Domain::Any),
        ];
        // The first query sees nothing.
        let place = |n: usize| Array::arange(0, n as i64, 1);
        let seen = place(keys).lt(&place(length).unsqueeze(1)).to_device(&inputs[0].device());
        if mode == 2 {
            inputs.push(draw.leaf(&[length, keys], Domain::Any));
        }
        Sample::new(inputs, move |x| {
            let seen = Tensor::constant(seen.clone());
            let mask = if mode == 3 { Some(&seen) } else { x.get(3) };
            let options = AttentionOptions {
                is_causal: mode == 1,
                scale: if mode == 0 { Some(0.3) } else { None },
                enable_gqa: true,
                ..AttentionOptions::default()
            };
            scaled_dot_product_attention_with(&x[0], &x[1], &x[2], mask, &options)
        })
    },
)
.rejects(|| {
    vec![
        Reject::new(
            "scaled_dot_product_attention: query [2, 3], key [2, 4] and value [2, 4] do not fit",
            || {
                scaled_dot_product_attention(&floats([2, 3]), &floats([2, 4]), &floats([2, 4]), None);
            },
        ),
        Reject::new("scaled_dot_product_attention: both a mask and is_causal; give one of them", || {
            let (x, options) = (floats([2, 3]), AttentionOptions { is_causal: true, ..Default::default() });
            scaled_dot_product_attention_with(&x, &x, &x, Some(&floats([2, 2])), &options);
        }),
        Reject::new(
            "scaled_dot_product_attention: dropout_p is 2; a probability must be between 0 and 1",
            || {
                let (x, options) =
                    (floats([2, 3]), AttentionOptions { dropout_p: 2.0, ..Default::default() });
                scaled_dot_product_attention_with(&x, &x, &x, None, &options);
            },
        ),
    ]
})];
