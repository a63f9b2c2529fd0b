//! What a step gives.

use rushlight_autograd::Tensor;
use rushlight_nn as nn;

/// What the model made of a batch: the result of a training or validation step.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_train::Output;
/// let output = Output::new(tensor(0.5), 32).log("penalty", 0.1);
/// assert_eq!((output.samples, output.logs.len()), (32, 1));
/// ```
#[derive(Debug)]
pub struct Output {
    /// The loss, a scalar that depends on the parameters: the mean over the batch.
    pub loss: Tensor,
    /// What metrics compare: the prediction and the target. Without them metrics see nothing of the batch.
    pub compared: Option<(Tensor, Tensor)>,
    /// The number of samples, which weighs the loss in the mean of the epoch.
    pub samples: usize,
    /// Other numbers of the step, by name. In the epoch's logs stands their mean, weighed by samples.
    pub logs: Vec<(String, f64)>,
}

impl Output {
    /// A loss of so many samples.
    pub fn new(loss: Tensor, samples: usize) -> Output {
        Output { loss, compared: None, samples, logs: Vec::new() }
    }

    /// With what the metrics compare.
    #[must_use]
    pub fn compare(self, prediction: &Tensor, target: &Tensor) -> Output {
        Output { compared: Some((prediction.detach(), target.detach())), ..self }
    }

    /// With one more number for the logs.
    #[must_use]
    pub fn log(mut self, name: impl Into<String>, value: f64) -> Output {
        self.logs.push((name.into(), value));
        self
    }
}

/// A loss of a prediction and a target: a function such as `F::cross_entropy`, a closure, or one of the loss modules.
///
/// ```
/// use rushlight_autograd::{Tensor, tensor};
/// use rushlight_nn::{L1Loss, functional as F};
/// use rushlight_train::Criterion;
/// let (x, y) = (tensor([1.0, 2.0]), tensor([1.0, 4.0]));
/// assert_eq!(F::mse_loss.loss(&x, &y).item(), 2.0);
/// assert_eq!(L1Loss::new().loss(&x, &y).item(), 1.0);
/// assert_eq!((|x: &Tensor, y: &Tensor| (x - y).sum()).loss(&x, &y).item(), -2.0);
/// ```
pub trait Criterion {
    /// The loss, a scalar.
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor;
}

impl<F: Fn(&Tensor, &Tensor) -> Tensor> Criterion for F {
    #[track_caller]
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        self(prediction, target)
    }
}

macro_rules! losses {
    ($($loss:ident),*) => {$(
        impl Criterion for nn::$loss {
            #[track_caller]
            fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
                self.forward(prediction, target)
            }
        }
    )*};
}

losses!(
    L1Loss,
    MSELoss,
    CrossEntropyLoss,
    NLLLoss,
    BCELoss,
    BCEWithLogitsLoss,
    SmoothL1Loss,
    HuberLoss,
    KLDivLoss,
    SoftMarginLoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    PoissonNLLLoss,
    HingeEmbeddingLoss
);
