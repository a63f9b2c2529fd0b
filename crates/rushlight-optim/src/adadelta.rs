use crate::base::{Rule, Turn, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// Adadelta: PyTorch's `torch.optim.Adadelta` (Zeiler, "ADADELTA: an adaptive learning rate method", 2012). PyTorch's
    /// learning rate is 1.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{Adadelta, Optimizer};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = Adadelta::new([&w], 1.0).rho(0.75).eps(0.5);
    /// (&w * 4.0).sum().backward();
    /// optimizer.step(); // 4 sqrt(0.5) / sqrt(0.25 * 16 + 0.5) = 4 / 3
    /// assert!((w.item() + 1.0 / 3.0).abs() < 1e-6);
    /// ```
    Adadelta {
        /// The decay of the running means of squares, 0-1; 0.9 if left out.
        rho(rho: f64) = 0.9;
        /// What is added below the roots; 1e-6 if left out.
        eps(eps: f64) = 1e-6;
        /// An L2 penalty: `weight_decay * w` is added to the gradient.
        weight_decay(weight_decay: f64) = 0.0;
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for Adadelta {
    const NAME: &'static str = "Adadelta";
    const ARRAYS: &'static [&'static str] = &["square_avg", "acc_delta"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        Adadelta::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        let rho = options.float("rho");
        if !(0.0..=1.0).contains(&rho) {
            return Err(format!("rho is {rho}; it must be in [0, 1]"));
        }
        not_negative(options, &["lr", "eps", "weight_decay"])
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let [lr, rho, eps] = ["lr", "rho", "eps"].map(|name| options.float(name));
        let (maximize, weight_decay) = (options.flag("maximize"), options.float("weight_decay"));
        let rule = rule::Adadelta { lr, rho, eps };
        let step = OptimizerStep { maximize, weight_decay, ..OptimizerStep::new(rule) };
        move |turn| {
            turn.scalars[0] += 1.0;
            turn.run(&step);
        }
    }
}
