//! Runs the cases of an operation.

use crate::args::{Args, Py};
use crate::compare::{difference, tensors};
use crate::golden::{Arg, Case, Golden, TensorRef};
use crate::ops::{self, Out};
use rushlight::array::{Array, Layout};
use rushlight::{DType, GradOptions, Tensor, TorchSeed, grad_with};
use safetensors::SafeTensors;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How the cases of one kind ended.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// As expected.
    pub passed: usize,
    /// The others: which case, and why.
    pub failed: Vec<(String, String)>,
}

impl Tally {
    fn add(&mut self, id: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(why) => self.failed.push((id.to_string(), why)),
        }
    }

    /// The number of cases.
    pub fn total(&self) -> usize {
        self.passed + self.failed.len()
    }
}

/// How an operation's cases ended; `None` where there is no arm for it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Values and gradients.
    pub calls: Option<Tally>,
    /// Calls that must fail.
    pub errors: Option<Tally>,
    /// The forms that end in `_`, on the cases they can run; `None` if PyTorch has none, or there is no arm.
    pub in_place: Option<Tally>,
}

/// Runs all cases of an operation.
///
/// # Panics
/// If the tensors of the cases cannot be read.
pub fn run(golden: &Golden) -> Outcome {
    let tensors = SafeTensors::deserialize(&golden.tensors).expect("they were read once");
    let mut outcome = Outcome { calls: None, errors: None, in_place: None };
    if let Some(call) = ops::call(&golden.op) {
        let (mut calls, mut errors) = (Tally::default(), Tally::default());
        for case in &golden.cases {
            calls.add(&case.id, guarded(|| check(golden, case, &tensors, call)));
        }
        for case in &golden.errors {
            errors.add(&case.id, rejected(case, &tensors, call));
        }
        (outcome.calls, outcome.errors) = (Some(calls), Some(errors));
    }
    if let (true, Some(call)) = (golden.has_inplace, ops::in_place(&golden.op)) {
        let mut tally = Tally::default();
        for case in golden.cases.iter().filter(|case| can_be_in_place(case)) {
            tally.add(
                &case.id,
                guarded(|| {
                    check(golden, case, &tensors, |args| {
                        // A leaf that requires grad must not be changed: a copy, through which the gradient passes.
                        let leaf = args.take::<Tensor>("self")?;
                        let mut x = if leaf.requires_grad() { &leaf * 1.0 } else { leaf.detach() };
                        call(&mut x, args)?;
                        Ok(x.into())
                    })
                }),
            );
        }
        outcome.in_place = Some(tally);
    }
    outcome
}

/// Whether the result has the place that the first argument leaves.
fn can_be_in_place(case: &Case) -> bool {
    match (case.args.first(), case.outputs.as_slice()) {
        (Some(Arg::Tensor(x)), [Arg::Tensor(y)]) => x.shape == y.shape && x.dtype == y.dtype,
        _ => false,
    }
}

thread_local! {
    /// The last panic: file, and message with file and line.
    static PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Keeps panics silent and remembers where they came from. Once a process.
pub fn hush() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload().downcast_ref::<String>().cloned();
        let text = text.or_else(|| info.payload().downcast_ref::<&str>().map(ToString::to_string));
        let place = info.location().map(|place| place.file().to_string()).unwrap_or_default();
        let line = info.location().map_or(0, std::panic::Location::line);
        let message = format!("panic at {place}:{line}: {}", text.unwrap_or_default());
        PANIC.with(|panic| *panic.borrow_mut() = Some((place, message)));
    }));
}

/// The file and the message of the last panic of this thread.
pub fn last_panic() -> (String, String) {
    PANIC.with(|panic| panic.borrow_mut().take()).unwrap_or_default()
}

/// A panic as an error.
pub(crate) fn guarded<T>(f: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(last_panic().1))
}

fn rejected(case: &Case, tensors: &SafeTensors<'_>, call: ops::Call) -> Result<(), String> {
    let mut inputs = Inputs::new(tensors);
    let mut args = inputs.args(case)?;
    match catch_unwind(AssertUnwindSafe(|| call(&mut args))) {
        // A panic is the house's way to say no; a misfit means that Rust's types say it.
        Err(_) | Ok(Err(_)) => Ok(()),
        Ok(Ok(out)) => Err(format!("accepted {:?} {:?}\n     got {:?}", case.args, case.kwargs, out.0)),
    }
}

fn check(
    golden: &Golden,
    case: &Case,
    stored: &SafeTensors<'_>,
    call: impl FnOnce(&mut Args) -> Result<Out, String>,
) -> Result<(), String> {
    let mut inputs = Inputs::new(stored);
    let mut args = inputs.args(case)?;
    // PyTorch's generator stood here when the cases with random numbers were made.
    rushlight::manual_seed(TorchSeed(42));
    let out = call(&mut args)?;
    if !args.is_empty() {
        return Err(format!("arguments that nothing took: {args:?}"));
    }
    if out.0.len() != case.outputs.len() {
        return Err(format!("expected {} results, got {}", case.outputs.len(), out.0.len()));
    }
    for (i, (actual, expected)) in out.0.iter().zip(&case.outputs).enumerate() {
        let expected = inputs.py(expected)?;
        let index = matches!(&expected, Py::Tensor(x) if !x.dtype().is_float());
        let values = golden.values && !(case.index_ties && index && i > 0);
        if let Some(why) = difference(actual, &expected, case.tol, values) {
            return Err(format!("output {i}: {why}"));
        }
    }
    for (before, after) in &case.mutated {
        let now = inputs.built.get(before).ok_or("a mutated tensor is no argument")?;
        if let Some(why) = tensors(now, &inputs.stored(after)?, case.tol, true) {
            return Err(format!("the buffer {before} afterwards: {why}"));
        }
    }
    if case.index_ties || !golden.values {
        return Ok(());
    }
    gradients(case, &inputs, &out)
}

fn gradients(case: &Case, inputs: &Inputs<'_>, out: &Out) -> Result<(), String> {
    let (mut outputs, mut grads) = (Vec::new(), Vec::new());
    for (actual, expected) in out.0.iter().zip(&case.outputs) {
        if let (Py::Tensor(y), Arg::Tensor(TensorRef { cotangent: Some(name), .. })) = (actual, expected)
            && y.requires_grad()
        {
            outputs.push(y);
            grads.push(inputs.stored(name)?);
        }
    }
    let leaves: Vec<(&TensorRef, &Tensor)> =
        inputs.leaves.iter().map(|leaf| (leaf, &inputs.built[&leaf.name])).collect();
    let found: Vec<Option<Tensor>> = if outputs.is_empty() || leaves.is_empty() {
        vec![None; leaves.len()]
    } else {
        let options = GradOptions { allow_unused: true, grad_outputs: grads, ..GradOptions::default() };
        let wanted: Vec<&Tensor> = leaves.iter().map(|(_, leaf)| *leaf).collect();
        grad_with(&outputs, &wanted, &options).into_iter().map(Some).collect()
    };
    for ((leaf, x), found) in leaves.iter().zip(found) {
        // No gradient and a gradient of zeros are the same here: unused inputs get zeros.
        let expected = match &leaf.grad {
            Some(name) => inputs.stored(name)?,
            None => x.detach().zeros_like(),
        };
        let found = found.unwrap_or_else(|| x.detach().zeros_like());
        if let Some(why) = tensors(&found, &expected, case.grad_tol, true) {
            return Err(format!("gradient of {}: {why}", leaf.name));
        }
    }
    Ok(())
}

/// Builds the arguments of a case: a name that stands twice is one tensor.
pub struct Inputs<'a> {
    tensors: &'a SafeTensors<'a>,
    built: HashMap<String, Tensor>,
    /// Those that want a gradient.
    leaves: Vec<TensorRef>,
}

impl<'a> Inputs<'a> {
    /// Of an operation's file.
    pub fn new(tensors: &'a SafeTensors<'a>) -> Self {
        Inputs { tensors, built: HashMap::new(), leaves: Vec::new() }
    }

    /// The arguments of a case.
    ///
    /// # Errors
    /// If a tensor is not in the file.
    pub fn args(&mut self, case: &Case) -> Result<Args, String> {
        self.values(case).map(|(args, kwargs)| Args::new(args, kwargs))
    }

    /// The positional and the keyword arguments of a case.
    ///
    /// # Errors
    /// If a tensor is not in the file.
    #[allow(clippy::type_complexity, reason = "the two lists of a Python call")]
    pub fn values(&mut self, case: &Case) -> Result<(Vec<Py>, Vec<(String, Py)>), String> {
        let args = case.args.iter().map(|arg| self.py(arg)).collect::<Result<_, String>>()?;
        let kwargs = case.kwargs.iter().map(|(name, arg)| Ok((name.clone(), self.py(arg)?)));
        Ok((args, kwargs.collect::<Result<_, String>>()?))
    }

    fn py(&mut self, arg: &Arg) -> Result<Py, String> {
        let mut list =
            |items: &[Arg]| items.iter().map(|item| self.py(item)).collect::<Result<Vec<_>, String>>();
        Ok(match arg {
            Arg::List(items) => Py::List(list(items)?),
            Arg::Tuple(items) => Py::Tuple(list(items)?),
            Arg::Tensor(tensor) => Py::Tensor(self.build(tensor)?),
            Arg::Int(x) => Py::Int(*x),
            Arg::Float(x) => Py::Float(*x),
            Arg::Bool(x) => Py::Bool(*x),
            Arg::Str(x) => Py::Str(x.clone()),
            Arg::None => Py::None,
            Arg::Slice(ends) => Py::Slice(*ends),
            Arg::Ellipsis => Py::Ellipsis,
            Arg::DType(name) => Py::DType(dtype(name)?),
        })
    }

    fn build(&mut self, tensor: &TensorRef) -> Result<Tensor, String> {
        if let Some(built) = self.built.get(&tensor.name) {
            return Ok(built.clone());
        }
        let array = match &tensor.strided {
            Some(strided) => {
                let strides: Vec<isize> = strided.stride.iter().map(|&stride| stride as isize).collect();
                let (storage, _) = self.stored(&strided.base)?.array().into_parts();
                Array::from_parts(storage, Layout::strided(tensor.shape.as_slice(), &strides, strided.offset))
            }
            None => self.stored(&tensor.name)?.array(),
        };
        // Every tensor is a cell, so that buffers that a call changes can be read afterwards.
        let built = if tensor.requires_grad {
            self.leaves.push(tensor.clone());
            Tensor::new_leaf(array, true)
        } else {
            Tensor::new_leaf(array, false)
        };
        self.built.insert(tensor.name.clone(), built.clone());
        Ok(built)
    }

    /// A tensor of the file.
    fn stored(&self, name: &str) -> Result<Tensor, String> {
        let view = self.tensors.tensor(name).map_err(|e| format!("{name}: {e}"))?;
        let (bytes, shape) = (view.data(), view.shape());
        macro_rules! tensor {
            ($t:ty, $n:literal) => {
                Tensor::from_vec(
                    bytes
                        .chunks_exact($n)
                        .map(|b| <$t>::from_le_bytes(b.try_into().expect("chunks are exact")))
                        .collect::<Vec<_>>(),
                    shape,
                )
            };
        }
        Ok(match dtype(&format!("{:?}", view.dtype()))? {
            DType::F64 => tensor!(f64, 8),
            DType::F32 => tensor!(f32, 4),
            DType::I64 => tensor!(i64, 8),
            DType::I32 => tensor!(i32, 4),
            DType::I16 => tensor!(i16, 2),
            DType::I8 => tensor!(i8, 1),
            DType::U8 => tensor!(u8, 1),
            DType::F16 => tensor!(half::f16, 2),
            DType::BF16 => tensor!(half::bf16, 2),
            DType::Bool => Tensor::from_vec(bytes.iter().map(|&b| b != 0).collect::<Vec<bool>>(), shape),
        })
    }
}

/// A dtype by safetensors' name, in any case: `F64`, `BOOL`.
fn dtype(name: &str) -> Result<DType, String> {
    let found = DType::ALL.into_iter().find(|dtype| format!("{dtype:?}").eq_ignore_ascii_case(name));
    found.ok_or_else(|| format!("there is no dtype {name}"))
}
