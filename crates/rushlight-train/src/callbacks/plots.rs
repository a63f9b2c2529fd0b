use super::charts::Steps;
use super::report::AGAIN;
use crate::callback::{Callback, Context, Moment};
use crate::plots::{Picture, Sample, Series};
use crate::report::Curve;
use rushlight_array::random::default_generator;
use rushlight_array::{DType, Device, Error, Result, Shape, fail};
use rushlight_autograd::{Tensor, no_grad};
use rushlight_serialize::Value;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

/// Pictures of a run as SVG and PNG: a curve for each number of the logs, training and validation in one; loss and learning
/// rate by step; the confusion matrix; and samples with what the model makes of them.
///
/// They are drawn at the end, and meanwhile after an epoch if the last time was some seconds ago, the samples at the end
/// alone. The confusion matrix is that of the last validation (of the last epoch of training where there is none), if the
/// trainer has the metric [`ConfusionMatrix`](crate::metrics::ConfusionMatrix); its value is the accuracy, so that
/// `ConfusionMatrix::new(10).named("accuracy")` serves for both.
///
/// ```
/// use rushlight_autograd::{rand, tensor};
/// use rushlight_train::Plots;
/// let (images, labels) = (rand([2, 1, 8, 8]), tensor([0, 1]));
/// let plots = Plots::new("runs/first/pictures").classes(["cat", "dog"]).samples(&images, &labels, [8, 8]);
/// ```
#[derive(Clone, Debug)]
pub struct Plots {
    folder: PathBuf,
    classes: Vec<String>,
    samples: Option<(Tensor, Tensor, Shape)>,
    steps: Steps,
    drawn: Option<Instant>,
}

/// More samples than this nobody looks at.
const SAMPLES: usize = 100;

impl Plots {
    /// Pictures in a folder, which is made if it is not there.
    pub fn new(folder: impl Into<PathBuf>) -> Plots {
        Plots {
            folder: folder.into(),
            classes: Vec::new(),
            samples: None,
            steps: Steps::default(),
            drawn: None,
        }
    }

    /// The names of the classes; their numbers if not called.
    #[must_use]
    pub fn classes<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Plots {
        Plots { classes: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// The samples that are shown: inputs of the model along the first axis, with their classes. `shape` is that of one as
    /// a picture, `(H, W)` or `(C, H, W)`. Values outside of 0-1 are spread over the greys that there are. The first 100 are
    /// taken.
    ///
    /// # Panics
    /// If there is not one class for each input, or an input has not as many elements as the shape.
    #[must_use]
    #[track_caller]
    pub fn samples(self, inputs: &Tensor, targets: &Tensor, shape: impl Into<Shape>) -> Plots {
        let shape = shape.into();
        let (found, size) = (inputs.shape(), shape.iter().product::<usize>());
        let count = found.first().copied().unwrap_or(0);
        if targets.len() != count || count == 0 || targets.shape().len() != 1 {
            let targets = targets.shape();
            fail!(
                "Plots: samples of shape {found:?} with classes {targets:?}; there must be a class for each"
            );
        }
        if inputs.numel() / count != size {
            fail!(
                "Plots: samples of shape {found:?} are no pictures {shape:?}; they must have as many elements"
            );
        }
        let most = count.min(SAMPLES);
        let (inputs, targets) = (inputs.narrow(0, 0, most).detach(), targets.narrow(0, 0, most).detach());
        Plots { samples: Some((inputs, targets, shape)), ..self }
    }

    fn name(&self, class: i64) -> String {
        let name = usize::try_from(class).ok().and_then(|class| self.classes.get(class));
        name.cloned().unwrap_or_else(|| class.to_string())
    }

    fn save(&self, name: &str, picture: &Picture) -> Result<()> {
        // Numbers may have any name, files may not.
        let file: String =
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        picture.save(self.folder.join(format!("{file}.svg")))?;
        picture.save(self.folder.join(format!("{file}.png")))
    }

    fn draw(&mut self, cx: &Context<'_>) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|source| Error::Io { path: self.folder.clone(), source })?;
        let curves = self.steps.curves(&cx.progress.history);
        for chart in curves.chunk_by(|a, b| a.chart == b.chart) {
            let line = |curve: &Curve| Series::new(&curve.name, curve.points.clone());
            let lines: Vec<Series> = chart.iter().map(line).collect();
            let Curve { chart, x, .. } = &chart[0];
            self.save(chart, &Picture::curves(chart, x, "", &lines))?;
        }
        if let Some(matrix) = cx.metrics.iter().find_map(|metric| metric.confusion_matrix()) {
            let names: Vec<String> =
                (0..).map(|class| self.name(class)).take(matrix.counts().len()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let title = format!("confusion matrix, epoch {}", cx.progress.epoch);
            self.save("confusion_matrix", &Picture::confusion_matrix(&title, matrix, &names))?;
        }
        self.drawn = Some(Instant::now());
        Ok(())
    }

    fn draw_samples(&self, cx: &Context<'_>) -> Result<()> {
        let Some((inputs, targets, shape)) = &self.samples else { return Ok(()) };
        let predictions = predict(cx, inputs);
        if predictions.shape().len() != 2 || predictions.shape()[0] != inputs.shape()[0] {
            let found = predictions.shape();
            let reason = format!("samples need scores (N, C) for classes; the model gives {found:?}");
            return Err(Error::invalid("Plots", reason));
        }
        let predicted = predictions.argmax_dim(1, false).to_vec::<i64>();
        let actual = targets.to(Device::cpu()).to(DType::I64).to_vec::<i64>();
        let pictures = inputs.to(Device::cpu()).to(DType::F64);
        let samples: Vec<Sample> = (0..)
            .zip(predicted.iter().zip(&actual))
            .map(|(at, (&predicted, &actual))| {
                let picture = within(&pictures.select(0, at).reshape(shape.clone()));
                Sample::new(&picture, &self.name(predicted), &self.name(actual))
            })
            .collect();
        let columns = (samples.len() as f64).sqrt().ceil().max(1.0) as usize;
        let right = predicted.iter().zip(&actual).filter(|(a, b)| a == b).count();
        let title = format!("{right} of {} samples are right", samples.len());
        self.save("samples", &Picture::samples(&title, &samples, columns.min(10)))
    }
}

/// The model's outputs in evaluation mode. Draws of a model that is random there, too, are none of the run's.
fn predict(cx: &Context<'_>, inputs: &Tensor) -> Tensor {
    cx.model.eval();
    let inputs = match cx.model.parameters().first() {
        Some(parameter) => inputs.to(parameter.device()),
        None => inputs.clone(),
    };
    let generator = default_generator();
    let before = generator.state();
    let predictions = no_grad(|| cx.model.forward(&inputs));
    generator.set_state(&before);
    predictions.to(Device::cpu())
}

/// A picture whose values lie in 0-1.
fn within(picture: &Tensor) -> Tensor {
    let (least, greatest) = (picture.min().item(), picture.max().item());
    if least >= 0.0 && greatest <= 1.0 {
        return picture.clone();
    }
    (picture - least) / (greatest - least).max(f64::MIN_POSITIVE)
}

impl Callback for Plots {
    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.steps.log(cx);
        if cx.moment == Moment::Epoch && self.drawn.get_or_insert_with(Instant::now).elapsed() >= AGAIN {
            self.draw(cx)?;
        }
        Ok(())
    }

    fn on_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.draw(cx)?;
        self.draw_samples(cx)
    }

    fn state(&self) -> Value {
        self.steps.to_value()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.steps = Steps::from_value(state)?;
        Ok(())
    }

    fn in_dev_run(&self) -> bool {
        false
    }
}
