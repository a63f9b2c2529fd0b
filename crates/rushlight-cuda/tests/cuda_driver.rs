//! Programs without a driver, with one that shows nothing, and with one that lacks functions: what they say.

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};

/// This program again, as another process, with one test of those below.
fn other(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env_remove("RUSHLIGHT_LIBCUDA");
    command.envs(environment.iter().copied()).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
#[ignore = "run by the others, in processes of their own"]
fn report() {
    println!("available {}, count {}", rushlight_cuda::is_available(), rushlight_cuda::device_count());
    match rushlight::device("cuda:1") {
        Ok(device) => println!("{device} is {}", rushlight_cuda::device_name(1).unwrap()),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn without_a_driver_a_program_starts_and_says_that_there_is_none() {
    let text = said(&other("report", &[("RUSHLIGHT_LIBCUDA", "/nonexistent/libcuda.so.1")]));
    assert!(text.contains("available false, count 0"), "{text}");
    let reason = "device: NVIDIA's driver could not be loaded: /nonexistent/libcuda.so.1: cannot open shared object file";
    assert!(text.contains(reason), "{text}");
}

/// A library that is no driver answers as one that is too old.
#[test]
fn a_library_without_the_functions_is_no_driver() {
    let libc = "libc.so.6";
    let text = said(&other("report", &[("RUSHLIGHT_LIBCUDA", libc)]));
    assert!(text.contains("available false, count 0"), "{text}");
    assert!(text.contains("device: NVIDIA's driver could not be started: "), "{text}");
}

fn emulator() -> PathBuf {
    common::prepare();
    common::driver()
}

#[test]
fn devices_are_those_that_the_variable_leaves() {
    if common::real() {
        return;
    }
    let driver = emulator();
    let driver = driver.to_str().unwrap();
    let report =
        |list: &[(&str, &str)]| said(&other("report", &[&[("RUSHLIGHT_LIBCUDA", driver)], list].concat()));
    let text = report(&[]);
    assert!(text.contains("available true, count 2") && text.contains("cuda:1 is Emulated GPU 1"), "{text}");
    let text = report(&[("CUDA_VISIBLE_DEVICES", "0")]);
    let reason = "device: there is no GPU 1: the driver shows one GPU, cuda:0 (CUDA_VISIBLE_DEVICES is '0')";
    assert!(text.contains("available true, count 1") && text.contains(reason), "{text}");
    let text = report(&[("CUDA_VISIBLE_DEVICES", "")]);
    assert!(text.contains("available false, count 0"), "{text}");
    assert!(text.contains("no CUDA-capable device is detected (CUDA_ERROR_NO_DEVICE, 100)"), "{text}");
}

#[test]
fn tensors_of_two_devices_are_told_apart_as_pytorch_does() {
    let gpu = common::cuda();
    let (x, y) = (rushlight::tensor([1.0]), rushlight::tensor([2.0]).to(&gpu));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| &x + &y)).expect_err("a panic");
    let text = panic.downcast_ref::<String>().unwrap();
    assert_eq!(
        text,
        "add: expected all tensors to be on the same device, but found cpu and cuda:0; move one with .to(..)"
    );
}

#[test]
fn tensors_move_between_two_gpus() {
    if rushlight_cuda_devices() < 2 {
        return;
    }
    let (first, second) = (common::device(0), common::device(1));
    let x = rushlight::tensor([[1.0, 2.0], [3.0, 4.0]]).to(&first);
    let y = x.t().to(&second);
    assert_eq!((y.device(), y.to_vec::<f32>()), (second, vec![1.0, 3.0, 2.0, 4.0]));
    assert_eq!((&y + &y).sum().item(), 20.0);
}

fn rushlight_cuda_devices() -> usize {
    common::prepare();
    rushlight_cuda::device_count()
}
