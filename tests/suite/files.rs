//! Models move between PyTorch and rushlight: by files that PyTorch wrote once, and, where Python has PyTorch, by files
//! that both write now and the other reads (`tests/pytorch.py`; `RUSHLIGHT_PYTHON` names another Python).

use crate::alone;
use rushlight::prelude::*;
use rushlight::serialize::{Value, checkpoint, npy, npz, pth, safetensors};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files that `tests/pytorch.py make` wrote.
fn stored() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rushlight-serialize/tests/files")
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rushlight-files-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn network() -> impl Module {
    sequential![Linear::new(4, 8), ReLU, Linear::new(8, 3)]
}

#[track_caller]
fn assert_close(a: &Tensor, b: &Tensor) {
    let most = (a - b).abs().max().item();
    assert!(most < 1e-5, "they differ by {most}: {a} {b}");
}

/// The network of a checkpoint of PyTorch's makes of its input what PyTorch made of it.
fn check_training(run: &Value) {
    let get = |key: &str| run.get(key).unwrap().tensor().unwrap().clone();
    let model = network();
    model.load_state_dict(&run.get("model").unwrap().tensors()).unwrap();
    assert_close(&model.forward(&get("input")), &get("output"));
}

#[test]
fn a_model_of_pytorch_gives_pytorchs_outputs() {
    let _turn = alone();
    check_training(&pth::load(stored().join("training.pth")).unwrap());
}

#[test]
fn the_texts_model_is_read_and_written_in_every_form_without_a_change() {
    let _turn = alone();
    let folder = folder("forms");
    let model = || sequential![Linear::new(2, 30), ReLU, Linear::new(30, 20), ReLU, Linear::new(20, 2)];
    // The text's class keeps its layers in a field `layers`.
    let state: Vec<(String, Tensor)> = rushlight::load(stored().join("seeds_model.pth")).unwrap();
    let state: Vec<(String, Tensor)> =
        state.into_iter().map(|(name, x)| (name.strip_prefix("layers.").unwrap().to_owned(), x)).collect();
    let first = model();
    first.load_state_dict(&state).unwrap();
    let x = tensor([[0.5, -1.0], [2.0, 0.25]]);
    for ending in ["safetensors", "pth", "npz", "ckpt"] {
        let path = folder.join(format!("model.{ending}"));
        rushlight::save(&path, &first.state_dict()).unwrap();
        let second = model();
        second.load_state_dict(&rushlight::load(&path).unwrap()).unwrap();
        assert_eq!(second.forward(&x).to_vec::<f32>(), first.forward(&x).to_vec::<f32>(), "{ending}");
    }
}

#[test]
fn tied_weights_are_one_tensor_in_a_pth_file() {
    let _turn = alone();
    let weight = ones([2, 2]);
    let state = [("a".to_owned(), weight.clone()), ("b".to_owned(), weight)];
    let back = pth::from_bytes(&pth::to_bytes(&Value::state(&state)).unwrap()).unwrap().tensors();
    assert!(back[0].1.array().shares_storage(&back[1].1.array()));
}

/// 0, 1, ... 5 in every dtype, floats halved: `of_dtypes` of the script.
fn of_dtypes() -> Vec<(String, Tensor)> {
    let numbers = arange(0, 6, 1).reshape([2, 3]);
    let tensor = |dtype: DType| match dtype.is_float() {
        true => (&numbers.to(DType::F64) / 2.0).to(dtype),
        false => numbers.to(dtype),
    };
    DType::ALL.into_iter().map(|dtype| (dtype.name().to_owned(), tensor(dtype))).collect()
}

/// `views` of the script: tensors that are not simply their storages.
fn views() -> Value {
    let base = Tensor::from_vec((0..12_u8).map(f32::from).collect::<Vec<f32>>(), [3, 4]);
    let tied = ones([2, 2]);
    Value::map()
        .with("base", &base)
        .with("transposed", base.t())
        .with("row", base.select(0, 1))
        .with("steps", base.index_select(0, &tensor([0, 2])).index_select(1, &tensor([1, 3])))
        .with("expanded", tensor([7.0]).expand([2, 3]))
        .with("tied.a", &tied)
        .with("tied.b", &tied)
        .with("scalar", tensor(2.5).to(DType::F64))
        .with("empty", zeros([0, 3]))
        .with("parameter", tensor([1.0, -1.0]).requires_grad_())
}

/// Every file that `check` of the script wants; the checkpoint goes through our own form on its way.
fn write_for_python(folder: &Path, run: &Value) {
    let state = of_dtypes();
    let texts = [("format", "pt"), ("note", "a \"b\"\n\u{e9}")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    safetensors::save_file_with(folder.join("dtypes.safetensors"), &state, &texts).unwrap();
    rushlight::save(folder.join("dtypes.pth"), &state).unwrap();
    pth::save(folder.join("views.pth"), &views()).unwrap();
    checkpoint::save(folder.join("training.ckpt"), run).unwrap();
    pth::save(folder.join("training.pth"), &checkpoint::load(folder.join("training.ckpt")).unwrap()).unwrap();
    let of_numpy: Vec<(String, Tensor)> =
        state.into_iter().filter(|(_, tensor)| tensor.dtype() != DType::BF16).collect();
    npz::save(folder.join("arrays.npz"), &of_numpy).unwrap();
    npz::save_compressed(folder.join("compressed.npz"), &of_numpy).unwrap();
    npy::save(folder.join("plain.npy"), &of_numpy[0].1).unwrap();
    npy::save(folder.join("row.npy"), &arange(0, 3, 1)).unwrap();
    npy::save(folder.join("scalar.npy"), &tensor(-7)).unwrap();
    npy::save(folder.join("empty.npy"), &zeros([0, 3]).to(DType::Bool)).unwrap();
}

/// Runs the script; `false` where this machine's Python lacks what it needs, or there is none.
fn python(what: &str, folder: &Path) -> bool {
    let program = std::env::var_os("RUSHLIGHT_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pytorch.py");
    let Ok(output) = Command::new(program).arg(script).arg(what).arg(folder).output() else { return false };
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 77)), "{what}: {said}");
    println!("{what}: {said}");
    output.status.success()
}

#[test]
fn pytorch_numpy_and_safetensors_read_what_rushlight_writes_and_the_reverse() {
    let _turn = alone();
    let (theirs, ours) = (folder("theirs"), folder("ours"));
    if !python("make", &theirs) {
        println!("skipped: no Python with torch, numpy and safetensors");
        return;
    }
    let run = pth::load(theirs.join("training.pth")).unwrap();
    check_training(&run);
    let fresh = rushlight::load(theirs.join("python.safetensors")).unwrap();
    for (name, x) in of_dtypes() {
        let y = &fresh.iter().find(|(other, _)| *other == name).unwrap().1;
        assert_eq!(
            (x.dtype(), x.to(DType::F64).to_vec::<f64>()),
            (y.dtype(), y.to(DType::F64).to_vec::<f64>())
        );
    }
    write_for_python(&ours, &run);
    assert!(python("check", &ours));
}
