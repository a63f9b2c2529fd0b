//! Modules: models as structs, layers, parameters, modes, losses.
//!
//! # A model
//!
//! A model is a struct. One line lists its fields, and from it come the parameters and their names, the modes, the state dict
//! and the printed form; it does not compile if a field is forgotten. `forward` is called by its name.
//!
//! ```python
//! class NeuralNetwork(torch.nn.Module):
//!     def __init__(self, num_inputs, num_outputs):
//!         super().__init__()
//!         self.layers = torch.nn.Sequential(
//!             torch.nn.Linear(num_inputs, 30),
//!             torch.nn.ReLU(),
//!             torch.nn.Linear(30, 20),
//!             torch.nn.ReLU(),
//!             torch.nn.Linear(20, num_outputs),
//!         )
//!
//!     def forward(self, x):
//!         return self.layers(x)
//!
//! model = NeuralNetwork(50, 3)
//! print(model)
//! print(sum(p.numel() for p in model.parameters() if p.requires_grad))    # 2213
//! print(model.layers[0].weight.shape)                                     # torch.Size([30, 50])
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! struct NeuralNetwork {
//!     layers: Sequential,
//! }
//! fields!(NeuralNetwork { layers });
//!
//! impl NeuralNetwork {
//!     fn new(num_inputs: usize, num_outputs: usize) -> Self {
//!         let layers = sequential![
//!             Linear::new(num_inputs, 30),
//!             ReLU,
//!             Linear::new(30, 20),
//!             ReLU,
//!             Linear::new(20, num_outputs),
//!         ];
//!         NeuralNetwork { layers }
//!     }
//! }
//!
//! impl Module for NeuralNetwork {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         self.layers.forward(x)
//!     }
//! }
//!
//! let model = NeuralNetwork::new(50, 3);
//! let printed = "NeuralNetwork(
//!   (layers): Sequential(
//!     (0): Linear(in_features=50, out_features=30, bias=True)
//!     (1): ReLU()
//!     (2): Linear(in_features=30, out_features=20, bias=True)
//!     (3): ReLU()
//!     (4): Linear(in_features=20, out_features=3, bias=True)
//!   )
//! )";
//! assert_eq!(model.to_string(), printed);
//! assert_eq!(model.num_parameters(), 2213);
//! assert_eq!(model.named_parameters()[0].1.shape(), [30, 50]);
//! assert_eq!(model.forward(&rand([1, 50])).shape(), [1, 3]);
//! ```
//!
//! With PyTorch's seed the initial weights are PyTorch's, here those of the text's `print(model.layers[0].weight)`:
//!
//! ```standalone_crate
//! use rushlight::prelude::*;
//!
//! manual_seed(TorchSeed(123));
//! let model = sequential![Linear::new(50, 30), ReLU, Linear::new(30, 20), ReLU, Linear::new(20, 3)];
//! let weight = &model.named_parameters()[0].1;
//! assert_eq!(format!("{:.4}", weight.get((0, 0))), "-0.0577");
//! ```
//!
//! # Parameters of your own
//!
//! ```python
//! class Scale(torch.nn.Module):
//!     def __init__(self):
//!         super().__init__()
//!         self.factor = torch.nn.Parameter(torch.ones(1))
//!         self.register_buffer("count", torch.zeros(1))
//!
//!     def forward(self, x):
//!         return x * self.factor
//! ```
//!
//! ```
//! use rushlight::nn::{Buffer, Parameter};
//! use rushlight::prelude::*;
//!
//! struct Scale {
//!     factor: Parameter,
//!     count: Buffer,
//! }
//! fields!(Scale { factor, count });
//!
//! impl Module for Scale {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         x * &*self.factor
//!     }
//! }
//!
//! let scale = Scale { factor: Parameter::new(ones(1)), count: Buffer::new(zeros(1)) };
//! scale.forward(&tensor([3.0])).backward();
//! assert_eq!(scale.factor.grad().unwrap().item(), 3.0);
//! let names: Vec<String> = scale.state_dict().into_iter().map(|(name, _)| name).collect();
//! assert_eq!(names, ["factor", "count"]);
//! ```
//!
//! # Evaluation and training mode
//!
//! ```python
//! dropout = torch.nn.Dropout(0.5)
//! dropout.eval()
//! dropout(torch.ones(3))     # tensor([1., 1., 1.])
//! dropout.train()
//! ```
//!
//! ```
//! use rushlight::nn::Dropout;
//! use rushlight::prelude::*;
//!
//! let dropout = Dropout::new(0.5);
//! dropout.eval();
//! assert_eq!(dropout.forward(&ones(3)).to_vec::<f32>(), [1.0, 1.0, 1.0]);
//! dropout.train();
//! let dropped = dropout.forward(&ones(3)).to_vec::<f32>();
//! assert!(dropped.iter().all(|&x| x == 0.0 || x == 2.0));
//! ```
//!
//! # State
//!
//! ```python
//! state = model.state_dict()
//! other.load_state_dict(state)
//! for p in model.parameters():
//!     p.requires_grad_(False)
//! model.to(torch.float64)
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let (model, other) = (Linear::new(2, 1), Linear::new(2, 1));
//! other.load_state_dict(&model.state_dict())?;
//! let x = tensor([[1.0, 2.0]]);
//! assert!(model.forward(&x).equal(&other.forward(&x)));
//! model.requires_grad_(false);
//! assert_eq!(model.num_parameters(), 0);
//! model.to(DType::F64);
//! assert_eq!(model.parameters()[0].dtype(), DType::F64);
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! # Initialisation
//!
//! ```python
//! torch.nn.init.zeros_(layer.bias)
//! torch.nn.init.constant_(layer.weight, 0.5)
//! ```
//!
//! ```
//! use rushlight::nn::init;
//! use rushlight::prelude::*;
//!
//! let layer = Linear::new(2, 1);
//! let parameters = layer.parameters();
//! init::constant_(&parameters[0], 0.5);
//! init::zeros_(&parameters[1]);
//! assert_eq!(layer.forward(&tensor([[1.0, 2.0]])).item(), 1.5);
//! ```
//!
//! # Losses
//!
//! As functions of `F` or as modules, whose options are fixed.
//!
//! ```python
//! logits, labels = torch.zeros(2, 4), torch.tensor([0, 3])
//! F.cross_entropy(logits, labels)                               # log 4
//! torch.nn.CrossEntropyLoss(reduction="sum")(logits, labels)    # 2 log 4
//! F.nll_loss(F.log_softmax(logits, dim=1), labels)
//! F.binary_cross_entropy_with_logits(torch.zeros(3), torch.ones(3))
//! F.l1_loss(torch.tensor([1.0, 5.0]), torch.zeros(2))
//! F.huber_loss(torch.tensor([1.0, 5.0]), torch.zeros(2), delta=2.0)
//! F.kl_div(log_p, q, reduction="batchmean")
//! ```
//!
//! ```
//! use rushlight::nn::CrossEntropyLoss;
//! use rushlight::nn::functional::{CrossEntropyOptions, HuberLossOptions, KlDivReduction, Reduction};
//! use rushlight::prelude::*;
//!
//! let near = |loss: Tensor, value: f64| assert!((loss.item() - value).abs() < 1e-6, "{loss}");
//! let (logits, labels) = (zeros([2, 4]), tensor([0, 3]));
//! near(F::cross_entropy(&logits, &labels), 4f64.ln());
//! let sum = CrossEntropyOptions { reduction: Reduction::Sum, ..Default::default() };
//! near(CrossEntropyLoss::with(sum).forward(&logits, &labels), 2.0 * 4f64.ln());
//! near(F::nll_loss(&F::log_softmax(&logits, 1), &labels), 4f64.ln());
//! near(F::binary_cross_entropy_with_logits(&zeros(3), &ones(3)), 2f64.ln());
//! near(F::l1_loss(&tensor([1.0, 5.0]), &zeros(2)), 3.0);
//! let wide = HuberLossOptions { delta: 2.0, ..Default::default() };
//! near(F::huber_loss_with(&tensor([1.0, 5.0]), &zeros(2), &wide), 4.25); // (1 / 2 + 2 (5 - 1)) / 2
//! let (log_p, q) = (tensor([[0.5, 0.5]]).log(), tensor([[1.0, 0.0]]));
//! near(F::kl_div_with(&log_p, &q, KlDivReduction::BatchMean, false), 2f64.ln());
//! ```
//!
//! `cross_entropy` takes logits, `nll_loss` logarithms of probabilities, `binary_cross_entropy` probabilities: as in PyTorch.
//!
//! # Where in the model it went wrong
//!
//! The message of a panic names the module, as a traceback would:
//!
//! ```should_panic
//! use rushlight::prelude::*;
//!
//! let model = sequential![Linear::new(2, 3), ReLU, Linear::new(4, 1)];
//! model.forward(&ones([1, 2])); // in 2 (Linear): ...
//! ```
