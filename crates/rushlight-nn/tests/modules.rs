//! Modules: names, modes, printing, state, and layers against PyTorch's numbers.

use rushlight_array::random::{TorchSeed, manual_seed};
use rushlight_array::{Array, DType};
use rushlight_autograd::{Tensor, gradcheck, no_grad, tensor, tensor_as};
use rushlight_nn::functional as F;
use rushlight_nn::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The default generator is the process's, and every layer draws from it: the tests take turns, each from a
/// known seed.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    manual_seed(0);
    turn
}

struct Block {
    first: Linear,
    rest: Vec<Linear>,
    gate: Option<Parameter>,
    seen: Buffer,
    dropout: Dropout,
    width: usize,
}
fields!(Block { first, rest, gate, seen, dropout, width });

impl Module for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.rest.iter().fold(self.first.forward(x), |x, layer| layer.forward(&x));
        self.dropout.forward(&x)
    }
    fn extra_repr(&self) -> String {
        format!("width={}", self.width)
    }
}

fn block() -> Block {
    Block {
        first: Linear::new(2, 3),
        rest: vec![Linear::new(3, 3), Linear::without_bias(3, 1)],
        gate: Some(Parameter::new(tensor([1.0]))),
        seen: Buffer::new(tensor([0])),
        dropout: Dropout::new(0.5),
        width: 3,
    }
}

#[test]
fn names_follow_the_fields() {
    let _turn = alone();
    let names: Vec<String> = block().named_parameters().into_iter().map(|(name, _)| name).collect();
    let expected = ["first.weight", "first.bias", "rest.0.weight", "rest.0.bias", "rest.1.weight", "gate"];
    assert_eq!(names, expected);
    let state: Vec<String> = block().state_dict().into_iter().map(|(name, _)| name).collect();
    assert_eq!(state[..6], expected);
    assert_eq!(state[6], "seen");
    assert_eq!(block().num_parameters(), 6 + 3 + 9 + 3 + 3 + 1);
}

#[test]
fn a_shared_parameter_counts_once() {
    let _turn = alone();
    struct Tied {
        a: Parameter,
        b: Parameter,
    }
    fields!(Tied { a, b });
    impl Module for Tied {}
    let a = Parameter::new(tensor([1.0, 2.0]));
    let tied = Tied { b: a.clone(), a };
    assert_eq!((tied.parameters().len(), tied.num_parameters()), (1, 2));
}

#[test]
fn printing_nests_and_shows_extra_options() {
    let _turn = alone();
    let text = "Block(
  width=3
  (first): Linear(in_features=2, out_features=3, bias=True)
  (rest.0): Linear(in_features=3, out_features=3, bias=True)
  (rest.1): Linear(in_features=3, out_features=1, bias=False)
  (dropout): Dropout(p=0.5, inplace=False)
)";
    assert_eq!(block().to_string(), text);
    let layers = sequential![
        Flatten::default(),
        Tanh,
        Sigmoid,
        LeakyReLU::default(),
        Softmax::new(1),
        Identity,
        CrossEntropyLoss::default(),
        MSELoss::default(),
    ];
    // The lines that PyTorch prints for the same modules.
    let text = "Sequential(
  (0): Flatten(start_dim=1, end_dim=-1)
  (1): Tanh()
  (2): Sigmoid()
  (3): LeakyReLU(negative_slope=0.01)
  (4): Softmax(dim=1)
  (5): Identity()
  (6): CrossEntropyLoss()
  (7): MSELoss()
)";
    assert_eq!(layers.to_string(), text);
}

#[test]
fn train_and_eval_reach_every_module_below() {
    let _turn = alone();
    let net = sequential![Linear::new(4, 64), sequential![Tanh, Dropout::new(0.5)]];
    let x = tensor([[1.0, -1.0, 2.0, 0.5]]);
    net.eval();
    assert!(net.forward(&x).equal(&net.forward(&x)));
    net.train();
    let outputs: Vec<Tensor> = (0..8).map(|_| net.forward(&x)).collect();
    assert!(outputs.iter().any(|y| !y.equal(&outputs[0])), "dropout must drop in training");
}

#[test]
fn dropout_scales_what_it_keeps_and_draws_nothing_when_it_need_not() {
    let _turn = alone();
    manual_seed(3);
    let x = Tensor::constant(Array::ones(100_000, DType::F32));
    let y = F::dropout(&x, 0.25, true).to_vec::<f32>();
    assert!(y.iter().all(|&v| v == 0.0 || v == 1.0 / 0.75));
    let kept = y.iter().filter(|&&v| v != 0.0).count() as f64 / 1e5;
    // Four standard deviations of a proportion of 10^5 draws: 4 sqrt(0.25 * 0.75 / 1e5) < 0.006.
    assert!((kept - 0.75).abs() < 0.006, "{kept} were kept");
    manual_seed(3);
    for (p, training) in [(0.0, true), (1.0, true), (0.5, false)] {
        F::dropout(&x, p, training);
    }
    assert_eq!(F::dropout(&x, 0.25, true).to_vec::<f32>(), y);
    assert_eq!(F::dropout(&x, 1.0, true).to_vec::<f32>(), vec![0.0; 100_000]);
}

#[test]
fn dropout_masks_are_pytorchs() {
    let _turn = alone();
    // torch.manual_seed(123); dropout(torch.ones(10), 0.2) != 0
    manual_seed(TorchSeed(123));
    let y = F::dropout(&Tensor::constant(Array::ones(10, DType::F32)), 0.2, true);
    let kept: Vec<i64> = y.ne(0.0).to(DType::I64).to_vec();
    assert_eq!(kept, [1, 1, 1, 1, 1, 1, 1, 1, 0, 1]);
}

#[test]
fn initial_values_are_pytorchs() {
    let _turn = alone();
    let first = |draw: &dyn Fn(&Tensor)| {
        manual_seed(TorchSeed(123));
        let weight = Parameter::new(Array::zeros([4, 6], DType::F32));
        draw(&weight);
        weight.to_vec::<f32>()[0].to_bits()
    };
    use init::{FanMode::FanIn, Nonlinearity as After};
    // The first of 24 values each, from torch.nn.init on a (4, 6) tensor after manual_seed(123).
    assert_eq!(first(&|w| init::kaiming_normal_(w, 0.0, FanIn, After::ReLU)), 0x3e47_749c);
    assert_eq!(first(&|w| init::kaiming_uniform_(w, 0.0, FanIn, After::ReLU)), 0xbed0_c808);
    assert_eq!(first(&|w| init::xavier_uniform_(w, 1.0)), 0xbea1_b8ab);
    assert_eq!(first(&|w| init::xavier_normal_(w, 1.0)), 0x3e1a_7f61);
    // Linear(2, 30): weight, then bias.
    manual_seed(TorchSeed(123));
    let layer = Linear::new(2, 30);
    assert_eq!(layer.weight.to_vec::<f32>()[0].to_bits(), 0xbe93_a177);
    assert_eq!(layer.bias.as_ref().unwrap().to_vec::<f32>()[0].to_bits(), 0x3de4_69ee);
    init::constant_(&layer.weight, 2.0);
    init::zeros_(layer.bias.as_ref().unwrap());
    assert_eq!(layer.forward(&tensor([[1.0, 2.0]])).to_vec::<f32>(), vec![6.0; 30]);
}

#[test]
fn a_failed_load_changes_nothing_and_a_good_one_everything() {
    let _turn = alone();
    let (a, b) = (block(), block());
    let before = a.first.weight.to_vec::<f32>();
    let mut state = b.state_dict();
    state.pop();
    let error = a.load_state_dict(&state).unwrap_err().to_string();
    assert_eq!(error, "load_state_dict: Block does not match: missing [seen]");
    assert_eq!(a.first.weight.to_vec::<f32>(), before);
    a.load_state_dict(&b.state_dict()).unwrap();
    assert_eq!(a.first.weight.to_vec::<f32>(), b.first.weight.to_vec::<f32>());
    // A state dict is a snapshot: later changes of the model do not reach it.
    let state = b.state_dict();
    no_grad(|| b.first.weight.set(Array::zeros([3, 2], DType::F32)));
    assert_ne!(state[0].1.to_vec::<f32>(), b.first.weight.to_vec::<f32>());
}

#[test]
fn casts_keep_the_cells_that_an_optimiser_holds() {
    let _turn = alone();
    let net = block();
    let parameters = net.parameters();
    net.to(DType::F64);
    assert!(parameters.iter().all(|p| p.dtype() == DType::F64));
    assert_eq!(net.seen.dtype(), DType::I64, "integers stay as they are");
    net.eval();
    assert_eq!(net.forward(&tensor_as([[1.0, 2.0]], DType::F64)).dtype(), DType::F64);
}

#[test]
fn casts_take_gradients_along_and_reach_modules_behind_dyn() {
    let _turn = alone();
    let net = sequential![Linear::new(2, 1)];
    net.forward(&tensor([[1.0, 2.0]])).sum().backward();
    let boxed: Box<dyn Module> = Box::new(net);
    boxed.move_to(&DType::F64.into());
    let grad = boxed.parameters()[0].grad().unwrap();
    assert_eq!((grad.dtype(), grad.to_vec::<f64>()), (DType::F64, vec![1.0, 2.0]));
}

#[test]
fn a_module_in_two_places_shares_its_weights() {
    struct Twins {
        first: Arc<Linear>,
        second: Arc<Linear>,
        heads: [Linear; 2],
    }
    fields!(Twins { first, second, heads });
    impl Module for Twins {}
    let _turn = alone();
    let first = Arc::new(Linear::new(2, 2));
    let twins = Twins { second: Arc::clone(&first), first, heads: [Linear::new(1, 1), Linear::new(1, 1)] };
    let names: Vec<String> = twins.named_parameters().into_iter().map(|(name, _)| name).collect();
    let expected =
        ["first.weight", "first.bias", "heads.0.weight", "heads.0.bias", "heads.1.weight", "heads.1.bias"];
    assert_eq!(names, expected);
    // As in PyTorch, the state dict has a shared weight under each name.
    assert_eq!(twins.state_dict().len(), 8);
}

#[test]
fn frozen_parameters_get_no_gradient() {
    let _turn = alone();
    let net = sequential![Linear::new(2, 2), Linear::new(2, 1)];
    net.get::<Linear>(0).requires_grad_(false);
    net.forward(&tensor([[1.0, 2.0]])).sum().backward();
    assert!(net.get::<Linear>(0).weight.grad().is_none());
    assert!(net.get::<Linear>(1).weight.grad().is_some());
    assert_eq!(net.num_parameters(), 3);
    net.zero_grad();
    assert!(net.get::<Linear>(1).weight.grad().is_none());
}

#[test]
fn gradcheck_works_on_a_module() {
    let _turn = alone();
    let net = sequential![Linear::new(3, 4), Tanh, Linear::new(4, 2), Softmax::new(-1)];
    net.to(DType::F64);
    let x = tensor_as([[0.1, -0.4, 0.7], [0.9, 0.2, -0.3]], DType::F64).requires_grad_();
    gradcheck(|x| net.forward(&x[0]), &[x]).unwrap();
}

#[test]
fn losses_as_modules_equal_the_functions() {
    let _turn = alone();
    let (x, y) = (tensor([[0.2, -1.0, 3.0], [0.0, 0.5, -0.5]]), tensor([2, 0]));
    let options = F::CrossEntropyOptions { label_smoothing: 0.1, ..Default::default() };
    let module = CrossEntropyLoss::with(options.clone());
    assert!(module.forward(&x, &y).equal(&F::cross_entropy_with(&x, &y, &options)));
    assert!(CrossEntropyLoss::default().forward(&x, &y).equal(&F::cross_entropy(&x, &y)));
    assert!(NLLLoss::default().forward(&x, &y).equal(&F::nll_loss(&x, &y)));
    let (p, t) = (tensor([0.3, 0.9]), tensor([0.0, 1.0]));
    assert!(BCELoss::default().forward(&p, &t).equal(&F::binary_cross_entropy(&p, &t)));
    let logits = BCEWithLogitsLoss::default().forward(&p, &t);
    assert!(logits.equal(&F::binary_cross_entropy_with_logits(&p, &t)));
    assert!(MSELoss::with(F::Reduction::Sum).forward(&p, &t).equal(&F::mse_loss_with(
        &p,
        &t,
        F::Reduction::Sum,
        None
    )));
}

#[test]
fn hooks_see_every_pass_and_may_change_its_result() {
    let _turn = alone();
    let net = sequential![Linear::new(2, 3), ReLU, Linear::new(3, 1)];
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let first = net.get::<Linear>(0);
    let watching = first.register_forward_hook(move |module, x, y| {
        record.lock().unwrap().push((module.type_name(), x.shape().to_vec(), y.clone()));
        None
    });
    let x = tensor([[1.0, -2.0]]);
    let plain = net.forward(&x);
    let (kind, shape, before_relu) = seen.lock().unwrap().pop().unwrap();
    // The result of the layer itself, though it is computed with the relu behind it where nobody looks.
    assert_eq!((kind, shape), ("Linear", vec![1, 2]));
    assert!(before_relu.equal(&F::linear(&x, &first.weight, first.bias.as_deref())));
    let changing = net.register_forward_hook(|_, _, y| Some(y * 2.0));
    let again = net.register_forward_hook(|_, _, y| Some(y + 1.0));
    assert!(net.forward(&x).allclose(&(&plain * 2.0 + 1.0), 1e-6, 0.0));
    changing.remove();
    again.remove();
    watching.remove();
    assert!(net.forward(&x).equal(&plain));
    assert!(seen.lock().unwrap().len() == 1, "one more pass was watched");
}

#[test]
fn a_summary_shows_shapes_parameters_and_work_and_leaves_the_model_alone() {
    let _turn = alone();
    let net = sequential![
        Conv2d::new(1, 4, 3),
        ReLU,
        MaxPool2d::new(2),
        Dropout::new(0.5),
        Flatten::default(),
        sequential![Linear::new(4 * 13 * 13, 10)],
    ];
    net.get::<Conv2d>(0).requires_grad_(false);
    let table = summary(&net, [2, 1, 28, 28]).to_string();
    let expected = "\
layer                output shape    parameters  multiply-adds
--------------------------------------------------------------
Sequential           [2, 10]                  -              -
  (0) Conv2d         [2, 4, 26, 26]          40         48,672
  (1) ReLU           [2, 4, 26, 26]           -              -
  (2) MaxPool2d      [2, 4, 13, 13]           -              -
  (3) Dropout        [2, 4, 13, 13]           -              -
  (4) Flatten        [2, 676]                 -              -
  (5) Sequential     [2, 10]                  -              -
    (0) Linear       [2, 10]              6,770         13,520
--------------------------------------------------------------
input shape: [2, 1, 28, 28]
parameters: 6,810 (6,770 trainable)
multiply-adds: 62,192";
    // Columns as wide as their contents.
    let squeeze = |text: &str| {
        text.lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|l| !l.starts_with('-'))
            .collect::<Vec<_>>()
    };
    assert_eq!(squeeze(&table), squeeze(expected), "{table}");
    // Still in training: the dropout drops.
    let ones = Tensor::constant(Array::ones([1, 1000], DType::F32));
    assert!(net.get::<Dropout>(3).forward(&ones).sum().item() != 1000.0);
}

#[test]
fn lists_and_dictionaries_of_modules_name_and_print_as_pytorchs() {
    let _turn = alone();
    let mut dict = ModuleDict::default();
    dict.insert("a", Linear::new(1, 1));
    dict.insert("b", ModuleList::new(vec![Box::new(ReLU), Box::new(Linear::without_bias(1, 2))]));
    let names: Vec<String> = dict.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a.weight", "a.bias", "b.1.weight"]);
    let expected = "ModuleDict(
  (a): Linear(in_features=1, out_features=1, bias=True)
  (b): ModuleList(
    (0): ReLU()
    (1): Linear(in_features=1, out_features=2, bias=False)
  )
)";
    assert_eq!(dict.to_string(), expected);
    assert!(dict.contains_key("b") && !dict.contains_key("c"));
}
