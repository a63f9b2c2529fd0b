//! What is written is read back, in every form, and is what the reference crate writes.

use ::safetensors as reference;
use proptest::prelude::*;
use rushlight_array::{Array, DType};
use rushlight_autograd::{Tensor, tensor};
use rushlight_serialize::{Format, State, Value, checkpoint, load, npy, npz, pth, safetensors, save};
use std::fs;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rushlight-forms-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Shapes of every kind in every dtype, strided ones among them; every name is its shape's.
fn everything(dtypes: &[DType]) -> State {
    let mut state = State::new();
    for &dtype in dtypes {
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 4], vec![1, 1, 2, 1, 1, 2]] {
            let numel = shape.iter().product::<usize>();
            let values = Array::arange(0, numel as i64, 1).cast(dtype);
            let array = values.reshape(shape.clone());
            state.push((format!("{}.{shape:?}", dtype.name()), array.clone().into()));
            if shape.len() > 1 {
                state.push((format!("{}.t.{shape:?}", dtype.name()), array.transpose(0, 1).into()));
            }
        }
    }
    state
}

#[track_caller]
fn assert_same(a: &[(String, Tensor)], b: &[(String, Tensor)]) {
    assert_eq!(a.len(), b.len());
    for (name, x) in a {
        let y = &b.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("no {name}")).1;
        assert_eq!((x.dtype(), x.shape()), (y.dtype(), y.shape()), "{name}");
        let bits = |x: &Tensor| checkpoint::to_bytes(&Value::from(x)).unwrap();
        assert_eq!(bits(x), bits(y), "{name}");
    }
}

#[test]
fn every_form_gives_back_what_it_took() {
    let folder = folder("roundtrip");
    let numpy: Vec<DType> = DType::ALL.into_iter().filter(|dtype| *dtype != DType::BF16).collect();
    for ending in ["safetensors", "pth", "pt", "ckpt", "npz"] {
        let state = everything(if ending == "npz" { &numpy } else { &DType::ALL });
        let path = folder.join(format!("a.{ending}"));
        save(&path, &state).unwrap();
        assert_same(&state, &load(&path).unwrap());
        // The content decides, not the name.
        let other = folder.join("without-ending");
        fs::rename(&path, &other).unwrap();
        assert_same(&state, &load(&other).unwrap());
        save(&path, &[]).unwrap();
        assert_eq!(load(&path).unwrap().len(), 0, "{ending}");
    }
    for (_, x) in everything(&numpy) {
        let path = folder.join("one.npy");
        save(&path, &[(String::new(), x.clone())]).unwrap();
        assert_same(&[(String::new(), x)], &load(&path).unwrap());
    }
    let state = everything(&numpy);
    npz::save_compressed(folder.join("c.npz"), &state).unwrap();
    assert_same(&state, &load(folder.join("c.npz")).unwrap());
}

#[test]
fn special_floats_keep_their_bits() {
    let bits = [0x7fc0_0001, 0xff80_0000, 0x8000_0000, 1_u32];
    let x = Tensor::from_vec(bits.map(f32::from_bits).to_vec(), [4]);
    for read in [
        safetensors::from_bytes(&safetensors::to_bytes(&[("x".into(), x.clone())], &[]).unwrap())
            .unwrap()
            .remove(0)
            .1,
        pth::from_bytes(&pth::to_bytes(&Value::from(&x)).unwrap()).unwrap().tensor().unwrap().clone(),
        npy::from_bytes(&npy::to_bytes(&x).unwrap()).unwrap(),
    ] {
        assert_eq!(read.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<u32>>(), bits);
    }
}

#[test]
fn what_cannot_be_saved_is_an_error_that_names_the_file() {
    let folder = folder("refused");
    let x = tensor([1.0]);
    let named = |name: &str| (name.to_owned(), x.clone());
    let error = |file: &str, state: &[(String, Tensor)]| {
        let path = folder.join(file);
        let error = save(&path, state).unwrap_err().to_string();
        assert!(!path.exists());
        error.strip_prefix(&format!("{}: ", path.display())).unwrap_or_else(|| panic!("{error}")).to_owned()
    };
    let known = ".safetensors, .npy, .npz, .pth, .pt, .ckpt";
    assert_eq!(error("a.bin", &[]), format!("the ending says no form; known are {known}"));
    assert_eq!(error("a.npy", &[named("a"), named("b")]), "npy holds one tensor, not 2; use .npz");
    for ending in ["safetensors", "npz"] {
        let reason = error(&format!("a.{ending}"), &[named("a"), named("a")]);
        assert_eq!(reason, "the name `a` comes twice; a file has one tensor of a name");
    }
    for ending in ["pth", "ckpt"] {
        let reason = error(&format!("a.{ending}"), &[named("a"), named("a")]);
        assert_eq!(reason, "the key `a` comes twice in one map");
    }
    assert!(error("a.safetensors", &[named("__metadata__")]).contains("cannot be named `__metadata__`"));
    let half = ("h".to_owned(), x.to(DType::BF16));
    assert_eq!(
        error("a.npz", &[half]),
        "tensor `h`: numpy has no bfloat16; save a copy with .to(DType::F32), or use safetensors"
    );
    let deep = (0..66).fold(Value::None, |value, _| Value::List(vec![value]));
    for reason in [checkpoint::to_bytes(&deep).unwrap_err(), pth::to_bytes(&deep).unwrap_err()] {
        assert!(reason.to_string().ends_with("values are nested deeper than 64 levels"), "{reason}");
    }
    let long = Value::Bytes(vec![0; 17 << 20]);
    assert!(checkpoint::to_bytes(&long).unwrap_err().to_string().contains("keep large lists as tensors"));
    let missing = load(folder.join("missing")).unwrap_err().to_string();
    assert!(missing.starts_with(&folder.join("missing").display().to_string()), "{missing}");
}

#[test]
fn a_tree_keeps_its_kinds_its_order_and_its_depth() {
    let leaves = Value::map()
        .with("none", Value::None)
        .with("bool", true)
        .with("int", i128::MIN)
        .with("large", i128::MAX)
        .with(7, -0.0)
        .with("7", f64::INFINITY)
        .with("text", "b\u{e9}\0")
        .with("", Value::Bytes(vec![0, 255, 128]))
        .with("a/b#c~", tensor([1.0]))
        .with("a", Value::map().with("b#c~", tensor([2, 3])))
        .with("list", vec![Value::List(vec![]), Value::map()]);
    let deep = (0..62).fold(leaves, |value, _| Value::List(vec![value]));
    for back in [
        checkpoint::from_bytes(&checkpoint::to_bytes(&deep).unwrap()).unwrap(),
        pth::from_bytes(&pth::to_bytes(&deep).unwrap()).unwrap(),
    ] {
        assert_eq!(format!("{back:?}"), format!("{deep:?}"));
        assert_same(&deep.tensors(), &back.tensors());
    }
}

#[test]
fn one_tensor_of_a_checkpoint_is_found_by_its_path() {
    let path = folder("paths").join("a.ckpt");
    let run = Value::map()
        .with("model", Value::map().with("0.weight", tensor([1.0])).with("a/b", tensor([2.0])))
        .with("moments", vec![tensor([3.0])])
        .with("#0", tensor([4.0]));
    checkpoint::save(&path, &run).unwrap();
    let file = checkpoint::File::open(&path).unwrap();
    let names: Vec<&str> = file.names().collect();
    assert_eq!(names, ["model/0.weight", "model/a~/b", "moments/#0", "~#0"]);
    for (index, name) in names.iter().enumerate() {
        assert_eq!(file.get(name).unwrap().item(), index as f64 + 1.0);
    }
    // Its own checksum finds damage that `open` has not looked for.
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 32 - 4;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let file = checkpoint::File::open(&path).unwrap();
    assert_eq!(file.get("model/0.weight").unwrap().item(), 1.0);
    let error = file.get("~#0").unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: byte {at}: tensor `~#0` is damaged", path.display())), "{error}");
    assert!(checkpoint::load(&path).unwrap_err().to_string().contains("their SHA-256"));
}

#[cfg(target_os = "linux")]
#[test]
fn one_tensor_of_a_large_file_is_read_alone() {
    // A hole of 64 GiB, which no machine of ours could read into memory.
    let path = folder("large").join("large.safetensors");
    let len = 1_u64 << 36;
    let header = format!(
        "{{\"big\":{{\"dtype\":\"U8\",\"shape\":[{}],\"data_offsets\":[0,{}]}},\
         \"w\":{{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[{},{len}]}}}}",
        len - 16,
        len - 16,
        len - 16
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    fs::write(&path, &bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(bytes.len() as u64 + len).unwrap();
    let last: Vec<u8> = [5_i64, -6].iter().flat_map(|x| x.to_le_bytes()).collect();
    std::os::unix::fs::FileExt::write_all_at(&file, &last, bytes.len() as u64 + len - 16).unwrap();
    let open = safetensors::File::open(&path).unwrap();
    assert_eq!(open.get("w").unwrap().to_vec::<i64>(), [5, -6]);
    drop(open);
    fs::remove_file(&path).unwrap();
}

#[test]
fn names_of_files_and_first_bytes_tell_the_form() {
    assert_eq!(Format::of_name("a.tar.NPZ"), Some(Format::Npz));
    assert_eq!(Format::of_name("pth"), None);
    assert_eq!(Format::of_bytes(b""), None);
    assert_eq!(Format::of_bytes(b"hello world"), None);
    assert_eq!(Format::of_bytes(&[2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}']), Some(Format::Safetensors));
}

fn of_reference(dtype: DType) -> reference::Dtype {
    use reference::Dtype::*;
    match dtype {
        DType::F32 => F32,
        DType::F64 => F64,
        DType::F16 => F16,
        DType::BF16 => BF16,
        DType::I64 => I64,
        DType::I32 => I32,
        DType::I16 => I16,
        DType::I8 => I8,
        DType::U8 => U8,
        DType::Bool => BOOL,
    }
}

prop_compose! {
    fn any_state()(
        tensors in prop::collection::btree_map(
            "[a-z\"\\\\\n\u{1}\u{e9}.]{0,8}",
            (0..10_usize, prop::collection::vec(0..4_usize, 0..4)),
            0..8,
        ),
    ) -> State {
        let tensor = |(name, (dtype, shape)): (String, (usize, Vec<usize>))| {
            let numel = shape.iter().product::<usize>();
            let array = Array::arange(0, numel as i64, 1).cast(DType::ALL[dtype]).reshape(shape);
            (name, array.into())
        };
        tensors.into_iter().map(tensor).collect()
    }
}

proptest! {
    #[test]
    fn our_safetensors_files_are_those_of_the_crate(state in any_state()) {
        let ours = safetensors::to_bytes(&state, &[]).unwrap();
        let raw: Vec<(String, reference::Dtype, Vec<usize>, Vec<u8>)> = {
            let read = reference::SafeTensors::deserialize(&ours).unwrap();
            let view = |(name, view): (String, reference::tensor::TensorView<'_>)| {
                (name, view.dtype(), view.shape().to_vec(), view.data().to_vec())
            };
            read.tensors().into_iter().map(view).collect()
        };
        prop_assert_eq!(raw.len(), state.len());
        for (name, tensor) in &state {
            let (_, dtype, shape, _) = raw.iter().find(|(other, ..)| other == name).unwrap();
            prop_assert_eq!(*dtype, of_reference(tensor.dtype()));
            prop_assert_eq!(shape, &tensor.shape().to_vec());
        }
        let views = raw.iter().map(|(name, dtype, shape, data)| {
            (name.as_str(), reference::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        let theirs = reference::serialize(views, None).unwrap();
        prop_assert_eq!(&ours, &theirs);
        let back = safetensors::from_bytes(&ours).unwrap();
        assert_same(&state, &back);
    }

    #[test]
    fn what_we_read_of_a_damaged_safetensors_file_the_crate_reads_alike(
        state in any_state(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"{}[]\",:019 \\eu".to_vec())), 1..4),
    ) {
        let mut bytes = safetensors::to_bytes(&state, &[]).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (index, byte) in changes {
            bytes[8 + index.index(header - 8)] = byte;
        }
        if let Ok(ours) = safetensors::from_bytes(&bytes) {
            let theirs = reference::SafeTensors::deserialize(&bytes);
            prop_assert!(theirs.is_ok(), "{:?}: {}", theirs.err(), String::from_utf8_lossy(&bytes[8..header]));
            let theirs = theirs.unwrap();
            prop_assert_eq!(ours.len(), theirs.len());
            for (name, tensor) in &ours {
                let view = theirs.tensor(name).unwrap();
                prop_assert_eq!(view.dtype(), of_reference(tensor.dtype()));
                prop_assert_eq!(view.shape(), &tensor.shape().to_vec()[..]);
            }
        }
    }
}
