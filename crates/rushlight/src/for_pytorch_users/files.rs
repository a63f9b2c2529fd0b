//! Saving and loading.
//!
//! # A model's weights
//!
//! ```python
//! torch.save(model.state_dict(), "model.pth")
//! model.load_state_dict(torch.load("model.pth", weights_only=True))
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//!
//! # let folder = std::env::temp_dir().join(format!("rushlight-guide-weights-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("model.pth");
//! let (model, other) = (Linear::new(2, 1), Linear::new(2, 1));
//! rushlight::save(&path, &model.state_dict())?;
//! other.load_state_dict(&rushlight::load(&path)?)?;
//! let x = tensor([[1.0, 2.0]]);
//! assert!(model.forward(&x).equal(&other.forward(&x)));
//! # std::fs::remove_dir_all(folder).unwrap();
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! The name's ending says in which form: `.pth` and `.pt` are PyTorch's own and go both ways, `.safetensors` is for
//! exchange, `.npz` and `.npy` are numpy's, `.ckpt` is rushlight's. [`load`](crate::load) looks at the content instead.
//! A file of PyTorch that holds a whole model, and not its `state_dict`, cannot be read: it is a program.
//!
//! # A checkpoint
//!
//! ```python
//! torch.save({"epoch": 3, "model": model.state_dict(), "betas": (0.9, 0.999)}, "run.pth")
//! run = torch.load("run.pth", weights_only=True)
//! model.load_state_dict(run["model"])
//! run["epoch"]
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//! use rushlight::serialize::{Value, checkpoint};
//!
//! # let folder = std::env::temp_dir().join(format!("rushlight-guide-run-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("run.ckpt");
//! let model = Linear::new(2, 1);
//! let run = Value::map()
//!     .with("epoch", 3)
//!     .with("model", Value::state(&model.state_dict()))
//!     .with("betas", [0.9, 0.999]);
//! checkpoint::save(&path, &run)?;
//!
//! let run = checkpoint::load(&path)?;
//! model.load_state_dict(&run.get("model")?.tensors())?;
//! assert_eq!(run.get("epoch")?.int::<u64>()?, 3);
//! assert_eq!(run.get("betas")?.list()?[1].float()?, 0.999);
//! # std::fs::remove_dir_all(folder).unwrap();
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! A checkpoint is replaced as a whole: a program that is killed while it writes, or a full disk, leaves the old one. Every
//! byte lies under a hash. [`pth::save`](crate::serialize::pth::save) writes the same tree for PyTorch.
//!
//! # Single tensors of a large file
//!
//! ```python
//! with safe_open("model.safetensors", framework="pt") as f:
//!     bias = f.get_tensor("bias")
//! ```
//!
//! ```
//! use rushlight::prelude::*;
//! use rushlight::serialize::safetensors;
//!
//! # let folder = std::env::temp_dir().join(format!("rushlight-guide-single-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("model.safetensors");
//! safetensors::save_file(&path, &[("bias".to_owned(), tensor([0.5, 1.5]))])?;
//! let file = safetensors::File::open(&path)?;
//! assert_eq!(file.get("bias")?.to_vec::<f32>(), [0.5, 1.5]);
//! # std::fs::remove_dir_all(folder).unwrap();
//! # Ok::<(), rushlight::Error>(())
//! ```
