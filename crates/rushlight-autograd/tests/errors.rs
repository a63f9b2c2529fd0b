//! Wrong calls: each panics with a message that names the operation and both values, at the caller's line.

use rushlight_autograd::array::{Array, DType, Index};
use rushlight_autograd::ops::*;
use rushlight_autograd::{
    GradOptions, Gradients, Op, Saved, Tensor, arange, grad, grad_with, gradcheck, gradgradcheck, no_grad,
    randint, tensor,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

struct Wrong {
    /// The row begins here; its call ends before the next row.
    line: u32,
    message: &'static str,
    call: Box<dyn Fn()>,
}

/// A row: a part of the message, and the call.
macro_rules! wrong {
    ($message:literal, $call:expr) => {
        Wrong {
            line: line!(),
            message: $message,
            call: Box::new(move || {
                let _ = $call;
            }),
        }
    };
}

thread_local! {
    /// File and line of this thread's last panic.
    static PLACE: RefCell<(String, u32)> = const { RefCell::new((String::new(), 0)) };
    /// Whether this thread expects its panics.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The message of the panic that a call ends in, or nothing.
fn message(call: &dyn Fn()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(call)).err()?;
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    Some(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
}

/// The complaints about a table.
fn check(table: &[Wrong]) -> Vec<String> {
    // One hook for all tests of this process, which run side by side.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match QUIET.get() {
            true => PLACE.set(info.location().map(|l| (l.file().to_string(), l.line())).unwrap_or_default()),
            false => before(info),
        }));
    });
    QUIET.set(true);
    let mut complaints = Vec::new();
    for (row, Wrong { line, message: expected, call }) in table.iter().enumerate() {
        let next = table.get(row + 1).map_or(u32::MAX, |next| next.line);
        let Some(text) = message(call) else {
            complaints.push(format!("line {line}: {expected:?} was accepted"));
            continue;
        };
        if !text.contains(expected) {
            complaints.push(format!("line {line}: the message is {text:?}, not {expected:?}"));
        }
        let (file, at) = PLACE.take();
        if !file.ends_with("tests/errors.rs") || !(*line..next).contains(&at) {
            complaints.push(format!("line {line}: {expected:?} panics at {file}:{at}"));
        }
    }
    QUIET.set(false);
    complaints
}

fn f(shape: &[usize]) -> Tensor {
    Tensor::from_vec(vec![0.5f32; shape.iter().product()], shape)
}

fn x() -> Tensor {
    f(&[2, 3])
}

fn i(values: &[i64]) -> Tensor {
    Tensor::from_vec(values.to_vec(), values.len())
}

fn leaf(shape: &[usize]) -> Tensor {
    f(shape).requires_grad_()
}

/// An operation with a rule that forgets its input, or gives it a wrong shape.
#[derive(Debug)]
struct Bad(bool);

impl Op for Bad {
    fn name(&self) -> &'static str {
        "bad"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        assert!(inputs[0].rank() < 3, "bad: too many dims");
        inputs[0].clone()
    }
    fn backward(&self, _: &Saved<'_>, _: &Tensor, give: &mut Gradients<'_>) {
        if self.0 {
            give.to(0, || f(&[7]));
        }
    }
}

#[test]
fn creation_and_elementwise() {
    let complaints = check(&[
        wrong!("rows", tensor([vec![1.0], vec![1.0, 2.0]])),
        wrong!("3 values", Tensor::from_vec(vec![1.0f32, 2.0, 3.0], [2, 2])),
        wrong!("arange: ", arange(0, 3, 0)),
        wrong!("randint: ", randint(3, 3, [2])),
        wrong!("normal: values of int64 cannot be drawn", i(&[1]).randn_like()),
        wrong!("add: shapes [2, 3] and [2, 4] do not broadcast: axis 1 is 3 and 4", f(&[2, 3]) + f(&[2, 4])),
        wrong!("sub: shapes [2, 3] and [4] do not broadcast", &f(&[2, 3]) - &f(&[4])),
        wrong!("mul: shapes [3] and [2] do not broadcast", f(&[3]) * &f(&[2])),
        wrong!("div: shapes [3] and [2] do not broadcast", &f(&[3]) / f(&[2])),
        wrong!("add: shapes [3] and [2] do not broadcast", f(&[3]).add(&f(&[2]))),
        wrong!("pow: shapes [3] and [2] do not broadcast", f(&[3]).pow(&f(&[2]))),
        wrong!("maximum: shapes [3] and [2] do not broadcast", f(&[3]).maximum(&f(&[2]))),
        wrong!("minimum: shapes [3] and [2] do not broadcast", f(&[3]).minimum(&f(&[2]))),
        wrong!("eq: shapes [3] and [2] do not broadcast", f(&[3]).eq(&f(&[2]))),
        wrong!("lt: shapes [3] and [2] do not broadcast", f(&[3]).lt(&f(&[2]))),
        wrong!("logical_and: shapes [3] and [2] do not broadcast", f(&[3]).logical_and(&f(&[2]))),
        wrong!("shapes [3] and [2] do not broadcast", f(&[3]).allclose(&f(&[2]), 0.0, 0.0)),
        wrong!("where: the condition is float32, not bool", where_(&f(&[3]), &f(&[3]), &f(&[3]))),
        wrong!("masked_fill: the mask is float32, not bool", f(&[3]).masked_fill(&f(&[3]), 0.0)),
        wrong!("neg: not defined for bool", -f(&[3]).gt(0.0)),
        wrong!("neg: not defined for bool", -&f(&[3]).gt(0.0)),
        wrong!("abs: not defined for bool", f(&[3]).gt(0.0).abs()),
        wrong!("floor: not defined for bool", f(&[3]).gt(0.0).floor()),
        wrong!("relu: not defined for bool", f(&[3]).gt(0.0).relu()),
        wrong!("clamp: not defined for bool", f(&[3]).gt(0.0).clamp(false, true)),
        wrong!("size: dim 2 is out of range for shape [2, 3]", x().size(2)),
        wrong!("size: a scalar has no dim 0", tensor(1.0).size(0)),
        wrong!("len: a scalar tensor has no length", tensor(1.0).len()),
        wrong!("to_vec: ", f(&[2]).to_vec::<i64>()),
        wrong!("item: ", f(&[2]).item()),
        wrong!("item: ", f(&[2]).item_as::<f32>()),
    ]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn layout_and_reductions() {
    let complaints = check(&[
        wrong!("reshape: shape [4] does not hold the 6 elements of shape [2, 3]", f(&[2, 3]).reshape([4])),
        wrong!("view: shape [6] needs a copy", f(&[2, 3]).t().view([6])),
        wrong!("flatten: dim 2 is out of range", f(&[2, 3]).flatten(0, 2)),
        wrong!("unsqueeze: dim 3 is out of range for shape [2]", f(&[2]).unsqueeze(3)),
        wrong!("squeeze: dim 1 is out of range for shape [2]", f(&[2]).squeeze_dim(1)),
        wrong!("permute: dims [0, 0] are not an order", f(&[2, 3]).permute([0, 0])),
        wrong!("transpose: dim 2 is out of range for shape [2, 3]", f(&[2, 3]).transpose(0, 2)),
        wrong!("t: expected at most 2 dims, but shape is [2, 3, 4]", f(&[2, 3, 4]).t()),
        wrong!("expand: shape [2, 3] does not expand to [2, 4]", f(&[2, 3]).expand([2, 4])),
        wrong!("narrow: start 1, length 2, step 1 leave axis 0 of shape [2]", f(&[2]).narrow(0, 1, 2)),
        wrong!("start 0, length 2, step 0", f(&[2]).step(0, 0, 2, 0)),
        wrong!("select: index 2 is out of range for dim 0 of shape [2]", f(&[2]).select(0, 2)),
        wrong!("unfold: size 4, step 1 do not fit axis 0 of shape [2]", f(&[2]).unfold(0, 4, 1)),
        wrong!("split: pieces of size 0 along dim 0 of shape [2]", f(&[2]).split(0, 0)),
        wrong!("sum: dim 2 is out of range for shape [2, 3]", f(&[2, 3]).sum_dim(2, false)),
        wrong!("mean: dim -1 appears twice in [1, -1]", f(&[2, 3]).mean_dim([1, -1], false)),
        wrong!("mean: the dtype is int64, not a float", i(&[1, 2]).mean()),
        wrong!("var: the dtype is int64, not a float", i(&[1, 2]).var()),
        wrong!("std: the dtype is int64, not a float", i(&[1, 2]).std()),
        wrong!("max: axis 0 of shape [0] is empty", f(&[0]).max()),
        wrong!("min: axis 0 of shape [0] is empty", f(&[0]).min()),
        wrong!("amax: dim 1 is out of range for shape [2]", f(&[2]).amax(1, false)),
        wrong!("amin: axis 1 of shape [2, 0] is empty", f(&[2, 0]).amin(1, false)),
        wrong!("argmax: dim 1 is out of range for shape [2]", f(&[2]).max_dim(1, false)),
        wrong!("argmin: axis 1 of shape [2, 0] is empty", f(&[2, 0]).min_dim(1, true)),
        wrong!("argmax: dim 1 is out of range for shape [2]", f(&[2]).argmax_dim(1, false)),
        wrong!("argmin: dim 1 is out of range for shape [2]", f(&[2]).argmin_dim(1, false)),
        wrong!("softmax: dim 1 is out of range for shape [2]", f(&[2]).softmax(1)),
        wrong!("log_softmax: the dtype is int64, not a float", i(&[1]).log_softmax(0)),
        wrong!("logsumexp: dim 1 is out of range for shape [2]", f(&[2]).logsumexp(1, false)),
        wrong!("does not", f(&[2, 3]).sum_to(&[4].into())),
        wrong!("matmul: inner dimensions differ: [2, 3] x [2, 3] (3 != 2)", f(&[2, 3]).matmul(&f(&[2, 3]))),
        wrong!(
            "linear: input shape [2, 3] does not fit weight [5, 4]",
            linear(&f(&[2, 3]), &f(&[5, 4]), None)
        ),
    ]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn indexing_and_losses() {
    let complaints = check(&[
        wrong!("index: 2 is out of range for dim 0 of shape [2, 3]", x().get(2)),
        wrong!("index: 3 indices for shape [2, 3]; it has only 2 dims", x().get([0, 0, 0])),
        wrong!("out of range", x().get(&i(&[5]))),
        wrong!("out of range", x().get((.., &i(&[-4])))),
        wrong!("index: ", x().get((Index::step(0, 2, 0), 1))),
        wrong!("index_select: index 2 is out of range for dim 0", x().index_select(0, &i(&[2]))),
        wrong!("index_select: indices are float32, not integers", x().index_select(0, &f(&[1]))),
        wrong!("index_add: index 2 is out of range", x().index_add(0, &i(&[2]), &f(&[1, 3]))),
        wrong!("gather: index shape [1] does not fit shape [2, 3]", x().gather(0, &i(&[0]))),
        wrong!("scatter: ", x().scatter(1, &i(&[0]).unsqueeze(0), &f(&[1, 0]))),
        wrong!("scatter_add: the source is int64, the array float32", {
            f(&[4]).scatter_add(0, &i(&[0]), &i(&[1]))
        }),
        wrong!("masked_select: the mask is float32, not bool", x().masked_select(&f(&[2, 3]))),
        wrong!("masked_select: shapes [2, 3] and [2] do not broadcast", x().masked_select(&f(&[2]).gt(0.0))),
        wrong!("cat: shapes [2, 3] and [2] ", cat(&[&x(), &f(&[2])], 0)),
        wrong!("cat: an empty list of tensors", Tensor::cat(&[], 0)),
        wrong!("stack: shapes [2, 3] and [2] (tensor 1) differ", stack(&[&x(), &f(&[2])], 0)),
        wrong!("stack: an empty list of tensors", Tensor::stack(&[], 0)),
        wrong!("stack: dim 4 is out of range", Tensor::stack(&[&x()], 4)),
        wrong!("cross_entropy: target 3 (sample 1) is out of range for 3 classes", {
            cross_entropy(&x(), &i(&[0, 3]))
        }),
        wrong!("cross_entropy: input shape [2, 3] needs targets of shape [2], not [1]", {
            cross_entropy(&x(), &i(&[0]))
        }),
        wrong!("cross_entropy: weight shape [4] does not fit 3 classes", {
            let options = CrossEntropyOptions { weight: Some(f(&[4])), ..CrossEntropyOptions::default() };
            cross_entropy_with(&x(), &i(&[0, 1]), &options)
        }),
        wrong!("cross_entropy: ", cross_entropy(&i(&[1, 2]), &tensor(1))),
        wrong!(
            "cross_entropy: input shape [2, 3] and probabilities of shape [3]",
            cross_entropy(&x(), &f(&[3]))
        ),
        wrong!("nll_loss: targets are bool", nll_loss(&x(), &i(&[0, 1]).gt(0))),
        wrong!("nll_loss: weight shape [4] does not fit 3 classes", {
            let options = NllLossOptions { weight: Some(f(&[4])), ..NllLossOptions::default() };
            nll_loss_with(&x(), &i(&[0, 1]), &options)
        }),
        wrong!("nll_loss: ", nll_loss(&i(&[1, 2]), &tensor(1))),
        wrong!("binary_cross_entropy: input shape [2] and target shape [3] differ", {
            binary_cross_entropy(&f(&[2]), &f(&[3]))
        }),
        wrong!("binary_cross_entropy: input 2.5 is not between 0 and 1", {
            binary_cross_entropy(&(f(&[2]) + 2.0), &f(&[2]))
        }),
        wrong!("binary_cross_entropy: weight shape [4] does not", {
            binary_cross_entropy_with(&f(&[2]), &f(&[2]), Some(&f(&[4])), Reduction::Mean)
        }),
        wrong!("binary_cross_entropy_with_logits: input and target are float32 and int64", {
            binary_cross_entropy_with_logits(&f(&[2]), &i(&[0, 1]))
        }),
        wrong!("binary_cross_entropy_with_logits: pos_weight shape [4] does not", {
            let pos_weight = Some(f(&[4]));
            let options = BceWithLogitsOptions { pos_weight, ..BceWithLogitsOptions::default() };
            binary_cross_entropy_with_logits_with(&f(&[2]), &f(&[2]), &options)
        }),
        wrong!("binary_cross_entropy: input NaN is not between 0 and 1", {
            binary_cross_entropy(&f(&[2]).log().log(), &f(&[2]))
        }),
        wrong!("binary_cross_entropy: weight of shape [2] requires a gradient", {
            binary_cross_entropy_with(&f(&[2]), &f(&[2]), Some(&leaf(&[2])), Reduction::Mean)
        }),
        wrong!("binary_cross_entropy_with_logits: pos_weight of shape [1] requires a gradient", {
            let pos_weight = Some(leaf(&[1]));
            let options = BceWithLogitsOptions { pos_weight, ..BceWithLogitsOptions::default() };
            binary_cross_entropy_with_logits_with(&f(&[2]), &f(&[2]), &options)
        }),
        wrong!("mse_loss: shapes [2] and [3] do not broadcast", mse_loss(&f(&[2]), &f(&[3]))),
        wrong!("mse_loss: ", mse_loss_with(&i(&[1]), &i(&[2]), Reduction::Mean, None)),
    ]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn leaves_and_backward() {
    let twice = leaf(&[1]).exp();
    twice.backward();
    let hooked = leaf(&[1]);
    hooked.register_hook(|_| Some(f(&[2])));
    let complaints = check(&[
        wrong!("requires_grad_: only tensors of floating point dtype", i(&[1]).requires_grad_()),
        wrong!("requires_grad_: a tensor computed by MulBackward0", (leaf(&[1]) * 2.0).requires_grad_()),
        wrong!("requires_grad_: only tensors", Tensor::new_leaf(i(&[1]).array(), true)),
        wrong!("set_requires_grad: this tensor is not a leaf", f(&[1]).set_requires_grad(true)),
        wrong!("set: a leaf that requires grad is being changed in place", leaf(&[1]).set(f(&[1]))),
        wrong!("update: this tensor is not a leaf", f(&[1]).update(|_| ())),
        wrong!("update: a leaf that requires grad is being changed", leaf(&[1]).update(|_| ())),
        wrong!("set: this tensor is not a leaf", f(&[1]).set(f(&[1]))),
        wrong!("set: shape [2] does not replace shape [1]", no_grad(|| leaf(&[1]).set(f(&[2])))),
        wrong!("set_grad: this tensor is not a leaf", f(&[1]).set_grad(None)),
        wrong!(
            "set_grad: a gradient of shape [2] for a leaf of shape [1]",
            leaf(&[1]).set_grad(Some(f(&[2])))
        ),
        wrong!("set_grad: a gradient of int64 for a leaf of float32", leaf(&[1]).set_grad(Some(i(&[1])))),
        wrong!("update: this leaf is read inside of its own update", {
            let buffer = Tensor::new_leaf(f(&[1]).array(), false);
            buffer.update(|_| buffer.dtype())
        }),
        wrong!("retain_grad: this tensor does not require a gradient", f(&[1]).retain_grad()),
        wrong!("register_hook: this tensor does not", f(&[1]).register_hook(|_| None)),
        wrong!("only leaves that require", f(&[1]).register_post_accumulate_grad_hook(|_| ())),
        wrong!("backward: element 0 of tensors does not require grad", f(&[1]).backward()),
        wrong!("backward: grad can be implicitly created only for scalar", leaf(&[2]).backward()),
        wrong!("backward: 2 grad_outputs for 1 outputs", {
            let grad_outputs = vec![f(&[1]), f(&[1])];
            leaf(&[1]).backward_with(&GradOptions { grad_outputs, ..GradOptions::default() })
        }),
        wrong!("exp: trying to backward through the graph a second time", twice.clone().backward()),
        wrong!("hook: a gradient of shape [1] (float32) was replaced", (hooked.clone() * 2.0).backward()),
        wrong!(
            "bad: this operation has no backward rule",
            Tensor::apply(Ruleless, &[&leaf(&[1])]).backward()
        ),
        wrong!(
            "bad: the backward rule gave no gradient",
            Tensor::apply(Bad(false), &[&leaf(&[1])]).backward()
        ),
        wrong!(
            "bad: the backward rule gave input 0 of",
            Tensor::apply(Bad(true), &[&leaf(&[2])]).sum().backward()
        ),
        wrong!("bad: too many dims", Tensor::apply(Bad(true), &[&leaf(&[1, 1, 1])])),
        wrong!("grad: input 0 of shape [1] does not require grad", grad(&[&leaf(&[1])], &[&f(&[1])])),
        wrong!("grad: the outputs do not depend on input 0", grad(&[&leaf(&[1])], &[&leaf(&[1])])),
        wrong!("grad: grad can be implicitly created only for scalar", {
            grad_with(&[&leaf(&[2])], &[&leaf(&[1])], &GradOptions::default())
        }),
        wrong!("gradcheck: input 0 is float32", gradcheck(|x| x[0].exp(), &[leaf(&[1])])),
        wrong!("gradcheck: none of the 1 inputs requires a gradient", {
            gradcheck(|x| x[0].exp(), &[f(&[1]).to(DType::F64)])
        }),
        wrong!("gradcheck: input 0 is float32", gradgradcheck(|x| x[0].exp(), &[leaf(&[1])])),
    ]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// An operation with the default backward.
#[derive(Debug)]
struct Ruleless;

impl Op for Ruleless {
    fn name(&self) -> &'static str {
        "bad"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].clone()
    }
}
