//! Two classifiers for three arms of a spiral, side by side: a linear one and one with a hidden layer.
//!
//! `cargo run --release --example spiral`

mod common;

use common::Options;
use rushlight::prelude::*;
use rushlight::{Error, Result, linspace, randn};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::Path;

const HELP: &str =
    "Trains softmax regression and a network with one hidden layer on three arms of a spiral, by plain
gradient descent on the mean cross entropy and an L2 penalty, and draws the data with what both decide.

Usage: cargo run --release --example spiral [-- OPTIONS]

  --out DIR         where spiral.svg and spiral.png go (default: the current folder)
  --epochs N        iterations of the network (default 10000); the linear classifier takes 200
  --hidden N        width of the hidden layer (default 100)";

/// Points of each class.
const POINTS: usize = 100;
/// The width of the hidden layer.
const HIDDEN: NonZeroUsize = NonZeroUsize::new(100).expect("it is not zero");
const CLASSES: usize = 3;
/// The strength of the L2 penalty, and the length of the steps.
const REG: f64 = 1e-3;
const STEP: f64 = 1.0;

/// Points `(300, 2)` and classes `(300)`: each arm turns by 4 radians from the middle outwards, with noise.
fn spiral() -> (Tensor, Tensor) {
    let (mut points, mut classes) = (Vec::new(), Vec::new());
    for class in 0..CLASSES {
        let radius = linspace(0.0, 1.0, POINTS);
        let angle = linspace(4.0 * class as f64, 4.0 * (class + 1) as f64, POINTS) + randn([POINTS]) * 0.2;
        let (x, y) = (&radius * angle.sin(), &radius * angle.cos());
        points.push(rushlight::stack(&[&x, &y], 1));
        classes.extend([class as i64; POINTS]);
    }
    let points = rushlight::cat(&points.iter().collect::<Vec<_>>(), 0);
    (points, Tensor::from_vec(classes, POINTS * CLASSES))
}

/// A weight near zero, and a bias.
fn layer(inputs: usize, outputs: usize) -> Linear {
    let weight = randn([outputs, inputs]) * 0.01;
    Linear::from_parameters(&weight, Some(&rushlight::zeros([outputs])))
}

/// Trains, prints the loss every so many iterations, and returns the share of right answers.
fn train(model: &Sequential, x: &Tensor, y: &Tensor, iterations: usize, every: usize) -> f64 {
    let mut optimizer = SGD::new(model.parameters(), STEP);
    for i in 0..=iterations {
        let mut loss = F::cross_entropy(&model.forward(x), y);
        for (name, parameter) in model.named_parameters() {
            if name.ends_with("weight") {
                loss += (&parameter * &parameter).sum() * (0.5 * REG);
            }
        }
        if i % every == 0 {
            println!("iteration {i}: loss {}", loss.item());
        }
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
    }
    let right = no_grad(|| model.forward(x)).argmax_dim(1, false).eq(y);
    right.sum().item() / y.len() as f64
}

/// A picture's side in points of the grid on which the models decide.
const SIDE: usize = 240;
const COLORS: [[u8; 3]; CLASSES] = [[214, 69, 65], [46, 134, 171], [241, 173, 48]];

/// The class at each point of a grid over [-1.2, 1.2] x [-1.2, 1.2], row by row from the top.
fn decisions(model: &Sequential) -> Vec<i64> {
    let at = |i: usize| (2.4 * (i as f64 + 0.5) / SIDE as f64 - 1.2) as f32;
    let grid = (0..SIDE * SIDE).flat_map(|i| [at(i % SIDE), -at(i / SIDE)]).collect::<Vec<f32>>();
    no_grad(|| model.forward(&Tensor::from_vec(grid, [SIDE * SIDE, 2]))).argmax_dim(1, false).to_vec()
}

/// A point's place in a picture, in points of the grid.
fn place(point: &[f32]) -> [f64; 2] {
    [point[0], -point[1]].map(|v| (f64::from(v) + 1.2) / 2.4 * SIDE as f64)
}

fn light([r, g, b]: [u8; 3]) -> [u8; 3] {
    [r, g, b].map(|v| 255 - (255 - v) / 3)
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Both pictures beside each other, as text.
fn svg(panels: &[(&str, Vec<i64>)], points: &[f32], classes: &[i64]) -> String {
    let (gap, head) = (20, 26);
    let width = panels.len() * (SIDE + gap) - gap;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {}\" width=\"{}\" shape-rendering=\"crispEdges\">\n",
        SIDE + head,
        2 * width
    );
    for (panel, (title, decided)) in panels.iter().enumerate() {
        let left = panel * (SIDE + gap);
        let _ = writeln!(text, "<g transform=\"translate({left},{head})\">");
        let _ = writeln!(text, "<text y=\"-8\" font-family=\"sans-serif\" font-size=\"13\">{title}</text>");
        for (row, line) in decided.chunks(SIDE).enumerate() {
            let mut start = 0;
            for end in 1..=SIDE {
                if end == SIDE || line[end] != line[start] {
                    let color = hex(light(COLORS[line[start] as usize]));
                    let _ = writeln!(
                        text,
                        "<rect x=\"{start}\" y=\"{row}\" width=\"{}\" height=\"1\" fill=\"{color}\"/>",
                        end - start
                    );
                    start = end;
                }
            }
        }
        for (point, &class) in points.chunks(2).zip(classes) {
            let ([x, y], color) = (place(point), hex(COLORS[class as usize]));
            let _ = writeln!(
                text,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{color}\" stroke=\"#fff\" stroke-width=\"0.5\" shape-rendering=\"auto\"/>"
            );
        }
        text.push_str("</g>\n");
    }
    text + "</svg>\n"
}

/// The same as pixels, two for each point of the grid.
fn pixels(panels: &[(&str, Vec<i64>)], points: &[f32], classes: &[i64]) -> (usize, usize, Vec<u8>) {
    let (scale, gap) = (2, 20);
    let width = (panels.len() * (SIDE + gap) - gap) * scale;
    let height = SIDE * scale;
    let mut rgb = vec![255u8; 3 * width * height];
    let mut set = |x: usize, y: usize, color: [u8; 3]| {
        rgb[3 * (y * width + x)..][..3].copy_from_slice(&color);
    };
    for (panel, (_, decided)) in panels.iter().enumerate() {
        let left = panel * (SIDE + gap) * scale;
        for y in 0..height {
            for x in 0..SIDE * scale {
                set(left + x, y, light(COLORS[decided[y / scale * SIDE + x / scale] as usize]));
            }
        }
        for (point, &class) in points.chunks(2).zip(classes) {
            let [cx, cy] = place(point).map(|v| v * scale as f64);
            for y in (cy - 6.0).max(0.0) as usize..((cy + 6.0) as usize).min(height) {
                for x in (cx - 6.0).max(0.0) as usize..((cx + 6.0) as usize).min(SIDE * scale) {
                    let distance = (x as f64 + 0.5 - cx).hypot(y as f64 + 0.5 - cy);
                    if distance <= 4.5 {
                        set(left + x, y, COLORS[class as usize]);
                    } else if distance <= 5.5 {
                        set(left + x, y, [255; 3]);
                    }
                }
            }
        }
    }
    (width, height, rgb)
}

fn write_png(path: &Path, (width, height, rgb): (usize, usize, Vec<u8>)) -> Result<()> {
    let wrong = |reason: String| Error::invalid(path.display().to_string(), reason);
    let file = std::fs::File::create(path).map_err(|error| wrong(error.to_string()))?;
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().map_err(|error| wrong(error.to_string()))?;
    writer.write_image_data(&rgb).map_err(|error| wrong(error.to_string()))
}

fn run() -> Result<()> {
    let options = Options::parse(HELP, 0, 10_000, &["--out", "--hidden"]);
    let hidden = options.own("--hidden", HIDDEN).get();
    manual_seed(options.seed);
    let (x, y) = spiral();

    println!("linear classifier");
    let linear = sequential![layer(2, CLASSES)];
    let accuracy = train(&linear, &x, &y, if options.quick { 20 } else { 200 }, 10);
    println!("training accuracy: {accuracy:.2}\n\ntwo-layer network");

    let network = sequential![layer(2, hidden), ReLU, layer(hidden, CLASSES)];
    let accuracy = train(&network, &x, &y, if options.quick { 1000 } else { options.epochs }, 1000);
    println!("training accuracy: {accuracy:.2}");

    let panels = [("linear", decisions(&linear)), ("two layers", decisions(&network))];
    let (points, classes) = (x.to_vec::<f32>(), y.to_vec::<i64>());
    let folder = options
        .own("--out", if options.quick { std::env::temp_dir() } else { ".".into() }.display().to_string());
    let path = Path::new(&folder).join("spiral.svg");
    std::fs::write(&path, svg(&panels, &points, &classes))
        .map_err(|error| Error::invalid(path.display().to_string(), error.to_string()))?;
    write_png(&path.with_extension("png"), pixels(&panels, &points, &classes))?;
    println!("\ndrawn in {} and spiral.png", path.display());
    Ok(())
}

fn main() {
    common::main(run);
}
