use crate::{IntoParameters, Optimizer, checked, follow};
use rushlight_array::Array;
use rushlight_array::backend::SgdStep;
use rushlight_array::profile::{Work, span_of};
use rushlight_autograd::{GradModeGuard, Tensor};

/// Stochastic gradient descent, with momentum and weight decay if wanted: PyTorch's `torch.optim.SGD`.
///
/// The velocity starts as the first gradient and is `momentum * v + (1 - dampening) * g` afterwards
/// (Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013, in
/// PyTorch's form, where the learning rate multiplies the velocity).
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::SGD;
/// let w = tensor([1.0]).requires_grad_();
/// let optimizer = SGD::new([&w], 0.1).momentum(0.9).nesterov(true).weight_decay(1e-4);
/// ```
#[derive(Debug)]
pub struct SGD {
    parameters: Vec<Tensor>,
    velocities: Vec<Option<Array>>,
    options: SgdStep,
}

impl SGD {
    /// Plain descent with this learning rate.
    ///
    /// # Panics
    /// If there is no parameter, one is not a float leaf, or the learning rate is negative.
    #[track_caller]
    pub fn new(parameters: impl IntoParameters, lr: f64) -> Self {
        let parameters = checked("SGD", parameters, lr);
        let velocities = vec![None; parameters.len()];
        let options = SgdStep {
            lr,
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            maximize: false,
            first: true,
        };
        SGD { parameters, velocities, options }
    }

    /// The factor of the velocity from step to step, 0 for none.
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn momentum(mut self, momentum: f64) -> Self {
        assert!(momentum >= 0.0, "SGD: momentum is {momentum}; it must not be negative");
        self.options.momentum = momentum;
        self
    }

    /// By how much less a new gradient enters the velocity, 0 for fully.
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.options.dampening = dampening;
        self
    }

    /// An L2 penalty: `weight_decay * w` is added to the gradient.
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        assert!(weight_decay >= 0.0, "SGD: weight_decay is {weight_decay}; it must not be negative");
        self.options.weight_decay = weight_decay;
        self
    }

    /// Nesterov's momentum, which looks one step ahead; it needs a momentum and no dampening.
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.options.nesterov = nesterov;
        self
    }

    /// Climb instead of descend.
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.options.maximize = maximize;
        self
    }
}

impl Optimizer for SGD {
    fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// # Panics
    /// If Nesterov's momentum is asked for without a momentum or with a dampening.
    #[track_caller]
    fn step(&mut self) {
        let _span = span_of("SGD", "step", Work::default);
        let options = self.options;
        assert!(
            !options.nesterov || (options.momentum > 0.0 && options.dampening == 0.0),
            "SGD: nesterov with momentum {} and dampening {}; it needs a momentum and no dampening",
            options.momentum,
            options.dampening
        );
        let _mode = GradModeGuard::no_grad();
        for (parameter, velocity) in self.parameters.iter().zip(&mut self.velocities) {
            let Some(grad) = parameter.grad() else { continue };
            let grad = grad.array();
            let step = SgdStep { first: velocity.is_none(), ..options };
            if options.momentum > 0.0 && velocity.is_none() {
                // Filled in by the first step.
                *velocity = Some(Array::full(grad.shape(), 0.0, grad.dtype().compute(), grad.device()));
            }
            if let Some(velocity) = velocity {
                follow(velocity, &grad);
            }
            parameter.update(|w| {
                let device = w.device().clone();
                device.backend().sgd_step(&step, w, &grad, velocity.as_mut());
            });
        }
    }

    fn lr(&self) -> f64 {
        self.options.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.options.lr = lr;
    }
}
