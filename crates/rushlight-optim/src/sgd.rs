use crate::base::{Rule, Turn, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
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
    SGD {
        /// The factor of the velocity from step to step, 0 for none.
        momentum(momentum: f64) = 0.0;
        /// By how much less a new gradient enters the velocity, 0 for fully.
        dampening(dampening: f64) = 0.0;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// Nesterov's momentum, which looks one step ahead; it needs a momentum and no dampening, or the first step panics.
        nesterov(nesterov: bool) = false;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for SGD {
    const NAME: &'static str = "SGD";
    const ARRAYS: &'static [&'static str] = &["momentum_buffer"];

    fn defaults() -> Options {
        SGD::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        not_negative(options, &["lr", "momentum", "weight_decay"])
    }

    fn complete(options: &Options) -> Result<(), String> {
        let (momentum, dampening) = (options.float("momentum"), options.float("dampening"));
        match options.flag("nesterov") && (momentum <= 0.0 || dampening != 0.0) {
            false => Ok(()),
            true => Err(format!(
                "nesterov with momentum {momentum} and dampening {dampening}; it needs a momentum and no dampening"
            )),
        }
    }

    fn uses(options: &Options, _array: &str) -> bool {
        options.float("momentum") != 0.0
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let (lr, momentum) = (options.float("lr"), options.float("momentum"));
        let (fresh, nesterov) = (1.0 - options.float("dampening"), options.flag("nesterov"));
        let (maximize, weight_decay) = (options.flag("maximize"), options.float("weight_decay"));
        move |turn| {
            let rule = rule::Sgd { lr, momentum, fresh, nesterov, first: turn.first };
            turn.run(&OptimizerStep { maximize, weight_decay, ..OptimizerStep::new(rule) });
        }
    }
}
