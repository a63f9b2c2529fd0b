use crate::base::{Rule, Turn, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// RMSprop: PyTorch's `torch.optim.RMSprop` (Hinton's lecture 6e, 2012; centred by Graves, "Generating sequences with
    /// recurrent neural networks", 2013).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{Optimizer, RMSprop};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = RMSprop::new([&w], 0.1).alpha(0.75);
    /// (&w * 4.0).sum().backward();
    /// optimizer.step(); // 0.1 * 4 / sqrt(0.25 * 16)
    /// assert!((w.item() - 0.8).abs() < 1e-6);
    /// ```
    RMSprop {
        /// The decay of the running mean of squares, from 0; 0.99 if left out.
        alpha(alpha: f64) = 0.99;
        /// What is added to the root, against division by zero; 1e-8 if left out.
        eps(eps: f64) = 1e-8;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// The factor of the scaled gradients of before, 0 for none.
        momentum(momentum: f64) = 0.0;
        /// Divide by an estimate of the gradient's deviation, and not of its size.
        centered(centered: bool) = false;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for RMSprop {
    const NAME: &'static str = "RMSprop";
    const ARRAYS: &'static [&'static str] = &["square_avg", "momentum_buffer", "grad_avg"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        RMSprop::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        not_negative(options, &["lr", "eps", "momentum", "weight_decay", "alpha"])
    }

    fn uses(options: &Options, array: &str) -> bool {
        match array {
            "momentum_buffer" => options.float("momentum") > 0.0,
            "grad_avg" => options.flag("centered"),
            _ => true,
        }
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let (maximize, weight_decay) = (options.flag("maximize"), options.float("weight_decay"));
        let [lr, alpha, eps, momentum] = ["lr", "alpha", "eps", "momentum"].map(|name| options.float(name));
        let rule = rule::RmsProp { lr, alpha, eps, momentum };
        let step = OptimizerStep { maximize, weight_decay, ..OptimizerStep::new(rule) };
        move |turn| {
            turn.scalars[0] += 1.0;
            turn.run(&step);
        }
    }
}
