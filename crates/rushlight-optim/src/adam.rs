use crate::base::{Rule, Turn, betas_fit, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
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
    Adam {
        /// The decays of the running means, each in 0-1 (1 excluded); (0.9, 0.999) if left out.
        betas(beta1: f64, beta2: f64) = (0.9, 0.999);
        /// What is added to the root, against division by zero; 1e-8 if left out.
        eps(eps: f64) = 1e-8;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// Divide by the greatest mean of squares so far (Reddi et al., "On the convergence of Adam and beyond", 2018).
        amsgrad(amsgrad: bool) = false;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
        /// Let the weights decay by themselves, as [`AdamW`], and not through the gradient.
        decoupled_weight_decay(decoupled: bool) = false;
    }
}

optimizer! {
    /// Adam whose weights decay by themselves: PyTorch's `torch.optim.AdamW` (Loshchilov & Hutter, "Decoupled weight decay
    /// regularization", 2019).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{AdamW, Optimizer};
    /// let w = tensor([2.0]).requires_grad_();
    /// let mut optimizer = AdamW::new([&w], 0.1).weight_decay(0.5);
    /// (&w * 3.0).sum().backward();
    /// optimizer.step(); // 2 (1 - 0.1 * 0.5), then a step of length lr
    /// assert!((w.item() - 1.8).abs() < 1e-6);
    /// ```
    AdamW {
        /// The decays of the running means, each in 0-1 (1 excluded); (0.9, 0.999) if left out.
        betas(beta1: f64, beta2: f64) = (0.9, 0.999);
        /// What is added to the root, against division by zero; 1e-8 if left out.
        eps(eps: f64) = 1e-8;
        /// The decay: weights are multiplied by `1 - lr * weight_decay` in each step; 0.01 if left out.
        weight_decay(weight_decay: f64) = 0.01;
        /// As that of [`Adam`].
        amsgrad(amsgrad: bool) = false;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

/// The names of the state of both.
const ARRAYS: &[&str] = &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];

fn check(options: &Options) -> Result<(), String> {
    not_negative(options, &["lr", "eps", "weight_decay"])?;
    betas_fit(options)
}

fn uses(options: &Options, array: &str) -> bool {
    array != ARRAYS[2] || options.flag("amsgrad")
}

fn plan(options: &Options, decoupled: bool) -> impl FnMut(Turn<'_>) + use<> {
    let (lr, (beta1, beta2), eps) = (options.float("lr"), options.pair("betas"), options.float("eps"));
    let (decay, maximize) = (options.float("weight_decay"), options.flag("maximize"));
    let (weight_decay, shrink) = if decoupled { (0.0, 1.0 - lr * decay) } else { (decay, 1.0) };
    move |turn| {
        turn.scalars[0] += 1.0;
        let step = turn.scalars[0];
        let (rate, root) = (lr / (1.0 - beta1.powf(step)), (1.0 - beta2.powf(step)).sqrt());
        let rule = rule::Adam { beta1, beta2, eps, rate, root };
        turn.run(&OptimizerStep { maximize, weight_decay, shrink, rule });
    }
}

impl Rule for Adam {
    const NAME: &'static str = "Adam";
    const ARRAYS: &'static [&'static str] = ARRAYS;
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        Adam::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        check(options)
    }

    fn uses(options: &Options, array: &str) -> bool {
        uses(options, array)
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        plan(options, options.flag("decoupled_weight_decay"))
    }
}

impl Rule for AdamW {
    const NAME: &'static str = "AdamW";
    const ARRAYS: &'static [&'static str] = ARRAYS;
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        AdamW::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        check(options)
    }

    fn uses(options: &Options, array: &str) -> bool {
        uses(options, array)
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        plan(options, true)
    }
}
