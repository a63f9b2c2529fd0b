//! The training loop, accuracy, optimisers, seeds.
//!
//! # A typical training loop
//!
//! The program of the texts, which print these losses.
//!
//! ```python
//! torch.manual_seed(123)
//! model = NeuralNetwork(num_inputs=2, num_outputs=2)
//! optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
//!
//! for epoch in range(3):
//!     model.train()
//!     for features, labels in train_loader:
//!         logits = model(features)
//!         loss = F.cross_entropy(logits, labels)
//!
//!         optimizer.zero_grad()
//!         loss.backward()
//!         optimizer.step()
//!         print(f"{loss:.2f}")
//! # 0.75 0.65 0.42   0.05 0.13 0.00   0.01 0.00 0.02
//!
//! model.eval()
//! with torch.no_grad():
//!     outputs = model(X_train)
//! predictions = torch.argmax(outputs, dim=1)
//! print((predictions == y_train).sum() / len(y_train))    # tensor(1.)
//! ```
//!
//! ```standalone_crate
//! use rushlight::prelude::*;
//!
//! let x_train = tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]]);
//! let y_train = tensor([0, 0, 0, 1, 1]);
//! let data = TensorDataset::new(x_train.clone(), y_train.clone());
//! let train_loader = DataLoader::new(data).batch_size(2).shuffle(true);
//!
//! manual_seed(TorchSeed(123));
//! let model = sequential![Linear::new(2, 30), ReLU, Linear::new(30, 20), ReLU, Linear::new(20, 2)];
//! let mut optimizer = SGD::new(model.parameters(), 0.5);
//!
//! let mut losses = Vec::new();
//! for _epoch in 0..3 {
//!     model.train();
//!     for batch in &train_loader {
//!         let (features, labels) = batch?;
//!         let logits = model.forward(&features);
//!         let loss = F::cross_entropy(&logits, &labels);
//!
//!         optimizer.zero_grad();
//!         loss.backward();
//!         optimizer.step();
//!         losses.push(format!("{loss:.2}"));
//!     }
//! }
//! assert_eq!(losses, ["0.75", "0.65", "0.42", "0.05", "0.13", "0.00", "0.01", "0.00", "0.02"]);
//!
//! model.eval();
//! let outputs = no_grad(|| model.forward(&x_train));
//! assert_eq!(outputs.get(0).to_string(), "tensor([ 2.9320, -4.2563])");
//! let (_, predictions) = outputs.max_dim(1, false);
//! let right = predictions.eq(&y_train).sum();
//! assert_eq!(right.item() / y_train.len() as f64, 1.0);
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! The order of `zero_grad`, `backward` and `step` is yours, as in PyTorch. The optimiser holds handles on the same parameters as
//! the model, so neither borrows the other.
//!
//! # Optimisers
//!
//! ```python
//! torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True)
//! torch.optim.Adam(model.parameters(), lr=3e-4, betas=(0.9, 0.99))
//! for group in optimizer.param_groups:
//!     group["lr"] = 1e-4
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! let model = Linear::new(2, 1);
//! let sgd = SGD::new(model.parameters(), 0.1).momentum(0.9).weight_decay(1e-4).nesterov(true);
//! assert_eq!(sgd.lr(), 0.1);
//! let mut adam = Adam::new(model.parameters(), 3e-4).betas(0.9, 0.99);
//! adam.set_lr(1e-4);
//! F::mse_loss(&model.forward(&ones([4, 2])), &ones([4, 1])).backward();
//! adam.step();
//! ```
//!
//! # Groups, schedules, clipping
//!
//! ```python
//! optimizer = torch.optim.AdamW([{"params": body.parameters()}, {"params": head.parameters(), "lr": 1e-3}], lr=1e-4)
//! warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
//! cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=95)
//! scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], milestones=[5])
//! torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
//! optimizer.step()
//! scheduler.step()
//! state = optimizer.state_dict()
//! ```
//!
//! ```
//! use rushlight::nn::utils::clip_grad_norm_;
//! use rushlight::optim::lr_scheduler::{CosineAnnealingLR, LRScheduler, LinearLR, SequentialLR};
//! use rushlight::optim::{AdamW, Group};
//! use rushlight::prelude::*;
//!
//! let (body, head) = (Linear::new(2, 3), Linear::new(3, 1));
//! let groups = [Group::new(body.parameters()), Group::new(head.parameters()).lr(1e-3)];
//! let mut optimizer = AdamW::new(groups, 1e-4);
//! let warm_up = LinearLR::new(&optimizer).start_factor(0.1).total_iters(5);
//! let cosine = CosineAnnealingLR::new(&optimizer, 95);
//! let mut scheduler = SequentialLR::new(&optimizer, (warm_up, cosine), vec![5]);
//! F::mse_loss(&head.forward(&body.forward(&ones([4, 2]))), &ones([4, 1])).backward();
//! clip_grad_norm_(optimizer.parameters(), 1.0);
//! optimizer.step();
//! scheduler.step();
//! assert!((optimizer.lr() - 2.8e-5).abs() < 1e-12); // 0.1 + 0.9 / 5 of 1e-4
//! let state = optimizer.state_dict();
//! optimizer.load_state_dict(&state).unwrap();
//! ```
//!
//! A schedule shares the optimiser's groups, so it takes the optimiser by reference and keeps no borrow. `LBFGS`, which calls the
//! model several times in a step, has `optimizer.step_with(&mut || { .. })` for PyTorch's `optimizer.step(closure)`.
//!
//! # Accuracy over a loader
//!
//! ```python
//! def compute_accuracy(model, dataloader):
//!     model.eval()
//!     correct, total = 0.0, 0
//!     for features, labels in dataloader:
//!         with torch.no_grad():
//!             logits = model(features)
//!         predictions = torch.argmax(logits, dim=1)
//!         correct += torch.sum(labels == predictions)
//!         total += len(labels)
//!     return (correct / total).item()
//! ```
//!
//! ```
//! use rushlight::Result;
//! use rushlight::prelude::*;
//!
//! fn compute_accuracy(model: &impl Module, loader: &DataLoader<TensorDataset>) -> Result<f64> {
//!     model.eval();
//!     let (mut correct, mut total) = (0.0, 0);
//!     for batch in loader {
//!         let (features, labels) = batch?;
//!         let logits = no_grad(|| model.forward(&features));
//!         let (_, predictions) = logits.max_dim(1, false);
//!         correct += labels.eq(&predictions).sum().item();
//!         total += labels.len();
//!     }
//!     Ok(correct / total as f64)
//! }
//!
//! // A model that says what it is shown.
//! let data = TensorDataset::new(tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), tensor([0, 1, 1, 1]));
//! let accuracy = compute_accuracy(&rushlight::nn::Identity, &DataLoader::new(data).batch_size(3))?;
//! assert_eq!(accuracy, 0.75);
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! # The same numbers again
//!
//! ```python
//! torch.manual_seed(123)
//! torch.use_deterministic_algorithms(True)
//! ```
//!
//! ```standalone_crate
//! use rushlight::prelude::*;
//!
//! manual_seed(TorchSeed(123)); // PyTorch's generator, number for number
//! let a = randn(4);
//! manual_seed(TorchSeed(123));
//! assert!(a.equal(&randn(4)));
//!
//! manual_seed(123); // rushlight's own, ChaCha8
//! let b = randn(4);
//! manual_seed(123);
//! assert!(b.equal(&randn(4)));
//! assert!(!a.equal(&b));
//! ```
//!
//! There is nothing to switch on: results never depend on the number of threads or workers, and two runs give the same bits.
