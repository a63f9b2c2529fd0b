//! Files that PyTorch 2.15, numpy and the safetensors library wrote: `tests/pytorch.py make` made them.

use rushlight_array::DType;
use rushlight_autograd::Tensor;
use rushlight_serialize::{Value, load, npy, npz, pth, safetensors};
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

fn names(state: &[(String, Tensor)]) -> Vec<&str> {
    state.iter().map(|(name, _)| name.as_str()).collect()
}

#[track_caller]
fn of<'a>(state: &'a [(String, Tensor)], name: &str) -> &'a Tensor {
    let found = state.iter().find(|(other, _)| other == name);
    &found.unwrap_or_else(|| panic!("no {name} in {:?}", names(state))).1
}

/// 0, 1, ... 5 as a 2 x 3 tensor of each dtype; floats are halved, and what is not zero is true.
#[track_caller]
fn check_dtypes(state: &[(String, Tensor)], dtypes: &[DType]) {
    for &dtype in dtypes {
        let tensor = of(state, dtype.name());
        assert_eq!((tensor.dtype(), tensor.shape().to_vec()), (dtype, vec![2, 3]), "{dtype}");
        let expected = match dtype {
            DType::Bool => [0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            dtype if dtype.is_float() => [0.0, 0.5, 1.0, 1.5, 2.0, 2.5],
            _ => [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        };
        assert_eq!(tensor.to(DType::F64).to_vec::<f64>(), expected, "{dtype}");
    }
}

#[test]
fn a_state_dict_of_pytorch_is_read_in_its_order() {
    let state = load(file("seeds_model.pth")).unwrap();
    let expected =
        ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"].map(|n| format!("layers.{n}"));
    assert_eq!(names(&state), expected);
    assert_eq!(of(&state, "layers.2.weight").shape().to_vec(), [20, 30]);
}

#[test]
fn every_dtype_of_pytorch_is_read() {
    check_dtypes(&load(file("dtypes.pth")).unwrap(), &DType::ALL);
}

#[test]
fn every_dtype_of_safetensors_is_read() {
    check_dtypes(&load(file("python.safetensors")).unwrap(), &DType::ALL);
    let file = safetensors::File::open(file("python.safetensors")).unwrap();
    let mut texts = file.metadata().to_vec();
    texts.sort();
    assert_eq!(
        texts,
        [("format", "pt"), ("note", "a \"b\"\n\u{e9}")].map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
    assert_eq!(file.shape("int8"), Some(&[2, 3][..]));
    assert_eq!(file.get("int16").unwrap().to_vec::<i16>(), [0, 1, 2, 3, 4, 5]);
    let missing = file.get("int99").unwrap_err().to_string();
    assert!(missing.ends_with("python.safetensors: there is no tensor `int99`"), "{missing}");
}

#[test]
fn every_dtype_of_numpy_is_read() {
    let of_numpy: Vec<DType> = DType::ALL.into_iter().filter(|dtype| *dtype != DType::BF16).collect();
    check_dtypes(&load(file("arrays.npz")).unwrap(), &of_numpy);
    let compressed = npz::load(file("compressed.npz")).unwrap();
    check_dtypes(&compressed, &of_numpy);
    assert_eq!(of(&compressed, "zeros").to_vec::<i32>(), [0; 2000]);
}

#[test]
fn npy_files_of_every_version_order_and_rank_are_read() {
    for name in ["plain.npy", "version2.npy", "version3.npy"] {
        let tensor = npy::load(file(name)).unwrap();
        assert_eq!(tensor.shape().to_vec(), [2, 3]);
        assert_eq!(tensor.to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{name}");
    }
    // Big-endian and in Fortran's order.
    let turned = npy::load(file("fortran.npy")).unwrap();
    assert_eq!((turned.shape().to_vec(), turned.dtype()), (vec![2, 3, 4], DType::F64));
    assert_eq!(turned.to_vec::<f64>(), (0..24).map(f64::from).collect::<Vec<f64>>());
    assert_eq!(npy::load(file("scalar.npy")).unwrap().item_as::<i64>(), -7);
    let empty = load(file("empty.npy")).unwrap();
    assert_eq!((empty[0].0.as_str(), empty[0].1.shape().to_vec()), ("", vec![0, 3]));
    assert_eq!(empty[0].1.dtype(), DType::Bool);
}

#[test]
fn strides_offsets_and_shared_storages_are_kept() {
    let state = load(file("views.pth")).unwrap();
    let floats = |name: &str| of(&state, name).to_vec::<f32>();
    let base: Vec<f32> = (0..12_u8).map(f32::from).collect();
    assert_eq!(floats("base"), base);
    assert_eq!(of(&state, "transposed").shape().to_vec(), [4, 3]);
    assert_eq!(floats("transposed"), [0.0, 4.0, 8.0, 1.0, 5.0, 9.0, 2.0, 6.0, 10.0, 3.0, 7.0, 11.0]);
    assert_eq!(floats("row"), base[4..8]);
    assert_eq!(floats("steps"), [1.0, 3.0, 9.0, 11.0]);
    assert_eq!(floats("expanded"), [7.0; 6]);
    assert_eq!(of(&state, "scalar").item(), 2.5);
    assert_eq!(of(&state, "empty").shape().to_vec(), [0, 3]);
    assert_eq!(floats("parameter"), [1.0, -1.0]);
    let array = |name: &str| of(&state, name).array();
    assert!(
        array("base").shares_storage(&array("transposed")) && array("base").shares_storage(&array("steps"))
    );
    assert!(array("tied.a").shares_storage(&array("tied.b")));
    assert!(!array("base").shares_storage(&array("tied.a")));
}

#[test]
fn a_checkpoint_of_a_training_is_read_whole() {
    let run = pth::load(file("training.pth")).unwrap();
    let get = |key: &str| run.get(key).unwrap();
    assert_eq!(get("epoch").int::<i64>().unwrap(), 3);
    assert!(matches!(get("best"), Value::None));
    assert_eq!(get("loss").float().unwrap(), 0.25);
    assert_eq!(get("seed").int::<u64>().unwrap(), u64::MAX);
    assert_eq!(get("debt").int::<i64>().unwrap(), -(1 << 40));
    assert_eq!(get("names").list().unwrap()[1].text().unwrap(), "b\u{e9}");
    assert_eq!(get("raw").bytes().unwrap(), b"\x00\xffab");
    assert!(!get("done").bool().unwrap());
    assert_eq!(get("size").list().unwrap().len(), 2);
    assert_eq!(get("device").text().unwrap(), "cuda:1");
    assert_eq!(get("dtype").text().unwrap(), "torch.bfloat16");
    assert_eq!(names(&get("model").tensors()), ["0.weight", "0.bias", "2.weight", "2.bias"]);
    let adam = get("optimizer");
    let first = adam.get("state").unwrap().get(0).unwrap();
    assert_eq!(first.get("step").unwrap().tensor().unwrap().item(), 2.0);
    assert_eq!(first.get("exp_avg").unwrap().tensor().unwrap().shape().to_vec(), [8, 4]);
    let group = &adam.get("param_groups").unwrap().list().unwrap()[0];
    assert_eq!(group.get("lr").unwrap().float().unwrap(), 0.01);
    assert_eq!(group.get("betas").unwrap().list().unwrap()[1].float().unwrap(), 0.999);
    // Of the whole file, tensors are named by their paths.
    let state = load(file("training.pth")).unwrap();
    assert_eq!(of(&state, "optimizer.state.3.exp_avg_sq").shape().to_vec(), [3]);
    assert_eq!(of(&state, "model.2.bias").shape().to_vec(), [3]);
}

#[test]
fn what_is_not_tensors_is_refused_by_name_and_told_what_to_do() {
    let reason = |name: &str| {
        let path = file(name);
        let error = load(&path).unwrap_err().to_string();
        error
            .strip_prefix(&format!("{}: byte ", path.display()))
            .unwrap_or_else(|| panic!("{error}"))
            .to_owned()
    };
    let whole = reason("whole.pth");
    assert!(whole.contains("Python's `torch.nn.modules.container.Sequential`"), "{whole}");
    assert!(whole.contains("as safetensors"), "{whole}");
    assert!(reason("numpy.pth").contains("`numpy"), "{}", reason("numpy.pth"));
    assert!(reason("legacy.pth").contains("PyTorch before 1.6"), "{}", reason("legacy.pth"));
    assert!(reason("protocol4.pth").contains("a pickle of protocol 4"), "{}", reason("protocol4.pth"));
}
