use crate::module::{Mode, Module};
use crate::{fields, functional};
use rushlight_array::fail;
use rushlight_autograd::Tensor;

/// In training, sets each element to zero with probability `p` and multiplies the others by 1 / (1 - p); in
/// evaluation, does nothing (Hinton et al., "Improving neural networks by preventing co-adaptation of
/// feature detectors", 2012).
///
/// Shape: any, unchanged.
#[derive(Debug)]
pub struct Dropout {
    p: f64,
    training: Mode,
}
fields!(Dropout { training, p });

impl Dropout {
    /// Drops with probability `p`, 0-1; PyTorch's default is 0.5.
    ///
    /// # Panics
    /// If `p` is not a probability.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        if !(0.0..=1.0).contains(&p) {
            fail!("Dropout: p is {p}; a probability must be between 0 and 1");
        }
        Dropout { p, training: Mode::default() }
    }
}

impl Default for Dropout {
    fn default() -> Self {
        Dropout::new(0.5)
    }
}

impl Module for Dropout {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        functional::dropout(x, self.p, self.training.is_training())
    }

    fn extra_repr(&self) -> String {
        format!("p={:?}, inplace=False", self.p)
    }
}
