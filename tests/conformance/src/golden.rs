//! Reads the cases: a folder with two files an operation, `NAME.json` and `NAME.safetensors`, or an archive of one.

use flate2::read::GzDecoder;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

/// An operation with its cases.
pub struct Golden {
    /// PyTorch's name: `nn.functional.relu`.
    pub op: String,
    /// Distinguishes several files of one operation.
    pub variant: Option<String>,
    /// `P0`, `P1` or `P2`.
    pub priority: String,
    /// Whether values count, or shapes and dtypes alone.
    pub values: bool,
    /// Whether PyTorch has a form that ends in `_`.
    pub has_inplace: bool,
    /// Calls and what they give.
    pub cases: Vec<Case>,
    /// Calls that must fail.
    pub errors: Vec<Case>,
    /// The bytes of the safetensors file.
    pub tensors: Vec<u8>,
}

/// One call and what it gives.
#[derive(Clone, Debug)]
pub struct Case {
    /// Distinguishes the cases of an operation.
    pub id: String,
    /// The positional arguments.
    pub args: Vec<Arg>,
    /// The keyword arguments.
    pub kwargs: Vec<(String, Arg)>,
    /// What comes out.
    pub outputs: Vec<Arg>,
    /// Buffers that the call changes: (before, after), names of tensors.
    pub mutated: Vec<(String, String)>,
    /// Relative and absolute tolerance of values.
    pub tol: [f64; 2],
    /// Of gradients.
    pub grad_tol: [f64; 2],
    /// Whether equal values make the choice of an index a matter of taste.
    pub index_ties: bool,
}

/// An argument or a result.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Arg {
    Tensor(TensorRef),
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
    None,
    List(Vec<Arg>),
    /// A Python tuple: in an index it is one index per dim, while a list is an index array.
    Tuple(Vec<Arg>),
    Slice([Option<i64>; 3]),
    Ellipsis,
    DType(String),
}

/// A tensor of a case.
#[derive(Clone, Debug)]
pub struct TensorRef {
    /// Its name in the safetensors file.
    pub name: String,
    /// Safetensors' name of the dtype: `F64`.
    pub dtype: String,
    /// The shape.
    pub shape: Vec<usize>,
    /// Whether it is a leaf that wants a gradient.
    pub requires_grad: bool,
    /// The name of the expected gradient.
    pub grad: Option<String>,
    /// The name of the gradient that is put in from behind.
    pub cotangent: Option<String>,
    /// How the same values lie in a larger block.
    pub strided: Option<Strided>,
}

/// A strided view of a one-dimensional tensor.
#[derive(Clone, Debug)]
pub struct Strided {
    /// The name of that tensor.
    pub base: String,
    /// In elements.
    pub stride: Vec<usize>,
    /// In elements.
    pub offset: usize,
}

/// The cases of a folder or of an archive, by name.
///
/// # Errors
/// If it cannot be read or is not in the goldens' format.
pub fn read(path: &Path) -> Result<Vec<Golden>, String> {
    let mut files = files(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let names: Vec<String> = files
        .keys()
        .filter_map(|file| file.strip_suffix(".json"))
        .filter(|name| *name != "index")
        .map(str::to_string)
        .collect();
    if names.is_empty() {
        return Err(format!(
            "{}: no NAME.json there; it must be a folder of cases or an archive of one",
            path.display()
        ));
    }
    let mut golden = |name: &str| {
        let json: Value =
            serde_json::from_slice(&files[&format!("{name}.json")]).map_err(|e| e.to_string())?;
        let tensors =
            files.remove(&format!("{name}.safetensors")).ok_or("there is no NAME.safetensors beside it")?;
        SafeTensors::deserialize(&tensors).map_err(|e| e.to_string())?;
        parse(&json, tensors)
    };
    names
        .iter()
        .map(|name| golden(name).map_err(|e| format!("{}: {name}.json: {e}", path.display())))
        .collect()
}

/// File names without folders, and contents.
fn files(path: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
            }
        }
        return Ok(files);
    }
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(path)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        if let (true, Some(name)) = (entry.header().entry_type().is_file(), name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

fn parse(json: &Value, tensors: Vec<u8>) -> Result<Golden, String> {
    let text = |key: &str| json[key].as_str().map(str::to_string).ok_or(format!("`{key}` is not a text"));
    let cases = |key: &str| {
        let list = json[key].as_array().ok_or(format!("`{key}` is not a list"))?;
        list.iter().map(case).collect::<Result<Vec<Case>, String>>()
    };
    Ok(Golden {
        op: text("op")?,
        variant: json["variant"].as_str().map(str::to_string),
        priority: text("priority")?,
        values: text("compare")? == "values",
        has_inplace: json["has_inplace"].as_bool().unwrap_or(false),
        cases: cases("cases")?,
        errors: cases("errors")?,
        tensors,
    })
}

fn case(json: &Value) -> Result<Case, String> {
    let id = json["id"].as_str().ok_or("a case has no `id`")?.to_string();
    let named = |e: String| format!("case {id}: {e}");
    let pair = |key: &str| match json[key].as_array().map(Vec::as_slice) {
        Some([r, a]) => [r.as_f64().unwrap_or(0.0), a.as_f64().unwrap_or(0.0)],
        _ => [0.0; 2],
    };
    let map = |key: &str| json[key].as_object().into_iter().flatten();
    Ok(Case {
        args: list(&json["args"]).map_err(named)?,
        kwargs: map("kwargs")
            .map(|(name, value)| Ok((name.clone(), arg(value)?)))
            .collect::<Result<_, String>>()
            .map_err(named)?,
        outputs: list(&json["outputs"]).map_err(named)?,
        mutated: map("mutated")
            .map(|(before, after)| (before.clone(), after.as_str().unwrap_or_default().to_string()))
            .collect(),
        tol: pair("tol"),
        grad_tol: pair("grad_tol"),
        index_ties: json["index_ties"].as_bool().unwrap_or(false),
        id: id.clone(),
    })
}

fn list(json: &Value) -> Result<Vec<Arg>, String> {
    json.as_array().into_iter().flatten().map(arg).collect()
}

fn arg(json: &Value) -> Result<Arg, String> {
    let wrong = || format!("an argument is not in the format: {json}");
    let get = |key: &str| json.get(key);
    if let Some(name) = get("tensor").and_then(Value::as_str) {
        return tensor(name, json).ok_or_else(wrong);
    }
    if let Some(items) = get("list") {
        let items = list(items)?;
        return Ok(if json["tuple"] == true { Arg::Tuple(items) } else { Arg::List(items) });
    }
    if let Some(ends) = get("slice").and_then(Value::as_array) {
        let ends: Vec<Option<i64>> = ends.iter().map(Value::as_i64).collect();
        return Ok(Arg::Slice(ends.try_into().map_err(|_| wrong())?));
    }
    let text = |key: &str| get(key).and_then(Value::as_str).map(str::to_string);
    get("int")
        .and_then(Value::as_i64)
        .map(Arg::Int)
        .or_else(|| float(get("float")?).map(Arg::Float))
        .or_else(|| get("bool")?.as_bool().map(Arg::Bool))
        .or_else(|| text("str").map(Arg::Str))
        .or_else(|| text("dtype").map(Arg::DType))
        .or_else(|| get("none").or(get("memory_format")).map(|_| Arg::None))
        .or_else(|| get("ellipsis").map(|_| Arg::Ellipsis))
        .ok_or_else(wrong)
}

fn float(json: &Value) -> Option<f64> {
    match json.as_str() {
        Some(text) => text.parse().ok(),
        None => json.as_f64(),
    }
}

fn tensor(name: &str, json: &Value) -> Option<Arg> {
    let sizes = |json: &Value| -> Option<Vec<usize>> {
        json.as_array()?.iter().map(|size| usize::try_from(size.as_u64()?).ok()).collect()
    };
    let text = |key: &str| json[key].as_str().map(str::to_string);
    let strided = match &json["strided"] {
        Value::Null => None,
        strided => Some(Strided {
            base: strided["base"].as_str()?.to_string(),
            stride: sizes(&strided["stride"])?,
            offset: usize::try_from(strided["offset"].as_u64()?).ok()?,
        }),
    };
    Some(Arg::Tensor(TensorRef {
        name: name.to_string(),
        dtype: text("dtype")?,
        shape: sizes(&json["shape"])?,
        requires_grad: json["requires_grad"] == true,
        grad: text("grad"),
        cotangent: text("cotangent"),
        strided,
    }))
}
