//! Scaling of the loss, so that small gradients do not vanish in f16.

use crate::Optimizer;
use rushlight_array::{Array, DType, Error, Result, fail};
use rushlight_autograd::{Tensor, no_grad};

/// Multiplies the loss before the backward pass and divides the gradients after it: PyTorch's `torch.amp.GradScaler`.
///
/// A step whose gradients are infinite or NaN is left out, and the factor becomes smaller; after many good steps in a row
/// it grows again (Micikevicius et al., "Mixed precision training", 2018). It is for f16; bf16 has the range of f32.
///
/// ```
/// use rushlight_autograd::array::{DType, Device};
/// use rushlight_autograd::{autocast, tensor};
/// use rushlight_optim::{GradScaler, Optimizer, SGD};
/// let (x, w) = (tensor([[1.0, 2.0]]), tensor([[0.5], [0.25]]).requires_grad_());
/// let mut optimizer = SGD::new([&w], 0.1);
/// // The largest gradient, 2, times 65536 would be infinite in f16: the scaler finds what fits.
/// let mut scaler = GradScaler::new();
/// for _ in 0..3 {
///     optimizer.zero_grad();
///     let loss = autocast(&Device::cpu(), DType::F16, || x.matmul(&w).sum());
///     scaler.scale(&loss).backward();
///     scaler.step(&mut optimizer);
///     scaler.update();
/// }
/// assert_eq!(scaler.get_scale(), 16384.0);
/// ```
#[derive(Clone, Debug)]
pub struct GradScaler {
    scale: f64,
    growth_factor: f64,
    backoff_factor: f64,
    growth_interval: u64,
    /// Good steps since the factor changed.
    growth_tracker: u64,
    enabled: bool,
    /// What happened to each optimiser since the last update, by the address of its groups.
    steps: Vec<(usize, Stage)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stage {
    finite: bool,
    stepped: bool,
}

/// The state of a [`GradScaler`] as plain data, for checkpoints.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct GradScalerState {
    pub scale: f64,
    pub growth_factor: f64,
    pub backoff_factor: f64,
    pub growth_interval: u64,
    pub growth_tracker: u64,
}

impl Default for GradScaler {
    fn default() -> Self {
        GradScaler::new()
    }
}

impl GradScaler {
    /// With PyTorch's numbers: a factor of 65536, doubled after 2000 good steps and halved after a bad one.
    pub fn new() -> Self {
        GradScaler {
            scale: 65536.0,
            growth_factor: 2.0,
            backoff_factor: 0.5,
            growth_interval: 2000,
            growth_tracker: 0,
            enabled: true,
            steps: Vec::new(),
        }
    }

    /// The factor of the first step.
    ///
    /// # Panics
    /// If it is not positive and finite.
    #[track_caller]
    #[must_use]
    pub fn init_scale(self, scale: f64) -> Self {
        if !(scale > 0.0 && scale.is_finite()) {
            fail!("GradScaler: init_scale is {scale}; it must be positive and finite");
        }
        GradScaler { scale, ..self }
    }

    /// By what the factor grows after [`GradScaler::growth_interval`] good steps.
    ///
    /// # Panics
    /// If it is not above 1.
    #[track_caller]
    #[must_use]
    pub fn growth_factor(self, growth_factor: f64) -> Self {
        if growth_factor.is_nan() || growth_factor <= 1.0 {
            fail!("GradScaler: growth_factor is {growth_factor}; it must be above 1");
        }
        GradScaler { growth_factor, ..self }
    }

    /// By what the factor shrinks after a bad step.
    ///
    /// # Panics
    /// If it is not between 0 and 1.
    #[track_caller]
    #[must_use]
    pub fn backoff_factor(self, backoff_factor: f64) -> Self {
        if !(backoff_factor > 0.0 && backoff_factor < 1.0) {
            fail!("GradScaler: backoff_factor is {backoff_factor}; it must be between 0 and 1");
        }
        GradScaler { backoff_factor, ..self }
    }

    /// After how many good steps in a row the factor grows.
    #[must_use]
    pub fn growth_interval(self, growth_interval: u64) -> Self {
        GradScaler { growth_interval, ..self }
    }

    /// Without effect if it is not enabled: for programs that choose at run time.
    #[must_use]
    pub fn enabled(self, enabled: bool) -> Self {
        GradScaler { enabled, ..self }
    }

    /// Whether it has an effect.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The factor; 1 if it is not enabled.
    pub fn get_scale(&self) -> f64 {
        if self.enabled { self.scale } else { 1.0 }
    }

    /// The loss times the factor, in f32 if it was narrower: f16 ends at 65504.
    pub fn scale(&self, loss: &Tensor) -> Tensor {
        match (self.enabled, loss.dtype()) {
            (false, _) => loss.clone(),
            (true, DType::F16 | DType::BF16) => loss.to(DType::F32) * self.scale,
            (true, _) => loss * self.scale,
        }
    }

    /// Divides the gradients of an optimiser's parameters by the factor, for those who look at them before the step, as
    /// clipping does. [`GradScaler::step`] does so by itself otherwise.
    ///
    /// # Panics
    /// If it was done already, or the step was, since the last [`GradScaler::update`]; if a gradient is f16, which has lost
    /// already what the factor is to save.
    #[track_caller]
    pub fn unscale_(&mut self, optimizer: &impl Optimizer) {
        if !self.enabled {
            return;
        }
        match self.stage(optimizer) {
            None => {
                self.unscale(optimizer);
            }
            Some(Stage { stepped: false, .. }) => {
                fail!("GradScaler: unscale_() was called on this optimizer already since the last update()")
            }
            Some(_) => fail!("GradScaler: unscale_() is called after step()"),
        }
    }

    /// The optimiser's step, unless a gradient is infinite or NaN. Whether there was one.
    ///
    /// # Panics
    /// If it was done already since the last [`GradScaler::update`]; if a gradient is f16, as with [`GradScaler::unscale_`].
    #[track_caller]
    pub fn step(&mut self, optimizer: &mut impl Optimizer) -> bool {
        if !self.enabled {
            optimizer.step();
            return true;
        }
        let finite = match self.stage(optimizer) {
            None => self.unscale(optimizer),
            Some(Stage { stepped: true, .. }) => {
                fail!("GradScaler: step() was called on this optimizer already since the last update()")
            }
            Some(Stage { finite, .. }) => finite,
        };
        if finite {
            optimizer.step();
        }
        let this = identity(optimizer);
        for (_, stage) in self.steps.iter_mut().filter(|(other, _)| *other == this) {
            stage.stepped = true;
        }
        finite
    }

    /// Makes the factor smaller if a step since the last update was bad, and larger after enough good ones.
    ///
    /// # Panics
    /// If there was neither a step nor an [`GradScaler::unscale_`] since the last update.
    #[track_caller]
    pub fn update(&mut self) {
        if !self.enabled {
            return;
        }
        if self.steps.is_empty() {
            fail!("GradScaler: update() is called without a step() before it");
        }
        if self.steps.drain(..).all(|(_, stage)| stage.finite) {
            self.growth_tracker += 1;
            if self.growth_tracker == self.growth_interval {
                // In f32, as PyTorch keeps it, and never to infinity.
                let grown = (self.scale * self.growth_factor) as f32;
                if grown.is_finite() {
                    self.scale = f64::from(grown);
                }
                self.growth_tracker = 0;
            }
        } else {
            self.scale = f64::from((self.scale * self.backoff_factor) as f32);
            self.growth_tracker = 0;
        }
    }

    /// Sets the factor, instead of [`GradScaler::update`].
    #[track_caller]
    pub fn update_to(&mut self, scale: f64) {
        if !(scale > 0.0 && scale.is_finite()) {
            fail!("GradScaler: the new scale is {scale}; it must be positive and finite");
        }
        self.steps.clear();
        self.scale = scale;
    }

    /// Factor and counters as plain data.
    pub fn state_dict(&self) -> GradScalerState {
        GradScalerState {
            scale: self.scale,
            growth_factor: self.growth_factor,
            backoff_factor: self.backoff_factor,
            growth_interval: self.growth_interval,
            growth_tracker: self.growth_tracker,
        }
    }

    /// Continues from a state.
    ///
    /// # Errors
    /// If a number of it cannot be; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &GradScalerState) -> Result<()> {
        let GradScalerState { scale, growth_factor, backoff_factor, growth_interval, growth_tracker } =
            *state;
        let fits = scale > 0.0
            && scale.is_finite()
            && growth_factor > 1.0
            && backoff_factor > 0.0
            && backoff_factor < 1.0;
        if !fits {
            return Err(Error::invalid("load_state_dict", format!("no GradScaler has the state {state:?}")));
        }
        let enabled = self.enabled;
        *self = GradScaler {
            scale,
            growth_factor,
            backoff_factor,
            growth_interval,
            growth_tracker,
            enabled,
            steps: Vec::new(),
        };
        Ok(())
    }

    fn stage(&self, optimizer: &impl Optimizer) -> Option<Stage> {
        let this = identity(optimizer);
        self.steps.iter().find(|(other, _)| *other == this).map(|(_, stage)| *stage)
    }

    /// Divides the gradients. Whether all are finite; one number is read for all of a device.
    #[track_caller]
    fn unscale(&mut self, optimizer: &impl Optimizer) -> bool {
        let parameters = optimizer.parameters();
        // Before any is changed.
        let mut grads = parameters.iter().filter_map(Tensor::grad);
        if grads.any(|grad| grad.dtype() == DType::F16) {
            fail!(
                "GradScaler: Attempting to unscale FP16 gradients. Keep parameters in float32 and compute in float16 by \
                 autocast"
            );
        }
        // PyTorch's order: the reciprocal in f64, rounded to f32.
        let factor = f64::from((1.0 / self.scale) as f32);
        let mut sums: Vec<Array> = Vec::new();
        no_grad(|| {
            for parameter in parameters {
                let Some(grad) = parameter.grad() else { continue };
                let grad = grad * factor;
                // A product with zero is zero or NaN.
                let sum = (&grad * 0.0).sum().to(DType::F32).array();
                match sums.iter_mut().find(|other| other.device() == sum.device()) {
                    Some(other) => *other = other.add(&sum),
                    None => sums.push(sum),
                }
                parameter.set_grad(Some(grad));
            }
        });
        let finite = sums.iter().all(|sum| sum.cast(DType::F32).item::<f32>() == 0.0);
        self.steps.push((identity(optimizer), Stage { finite, stepped: false }));
        finite
    }
}

/// What tells optimisers apart: where their groups are, which are shared by all handles on them.
fn identity(optimizer: &impl Optimizer) -> usize {
    optimizer.param_groups().address()
}
