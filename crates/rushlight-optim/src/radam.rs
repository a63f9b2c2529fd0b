use crate::base::{Rule, Turn, betas_fit, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// RAdam, Adam that waits until it knows the variance: PyTorch's `torch.optim.RAdam` (Liu et al., "On the variance of
    /// the adaptive learning rate and beyond", 2020).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{Optimizer, RAdam};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = RAdam::new([&w], 0.1);
    /// (&w * 3.0).sum().backward();
    /// optimizer.step(); // the first steps are those of plain descent
    /// assert!((w.item() - 0.7).abs() < 1e-6);
    /// ```
    RAdam {
        /// The decays of the running means, each in 0-1 (1 excluded); (0.9, 0.999) if left out.
        betas(beta1: f64, beta2: f64) = (0.9, 0.999);
        /// What is added to the root, against division by zero; 1e-8 if left out.
        eps(eps: f64) = 1e-8;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// Let the weights decay by themselves, as in [`AdamW`](crate::AdamW), and not through the gradient.
        decoupled_weight_decay(decoupled: bool) = false;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for RAdam {
    const NAME: &'static str = "RAdam";
    const ARRAYS: &'static [&'static str] = &["exp_avg", "exp_avg_sq"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        RAdam::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        not_negative(options, &["lr", "eps", "weight_decay"])?;
        betas_fit(options)
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let (lr, (beta1, beta2), eps) = (options.float("lr"), options.pair("betas"), options.float("eps"));
        let (decay, maximize) = (options.float("weight_decay"), options.flag("maximize"));
        let decoupled = options.flag("decoupled_weight_decay");
        let (weight_decay, shrink) = if decoupled { (0.0, 1.0 - lr * decay) } else { (decay, 1.0) };
        move |turn| {
            turn.scalars[0] += 1.0;
            let correction = 1.0 - beta1.powf(turn.scalars[0]);
            let adaptive = adaptive(beta2, turn.scalars[0]);
            let rule = rule::RAdam { lr, beta1, beta2, eps, correction, adaptive };
            turn.run(&OptimizerStep { maximize, weight_decay, shrink, rule });
        }
    }
}

/// The root of the correction of the variance, and the rectification, once the estimate has more than 5 degrees of freedom.
fn adaptive(beta2: f64, step: f64) -> Option<(f64, f64)> {
    let power = beta2.powf(step);
    let correction = 1.0 - power;
    let limit = 2.0 / (1.0 - beta2) - 1.0;
    let freedom = limit - 2.0 * step * power / correction;
    let share = (freedom - 4.0) * (freedom - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * freedom);
    (freedom > 5.0).then(|| (correction.sqrt(), share.sqrt()))
}
