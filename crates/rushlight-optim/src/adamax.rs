use crate::base::{Rule, Turn, betas_fit, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// Adamax, Adam by the greatest gradient: PyTorch's `torch.optim.Adamax` (section 7.1 of Kingma & Ba, 2015).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{Adamax, Optimizer};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = Adamax::new([&w], 0.1);
    /// (&w * 3.0).sum().backward();
    /// optimizer.step();
    /// assert!((w.item() - 0.9).abs() < 1e-6);
    /// ```
    Adamax {
        /// The decays of the mean and of the greatest gradient, each in 0-1 (1 excluded); (0.9, 0.999) if left out.
        betas(beta1: f64, beta2: f64) = (0.9, 0.999);
        /// What is added to the gradient's size, against division by zero; 1e-8 if left out.
        eps(eps: f64) = 1e-8;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for Adamax {
    const NAME: &'static str = "Adamax";
    const ARRAYS: &'static [&'static str] = &["exp_avg", "exp_inf"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        Adamax::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        not_negative(options, &["lr", "eps", "weight_decay"])?;
        betas_fit(options)
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let (lr, (beta1, beta2), eps) = (options.float("lr"), options.pair("betas"), options.float("eps"));
        let (maximize, weight_decay) = (options.flag("maximize"), options.float("weight_decay"));
        move |turn| {
            turn.scalars[0] += 1.0;
            let rate = lr / (1.0 - beta1.powf(turn.scalars[0]));
            let rule = rule::Adamax { beta1, beta2, eps, rate };
            turn.run(&OptimizerStep { maximize, weight_decay, ..OptimizerStep::new(rule) });
        }
    }
}
