use crate::Optimizer;
use crate::base::not_negative;
use crate::groups::{Group, IntoGroups, ParamGroups};
use crate::line_search::{Place, strong_wolfe};
use crate::options::{Options, Value};
use crate::state::{Mismatches, ParamState, StateDict};
use rushlight_array::{Array, DType, Result, fail};
use rushlight_autograd::{GradModeGuard, Tensor, enable_grad};

/// How [`LBFGS`] chooses the length of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineSearch {
    /// Until the strong Wolfe conditions hold.
    StrongWolfe,
}

impl From<LineSearch> for Value {
    fn from(_: LineSearch) -> Value {
        "strong_wolfe".into()
    }
}

/// L-BFGS, for functions without noise: PyTorch's `torch.optim.LBFGS` (Liu & Nocedal, "On the limited memory BFGS method for
/// large scale optimization", 1989).
///
/// It needs [`Optimizer::step_with`], whose closure clears the gradients, computes the loss and calls `backward`; a step
/// calls it several times. There is one group. Parameters without a gradient count as ones whose gradient is zero.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::{LBFGS, LineSearch, Optimizer};
/// let w = tensor([3.0, -2.0]).requires_grad_();
/// let mut optimizer = LBFGS::new([&w], 1.0).line_search_fn(LineSearch::StrongWolfe);
/// let loss = optimizer.step_with(&mut || {
///     w.zero_grad();
///     let loss = (&w * &w).sum();
///     loss.backward();
///     loss
/// });
/// assert_eq!(loss.item(), 13.0);
/// assert!(w.to_vec::<f32>().iter().all(|x| x.abs() < 1e-4));
/// ```
#[derive(Debug)]
pub struct LBFGS {
    groups: ParamGroups,
    state: Option<State>,
}

/// What is kept from step to step, of all parameters as one vector.
#[derive(Clone, Debug, Default)]
struct State {
    evaluations: usize,
    iterations: usize,
    direction: Option<Array>,
    t: f64,
    /// Changes of the gradient and of the parameters, and one over their product, the oldest first.
    history: Vec<(Array, Array, f64)>,
    scale: f64,
    grad: Option<Array>,
    loss: f64,
}

/// The options of a step.
struct Settings {
    lr: f64,
    max_iter: usize,
    max_eval: usize,
    tolerance_grad: f64,
    tolerance_change: f64,
    history_size: usize,
    searches: bool,
    /// -1 to climb.
    sign: f64,
}

/// A method for each option.
macro_rules! options {
    ($($(#[$about:meta])* $option:ident($argument:ident: $type:ty) => $value:expr;)*) => {
        impl LBFGS {$(
            $(#[$about])*
            ///
            /// # Panics
            /// If it is out of its range.
            #[track_caller]
            pub fn $option(self, $argument: $type) -> Self {
                self.groups.set_default(stringify!($option), &$value.into());
                self.check();
                self
            }
        )*}
    };
}

options! {
    /// The number of iterations in a step; 20 if left out.
    max_iter(max_iter: usize) => max_iter;
    /// The number of evaluations in a step; 5/4 of that of iterations if left out.
    max_eval(max_eval: usize) => max_eval;
    /// The greatest element of the gradient below which a step ends; 1e-7 if left out.
    tolerance_grad(tolerance: f64) => tolerance;
    /// The change of loss or parameters below which a step ends; 1e-9 if left out.
    tolerance_change(tolerance: f64) => tolerance;
    /// How many changes are remembered; 100 if left out.
    history_size(size: usize) => size;
    /// Search the length of each step; it is `lr` if left out.
    line_search_fn(search: LineSearch) => search;
    /// Climb instead of descend.
    maximize(maximize: bool) => maximize;
}

impl LBFGS {
    /// With this learning rate, and PyTorch's defaults for all else. PyTorch's learning rate is 1.
    ///
    /// # Panics
    /// If there is no parameter, there is more than one group, or one is not a float leaf or is given twice.
    #[track_caller]
    pub fn new(parameters: impl IntoGroups, lr: f64) -> Self {
        let defaults = Options::new([
            ("lr", lr.into()),
            ("max_iter", 20_usize.into()),
            ("max_eval", Value::Null),
            ("tolerance_grad", 1e-7.into()),
            ("tolerance_change", 1e-9.into()),
            ("history_size", 100_usize.into()),
            ("line_search_fn", Value::Null),
            ("maximize", false.into()),
        ]);
        let this = LBFGS { groups: ParamGroups::new("LBFGS", parameters, defaults), state: None };
        this.check();
        this
    }

    #[track_caller]
    fn check(&self) {
        let groups = self.groups.lock();
        if groups.len() != 1 {
            fail!("LBFGS: got {} groups; it takes one, as all parameters are one vector to it", groups.len());
        }
        if let Err(why) = check(&groups[0].options) {
            fail!("LBFGS: {why}");
        }
    }

    fn settings(&self) -> Settings {
        let groups = self.groups.lock();
        let options = &groups[0].options;
        let count = |name: &str| usize::try_from(options.int(name)).unwrap_or(0);
        let max_iter = count("max_iter");
        Settings {
            lr: options.float("lr"),
            max_iter,
            max_eval: match options.get("max_eval") {
                Some(Value::Null) => max_iter * 5 / 4,
                _ => count("max_eval"),
            },
            tolerance_grad: options.float("tolerance_grad"),
            tolerance_change: options.float("tolerance_change"),
            history_size: count("history_size"),
            searches: options.get("line_search_fn") != Some(&Value::Null),
            sign: if options.flag("maximize") { -1.0 } else { 1.0 },
        }
    }
}

/// Whether the options are in their ranges.
fn check(options: &Options) -> std::result::Result<(), String> {
    match options.get("line_search_fn") {
        Some(Value::Null) => {}
        Some(Value::Text(name)) if name == "strong_wolfe" => {}
        other => return Err(format!("line_search_fn is {other:?}; it is none, or strong_wolfe")),
    }
    if let Some(evaluations) = options.get("max_eval").filter(|value| **value != Value::Null)
        && evaluations.as_int().is_none_or(|evaluations| evaluations < 0)
    {
        return Err(format!("max_eval is {evaluations:?}; it must be a number from 0 on"));
    }
    not_negative(options, &["lr", "max_iter", "history_size"])
}

/// All gradients as one vector.
fn gather(parameters: &[Tensor], sign: f64) -> Array {
    let grads: Vec<Array> = parameters
        .iter()
        .map(|p| match p.grad() {
            Some(grad) => grad.array().cast(p.dtype().compute()).reshape([p.numel() as isize]),
            None => Array::full([p.numel()], 0.0, p.dtype().compute(), &p.device()),
        })
        .collect();
    let all = Array::cat(&grads.iter().collect::<Vec<_>>(), 0);
    if sign < 0.0 { all.neg() } else { all }
}

/// Moves the parameters by `t` along a direction.
fn advance(parameters: &[Tensor], direction: &Array, t: f64) {
    let mut at = 0;
    for p in parameters {
        let len = p.numel();
        let part = direction.narrow(0, at, len).reshape(p.shape());
        let dtype = p.dtype();
        p.update(|w| *w = w.cast(dtype.compute()).add(&part.scale(t)).cast(dtype));
        at += len;
    }
}

fn number(x: &Array) -> f64 {
    x.cast(DType::F64).item::<f64>()
}

fn dot(a: &Array, b: &Array) -> f64 {
    number(&a.mul(b).sum())
}

fn greatest(x: &Array) -> f64 {
    if x.numel() == 0 { 0.0 } else { number(&x.abs().max()) }
}

impl State {
    /// The direction of descent, from the changes that are remembered (Nocedal & Wright, algorithm 7.4).
    fn direction(&mut self, grad: &Array, size: usize) -> Array {
        if let (Some(direction), Some(before)) = (&self.direction, &self.grad) {
            let (y, s) = (grad.sub(before), direction.scale(self.t));
            let ys = dot(&y, &s);
            if ys > 1e-10 {
                self.scale = ys / dot(&y, &y);
                if self.history.len() >= size.max(1) {
                    self.history.remove(0);
                }
                self.history.push((y, s, 1.0 / ys));
            }
        }
        let mut q = grad.neg();
        let mut shares = vec![0.0; self.history.len()];
        for ((y, s, ro), share) in self.history.iter().zip(&mut shares).rev() {
            *share = dot(s, &q) * ro;
            q = q.sub(&y.scale(*share));
        }
        let mut d = q.scale(self.scale);
        for ((y, s, ro), share) in self.history.iter().zip(&shares) {
            d = d.add(&s.scale(share - dot(y, &d) * ro));
        }
        d
    }
}

impl Optimizer for LBFGS {
    fn param_groups(&self) -> &ParamGroups {
        &self.groups
    }

    /// # Panics
    /// Always: L-BFGS needs [`Optimizer::step_with`].
    #[track_caller]
    fn step(&mut self) {
        fail!(
            "LBFGS: step() without a closure; call step_with(&mut || ..), which computes loss and gradients anew"
        );
    }

    fn step_with(&mut self, closure: &mut dyn FnMut() -> Tensor) -> Tensor {
        let (settings, parameters) = (self.settings(), self.parameters());
        let mut closure = || enable_grad(&mut *closure);
        let original = closure();
        let value = |loss: &Tensor| settings.sign * loss.detach().to(DType::F64).item();
        let _mode = GradModeGuard::no_grad();
        let state = self.state.get_or_insert_with(|| State { scale: 1.0, ..State::default() });
        let (mut loss, mut evaluations) = (value(&original), 1);
        state.evaluations += 1;
        let mut grad = gather(&parameters, settings.sign);
        if greatest(&grad) <= settings.tolerance_grad {
            return original;
        }
        for turn in 1..=settings.max_iter {
            state.iterations += 1;
            let direction = state.direction(&grad, settings.history_size);
            state.grad = Some(grad.clone());
            state.loss = loss;
            state.t = match state.iterations {
                1 => (1.0 / number(&grad.abs().sum())).min(1.0) * settings.lr,
                _ => settings.lr,
            };
            state.direction = Some(direction.clone());
            let slope = dot(&grad, &direction);
            if slope > -settings.tolerance_change {
                break;
            }
            let mut used = 0;
            if settings.searches {
                let held: Vec<Array> = parameters.iter().map(Tensor::array).collect();
                let start = Place { t: 0.0, value: loss, grad: grad.clone(), slope };
                let most = settings.max_eval.saturating_sub(evaluations);
                let at = |t: f64| {
                    advance(&parameters, &direction, t);
                    let value = value(&closure());
                    let grad = gather(&parameters, settings.sign);
                    parameters.iter().zip(&held).for_each(|(p, held)| p.set(held.clone()));
                    Place { t, value, slope: dot(&grad, &direction), grad }
                };
                let (place, count) =
                    strong_wolfe(&start, state.t, greatest(&direction), settings.tolerance_change, most, at);
                advance(&parameters, &direction, place.t);
                (state.t, loss, grad, used) = (place.t, place.value, place.grad, count);
            } else {
                advance(&parameters, &direction, state.t);
                // After the last iteration nobody would look at it.
                if turn != settings.max_iter {
                    loss = value(&closure());
                    grad = gather(&parameters, settings.sign);
                    used = 1;
                }
            }
            evaluations += used;
            state.evaluations += used;
            if evaluations >= settings.max_eval
                || greatest(&grad) <= settings.tolerance_grad
                || greatest(&direction) * state.t.abs() <= settings.tolerance_change
                || (loss - state.loss).abs() < settings.tolerance_change
            {
                break;
            }
        }
        original
    }

    /// # Panics
    /// Always: there is one group.
    #[track_caller]
    fn add_param_group(&mut self, _group: Group) {
        fail!("LBFGS: add_param_group: it takes one group, as all parameters are one vector to it");
    }

    fn state_dict(&self) -> StateDict {
        let mut dict = StateDict::of_groups(&self.groups);
        let Some(state) = &self.state else { return dict };
        let mut of = ParamState::default();
        let mut tensor =
            |name: &str, array: &Array| of.tensors.insert(name.to_string(), array.clone().into());
        state.direction.iter().for_each(|array| drop(tensor("d", array)));
        state.grad.iter().for_each(|array| drop(tensor("prev_flat_grad", array)));
        let mut scalar = |name: &str, value: f64| of.scalars.insert(name.to_string(), value);
        for (k, (y, s, ro)) in state.history.iter().enumerate() {
            tensor(&format!("old_dirs.{k}"), y);
            tensor(&format!("old_stps.{k}"), s);
            scalar(&format!("ro.{k}"), *ro);
        }
        scalar("func_evals", state.evaluations as f64);
        scalar("n_iter", state.iterations as f64);
        scalar("t", state.t);
        scalar("H_diag", state.scale);
        scalar("prev_loss", state.loss);
        // All of it stands with the first parameter, as in PyTorch.
        dict.state.insert(0, of);
        dict
    }

    fn load_state_dict(&mut self, dict: &StateDict) -> Result<()> {
        let mut wrong = Mismatches::default();
        let options = dict.check_groups(&self.groups, &mut wrong);
        dict.check_indices(1, &mut wrong);
        if let Err(why) = options.iter().try_for_each(check) {
            wrong.add(why);
        }
        let state = dict.state.get(&0).map(|saved| load(saved, &self.parameters(), &mut wrong));
        wrong.finish("LBFGS")?;
        self.groups.restore(&options);
        self.state = state;
        Ok(())
    }
}

/// The state that was saved; what does not fit is added to the list.
fn load(saved: &ParamState, parameters: &[Tensor], wrong: &mut Mismatches) -> State {
    // A vector of all parameters, as it would be gathered.
    let like = Tensor::from(gather(parameters, 1.0));
    let mut found = saved.found(0, wrong);
    let count = |x: f64| if (0.0..1e15).contains(&x) { x as usize } else { 0 };
    let length = saved.tensors.keys().filter(|name| name.starts_with("old_dirs.")).count();
    let mut history = Vec::new();
    for k in 0..length {
        let y = found.array(&format!("old_dirs.{k}"), &like, true);
        let s = found.array(&format!("old_stps.{k}"), &like, true);
        let ro = found.scalar(&format!("ro.{k}"));
        if let (Some(y), Some(s)) = (y, s) {
            history.push((y, s, ro));
        }
    }
    let state = State {
        evaluations: count(found.scalar("func_evals")),
        iterations: count(found.scalar("n_iter")),
        direction: found.array("d", &like, false),
        t: found.scalar("t"),
        history,
        scale: found.scalar("H_diag"),
        grad: found.array("prev_flat_grad", &like, false),
        loss: found.scalar("prev_loss"),
    };
    let names = ["func_evals", "n_iter", "d", "t", "H_diag", "prev_flat_grad", "prev_loss"];
    let listed = ["old_dirs.", "old_stps.", "ro."];
    found.nothing_else(|name| names.contains(&name) || listed.iter().any(|list| name.starts_with(list)));
    state
}
