use crate::base::{Rule, Turn, not_negative, optimizer};
use crate::options::{Options, Value};
use rushlight_array::{Array, DType};
use rushlight_autograd::Tensor;

/// How the learning rate of [`Muon`] follows the shape `[A, B]` of a weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AdjustLr {
    /// `sqrt(max(1, A / B))`, as in the first publication.
    #[default]
    Original,
    /// `0.2 sqrt(max(A, B))`: steps as large as those of Adam, whose learning rate then fits.
    MatchRmsAdamw,
    /// `sqrt(A / B)`.
    SpectralUnclamped,
}

impl AdjustLr {
    /// PyTorch's name.
    fn name(self) -> &'static str {
        match self {
            AdjustLr::Original => "original",
            AdjustLr::MatchRmsAdamw => "match_rms_adamw",
            AdjustLr::SpectralUnclamped => "spectral_unclamped",
        }
    }

    fn of(value: Option<&Value>) -> Option<Self> {
        match value? {
            Value::Null => Some(AdjustLr::Original),
            value => [AdjustLr::Original, AdjustLr::MatchRmsAdamw, AdjustLr::SpectralUnclamped]
                .into_iter()
                .find(|kind| Some(kind.name()) == value.as_text()),
        }
    }

    fn factor(self, rows: f64, columns: f64) -> f64 {
        match self {
            AdjustLr::Original => (rows / columns).max(1.0).sqrt(),
            AdjustLr::MatchRmsAdamw => 0.2 * rows.max(columns).sqrt(),
            AdjustLr::SpectralUnclamped => (rows / columns).sqrt(),
        }
    }
}

impl From<AdjustLr> for Value {
    fn from(kind: AdjustLr) -> Value {
        kind.name().into()
    }
}

optimizer! {
    /// Momentum made orthogonal: PyTorch's `torch.optim.Muon` (Jordan et al., "Muon: an optimizer for hidden layers in neural
    /// networks", 2024).
    ///
    /// For the matrices of hidden layers alone; biases, embeddings and the last layer take another optimiser. The step is
    /// the nearest matrix to the momentum whose singular values are about equal, by a few products of matrices in
    /// bfloat16.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::{Muon, Optimizer};
    /// let w = tensor([[1.0, 0.0], [0.0, 1.0]]).requires_grad_();
    /// let mut optimizer = Muon::new([&w], 0.1).weight_decay(0.0);
    /// w.set_grad(Some(tensor([[5.0, 0.0], [0.0, 5.0]])));
    /// optimizer.step(); // about a unit matrix, whatever the gradient's scale
    /// let after = w.detach().to_vec::<f32>();
    /// assert!((after[0] - 0.9).abs() < 0.05 && after[1] == 0.0);
    /// ```
    ///
    /// A parameter that is not a matrix panics.
    Muon {
        /// Weights are multiplied by `1 - lr * weight_decay` in each step; 0.1 if left out.
        weight_decay(weight_decay: f64) = 0.1;
        /// The decay of the mean of gradients; 0.95 if left out.
        momentum(momentum: f64) = 0.95;
        /// Look ahead by one momentum step, as is usual.
        nesterov(nesterov: bool) = true;
        /// The factors of `x`, `x^3` and `x^5` of an iteration; (3.4445, -4.775, 2.0315) if left out.
        ns_coefficients(a: f64, b: f64, c: f64) = (3.4445, -4.775, 2.0315);
        /// The smallest norm that the momentum is divided by; 1e-7 if left out.
        eps(eps: f64) = 1e-7;
        /// The number of iterations, below 100; 5 if left out.
        ns_steps(steps: usize) = 5_usize;
        /// How the learning rate follows a weight's shape.
        adjust_lr_fn(kind: AdjustLr) = AdjustLr::Original;
    }
}

impl Rule for Muon {
    const NAME: &'static str = "Muon";
    const ARRAYS: &'static [&'static str] = &["momentum_buffer"];

    fn defaults() -> Options {
        Muon::options()
    }

    fn check(options: &Options) -> Result<(), String> {
        let (steps, kind) = (options.int("ns_steps"), options.get("adjust_lr_fn"));
        if !(0..100).contains(&steps) {
            return Err(format!("ns_steps is {steps}; it must be in [0, 100)"));
        }
        if AdjustLr::of(kind).is_none() {
            return Err(format!("adjust_lr_fn is {kind:?}, which is no adjustment"));
        }
        if options.floats("ns_coefficients").len() != 3 {
            return Err("ns_coefficients must be three".to_string());
        }
        not_negative(options, &["lr", "momentum", "weight_decay"])
    }

    fn fits(parameter: &Tensor) -> Result<(), String> {
        match parameter.dim() {
            2 => Ok(()),
            _ => Err(format!("a parameter of shape {:?}; it must be a matrix", parameter.shape())),
        }
    }

    fn plan(options: &Options) -> impl FnMut(Turn<'_>) {
        let [lr, momentum, decay, eps] =
            ["lr", "momentum", "weight_decay", "eps"].map(|name| options.float(name));
        let (nesterov, steps) = (options.flag("nesterov"), options.int("ns_steps"));
        let factors = options.floats("ns_coefficients");
        let kind = AdjustLr::of(options.get("adjust_lr_fn")).unwrap_or_default();
        move |turn| {
            turn.change(|w, g, mean| {
                let (rows, columns) = (g.shape()[0], g.shape()[1]);
                let g = g.cast(mean.dtype());
                *mean = mix(mean, &g, 1.0 - momentum);
                let ahead = if nesterov { mix(&g, mean, momentum) } else { mean.clone() };
                let step = orthogonal(&ahead, &factors, steps, eps).cast(mean.dtype());
                let rate = lr * kind.factor(rows as f64, columns as f64);
                let wide = w.cast(mean.dtype()).scale(1.0 - lr * decay).sub(&step.scale(rate));
                *w = wide.cast(w.dtype());
            });
        }
    }
}

/// `from + weight (to - from)`, from the nearer end.
fn mix(from: &Array, to: &Array, weight: f64) -> Array {
    let way = to.sub(from);
    if weight < 0.5 { from.add(&way.scale(weight)) } else { to.sub(&way.scale(1.0 - weight)) }
}

/// Newton and Schulz's iteration `X <- a X + b (X X^T) X + c (X X^T)^2 X`, in bfloat16 as PyTorch has it: products are summed
/// in f32 and rounded once.
fn orthogonal(x: &Array, factors: &[f64], steps: i64, eps: f64) -> Array {
    let half = |x: &Array| x.cast(DType::BF16).cast(DType::F32);
    let tall = x.shape()[0] > x.shape()[1];
    let x = half(x);
    let x = if tall { x.t() } else { x };
    let norm = half(&x.mul(&x).sum().sqrt()).clamp(eps, f64::INFINITY);
    let mut x = half(&x.div(&norm));
    for _ in 0..steps {
        let gram = half(&x.matmul(&x.t()));
        let change = half(&gram.scale(factors[1]).add(&gram.matmul(&gram).scale(factors[2])));
        x = half(&x.scale(factors[0]).add(&change.matmul(&x)));
    }
    if tall { x.t() } else { x }
}
