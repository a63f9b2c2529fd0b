//! Attention of several heads with its projections.

use super::attention::{AttentionOptions, dropped, scaled_dot_product_attention_with};
use super::matmul::linear;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, fail};

/// The arguments of [`multi_head_attention_forward`] behind query, key and value: PyTorch's names and defaults.
#[derive(Clone, Copy, Debug)]
pub struct MultiHeadAttentionOptions<'a> {
    /// The weights of query, key and value, one above the other: `(3 E, E)`.
    pub in_proj_weight: Option<&'a Tensor>,
    /// Their biases: `(3 E)`.
    pub in_proj_bias: Option<&'a Tensor>,
    /// One more key, `(1, 1, E)`; needs `bias_v`.
    pub bias_k: Option<&'a Tensor>,
    /// One more value, `(1, 1, E)`; needs `bias_k`.
    pub bias_v: Option<&'a Tensor>,
    /// Whether to add a key and a value of zeros.
    pub add_zero_attn: bool,
    /// The probability that a weight becomes 0, in training.
    pub dropout_p: f64,
    /// The bias of the result.
    pub out_proj_bias: Option<&'a Tensor>,
    /// Whether dropout is in effect.
    pub training: bool,
    /// The keys to be left out, where a bool is true, or what is added to their scores: `(S)` or `(N, S)`.
    pub key_padding_mask: Option<&'a Tensor>,
    /// Whether to return the weights.
    pub need_weights: bool,
    /// What may not be looked at, where a bool is true, or what is added to the scores: `(L, S)` or `(N H, L, S)`.
    pub attn_mask: Option<&'a Tensor>,
    /// Whether weights of their own take the place of `in_proj_weight`.
    pub use_separate_proj_weight: bool,
    /// The query's weight: `(E, E)`.
    pub q_proj_weight: Option<&'a Tensor>,
    /// The key's weight: `(E, K)`.
    pub k_proj_weight: Option<&'a Tensor>,
    /// The value's weight: `(E, V)`.
    pub v_proj_weight: Option<&'a Tensor>,
    /// Keys in the place of the computed ones: `(N H, S, E / H)`.
    pub static_k: Option<&'a Tensor>,
    /// Values in the place of the computed ones.
    pub static_v: Option<&'a Tensor>,
    /// Whether the weights are averaged over the heads.
    pub average_attn_weights: bool,
    /// A hint that `attn_mask` is causal.
    pub is_causal: bool,
}

impl Default for MultiHeadAttentionOptions<'_> {
    fn default() -> Self {
        MultiHeadAttentionOptions {
            in_proj_weight: None,
            in_proj_bias: None,
            bias_k: None,
            bias_v: None,
            add_zero_attn: false,
            dropout_p: 0.0,
            out_proj_bias: None,
            training: true,
            key_padding_mask: None,
            need_weights: true,
            attn_mask: None,
            use_separate_proj_weight: false,
            q_proj_weight: None,
            k_proj_weight: None,
            v_proj_weight: None,
            static_k: None,
            static_v: None,
            average_attn_weights: true,
            is_causal: false,
        }
    }
}

const MULTI: &str = "multi_head_attention_forward";

/// Attention of several heads, each on its own share of the features: PyTorch's function of this name.
///
/// Gives the result and, if they are wanted, the weights.
///
/// Shape: query `(L, N, E)` or `(L, E)`, key and value `(S, N, E)` or `(S, E)`, `out_proj_weight` `(O, E)` -> `(L, N, O)` or
/// `(L, O)`, and the weights `(N, L, S)`, or `(N, H, L, S)` if they are not averaged.
///
/// # Panics
/// If shapes, dtypes or options do not fit each other.
#[track_caller]
pub fn multi_head_attention_forward(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    embed_dim_to_check: usize,
    num_heads: usize,
    out_proj_weight: &Tensor,
    options: &MultiHeadAttentionOptions<'_>,
) -> (Tensor, Option<Tensor>) {
    let batched = check_ranks(query, key, value, options);
    let widened = |x: &Tensor| if batched { x.clone() } else { x.unsqueeze(1) };
    let (query, key, value) = (widened(query), widened(key), widened(value));
    let (length, count, features) = (query.shape()[0], query.shape()[1], query.shape()[2]);
    if features != embed_dim_to_check || num_heads == 0 || features % num_heads != 0 {
        fail!(
            "{MULTI}: the query has {features} features, not {embed_dim_to_check} in {num_heads} heads of equal size"
        );
    }
    if out_proj_weight.dim() != 2 {
        fail!(
            "{MULTI}: out_proj_weight has shape {:?}; expected [outputs, {features}]",
            out_proj_weight.shape()
        );
    }
    let padding = options.key_padding_mask.map(|mask| {
        let mask = added(mask, query.dtype());
        if batched { mask } else { mask.unsqueeze(0) }
    });
    if options.is_causal && options.attn_mask.is_none() {
        fail!("{MULTI}: is_causal is a hint on attn_mask, which is missing");
    }
    let hint = options.is_causal && padding.is_none() && !options.need_weights;
    let mask = options.attn_mask.filter(|_| !hint).map(|mask| added(mask, query.dtype()));
    let mut mask = mask.map(|mask| shaped_mask(&mask, [count * num_heads, length, key.shape()[0]]));
    let [q, mut k, mut v] = projected(&query, &key, &value, options);
    let (heads, size) = (count * num_heads, features / num_heads);
    let mut more = 0;
    match (options.bias_k, options.bias_v) {
        (None, None) => {}
        (Some(bias_k), Some(bias_v)) if options.static_k.is_none() && options.static_v.is_none() => {
            k = Tensor::cat(&[&k, &bias_k.expand([1, count, features])], 0);
            v = Tensor::cat(&[&v, &bias_v.expand([1, count, features])], 0);
            more += 1;
        }
        _ => fail!("{MULTI}: bias_k and bias_v belong together, and not beside static_k or static_v"),
    }
    let split = |x: &Tensor| x.reshape([x.shape()[0], heads, size]).transpose(0, 1);
    let q = split(&q);
    let fixed = |name: &str, x: &Tensor| {
        if x.dim() != 3 || x.shape()[0] != heads || x.shape()[2] != size {
            fail!("{MULTI}: {name} has shape {:?}; expected ({heads}, S, {size})", x.shape());
        }
        x.clone()
    };
    let mut k = options.static_k.map_or_else(|| split(&k), |x| fixed("static_k", x));
    let mut v = options.static_v.map_or_else(|| split(&v), |x| fixed("static_v", x));
    if options.add_zero_attn {
        let zeros: Tensor = Array::full([heads, 1, size], 0.0, k.dtype(), &k.device()).into();
        (k, v) = (Tensor::cat(&[&k, &zeros], 1), Tensor::cat(&[&v, &zeros], 1));
        more += 1;
    }
    let keys = k.shape()[1];
    mask = mask.map(|mask| padded(&mask, more));
    if let Some(padding) = padding {
        let padding = padded(&padding, more);
        if *padding.shape() != [count, keys] {
            fail!(
                "{MULTI}: key_padding_mask has shape {:?}; expected ({count}, S)",
                options.key_padding_mask.map_or_else(|| padding.shape(), Tensor::shape)
            );
        }
        let padding = padding.reshape([count, 1, 1, keys]).expand([count, num_heads, 1, keys]);
        let padding = padding.reshape([heads, 1, keys]);
        mask = Some(match mask {
            Some(mask) => mask.add(&padding),
            None => padding,
        });
    }
    let dropout_p = if options.training { options.dropout_p } else { 0.0 };
    let together = |x: &Tensor| {
        let y = linear(
            &x.transpose(0, 1).reshape([length * count, features]),
            out_proj_weight,
            options.out_proj_bias,
        );
        let y = y.reshape([length, count, y.shape()[1]]);
        if batched { y } else { y.squeeze_dim(1) }
    };
    if !options.need_weights {
        let by_head = |x: &Tensor| x.reshape([count, num_heads, x.shape()[1], size]);
        let mask = mask.map(|mask| match mask.shape()[0] {
            1 => mask.unsqueeze(0),
            _ => mask.reshape([count, num_heads, mask.shape()[1], keys]),
        });
        let inner = AttentionOptions { dropout_p, is_causal: hint, ..AttentionOptions::default() };
        let y = scaled_dot_product_attention_with(
            &by_head(&q),
            &by_head(&k),
            &by_head(&v),
            mask.as_ref(),
            &inner,
        );
        return (together(&y.reshape([heads, length, size])), None);
    }
    let q = &q * (1.0 / size as f64).sqrt();
    let scores = match &mask {
        Some(mask) => mask.baddbmm(&q, &k.transpose(-2, -1)),
        None => q.bmm(&k.transpose(-2, -1)),
    };
    let weights = dropped(&scores.softmax(-1), dropout_p, MULTI);
    let y = together(&weights.bmm(&v));
    let weights = weights.reshape([count, num_heads, length, keys]);
    let weights = if options.average_attn_weights { weights.mean_dim(1, false) } else { weights };
    (y, Some(if batched { weights } else { weights.squeeze_dim(0) }))
}

/// Whether there is a batch dim.
#[track_caller]
fn check_ranks(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    options: &MultiHeadAttentionOptions<'_>,
) -> bool {
    let shapes = [query.shape(), key.shape(), value.shape()];
    let rank = shapes[0].len();
    if !(2..=3).contains(&rank) || shapes.iter().any(|shape| shape.len() != rank) || !query.dtype().is_float()
    {
        fail!(
            "{MULTI}: query, key and value have shapes {shapes:?} of {}; expected floats, all of 2 or all of 3 dims",
            query.dtype().name()
        );
    }
    let [q, k, v] = &shapes;
    let separate = options.use_separate_proj_weight;
    let fits = if separate { k[..rank - 1] == v[..rank - 1] } else { k == v };
    if !fits || (rank == 3 && q[1] != k[1]) {
        fail!("{MULTI}: query {q:?}, key {k:?} and value {v:?} do not fit each other");
    }
    rank == 3
}

/// A mask as what is added to the scores: a bool is true where nothing may be seen.
#[track_caller]
fn added(mask: &Tensor, dtype: DType) -> Tensor {
    match mask.dtype() {
        DType::Bool => {
            let zeros: Tensor = Array::full(mask.shape(), 0.0, dtype, &mask.device()).into();
            zeros.masked_fill(mask, f64::NEG_INFINITY)
        }
        own if own.is_float() => mask.to(dtype),
        own => fail!("{MULTI}: a mask of {}; only bool and floats count", own.name()),
    }
}

/// A mask with three dims.
#[track_caller]
fn shaped_mask(mask: &Tensor, full: [usize; 3]) -> Tensor {
    let shape = mask.shape();
    match shape.len() {
        2 if *shape == full[1..] => mask.unsqueeze(0),
        3 if *shape == full => mask.clone(),
        _ => fail!("{MULTI}: attn_mask has shape {shape:?}; expected {:?} or {full:?}", &full[1..]),
    }
}

/// A mask with so many keys more, which may be seen.
fn padded(mask: &Tensor, more: usize) -> Tensor {
    if more == 0 {
        return mask.clone();
    }
    let mut shape = mask.shape().to_vec();
    *shape.last_mut().expect("a mask has dims") = more;
    let zeros: Tensor =
        Array::full(shape.as_slice(), Scalar::Float(0.0), mask.dtype(), &mask.device()).into();
    Tensor::cat(&[mask, &zeros], -1)
}

/// Query, key and value by their weights.
#[track_caller]
fn projected(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    options: &MultiHeadAttentionOptions<'_>,
) -> [Tensor; 3] {
    let features = query.shape()[2];
    let third = |x: &Tensor, i: usize| x.narrow(0, i * features, features);
    if let Some(bias) = options.in_proj_bias
        && *bias.shape() != [3 * features]
    {
        fail!("{MULTI}: in_proj_bias has shape {:?}; expected [{}]", bias.shape(), 3 * features);
    }
    let bias = |i: usize| options.in_proj_bias.map(|bias| third(bias, i));
    let weights = if options.use_separate_proj_weight {
        let (Some(q), Some(k), Some(v)) =
            (options.q_proj_weight, options.k_proj_weight, options.v_proj_weight)
        else {
            fail!("{MULTI}: use_separate_proj_weight needs q_proj_weight, k_proj_weight and v_proj_weight");
        };
        for (name, weight) in [("q_proj_weight", q), ("k_proj_weight", k), ("v_proj_weight", v)] {
            if weight.dim() != 2 || weight.shape()[0] != features {
                fail!("{MULTI}: {name} has shape {:?}; expected [{features}, inputs]", weight.shape());
            }
        }
        [q.clone(), k.clone(), v.clone()]
    } else {
        let Some(weight) = options.in_proj_weight else {
            fail!("{MULTI}: in_proj_weight is missing, and use_separate_proj_weight is false");
        };
        if *weight.shape() != [3 * features, features] {
            fail!(
                "{MULTI}: in_proj_weight has shape {:?}; expected [{}, {features}]",
                weight.shape(),
                3 * features
            );
        }
        [third(weight, 0), third(weight, 1), third(weight, 2)]
    };
    let [w, u, s] = &weights;
    [linear(query, w, bias(0).as_ref()), linear(key, u, bias(1).as_ref()), linear(value, s, bias(2).as_ref())]
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::composed(
    "multi_head_attention_forward",
    "torch.nn.functional.multi_head_attention_forward",
    |draw| {
        let (heads, length, keys, count) =
            (1 + draw.below(2), draw.full_size(), draw.full_size(), draw.full_size());
        let (features, mode) = (2 * heads, draw.below(4));
        let inputs = vec![
            draw.leaf(&[length, count, features], Domain::Any),
            draw.leaf(&[keys, count, features], Domain::Any),
            draw.leaf(&[keys, count, features], Domain::Any),
            draw.leaf(&[3 * features, features], Domain::Any),
            draw.leaf(&[3 * features], Domain::Any),
            draw.leaf(&[features, features], Domain::Any),
            draw.leaf(&[1, 1, features], Domain::Any),
            draw.leaf(&[1, 1, features], Domain::Any),
            draw.leaf(&[length, keys], Domain::Any),
        ];
        Sample::new(inputs, move |x| {
            let (more, mask) = (mode & 1 == 1, mode & 2 == 2);
            let options = MultiHeadAttentionOptions {
                in_proj_weight: Some(&x[3]),
                in_proj_bias: Some(&x[4]),
                bias_k: more.then_some(&x[6]),
                bias_v: more.then_some(&x[7]),
                attn_mask: mask.then_some(&x[8]),
                add_zero_attn: more,
                need_weights: mask,
                ..MultiHeadAttentionOptions::default()
            };
            let (y, weights) =
                multi_head_attention_forward(&x[0], &x[1], &x[2], features, heads, &x[5], &options);
            match weights {
                Some(weights) => Tensor::cat(&[&y.reshape([-1]), &weights.reshape([-1])], 0),
                None => y,
            }
        })
    },
)
.rejects(|| {
    vec![
        Reject::new(
            "multi_head_attention_forward: the query has 4 features, not 4 in 3 heads of equal size",
            || {
                let (x, w) = (floats([2, 4]), floats([4, 4]));
                multi_head_attention_forward(&x, &x, &x, 4, 3, &w, &MultiHeadAttentionOptions::default());
            },
        ),
        Reject::new("multi_head_attention_forward: in_proj_weight is missing", || {
            let (x, w) = (floats([2, 4]), floats([4, 4]));
            multi_head_attention_forward(&x, &x, &x, 4, 2, &w, &MultiHeadAttentionOptions::default());
        }),
    ]
})];
