//! Runs trajectories of PyTorch's optimizers, schedules and clipping: a file with the lists `optimizers`, `schedulers`, `clip`.

pub mod build;

use crate::run::{Tally, guarded};
use build::{Kwargs, Scheduler, optimizer, scheduler};
use flate2::read::GzDecoder;
use rushlight::optim::{Optimizer, SGD, Value as Setting, clip_grad_norm_with_, clip_grad_value_};
use rushlight::{DType, Tensor};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::Path;

/// How a record ended.
pub enum Ended {
    /// As expected.
    Passed,
    /// Otherwise: why.
    Failed(String),
    /// There is no such optimizer or schedule here.
    Unknown(String),
}

/// How the records ended.
#[derive(Default)]
pub struct Report {
    /// The lines.
    pub text: String,
    /// Records as expected.
    pub passed: usize,
    /// All, also those of kinds that are not there.
    pub all: usize,
    /// Whether one that could be run failed.
    pub failed: bool,
}

impl Report {
    /// The last line.
    pub fn summary(&self) -> String {
        format!("optim {}/{}", self.passed, self.all)
    }
}

/// Whether a file may be one of trajectories: it is no folder, and its name says JSON, plain or compressed.
pub fn is_trajectories(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.is_file() && (name.ends_with(".json") || name.ends_with(".json.gz"))
}

/// Reads and runs a file, plain or compressed.
///
/// # Errors
/// If it cannot be read, or is not in the form.
pub fn run(path: &Path) -> Result<Report, String> {
    let named = |e: String| format!("{}: {e}", path.display());
    let bytes = fs::read(path).map_err(|e| named(e.to_string()))?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).map_err(|e| named(e.to_string()))?;
    } else {
        text = String::from_utf8(bytes).map_err(|e| named(e.to_string()))?;
    }
    report(&parse(&text).map_err(named)?).map_err(named)
}

/// JSON, also with the numbers that Python writes and JSON has not.
fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).or_else(|first| {
        let quoted = ["-Infinity", "Infinity", "NaN"].iter().fold(text.to_string(), |text, word| {
            [": ", "[", ", "].iter().fold(text, |text, before| {
                text.replace(&format!("{before}{word}"), &format!("{before}\"{word}\""))
            })
        });
        serde_json::from_str(&quoted).map_err(|_| first.to_string())
    })
}

/// Runs a record.
type Check = fn(&Value) -> Result<Ended, String>;

/// Runs the records of all three lists.
fn report(file: &Value) -> Result<Report, String> {
    let mut report = Report::default();
    let kinds: [(&str, &str, Check); 3] =
        [("optimizers", "optimizer", trajectory), ("schedulers", "scheduler", rates), ("clip", "id", clip)];
    if kinds.iter().all(|(list, ..)| file[*list].as_array().is_none()) {
        return Err("there is none of the lists `optimizers`, `schedulers`, `clip`".to_string());
    }
    for (list, key, check) in kinds {
        let records = file[list].as_array().map(Vec::as_slice).unwrap_or_default();
        // A tally for each optimizer or schedule, in the order of the file.
        let mut tallies: Vec<(String, Tally, Option<String>)> = Vec::new();
        for record in records {
            let name = match list {
                "clip" => "clip_grad".to_string(),
                _ => record[key].as_str().unwrap_or("?").to_string(),
            };
            if !tallies.iter().any(|(known, ..)| *known == name) {
                tallies.push((name.clone(), Tally::default(), None));
            }
            let at = tallies.iter().position(|(known, ..)| *known == name).expect("it was just added");
            let (_, tally, unknown) = &mut tallies[at];
            let id = record["id"].as_str().unwrap_or("?");
            report.all += 1;
            match guarded(|| check(record)).unwrap_or_else(Ended::Failed) {
                Ended::Passed => tally.passed += 1,
                Ended::Failed(why) => tally.failed.push((id.to_string(), why)),
                Ended::Unknown(why) => *unknown = Some(why),
            }
        }
        for (name, tally, unknown) in tallies {
            report.passed += tally.passed;
            report.failed |= !tally.failed.is_empty();
            let mut line =
                format!("{list:<12} {name:<28} passed {:>3} failed {:>3}", tally.passed, tally.failed.len());
            if let Some(why) = unknown {
                let _ = write!(line, "  not implemented: {why}");
            }
            let _ = writeln!(report.text, "{line}");
            if let Some((id, why)) = tally.failed.first() {
                let _ = writeln!(report.text, "  {id}: {}", why.replace('\n', "\n     "));
            }
        }
    }
    Ok(report)
}

/// A number, also a quoted one that JSON has not.
fn number(json: &Value) -> Option<f64> {
    match json.as_str() {
        Some(text) => text.parse().ok(),
        None => json.as_f64(),
    }
}

fn numbers(json: &Value) -> Result<Vec<f64>, String> {
    let list = json.as_array().ok_or_else(|| format!("{json} is no list of numbers"))?;
    list.iter().map(|x| number(x).ok_or_else(|| format!("{x} is no number"))).collect()
}

/// A tensor of a record: `{dtype, shape, data}`.
fn tensor(json: &Value) -> Result<Tensor, String> {
    let dtype = json["dtype"].as_str().unwrap_or("F32");
    let found = DType::ALL.into_iter().find(|known| format!("{known:?}").eq_ignore_ascii_case(dtype));
    let dtype = found.ok_or_else(|| format!("there is no dtype {dtype}"))?;
    let shape: Vec<usize> = numbers(&json["shape"])?.into_iter().map(|size| size as usize).collect();
    Ok(Tensor::from_vec(numbers(&json["data"])?, shape.as_slice()).to(dtype))
}

fn leaves(json: &Value) -> Result<Vec<Tensor>, String> {
    let list = json.as_array().ok_or("there is no list of tensors")?;
    list.iter().map(|x| Ok(Tensor::new_leaf(tensor(x)?.array(), true))).collect()
}

/// Sets gradients; null is none.
fn set_grads(parameters: &[Tensor], grads: &Value) -> Result<(), String> {
    let grads = grads.as_array().ok_or("`grads` is no list")?;
    for (p, grad) in parameters.iter().zip(grads) {
        p.set_grad(if grad.is_null() { None } else { Some(tensor(grad)?) });
    }
    Ok(())
}

/// The first number that differs by more than the tolerances.
fn differs(actual: &[f64], expected: &[f64], [rtol, atol]: [f64; 2]) -> Option<String> {
    if actual.len() != expected.len() {
        return Some(format!("{} numbers, expected {}", actual.len(), expected.len()));
    }
    let close =
        |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= atol + rtol * b.abs();
    let at = actual.iter().zip(expected).position(|pair| !close(pair))?;
    let (a, b) = (actual[at], expected[at]);
    Some(format!("element {at} is {a:?}, expected {b:?}\nexpected {expected:?}\n     got {actual:?}"))
}

fn values(x: &Tensor) -> Vec<f64> {
    x.detach().to(DType::F64).to_vec::<f64>()
}

/// The tolerances of a record, or what a dtype allows.
fn tolerance(record: &Value, first: Option<&Tensor>) -> [f64; 2] {
    match numbers(&record["tol"]).as_deref() {
        Ok([rtol, atol]) => [*rtol, *atol],
        _ if first.is_some_and(|x| x.dtype() == DType::F64) => [1e-9, 1e-11],
        _ => [2e-6, 1e-6],
    }
}

fn trajectory(record: &Value) -> Result<Ended, String> {
    let parameters = leaves(&record["init"])?;
    let (name, kwargs) = (record["optimizer"].as_str().unwrap_or("?"), Kwargs::new(&record["kwargs"]));
    let mut optimizer = match optimizer(name, parameters.clone(), kwargs)? {
        Ok(optimizer) => optimizer,
        Err(unknown) => return Ok(Ended::Unknown(unknown)),
    };
    let tol = tolerance(record, parameters.first());
    for (i, step) in record["steps"].as_array().ok_or("`steps` is no list")?.iter().enumerate() {
        set_grads(&parameters, &step["grads"])?;
        if name == "LBFGS" {
            // The gradients are given; the loss does not matter where no line is searched.
            optimizer.step_with(&mut || Tensor::from_vec(vec![0.0_f64], ()));
        } else {
            optimizer.step();
        }
        for (k, (p, after)) in
            parameters.iter().zip(step["params"].as_array().into_iter().flatten()).enumerate()
        {
            if let Some(why) = differs(&values(p), &values(&tensor(after)?), tol) {
                return Ok(Ended::Failed(format!("step {i}, parameter {k}: {why}")));
            }
        }
    }
    Ok(Ended::Passed)
}

fn rates(record: &Value) -> Result<Ended, String> {
    let lr = number(&record["base_lr"]).unwrap_or(0.5);
    let parameters = vec![Tensor::from_vec(vec![0.0_f32], [1]).requires_grad_()];
    let mut driven: Box<dyn Optimizer> = match record["optimizer"].as_str() {
        None => Box::new(SGD::new(parameters, lr)),
        Some("SGD") => Box::new(SGD::new(parameters, lr).momentum(0.6)),
        Some(name) => match optimizer(name, parameters, Kwargs::of_lr(lr))? {
            Ok(optimizer) => optimizer,
            Err(unknown) => return Ok(Ended::Unknown(unknown)),
        },
    };
    let name = record["scheduler"].as_str().unwrap_or("?");
    let mut schedule = match scheduler(name, &*driven, Kwargs::new(&record["kwargs"]))? {
        Ok(schedule) => schedule,
        Err(unknown) => return Ok(Ended::Unknown(unknown)),
    };
    let momentum = |optimizer: &dyn Optimizer| match optimizer.param_groups().get(0, "betas") {
        Some(Setting::List(betas)) => betas[0].as_float(),
        _ => optimizer.param_groups().get(0, "momentum").and_then(|momentum| momentum.as_float()),
    };
    let expected = numbers(&record["lrs"])?;
    let metrics = record.get("metrics").map(numbers).transpose()?.unwrap_or_default();
    let (mut found, mut momenta) = (vec![driven.lr()], vec![momentum(&*driven).unwrap_or(0.0)]);
    for step in 1..expected.len() {
        driven.step();
        match &mut schedule {
            Scheduler::Plain(schedule) => schedule.step(),
            Scheduler::Plateau(schedule) => match metrics.get(step - 1) {
                Some(metric) => schedule.step(*metric),
                None => return Ok(Ended::Unknown("ReduceLROnPlateau without `metrics`".to_string())),
            },
        }
        found.push(driven.lr());
        momenta.push(momentum(&*driven).unwrap_or(0.0));
    }
    // The formulas are PyTorch's, down to the order of roundings; cosines and powers are the system's.
    let tol = tolerance(record, None).map(|tol| tol.min(1e-13));
    if let Some(why) = differs(&found, &expected, tol) {
        return Ok(Ended::Failed(format!("rates: {why}")));
    }
    if let Some(expected) = record.get("momenta")
        && let Some(why) = differs(&momenta, &numbers(expected)?, tol)
    {
        return Ok(Ended::Failed(format!("momenta: {why}")));
    }
    Ok(Ended::Passed)
}

fn clip(record: &Value) -> Result<Ended, String> {
    let parameters = leaves(&record["grads"])?;
    set_grads(&parameters, &record["grads"])?;
    let tol = tolerance(record, parameters.first());
    if let Some(bound) = number(&record["clip_value"]) {
        clip_grad_value_(&parameters, bound);
    } else if let Some(bound) = number(&record["max_norm"]) {
        let order = number(&record["norm_type"]).unwrap_or(2.0);
        let total = clip_grad_norm_with_(&parameters, bound, order, false);
        let expected = number(&record["total_norm"]).ok_or("there is no `total_norm`")?;
        if let Some(why) = differs(&values(&total), &[expected], tol) {
            return Ok(Ended::Failed(format!("total norm: {why}")));
        }
    } else {
        return Ok(Ended::Unknown("neither `max_norm` nor `clip_value`".to_string()));
    }
    for (k, (p, after)) in parameters.iter().zip(record["after"].as_array().into_iter().flatten()).enumerate()
    {
        let grad = p.grad().ok_or("a gradient is gone")?;
        if let Some(why) = differs(&values(&grad), &values(&tensor(after)?), tol) {
            return Ok(Ended::Failed(format!("gradient {k}: {why}")));
        }
    }
    Ok(Ended::Passed)
}
