use crate::base::{Rule, Turn, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// Adagrad: PyTorch's `torch.optim.Adagrad` (Duchi et al., "Adaptive subgradient methods for online learning and
    /// stochastic optimization", 2011).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{Adagrad, Optimizer};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = Adagrad::new([&w], 0.5).initial_accumulator_value(9.0);
    /// (&w * 4.0).sum().backward();
    /// optimizer.step(); // 0.5 * 4 / sqrt(9 + 16)
    /// assert!((w.item() - 0.6).abs() < 1e-6);
    /// ```
    Adagrad {
        /// How fast the learning rate falls: it is `lr / (1 + t * lr_decay)` in the step after `t` others.
        lr_decay(lr_decay: f64) = 0.0;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// What the sums of squares begin with.
        initial_accumulator_value(value: f64) = 0.0;
        /// What is added to the root, against division by zero; 1e-10 if left out.
        eps(eps: f64) = 1e-10;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for Adagrad {
    const NAME: &'static str = "Adagrad";
    const ARRAYS: &'static [&'static str] = &["sum"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        Adagrad::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        not_negative(options, &["lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"])
    }

    fn start(options: &Options, _array: &str) -> f64 {
        options.float("initial_accumulator_value")
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let [lr, lr_decay, eps] = ["lr", "lr_decay", "eps"].map(|name| options.float(name));
        let (maximize, weight_decay) = (options.flag("maximize"), options.float("weight_decay"));
        move |turn| {
            turn.scalars[0] += 1.0;
            let rate = lr / (1.0 + (turn.scalars[0] - 1.0) * lr_decay);
            let rule = rule::Adagrad { rate, eps };
            turn.run(&OptimizerStep { maximize, weight_decay, ..OptimizerStep::new(rule) });
        }
    }
}
