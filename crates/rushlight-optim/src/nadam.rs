use crate::base::{Rule, Turn, betas_fit, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// NAdam, Adam with Nesterov's momentum: PyTorch's `torch.optim.NAdam` (Dozat, "Incorporating Nesterov momentum into
    /// Adam", 2016).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{NAdam, Optimizer};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = NAdam::new([&w], 0.002).betas(0.8, 0.9);
    /// (&w * 3.0).sum().backward();
    /// optimizer.step();
    /// assert!(w.item() < 1.0);
    /// ```
    NAdam {
        /// The decays of the running means, each in 0-1 (1 excluded); (0.9, 0.999) if left out.
        betas(beta1: f64, beta2: f64) = (0.9, 0.999);
        /// What is added to the root, against division by zero; 1e-8 if left out.
        eps(eps: f64) = 1e-8;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// How fast the momentum grows towards the first beta; 0.004 if left out.
        momentum_decay(momentum_decay: f64) = 0.004;
        /// Let the weights decay by themselves, as in [`AdamW`](crate::AdamW), and not through the gradient.
        decoupled_weight_decay(decoupled: bool) = false;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for NAdam {
    const NAME: &'static str = "NAdam";
    const ARRAYS: &'static [&'static str] = &["exp_avg", "exp_avg_sq"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0), ("mu_product", 1.0)];

    fn defaults() -> Options {
        NAdam::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        not_negative(options, &["lr", "eps", "weight_decay", "momentum_decay"])?;
        betas_fit(options)
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let (lr, (beta1, beta2), eps) = (options.float("lr"), options.pair("betas"), options.float("eps"));
        let (decay, maximize) = (options.float("weight_decay"), options.flag("maximize"));
        let decoupled = options.flag("decoupled_weight_decay");
        let (weight_decay, shrink) = if decoupled { (0.0, 1.0 - lr * decay) } else { (decay, 1.0) };
        let momentum_decay = options.float("momentum_decay");
        // 0.96 is Dozat's; the momentum begins at a half of beta1.
        let momentum = move |step: f64| beta1 * (1.0 - 0.5 * 0.96_f64.powf(step * momentum_decay));
        move |turn| {
            turn.scalars[0] += 1.0;
            let step = turn.scalars[0];
            let (mu, next) = (momentum(step), momentum(step + 1.0));
            // PyTorch keeps the product in f32, whatever the parameter is.
            let product = f64::from(turn.scalars[1] as f32 * mu as f32);
            turn.scalars[1] = product;
            let rule = rule::NAdam {
                beta1,
                beta2,
                eps,
                correction: 1.0 - beta2.powf(step),
                rate_grad: lr * (1.0 - mu) / (1.0 - product),
                rate_mean: lr * next / (1.0 - product * next),
            };
            turn.run(&OptimizerStep { maximize, weight_decay, shrink, rule });
        }
    }
}
