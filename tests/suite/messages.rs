//! What a careless user reads: each message names the operation, both shapes or values, what would be right,
//! the caller's line, and inside a model the module.

use crate::alone;
use rushlight::nn::{self, CrossEntropyLoss, Dropout, Flatten, Softmax};
use rushlight::prelude::*;
use rushlight::{full, tensor_as, where_};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<(String, u32)> = const { RefCell::new((String::new(), 0)) };
}

/// The message and the place of the panic that `call` ends in.
fn panic_of(call: impl FnOnce()) -> (String, String, u32) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match info.location() {
            Some(place) if EXPECTED.get() => LAST.set((place.file().to_string(), place.line())),
            _ => before(info),
        }));
    });
    EXPECTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    EXPECTED.set(false);
    let panic = result.expect_err("a wrong call was accepted");
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default();
    let (file, line) = LAST.take();
    (message, file, line)
}

/// Checks a list of `wrong call => message`, one a line, and gives the lines of the panics: each must be that of
/// its call, so they must rise.
macro_rules! table {
    ($($call:expr => $message:expr;)*) => {{
        let mut lines = vec![TABLE_START];
        $(
            let (message, file, line) = panic_of(|| _ = $call);
            assert!(message.starts_with($message), "the message is\n  {message}\nnot\n  {}", $message);
            assert!(file.ends_with("messages.rs"), "{message}\nis said to come from {file}:{line}");
            assert!(lines.last() < Some(&line), "{message}\nis said to come from line {line}, after {lines:?}");
            lines.push(line);
        )*
        lines
    }};
}

/// The line of this constant; every call of the tables is below.
const TABLE_START: u32 = line!();

#[test]
fn wrong_calls_say_what_is_wrong_and_where() {
    let f = |shape: [usize; 2]| zeros(shape);
    let x = &f([2, 3]);
    let leaf = &tensor([1.0, 2.0]).requires_grad_();
    let lines = table! {
        f([8, 3]) + f([8, 4]) => "add: shapes [8, 3] and [8, 4] do not broadcast: axis 1 is 3 and 4, and neither is 1";
        f([2, 3]) * tensor([1.0, 2.0]) => "mul: shapes [2, 3] and [2] do not broadcast: axis 1 is 3 and 2, and neither is 1";
        x.eq(&f([3, 3])) => "eq: shapes [2, 3] and [3, 3] do not broadcast: axis 0 is 2 and 3";
        f([32, 10]).matmul(&f([16, 4])) => "matmul: inner dimensions differ: [32, 10] x [16, 4] (10 != 16); the last axis of the left must equal the second-last of the right";
        x.matmul(&tensor([[1, 2], [3, 4], [5, 6]])) => "matmul: dtypes differ: float32 x int64; cast one with .to(DType::F32)";
        x.matmul(&tensor(1.0)) => "matmul: shapes [2, 3] x []; both operands need at least one dim, use mul for scalars";
        x.reshape([4, 2]) => "reshape: shape [4, 2] does not hold the 6 elements of shape [2, 3]; at most one size may be -1";
        x.t().view([6]) => "view: shape [6] needs a copy of this array of shape [3, 2] and strides [1, 3]; use reshape";
        x.transpose(0, 2) => "transpose: dim 2 is out of range for shape [2, 3]; expected -2 to 1";
        x.permute([0, 0]) => "permute: dims [0, 0] are not an order of the 2 dims of shape [2, 3]";
        x.narrow(1, 2, 2) => "narrow: start 2, length 2, step 1 leave axis 1 of shape [2, 3]";
        x.select(0, 5) => "select: index 5 is out of range for dim 0 of shape [2, 3]";
        x.get(2) => "index: 2 is out of range for dim 0 of shape [2, 3]; expected -2 to 1";
        x.get((0, 0, 0)) => "index: 3 indices for shape [2, 3]; it has only 2 dims";
        x.expand([2, 4]) => "expand: shape [2, 3] does not expand to [2, 4]; sizes must be equal or 1, from the last axis";
        x.index_select(0, &tensor([0, 2])) => "index_select: index 2 is out of range for dim 0 of shape [2, 3]; expected 0 to 1";
        x.gather(1, &tensor([[0.5], [1.0]])) => "gather: indices are float32, not integers; cast with .to(DType::I64)";
        x.softmax(2) => "softmax: dim 2 is out of range for shape [2, 3]; expected -2 to 1";
        tensor([1, 2]).mean() => "mean: the dtype is int64, not a float; cast with .to(DType::F32) first";
        x.sum_dim([0, 0], false) => "sum: dim 0 appears twice in [0, 0]";
        zeros(0).max() => "max: axis 0 of shape [0] is empty and has no extreme value";
        cat(&[x, &f([3, 4])], 0) => "cat: shapes [2, 3] and [3, 4] (tensor 1) differ outside of dim 0";
        stack(&[x, &f([3, 3])], 0) => "stack: shapes [2, 3] and [3, 3] (tensor 1) differ; all must be equal";
        where_(x, x, x) => "where: the condition is float32, not bool; compare it, as in x.gt(0.0)";
        x.item() => "item: shape [2, 3] has 6 elements; only one can become a number";
        x.to_vec::<f64>() => "to_vec: the array is float32, not float64; cast with .to(DType::F64) first";
        tensor([vec![1, 2], vec![3]]) => "tensor: rows of length 2 and 1 at dim 1; every row must be equally long";
        tensor([true]) - tensor([false]) => "sub: not defined for two bools; use logical_xor, or cast with .to(DType::I64)";
        -tensor([true]) => "neg: not defined for bool; cast with .to(DType::I64) first, or use logical_not";
        tensor([1, 2]).requires_grad_() => "requires_grad_: only tensors of floating point dtype can require gradients, but this is int64; cast with .to(DType::F32) first";
        x.sum().backward() => "backward: element 0 of tensors does not require grad and does not have a grad_fn; no input of it was marked with requires_grad_()";
        (leaf * 2.0).backward() => "backward: grad can be implicitly created only for scalar outputs, but output 0 has shape [2]; sum it, or give grad_outputs";
        grad(&[&leaf.sum()], &[&tensor([1.0]).requires_grad_()]) => "grad: the outputs do not depend on input 0 of shape [1]; set allow_unused for zeros";
        leaf.set(zeros(2)) => "set: a leaf that requires grad is being changed in place; do it inside of no_grad";
        leaf.set_grad(Some(zeros(3))) => "set_grad: a gradient of shape [3] for a leaf of shape [2]";
        arange(0, 5, 0) => "arange: step 0 does not lead from 0 to 5";
        randint(5, 5, 3) => "randint: low 5 must be below high 5";
        F::cross_entropy(&f([2, 3]), &tensor([0, 3])) => "cross_entropy: target 3 (sample 1) is out of range for 3 classes; expected 0 to 2";
        F::cross_entropy(&f([2, 3]), &tensor([0, 1, 2])) => "cross_entropy: input shape [2, 3] needs targets of shape [2], not [3]";
        CrossEntropyLoss::default().forward(&f([2, 3]), &tensor([0, -1])) => "cross_entropy: target -1 (sample 1) is out of range for 3 classes";
        F::binary_cross_entropy(&tensor([1.5]), &tensor([1.0])) => "binary_cross_entropy: input 1.5 is not between 0 and 1; apply sigmoid, or use binary_cross_entropy_with_logits";
        F::mse_loss(&zeros(2), &zeros(3)) => "mse_loss: shapes [2] and [3] do not broadcast: axis 0 is 2 and 3, and neither is 1";
        Dropout::new(1.5) => "Dropout: p is 1.5; a probability must be between 0 and 1";
        SGD::new(Vec::<Tensor>::new(), 0.1) => "SGD: got an empty parameter list";
        Adam::new([leaf], -0.1) => "Adam: the learning rate is -0.1; it must not be negative";
        TensorDataset::new(f([3, 2]), tensor([0, 1])) => "TensorDataset: ";
        DataLoader::new(TensorDataset::new(zeros(2), zeros(2))).batch_size(0) => "DataLoader: ";
        full(2, 1.0).get(&tensor([true])) => "index: a mask of shape [1] at dim 0 of shape [2]; it must have the sizes of the dims it stands for";
    };
    assert!(lines.len() > 40, "only {} wrong calls", lines.len() - 1);
}

#[test]
fn messages_inside_a_model_name_the_module_and_the_call() {
    let _turn = alone();
    struct Net {
        layers: Sequential,
        head: Linear,
    }
    fields!(Net { layers, head });
    impl Module for Net {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.head.forward(&self.layers.forward(x))
        }
    }
    let net = Net {
        layers: sequential![Linear::new(4, 8), ReLU, sequential![Linear::new(9, 2), Softmax::new(3)]],
        head: Linear::new(2, 2),
    };
    let (message, file, line) = panic_of(|| drop(net.layers.forward(&zeros([5, 3]))));
    let expected = "in 0 (Linear), called at crates/rushlight/../../tests/suite/messages.rs:";
    assert!(message.starts_with(expected), "before any walk: {message}");
    // The message has the place; Rust's own line before it is the method's, which is called through a pointer.
    assert!(file.ends_with("linear.rs"), "{file}:{line}");

    // Names are learnt in any walk through the model, as the optimiser needs it.
    let _parameters = net.parameters();
    let (message, ..) = panic_of(|| drop(net.forward(&zeros([5, 3]))));
    assert!(message.starts_with("in layers.0 (Linear), called at "), "{message}");
    let what = "linear: input shape [5, 3] does not fit weight [8, 4]; its last axis must be in_features = 4";
    assert!(message.ends_with(what), "{message}");
    let (message, ..) = panic_of(|| drop(net.forward(&zeros([5, 4]))));
    assert!(message.starts_with("in layers.2.0 (Linear), called at "), "{message}");
    let (message, ..) = panic_of(|| drop(net.head.forward(&zeros([5, 4]))));
    assert!(message.starts_with("in head (Linear), called at "), "{message}");

    let net = sequential![Flatten::default(), Softmax::new(3)];
    let (message, ..) = panic_of(|| drop(net.forward(&zeros([5, 4]))));
    assert!(message.contains("in 1 (Softmax), called at "), "{message}");
    // After a panic the place is forgotten.
    let (message, ..) = panic_of(|| drop(zeros(2) + zeros(3)));
    assert!(message.starts_with("add: "), "{message}");
}

#[test]
fn modules_say_what_they_miss() {
    let _turn = alone();
    let net = sequential![Linear::new(2, 3), ReLU];
    let (message, ..) = panic_of(|| drop(Module::forward(&CrossEntropyLoss::default(), &zeros(2))));
    assert_eq!(
        message,
        "Module [CrossEntropyLoss] is missing the required \"forward\" function of one tensor"
    );
    let (message, file, _) = panic_of(|| {
        net.get::<Linear>(1);
    });
    assert_eq!(message, "Sequential: module 1 is a ReLU, not a Linear");
    assert!(file.ends_with("messages.rs"));

    let other = sequential![Linear::new(3, 3), ReLU, nn::Linear::without_bias(3, 1)];
    let error = net.load_state_dict(&other.state_dict()).unwrap_err().to_string();
    assert_eq!(
        error,
        "load_state_dict: Sequential does not match: unexpected [2.weight]; wrong shape [0.weight: file [3, 3], model [3, 2]]"
    );
    let error = other.load_state_dict(&net.state_dict()).unwrap_err().to_string();
    assert!(error.contains("missing [2.weight]"), "{error}");
    assert_eq!(
        device("tpu").unwrap_err().to_string(),
        "device: there is no device 'tpu'; it would be 'cpu', 'cuda' or 'cuda:0', 'cuda:1', ..."
    );
    assert_eq!(tensor_as([1.0], DType::F16).to_string(), "tensor([1.], dtype=torch.float16)");
}
