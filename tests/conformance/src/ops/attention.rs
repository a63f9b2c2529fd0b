//! Attention.

use super::{Arms, Out, ok};
use crate::args::{Args, Misfit};
use rushlight::autograd::ops::{
    AttentionOptions, MultiHeadAttentionOptions, multi_head_attention_forward,
    scaled_dot_product_attention_with,
};
use rushlight::{Tensor, TorchSeed, manual_seed};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("nn.functional.scaled_dot_product_attention", |a| {
            let (q, k, v) =
                (a.take::<Tensor>("query")?, a.take::<Tensor>("key")?, a.take::<Tensor>("value")?);
            let mask = a.option::<Tensor>("attn_mask")?;
            let options = AttentionOptions {
                dropout_p: a.take_or("dropout_p", 0.0)?,
                is_causal: a.take_or("is_causal", false)?,
                scale: a.option("scale")?,
                enable_gqa: a.take_or("enable_gqa", false)?,
            };
            seed();
            ok(scaled_dot_product_attention_with(&q, &k, &v, mask.as_ref(), &options))
        }),
        ("nn.functional.multi_head_attention_forward", multi_head),
    ],
    in_place: &[],
};

/// Before each call with dropout the cases seeded PyTorch's generator so.
fn seed() {
    manual_seed(TorchSeed(42));
}

fn multi_head(a: &mut Args) -> Result<Out, Misfit> {
    let (q, k, v) = (a.take::<Tensor>("query")?, a.take::<Tensor>("key")?, a.take::<Tensor>("value")?);
    let (features, heads) = (a.take("embed_dim_to_check")?, a.take("num_heads")?);
    let in_proj_weight = a.option::<Tensor>("in_proj_weight")?;
    let in_proj_bias = a.option::<Tensor>("in_proj_bias")?;
    let (bias_k, bias_v) = (a.option::<Tensor>("bias_k")?, a.option::<Tensor>("bias_v")?);
    let (add_zero_attn, dropout_p) = (a.take("add_zero_attn")?, a.take("dropout_p")?);
    let (weight, out_proj_bias) =
        (a.take::<Tensor>("out_proj_weight")?, a.option::<Tensor>("out_proj_bias")?);
    let training = a.take_or("training", true)?;
    let key_padding_mask = a.option::<Tensor>("key_padding_mask")?;
    let need_weights = a.take_or("need_weights", true)?;
    let attn_mask = a.option::<Tensor>("attn_mask")?;
    let use_separate_proj_weight = a.take_or("use_separate_proj_weight", false)?;
    let separate =
        [a.option::<Tensor>("q_proj_weight")?, a.option("k_proj_weight")?, a.option("v_proj_weight")?];
    let (static_k, static_v) = (a.option::<Tensor>("static_k")?, a.option::<Tensor>("static_v")?);
    let options = MultiHeadAttentionOptions {
        in_proj_weight: in_proj_weight.as_ref(),
        in_proj_bias: in_proj_bias.as_ref(),
        bias_k: bias_k.as_ref(),
        bias_v: bias_v.as_ref(),
        add_zero_attn,
        dropout_p,
        out_proj_bias: out_proj_bias.as_ref(),
        training,
        key_padding_mask: key_padding_mask.as_ref(),
        need_weights,
        attn_mask: attn_mask.as_ref(),
        use_separate_proj_weight,
        q_proj_weight: separate[0].as_ref(),
        k_proj_weight: separate[1].as_ref(),
        v_proj_weight: separate[2].as_ref(),
        static_k: static_k.as_ref(),
        static_v: static_v.as_ref(),
        average_attn_weights: a.take_or("average_attn_weights", true)?,
        is_causal: a.take_or("is_causal", false)?,
    };
    seed();
    let (y, weights) = multi_head_attention_forward(&q, &k, &v, features, heads, &weight, &options);
    ok([Some(y), weights].into_iter().flatten().collect::<Vec<_>>())
}
