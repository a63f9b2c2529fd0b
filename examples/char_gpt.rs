//! A small GPT that reads a text letter by letter and then writes on its own.
//!
//! `cargo run --release --example char_gpt -- --text FILE`

mod common;

use common::Options;
use rushlight::nn::functional::AttentionOptions;
use rushlight::nn::utils::clip_grad_norm_;
use rushlight::nn::{Embedding, GELU, LayerNorm};
use rushlight::optim::AdamW;
use rushlight::prelude::*;
use rushlight::{Error, Result, randint};

const HELP: &str =
    "Trains a small GPT on a text file, letter by letter, and lets it write. An epoch is here a step of
12 pieces of 64 letters each (default 500).

Usage: cargo run --release --example char_gpt [-- OPTIONS]

  --text FILE       the text (default: the licence of rushlight)
  --write N         letters to write at the end (default 400)
  --lr X            learning rate (default 0.001)";

const HEADS: usize = 4;
const WIDTH: usize = 128;
const LAYERS: usize = 4;
const CONTEXT: usize = 64;
const BATCH: usize = 12;

/// Attention to all letters before, and a feed-forward network.
struct Block {
    ln1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    ln2: LayerNorm,
    mlp: Sequential,
}
fields!(Block { ln1, qkv, proj, ln2, mlp });

impl Block {
    fn new() -> Self {
        Block {
            ln1: LayerNorm::new([WIDTH]),
            qkv: Linear::new(WIDTH, 3 * WIDTH),
            proj: Linear::new(WIDTH, WIDTH),
            ln2: LayerNorm::new([WIDTH]),
            mlp: sequential![Linear::new(WIDTH, 4 * WIDTH), GELU::new(), Linear::new(4 * WIDTH, WIDTH)],
        }
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, time) = (x.shape()[0], x.shape()[1]);
        let parts = self.qkv.forward(&self.ln1.forward(x)).chunk(3, 2);
        let heads = |part: &Tensor| part.reshape([batch, time, HEADS, WIDTH / HEADS]).transpose(1, 2);
        let (q, k, v) = (heads(&parts[0]), heads(&parts[1]), heads(&parts[2]));
        let options = AttentionOptions { is_causal: true, ..Default::default() };
        let y = F::scaled_dot_product_attention_with(&q, &k, &v, None, &options);
        let x = x + self.proj.forward(&y.transpose(1, 2).reshape([batch, time, WIDTH]));
        &x + self.mlp.forward(&self.ln2.forward(&x))
    }
}

#[allow(clippy::upper_case_acronyms, reason = "the name as PyTorch's texts have it")]
struct GPT {
    tok: Embedding,
    pos: Embedding,
    blocks: Vec<Block>,
    ln: LayerNorm,
    head: Linear,
}
fields!(GPT { tok, pos, blocks, ln, head });

impl GPT {
    fn new(letters: usize) -> Self {
        GPT {
            tok: Embedding::new(letters, WIDTH),
            pos: Embedding::new(CONTEXT, WIDTH),
            blocks: (0..LAYERS).map(|_| Block::new()).collect(),
            ln: LayerNorm::new([WIDTH]),
            head: Linear::without_bias(WIDTH, letters),
        }
    }
}

impl Module for GPT {
    /// Letters `(N, T)` to logits `(N, T, letters)`.
    fn forward(&self, x: &Tensor) -> Tensor {
        let places = rushlight::arange(0, x.shape()[1] as i64, 1).to(x.device());
        let mut x = self.tok.forward(x) + self.pos.forward(&places);
        for block in &self.blocks {
            x = block.forward(&x);
        }
        self.head.forward(&self.ln.forward(&x))
    }
}

/// Letters and their numbers.
struct Alphabet(Vec<char>);

impl Alphabet {
    fn of(text: &str) -> Self {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        Alphabet(letters)
    }

    fn encode(&self, text: &str) -> Vec<i64> {
        text.chars().filter_map(|c| self.0.binary_search(&c).ok()).map(|i| i as i64).collect()
    }
}

/// Draws letter after letter from what the model expects.
fn write(model: &GPT, alphabet: &Alphabet, count: usize, options: &Options) -> String {
    model.eval();
    let (mut letters, mut text) = (vec![0i64], String::new());
    for _ in 0..count {
        let seen = &letters[letters.len().saturating_sub(CONTEXT)..];
        let x = Tensor::from_vec(seen.to_vec(), [1, seen.len()]).to(&options.device);
        let logits = no_grad(|| model.forward(&x)).select(1, -1);
        let next = logits.softmax(-1).multinomial(1).item() as i64;
        text.push(alphabet.0[next as usize]);
        letters.push(next);
    }
    text
}

fn run() -> Result<()> {
    let options = Options::parse(HELP, 1337, 500, &["--text", "--write", "--lr"]);
    manual_seed(options.seed);
    let path = options.own("--text", String::new());
    let text = match path.as_str() {
        "" => include_str!("../LICENSE-APACHE").to_owned(),
        path => std::fs::read_to_string(path).map_err(|error| Error::invalid(path, error.to_string()))?,
    };
    let alphabet = Alphabet::of(&text);
    let data = alphabet.encode(&text);
    if data.len() <= CONTEXT + 1 {
        return Err(Error::invalid(
            path,
            format!("{} letters; more than {} are needed", data.len(), CONTEXT + 1),
        ));
    }
    let model = GPT::new(alphabet.0.len());
    model.to(&options.device);
    println!(
        "{} letters, {} of them different; {} parameters",
        data.len(),
        alphabet.0.len(),
        model.num_parameters()
    );

    let mut optimizer = AdamW::new(model.parameters(), options.own("--lr", 1e-3));
    let (steps, count) = if options.quick { (20, 60) } else { (options.epochs, options.own("--write", 400)) };
    let bar = common::progress_bar(steps);
    for step in 1..=steps {
        let starts: Vec<i64> = randint(0, (data.len() - CONTEXT) as i64, [BATCH]).to_vec();
        let pieces = |shift: usize| {
            let letters = starts.iter().flat_map(|&start| &data[start as usize + shift..][..CONTEXT]);
            Tensor::from_vec(letters.copied().collect::<Vec<i64>>(), [BATCH, CONTEXT]).to(&options.device)
        };
        let (x, y) = (pieces(0), pieces(1));
        let loss = F::cross_entropy(&model.forward(&x).flatten(0, 1), &y.flatten(0, 1));
        optimizer.zero_grad();
        loss.backward();
        clip_grad_norm_(model.parameters(), 1.0);
        optimizer.step();
        bar.inc(1);
        if step % 50 == 0 || step == 1 || step == steps {
            bar.suspend(|| println!("step {step:>5}  loss {:.4}", loss.item()));
        }
    }
    bar.finish_and_clear();
    println!("\n{}", write(&model, &alphabet, count, &options));
    Ok(())
}

fn main() {
    common::main(run);
}
