use crate::base::{Rule, Scalars, Turn, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// Averaged stochastic gradient descent: PyTorch's `torch.optim.ASGD` (Polyak & Juditsky, "Acceleration of stochastic
    /// approximation by averaging", 1992). The average is the state `ax`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{ASGD, Optimizer};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = ASGD::new([&w], 0.1).t0(0.0);
    /// for _ in 0..2 {
    ///     w.set_grad(Some(tensor([1.0])));
    ///     optimizer.step();
    /// }
    /// assert!((w.item() - 0.8).abs() < 1e-4);
    /// ```
    ASGD {
        /// How fast the weights and the learning rate decay; 1e-4 if left out.
        lambd(lambd: f64) = 1e-4;
        /// The power by which the learning rate falls; 0.75 if left out.
        alpha(alpha: f64) = 0.75;
        /// The step from which on weights are averaged; 1e6 if left out.
        t0(t0: f64) = 1e6;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

/// PyTorch keeps the rate and the share of the average in f32.
fn single(x: f64) -> f64 {
    f64::from(x as f32)
}

impl Rule for ASGD {
    const NAME: &'static str = "ASGD";
    const ARRAYS: &'static [&'static str] = &["ax"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0), ("eta", 0.0), ("mu", 1.0)];

    fn defaults() -> Options {
        ASGD::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        not_negative(options, &["lr", "weight_decay"])
    }

    fn begin(options: &Options, scalars: &mut Scalars) {
        scalars[1] = single(options.float("lr"));
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let [lr, lambd, alpha, t0] = ["lr", "lambd", "alpha", "t0"].map(|name| options.float(name));
        let (maximize, weight_decay) = (options.flag("maximize"), options.float("weight_decay"));
        move |turn| {
            let [step, rate, average] = *turn.scalars;
            let step = step + 1.0;
            let later = lr / (1.0 + lambd * lr * step).powf(alpha);
            *turn.scalars = [step, single(later), single(1.0 / (step - t0).max(1.0))];
            let (rule, shrink) = (rule::Asgd { rate, average }, 1.0 - lambd * rate);
            turn.run(&OptimizerStep { maximize, weight_decay, shrink, rule });
        }
    }
}
