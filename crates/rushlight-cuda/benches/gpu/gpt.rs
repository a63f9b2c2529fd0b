//! The small GPT of W8: 12 pieces of 64 tokens.

use rushlight::nn::functional::AttentionOptions;
use rushlight::nn::{Embedding, LayerNorm};
use rushlight::prelude::*;

pub(crate) const VOCABULARY: usize = 65;
pub(crate) const TIME: usize = 64;
pub(crate) const BATCH: usize = 12;
const WIDTH: usize = 128;
const HEADS: usize = 4;
const LAYERS: usize = 4;

struct Block {
    ln1: LayerNorm,
    ln2: LayerNorm,
    qkv: Linear,
    proj: Linear,
    fc: Linear,
    fc2: Linear,
}
fields!(Block { ln1, ln2, qkv, proj, fc, fc2 });

impl Module for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, time) = (x.shape()[0], x.shape()[1]);
        let parts = self.qkv.forward(&self.ln1.forward(x)).chunk(3, 2);
        let heads = |part: &Tensor| part.view([batch, time, HEADS, WIDTH / HEADS]).transpose(1, 2);
        let (q, k, v) = (heads(&parts[0]), heads(&parts[1]), heads(&parts[2]));
        let options = AttentionOptions { is_causal: true, ..Default::default() };
        let y = F::scaled_dot_product_attention_with(&q, &k, &v, None, &options);
        let x = x + self.proj.forward(&y.transpose(1, 2).reshape([batch, time, WIDTH]));
        &x + self.fc2.forward(&self.fc.forward(&self.ln2.forward(&x)).gelu())
    }
}

pub(crate) struct Gpt {
    tok: Embedding,
    pos: Embedding,
    blocks: Vec<Block>,
    ln: LayerNorm,
    head: Linear,
}
fields!(Gpt { tok, pos, blocks, ln, head });

impl Gpt {
    pub(crate) fn new() -> Self {
        let block = || Block {
            ln1: LayerNorm::new([WIDTH]),
            ln2: LayerNorm::new([WIDTH]),
            qkv: Linear::new(WIDTH, 3 * WIDTH),
            proj: Linear::new(WIDTH, WIDTH),
            fc: Linear::new(WIDTH, 4 * WIDTH),
            fc2: Linear::new(4 * WIDTH, WIDTH),
        };
        Gpt {
            tok: Embedding::new(VOCABULARY, WIDTH),
            pos: Embedding::new(TIME, WIDTH),
            blocks: (0..LAYERS).map(|_| block()).collect(),
            ln: LayerNorm::new([WIDTH]),
            head: Linear::without_bias(WIDTH, VOCABULARY),
        }
    }
}

impl Module for Gpt {
    fn forward(&self, x: &Tensor) -> Tensor {
        let places = rushlight::arange(0, x.shape()[1] as i64, 1).to(x.device());
        let mut x = self.tok.forward(x) + self.pos.forward(&places);
        for block in &self.blocks {
            x = block.forward(&x);
        }
        self.head.forward(&self.ln.forward(&x))
    }
}
