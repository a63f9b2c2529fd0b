use crate::base::{Rule, Turn, not_negative, optimizer};
use crate::options::Options;
use rushlight_array::backend::{OptimizerStep, rule};

optimizer! {
    /// Resilient propagation, for gradients of whole data sets: PyTorch's `torch.optim.Rprop` (Riedmiller & Braun, "A direct
    /// adaptive method for faster backpropagation learning", 1993). Only the gradients' signs count.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{Optimizer, Rprop};
    /// let w = tensor([1.0]).requires_grad_();
    /// let mut optimizer = Rprop::new([&w], 0.1);
    /// for _ in 0..2 {
    ///     w.set_grad(Some(tensor([7.0])));
    ///     optimizer.step(); // 0.1, then 0.1 * 1.2
    /// }
    /// assert!((w.item() - 0.78).abs() < 1e-6);
    /// ```
    Rprop {
        /// The factors of the step size where the gradient turns, in 0-1, and where it does not, above 1; (0.5, 1.2) if
        /// left out.
        etas(minus: f64, plus: f64) = (0.5, 1.2);
        /// The smallest and the largest step size; (1e-6, 50) if left out.
        step_sizes(min: f64, max: f64) = (1e-6, 50.0);
        /// Climb instead of descend.
        maximize(maximize: bool) = false;
    }
}

impl Rule for Rprop {
    const NAME: &'static str = "Rprop";
    const ARRAYS: &'static [&'static str] = &["prev", "step_size"];
    const SCALARS: &'static [(&'static str, f64)] = &[("step", 0.0)];

    fn defaults() -> Options {
        Rprop::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        let (minus, plus) = options.pair("etas");
        if !(0.0 < minus && minus < 1.0 && 1.0 < plus) {
            return Err(format!(
                "etas are {minus} and {plus}; the first must be in (0, 1), the second above 1"
            ));
        }
        not_negative(options, &["lr"])
    }

    fn start(options: &Options, array: &str) -> f64 {
        if array == "step_size" { options.float("lr") } else { 0.0 }
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let ((minus, plus), (min, max)) = (options.pair("etas"), options.pair("step_sizes"));
        let rule = rule::Rprop { minus, plus, min, max };
        let step = OptimizerStep { maximize: options.flag("maximize"), ..OptimizerStep::new(rule) };
        move |turn| {
            turn.scalars[0] += 1.0;
            turn.run(&step);
        }
    }
}
