use crate::{IntoParameters, Optimizer, checked, follow};
use rushlight_array::Array;
use rushlight_array::backend::AdamStep;
use rushlight_array::profile::{Work, span_of};
use rushlight_autograd::{GradModeGuard, Tensor};

/// Adam: PyTorch's `torch.optim.Adam` (Kingma & Ba, "Adam: a method for stochastic optimization", 2015).
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::{Adam, Optimizer};
/// let w = tensor([1.0]).requires_grad_();
/// let mut optimizer = Adam::new([&w], 0.1);
/// (&w * 3.0).sum().backward();
/// optimizer.step(); // the first step has length lr, whatever the gradient's scale
/// assert!((w.item() - 0.9).abs() < 1e-6);
/// ```
#[derive(Debug)]
pub struct Adam {
    parameters: Vec<Tensor>,
    states: Vec<Option<State>>,
    options: AdamStep,
}

/// Running means of a parameter's gradients and of their squares.
#[derive(Debug)]
struct State {
    mean: Array,
    square: Array,
    step: u32,
}

impl Adam {
    /// With this learning rate and PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8.
    ///
    /// # Panics
    /// If there is no parameter, one is not a float leaf, or the learning rate is negative.
    #[track_caller]
    pub fn new(parameters: impl IntoParameters, lr: f64) -> Self {
        let parameters = checked("Adam", parameters, lr);
        let states = parameters.iter().map(|_| None).collect();
        let options = AdamStep { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, step: 0 };
        Adam { parameters, states, options }
    }

    /// The decays of the running means, each in 0-1 (1 excluded).
    ///
    /// # Panics
    /// If one is out of range.
    #[track_caller]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        let fits = |beta: f64| (0.0..1.0).contains(&beta);
        assert!(fits(beta1) && fits(beta2), "Adam: betas are {beta1} and {beta2}; both must be in [0, 1)");
        (self.options.beta1, self.options.beta2) = (beta1, beta2);
        self
    }

    /// What is added to the root, against division by zero.
    pub fn eps(mut self, eps: f64) -> Self {
        self.options.eps = eps;
        self
    }

    /// An L2 penalty: `weight_decay * w` is added to the gradient.
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        assert!(weight_decay >= 0.0, "Adam: weight_decay is {weight_decay}; it must not be negative");
        self.options.weight_decay = weight_decay;
        self
    }
}

impl Optimizer for Adam {
    fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    fn step(&mut self) {
        let _span = span_of("Adam", "step", Work::default);
        let _mode = GradModeGuard::no_grad();
        for (parameter, state) in self.parameters.iter().zip(&mut self.states) {
            let Some(grad) = parameter.grad() else { continue };
            let grad = grad.array();
            let zeros = || Array::full(grad.shape(), 0.0, grad.dtype().compute(), grad.device());
            let state = state.get_or_insert_with(|| State { mean: zeros(), square: zeros(), step: 0 });
            follow(&mut state.mean, &grad);
            follow(&mut state.square, &grad);
            state.step += 1;
            let step = AdamStep { step: state.step, ..self.options };
            parameter.update(|w| {
                let device = w.device().clone();
                device.backend().adam_step(&step, w, &grad, &mut state.mean, &mut state.square);
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
