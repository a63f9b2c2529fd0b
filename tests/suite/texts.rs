//! The programs of the PyTorch texts: the numbers and the printed forms, record by record of
//! `../golden/seeds.json`.

use crate::alone;
use rushlight::nn::{self, Tanh};
use rushlight::prelude::*;
use rushlight::tensor_as;
use safetensors::SafeTensors;
use serde_json::Value;
use std::fmt::Display;

const SEEDS: &str = include_str!("../golden/seeds.json");
static TENSORS: &[u8] = include_bytes!("../golden/seeds.safetensors");

/// Records that wait for later work, or that nobody can reproduce.
const ELSEWHERE: [(&str, &str); 2] = [
    ("mlp50.weight.B", "the text sets no seed"),
    ("cnn.mnist", "the text's code and order of data are not known"),
];

fn records() -> Vec<Value> {
    let all: Value = serde_json::from_str(SEEDS).unwrap();
    all["records"].as_array().unwrap().clone()
}

pub(crate) fn record(id: &str) -> Value {
    records().into_iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("no record {id}"))
}

/// A stored tensor of seeds.safetensors.
fn stored(name: &str) -> Tensor {
    let file = SafeTensors::deserialize(TENSORS).unwrap();
    let view = file.tensor(name).unwrap_or_else(|_| panic!("no tensor {name}"));
    let data = view.data();
    match view.dtype() {
        safetensors::Dtype::F32 => {
            let values = data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            Tensor::from_vec(values.collect::<Vec<f32>>(), view.shape())
        }
        safetensors::Dtype::F64 => {
            let values = data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()));
            Tensor::from_vec(values.collect::<Vec<f64>>(), view.shape())
        }
        safetensors::Dtype::I64 => {
            let values = data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()));
            Tensor::from_vec(values.collect::<Vec<i64>>(), view.shape())
        }
        safetensors::Dtype::U8 => Tensor::from_vec(data.to_vec(), view.shape()),
        other => panic!("{name} is {other:?}"),
    }
}

fn dtype(name: &str) -> DType {
    DType::ALL.into_iter().find(|d| d.name() == name).unwrap_or_else(|| panic!("no dtype {name}"))
}

/// `{dtype, shape, data}` or a list of numbers.
fn wanted(value: &Value) -> Tensor {
    if let Some(name) = value.get("tensor") {
        return stored(name.as_str().unwrap());
    }
    let list = value.get("data").unwrap_or(value).as_array().unwrap();
    let number = |v: &Value| v.as_f64().unwrap_or_else(|| f64::from(u8::from(v.as_bool().unwrap())));
    let data: Vec<f64> = list.iter().map(number).collect();
    let shape: Vec<usize> = match value.get("shape") {
        Some(shape) => shape.as_array().unwrap().iter().map(|s| s.as_u64().unwrap() as usize).collect(),
        None => vec![data.len()],
    };
    let tensor = Tensor::from_vec(data, shape);
    tensor.to(value.get("dtype").map_or(DType::F64, |d| dtype(d.as_str().unwrap())))
}

/// Compares within the record's tolerance; shape and dtype must be equal where the record has them.
#[track_caller]
pub(crate) fn check(record: &Value, got: &Tensor, want: &Value) {
    let want_tensor = wanted(want);
    if want.get("dtype").is_some() {
        assert_eq!(got.dtype(), want_tensor.dtype(), "{}", record["id"]);
    }
    assert_eq!(got.shape(), want_tensor.shape(), "{}", record["id"]);
    let tolerance = |name: &str| record["tol"][name].as_f64().unwrap_or(0.0);
    let close = got.detach().allclose(&want_tensor, tolerance("rtol"), tolerance("atol"));
    assert!(close, "{}: {got} is not {want_tensor}", record["id"]);
}

#[track_caller]
pub(crate) fn check_text(got: impl Display, want: &Value) {
    assert_eq!(format!("{got}"), want.as_str().unwrap());
}

struct NeuralNetwork {
    layers: Sequential,
}
fields!(NeuralNetwork { layers });

impl NeuralNetwork {
    fn new(inputs: usize, outputs: usize) -> Self {
        let layers =
            sequential![Linear::new(inputs, 30), ReLU, Linear::new(30, 20), ReLU, Linear::new(20, outputs)];
        NeuralNetwork { layers }
    }
}

impl Module for NeuralNetwork {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.layers.forward(x)
    }
}

fn toy_data() -> (Tensor, Tensor) {
    let x = tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]]);
    (x, tensor([0, 0, 0, 1, 1]))
}

fn toy_loader(drop_last: bool, workers: usize) -> DataLoader<TensorDataset> {
    let (x, y) = toy_data();
    let loader = DataLoader::new(TensorDataset::new(x, y));
    loader.batch_size(2).shuffle(true).drop_last(drop_last).num_workers(workers)
}

/// The row numbers of a batch of the toy data.
fn rows(features: &Tensor) -> Vec<i64> {
    let first = toy_data().0.select(1, 0).to_vec::<f32>();
    let place = |v: &f32| first.iter().position(|f| f == v).unwrap() as i64;
    features.select(1, 0).to_vec::<f32>().iter().map(place).collect()
}

fn orders(loader: &DataLoader<TensorDataset>) -> Vec<Vec<i64>> {
    loader.iter().map(|batch| rows(&batch.unwrap().0)).collect()
}

fn orders_of(value: &Value) -> Vec<Vec<i64>> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn every_record_is_checked_here_or_waits_for_a_reason() {
    let source = concat!(include_str!("texts.rs"), include_str!("cnn.rs"));
    let waits = |id: &str| ELSEWHERE.iter().any(|(other, _)| *other == id);
    for record in records().iter().filter(|r| !waits(r["id"].as_str().unwrap())) {
        let id = record["id"].as_str().unwrap();
        assert!(source.contains(&format!("\"{id}\"")), "no test checks the record {id}");
    }
}

#[test]
fn tensors_print_and_compute_as_in_the_texts() {
    let _turn = alone();
    let r = record("tensor.print");
    check_text(tensor(1), &r["text"]["0d"]);
    check_text(tensor([1, 2, 3]), &r["text"]["1d"]);
    check_text(tensor([[1, 2], [3, 4]]), &r["text"]["2d"]);
    check_text(tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]), &r["text"]["3d"]);

    let r = record("tensor.dtype");
    check_text(tensor([1, 2, 3]).dtype(), &r["value"]["int"]);
    check_text(tensor([1.0, 2.0]).dtype(), &r["value"]["float"]);
    check_text(tensor([1, 2, 3]).to(DType::F32).dtype(), &r["value"]["cast"]);

    let r = record("tensor.shape");
    let shapes = [tensor(1).shape(), tensor([1, 2, 3]).shape(), tensor([[1, 2], [3, 4]]).shape()];
    for (shape, text) in shapes.iter().zip(r["text"].as_array().unwrap()) {
        check_text(shape, text);
    }
    check_text(
        format!("Shape of the tensor: {}", randn([10, 20, 30]).shape()),
        &record("randn.shape.C")["value"],
    );

    let r = record("tensor.reshape_view_T_matmul.B");
    let x = tensor([[1, 2, 3], [4, 5, 6]]);
    check(&r, &x.reshape([3, 2]), &r["value"]["reshape(3,2)"]);
    check(&r, &x.view([3, 2]), &r["value"]["view(3,2)"]);
    check(&r, &x.t(), &r["value"]["T"]);
    check(&r, &x.matmul(&x.t()), &r["value"]["matmul(T)"]);
    check_text(x.t(), &r["text"]["T"]);
    check_text(x.matmul(&x.t()), &r["text"]["@T"]);

    let r = record("tensor.reshape_view_T_matmul.E");
    let x = tensor([[1, 2], [3, 4]]);
    check(&r, &x.reshape([4, 1]), &r["value"]["reshape(4,1)"]);
    check(&r, &x.t(), &r["value"]["T"]);
    check(&r, &x.matmul(&x.t()), &r["value"]["matmul"]);

    let r = record("tensor.add");
    check_text(tensor([1.0, 2.0, 3.0]) + tensor([4.0, 5.0, 6.0]), &r["text"]);

    let r = record("tensor.scalar_ops");
    let x = tensor([1.0, 2.0, 3.0]);
    check_text(format!("Tensor x: {x}"), &r["text"]["x"]);
    check_text(&x + 2.0, &r["text"]["x+2"]);
    check_text(&x * 3.0, &r["text"]["x*3"]);

    let r = record("activations.C");
    let x = wanted(&r["value"]["x"]);
    check(&r, &x.sigmoid(), &r["value"]["sigmoid"]);
    check(&r, &x.relu(), &r["value"]["relu"]);
    check(&r, &Tanh.forward(&x), &r["value"]["tanh"]);
    check(&r, &nn::LeakyReLU::new(0.1).forward(&x), &r["value"]["leaky_relu_0.1"]);

    let r = record("neglog.D");
    let minus_log = |x: f64| -tensor_as([x], DType::F64).log();
    check(&r, &minus_log(0.9), &serde_json::json!([r["value"]["-ln(0.9)"]]));
    check(&r, &(minus_log(0.9) / 10f64.ln()), &serde_json::json!([r["value"]["-log10(0.9)"]]));
    check(&r, &minus_log(1.0 / 3.0), &serde_json::json!([r["value"]["-ln(1/3)"]]));
}

#[test]
fn logistic_regression_has_the_gradients_of_the_texts() {
    let _turn = alone();
    let r = record("autograd.logistic");
    let (y, x1) = (tensor([1.0]), tensor([1.1]));
    let (w1, b) = (tensor([2.2]).requires_grad_(), tensor([0.0]).requires_grad_());
    let z = &x1 * &w1 + &b;
    let a = z.sigmoid();
    let loss = F::binary_cross_entropy(&a, &y);
    check(&r, &z, &r["value"]["z"]);
    check(&r, &a, &r["value"]["a"]);
    check(&r, &loss, &r["value"]["loss"]);
    check_text(&loss, &r["text"]["loss_with_graph"]);
    check_text(loss.detach(), &r["text"]["loss"]);
    check_text(a.detach(), &r["text"]["a"]);
    let retain = GradOptions { retain_graph: true, ..GradOptions::default() };
    let grad_w1 = &grad_with(&[&loss], &[&w1], &retain)[0];
    check(&r, grad_w1, &r["value"]["grad_w1"]);
    check_text(format!("({grad_w1},)"), &r["text"]["grad()"]);
    check(&r, &grad_with(&[&loss], &[&b], &retain)[0], &r["value"]["grad_b"]);
    loss.backward();
    check(&r, &w1.grad().unwrap(), &r["value"]["w1.grad"]);
    check(&r, &b.grad().unwrap(), &r["value"]["b.grad"]);
    check_text(w1.grad().unwrap(), &r["text"]["w1.grad"]);
}

#[test]
fn the_50_feature_network_and_the_loader_passes_after_it() {
    let _turn = alone();
    manual_seed(TorchSeed(123));
    let model = NeuralNetwork::new(50, 3);
    check_text(&model, &record("mlp50.print")["text"]);
    assert_eq!(model.num_parameters() as u64, record("mlp50.params")["value"].as_u64().unwrap());

    let r = record("mlp50.weight");
    let weight = &model.layers.get::<Linear>(0).weight;
    check(&r, weight, &r["value"]["all"]);
    check_text(weight, &r["text"]);

    let r = record("mlp50.logits");
    let x = rand([1, 50]);
    check(&r, &x, &r["value"]["X"]);
    let out = model.forward(&x);
    check(&r, &out, &r["value"]["logits"]);
    check_text(&out, &r["text"]["with_graph"]);
    let out = no_grad(|| model.forward(&x));
    check_text(&out, &r["text"]["no_grad"]);
    check(&r, &out.softmax(1), &r["value"]["probs"]);

    let r = record("loader.E");
    assert_eq!(orders(&toy_loader(false, 0)), orders_of(&r["value"]["pass1"]));
    assert_eq!(orders(&toy_loader(false, 0)), orders_of(&r["value"]["pass2"]));
    assert_eq!(orders(&toy_loader(true, 0)), orders_of(&r["value"]["pass3_drop_last"]));
}

#[test]
fn loaders_give_the_batches_of_the_texts() {
    let _turn = alone();
    let r = record("loader.B");
    for workers in [0, 1, 3] {
        manual_seed(TorchSeed(123));
        let loader = toy_loader(false, workers);
        for (i, batch) in loader.iter().enumerate() {
            let (x, y) = batch.unwrap();
            check_text(format!("Batch {}: {x} {y}", i + 1), &r["text"][i]);
        }
        manual_seed(TorchSeed(123));
        assert_eq!(orders(&loader), orders_of(&r["value"]));
    }

    let r = record("loader.C");
    manual_seed(TorchSeed(0));
    let x = randn([1000, 20]);
    let y = randint(0, 10, 1000);
    check(&r, &x.get(0), &r["value"]["X[0]"]);
    check(&r, &x.get(999), &r["value"]["X[999]"]);
    let loader = DataLoader::new(TensorDataset::new(x, y)).batch_size(64);
    assert_eq!(loader.len() as u64, r["value"]["n_batches"].as_u64().unwrap());
    let sizes: Vec<usize> = loader.iter().map(|batch| batch.unwrap().1.len()).collect();
    assert_eq!(serde_json::json!(sizes), r["value"]["sizes"]);

    // ddp.sampler is checked where the sampler is, in rushlight-data.
    assert!(record("ddp.sampler").is_object());
}

struct Toy {
    losses: Vec<f64>,
    batches: Vec<Vec<i64>>,
    log: Vec<String>,
    model: NeuralNetwork,
}

/// `manual_seed(123); NeuralNetwork(2, 2); SGD 0.5; 3 epochs`.
fn train_toy(drop_last: bool, workers: usize) -> Toy {
    let loader = toy_loader(drop_last, workers);
    manual_seed(TorchSeed(123));
    let model = NeuralNetwork::new(2, 2);
    let mut optimizer = SGD::new(model.parameters(), 0.5);
    let mut toy = Toy { losses: vec![], batches: vec![], log: vec![], model };
    for epoch in 0..3 {
        toy.model.train();
        for (i, batch) in loader.iter().enumerate() {
            let (features, labels) = batch.unwrap();
            let loss = F::cross_entropy(&toy.model.forward(&features), &labels);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            toy.losses.push(loss.item());
            toy.batches.push(rows(&features));
            let n = loader.len();
            toy.log
                .push(format!("Epoch: {:03}/003 | Batch {i:03}/{n:03} | Train Loss: {loss:.2}", epoch + 1));
        }
    }
    toy.model.eval();
    toy
}

#[test]
fn the_toy_classifier_trains_as_in_text_001() {
    let _turn = alone();
    let r = record("toy.B");
    let toy = train_toy(false, 0);
    check(&r, &Tensor::from_vec(toy.losses, 9), &r["value"]["losses"]);
    assert_eq!(toy.batches, orders_of(&r["value"]["batches"]));
    assert_eq!(serde_json::json!(toy.log), r["text"]["log"]);
    for (name, tensor) in toy.model.named_parameters() {
        check(&r, &tensor, &serde_json::json!({ "tensor": format!("toyB.final.{name}") }));
    }
    let outputs = no_grad(|| toy.model.forward(&toy_data().0));
    let probas = outputs.softmax(1);
    check(&r, &outputs, &r["value"]["outputs"]);
    check(&r, &probas, &r["value"]["probas"]);
    check(&r, &probas.argmax_dim(1, false), &r["value"]["argmax"]);
    check(&r, &probas.argmax_dim(1, false).eq(&toy_data().1), &r["value"]["correct"]);
    check_text(&outputs, &r["text"]["outputs"]);
    check_text(&probas, &r["text"]["probas_default"]);
    set_print_options(PrintOptions { sci_mode: Some(false), ..PrintOptions::default() });
    let text = probas.to_string();
    set_print_options(PrintOptions::default());
    check_text(text, &r["text"]["probas_sci_mode_False"]);
    let proportion = probas.argmax_dim(1, false).eq(&toy_data().1).sum() / 5;
    assert_eq!(proportion.to_string(), "tensor(1.)");
}

#[test]
fn first_gradients_of_the_toy_classifier_match() {
    let _turn = alone();
    let r = record("toy.B");
    manual_seed(TorchSeed(123));
    let model = NeuralNetwork::new(2, 2);
    for (name, tensor) in model.named_parameters() {
        let exact = serde_json::json!({ "id": "toyB.init", "tol": {} });
        check(&exact, &tensor, &serde_json::json!({ "tensor": format!("toyB.init.{name}") }));
    }
    let order = orders_of(&r["value"]["batches"])[0].clone();
    let index = Tensor::from_vec(order, 2);
    let (x, y) = toy_data();
    F::cross_entropy(&model.forward(&x.index_select(0, &index)), &y.index_select(0, &index)).backward();
    for (name, tensor) in model.named_parameters() {
        check(&r, &tensor.grad().unwrap(), &serde_json::json!({ "tensor": format!("toyB.grad0.{name}") }));
    }
}

#[test]
fn the_toy_classifier_trains_as_in_texts_000_and_004() {
    let _turn = alone();
    for (id, workers) in [("toy.A_E", 0), ("toy.A_E.workers1", 1)] {
        let r = record(id);
        let toy = train_toy(true, workers);
        check(&r, &Tensor::from_vec(toy.losses.clone(), 6), &r["value"]["losses"]);
        assert_eq!(toy.batches, orders_of(&r["value"]["batches"]));
        let printed: Vec<String> = toy.losses.iter().map(|l| format!("{l:.2}")).collect();
        assert_eq!(printed, ["0.75", "0.65", "0.44", "0.13", "0.03", "0.00"]);
        let probas = no_grad(|| toy.model.forward(&toy_data().0)).softmax(1);
        check(&r, &probas, &r["value"]["probas"]);
        check(&r, &probas.argmax_dim(1, false), &r["value"]["predictions"]);
        check(&r, &probas.argmax_dim(1, false).eq(&toy_data().1).sum(), &r["value"]["n_correct"]);
        set_print_options(PrintOptions { sci_mode: Some(false), ..PrintOptions::default() });
        let text = probas.to_string();
        set_print_options(PrintOptions::default());
        check_text(text, &r["text"]["probs_sci_mode_False"]);
        let accuracy = |x: &Tensor, y: &Tensor| {
            let right = no_grad(|| toy.model.forward(x)).argmax_dim(1, false).eq(y).sum().item();
            right / y.len() as f64
        };
        let (x, y) = toy_data();
        assert_eq!(accuracy(&x, &y), r["value"]["train_accuracy"].as_f64().unwrap());
        let test = (tensor([[-0.8, 2.8], [2.6, -1.6]]), tensor([0, 1]));
        assert_eq!(accuracy(&test.0, &test.1), r["value"]["test_accuracy"].as_f64().unwrap());
    }
}

#[test]
fn state_dicts_have_pytorchs_names_and_restore_a_model() {
    let _turn = alone();
    let r = record("toy.save_load");
    let (trained, fresh) = (train_toy(true, 0).model, NeuralNetwork::new(2, 2));
    let state = trained.state_dict();
    let names: Vec<&str> = state.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(serde_json::json!(names), r["value"]["keys"]);
    fresh.load_state_dict(&state).unwrap();
    let x = toy_data().0;
    assert!(fresh.forward(&x).equal(&trained.forward(&x)));
}

#[test]
fn adam_trains_the_784_feature_network() {
    let _turn = alone();
    let r = record("net784.C");
    manual_seed(TorchSeed(0));
    let model = sequential![Linear::new(784, 128), ReLU, Linear::new(128, 64), ReLU, Linear::new(64, 10)];
    assert_eq!(model.num_parameters() as u64, r["value"]["params"].as_u64().unwrap());
    // lattice(i) = ((37 i + 11) mod 256) / 256
    let lattice = (0..16 * 784).map(|i| ((37 * i + 11) % 256) as f32 / 256.0 - 0.5).collect::<Vec<f32>>();
    let x = Tensor::from_vec(lattice, [16, 784]);
    let y = Tensor::from_vec((0..16).map(|i| i % 10).collect::<Vec<i64>>(), 16);
    let mut optimizer = Adam::new(model.parameters(), 3e-4);
    let mut losses = Vec::new();
    check(&r, &model.forward(&x.narrow(0, 0, 1)), &r["value"]["logits0"]);
    for _ in 0..5 {
        let loss = F::cross_entropy(&model.forward(&x), &y);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        losses.push(loss.item());
    }
    check(&r, &Tensor::from_vec(losses, 5), &r["value"]["losses"]);
    check(&r, model.get::<Linear>(4).bias.as_ref().unwrap(), &r["value"]["final_fc3.bias"]);
}

/// 0.5 reg sum of squares of the weights, as the lecture writes it.
fn penalty(weights: &[&Tensor]) -> Tensor {
    weights.iter().map(|w| w.square().sum() * 0.5e-3).reduce(|a, b| a + b).unwrap()
}

#[test]
fn the_spirals_linear_classifier_matches_numpy() {
    let _turn = alone();
    let r = record("spiral.linear");
    let (x, y) = (stored("spiral.X"), stored("spiral.y").to(DType::I64));
    let w = stored("spiral.linear.W0").requires_grad_();
    let b = zeros(3).to(DType::F64).requires_grad_();
    let mut optimizer = SGD::new([&w, &b], 1.0);
    let losses = r["value"]["losses"].as_object().unwrap();
    for i in 0..=200 {
        let scores = x.matmul(&w) + &b;
        let loss = F::cross_entropy(&scores, &y) + penalty(&[&w]);
        if let Some(want) = losses.get(&i.to_string()) {
            check(&r, &loss.reshape([1]), &serde_json::json!([want]));
        }
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
    }
}

#[test]
fn the_spirals_network_matches_numpy_as_long_as_chaos_allows() {
    let _turn = alone();
    let r = record("spiral.mlp");
    let (x, y) = (stored("spiral.X"), stored("spiral.y").to(DType::I64));
    let leaf = |name: &str| stored(name).requires_grad_();
    let (w, w2) = (leaf("spiral.mlp.W0"), leaf("spiral.mlp.W2_0"));
    let zero = |n: usize| zeros(n).to(DType::F64).requires_grad_();
    let (b, b2) = (zero(100), zero(3));
    let mut optimizer = SGD::new([&w, &w2, &b, &b2], 1.0);
    let losses = r["value"]["losses"].as_object().unwrap();
    let tolerances = [(10, 1e-9), (100, 1e-6), (1000, 1e-2)];
    for i in 0..=1000 {
        let hidden = (x.matmul(&w) + &b).relu();
        let loss = F::cross_entropy(&(hidden.matmul(&w2) + &b2), &y) + penalty(&[&w, &w2]);
        if let Some(want) = losses.get(&i.to_string()).and_then(Value::as_f64) {
            let rtol = tolerances.iter().find(|(last, _)| i <= *last).unwrap().1;
            assert!(
                (loss.item() - want).abs() <= rtol * want,
                "iteration {i}: {} is not {want}",
                loss.item()
            );
        }
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
    }
    let scores = (x.matmul(&w) + &b).relu().matmul(&w2) + &b2;
    let right = scores.argmax_dim(1, false).eq(&y).sum().item() / 300.0;
    assert!(right > 0.9, "accuracy {right}");
}

#[test]
fn lines_of_the_texts_can_be_written_as_they_read() {
    let _turn = alone();
    // correct += torch.sum(compare); total += len(compare); (correct / total).item()
    let compare = tensor([true, false, true, true]);
    let mut correct = tensor(0.0);
    correct += compare.sum();
    assert_eq!((correct / compare.len() as f64).item(), 0.75);
    // self.features[index] with a usize, x[0:n], probs[range(n), y]
    let (x, n) = (tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), 2usize);
    assert_eq!(x.get(n).to_vec::<f32>(), [5.0, 6.0]);
    assert_eq!(x.get(0..n).shape(), [2, 2]);
    assert_eq!(x.get((&arange(0, x.len(), 1), &tensor([1, 0, 1]))).to_vec::<f32>(), [2.0, 3.0, 6.0]);
    // model.to(device); x.to(device)
    let cpu = device("cpu").unwrap();
    let model = Linear::new(2, 1);
    model.to(&cpu);
    assert_eq!(x.to(cpu.clone()).device(), cpu);
    // for f in net.parameters(): f.data.sub_(f.grad.data * learning_rate)
    model.forward(&x).sum().backward();
    let before = model.weight.to_vec::<f32>();
    no_grad(|| {
        for mut f in model.parameters() {
            let step = f.grad().unwrap() * 0.01;
            f -= step;
        }
    });
    // The gradient of the sum is the column sums 9 and 12, times 0.01.
    let moved: Vec<f32> = before.iter().zip(model.weight.to_vec::<f32>()).map(|(a, b)| a - b).collect();
    assert!((moved[0] - 0.09).abs() < 1e-6 && (moved[1] - 0.12).abs() < 1e-6, "{moved:?}");
}
