//! A driver that fails, at whatever call: a message that says what failed and on which device, and nothing written where
//! it does not belong.

mod common;

use common::{cuda, driver, prepare};
use rushlight::nn::functional as F;
use rushlight::nn::{Linear, Module, ReLU};
use rushlight::optim::{Adam, Optimizer};
use rushlight::{DType, manual_seed, rand, randint, sequential};
use rushlight_array::Array;
use rushlight_cuda::graph_step;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

/// What a panic said.
fn told(what: &str, act: impl FnOnce()) {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(()) => println!("{what}: done"),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            println!("{what}: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?"));
        }
    }
}

#[test]
#[ignore = "run by the others, in processes of their own"]
fn train() {
    let mut victims: Vec<Array> = Vec::new();
    told("training", || {
        let device = rushlight::device("cuda:0").unwrap_or_else(|error| panic!("{error}"));
        manual_seed(3);
        let model = sequential![Linear::new(6, 16), ReLU, Linear::new(16, 3)];
        model.to(&device);
        let mut optimizer = Adam::new(model.parameters(), 0.01);
        let (x, y) = (rand([8, 6]).to(&device), randint(0, 3, [8]).to(&device));
        let mut step = graph_step(&device, |change: bool| {
            optimizer.zero_grad();
            let hidden = model.forward(&x);
            // Another list of kernels, so that another graph is made.
            let hidden = if change { hidden.exp().sqrt() } else { hidden.square() };
            let loss = F::cross_entropy(&hidden, &y);
            loss.backward();
            optimizer.step();
            loss.detach()
        })
        .unwrap();
        assert!(step.run(false).item().is_finite());
        assert!(step.run(false).item().is_finite());
        // They take the memory that the steps left.
        victims.extend((0..40).map(|i| Array::full([i % 7 * 16 + 3], 7.0, DType::F32, &device)));
        for _ in 0..3 {
            told("changed step", || assert!(step.run(true).item().is_finite()));
            told("step", || assert!(step.run(false).item().is_finite()));
        }
        told("step that panics", || {
            let mut step = graph_step(&device, |()| {
                let _y = x.exp().sin().cos().sqrt();
                panic!("cuda:0: by the user");
            })
            .unwrap();
            step.run(());
        });
        rushlight_cuda::empty_cache();
    });
    told("reading", || {
        for (i, victim) in victims.iter().enumerate() {
            let seen = victim.to_vec::<f32>();
            if seen.iter().any(|&v| v != 7.0) {
                println!("VICTIM {i}: {seen:?}");
            }
        }
    });
    told("end", rushlight_cuda::empty_cache);
}

/// Each function that a training asks for, failing from its first calls on, or from later ones.
#[test]
fn whatever_fails_is_named_and_touches_nothing_else() {
    // The order of a block's threads changes nothing here.
    if common::real() || std::env::var_os("RUSHLIGHT_EMULATED_ORDER").is_some() {
        return;
    }
    prepare();
    let functions = [
        ("cuInit", 1),
        ("cuDeviceGetCount", 1),
        ("cuCtxCreate_v2", 1),
        ("cuStreamCreate", 1),
        ("cuCtxSetCurrent", 1),
        ("cuMemAlloc_v2", 12),
        ("cuMemHostAlloc", 2),
        ("cuEventCreate", 2),
        ("cuEventRecord", 3),
        ("cuMemcpyHtoDAsync_v2", 4),
        ("cuMemcpyDtoHAsync_v2", 4),
        ("cuStreamSynchronize", 6),
        ("cuModuleLoadDataEx", 8),
        ("cuModuleGetFunction", 3),
        ("cuLaunchKernel", 60),
        ("cuGraphCreate", 4),
        ("cuGraphAddKernelNode", 40),
        ("cuGraphInstantiateWithFlags", 4),
        ("cuGraphExecKernelNodeSetParams", 4),
        ("cuGraphLaunch", 5),
        ("cuMemsetD8Async", 2),
        ("cuMemcpyDtoDAsync_v2", 2),
        ("cuMemFree_v2", 2),
    ];
    for (function, calls) in functions {
        // All of few calls, and some of many.
        for call in common::some((1..=calls).step_by((calls / 3).max(1))) {
            let (code, words) = [(700, "an illegal memory access"), (2, "out of memory")][call % 2];
            let fault = format!("{function} {call} {code}");
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "train", "--ignored", "--nocapture"]);
            child.env("RUSHLIGHT_LIBCUDA", driver()).env("RUSHLIGHT_EMULATED_FAILURE", &fault);
            let output = child.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{fault}: {}\n{said}\n{errors}", output.status);
            assert!(!said.contains("VICTIM"), "{fault}: {said}");
            let parts =
                ["training: ", "changed step: ", "step: ", "step that panics: ", "reading: ", "end: "];
            for line in said.lines() {
                let Some(part) = parts.iter().find(|part| line.starts_with(*part)) else { continue };
                let why = &line[part.len()..];
                let fine = why == "done" || why.contains("by the user");
                let clear =
                    why.contains(words) && (why.contains("cuda:0") || why.contains("NVIDIA's driver"));
                assert!(fine || clear, "{fault}: {line}");
            }
            assert!(said.contains("end: "), "{fault}: {said}");
        }
    }
    // Without a fault all is done.
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "train", "--ignored", "--nocapture"]).env("RUSHLIGHT_LIBCUDA", driver());
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    assert_eq!(said.lines().filter(|line| line.ends_with(": done")).count(), 9, "{said}");
}

/// An array that another thread reads stays as it was read, though parameters are stepped many at once.
#[test]
fn what_another_thread_took_of_a_parameter_stays() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let device = cuda();
    let parameters: Vec<_> =
        (0..60).map(|_| rushlight::Tensor::new_leaf(rand([300]).to(&device).array(), true)).collect();
    parameters.iter().for_each(|w| w.set_grad(Some(rand([300]).to(&device))));
    let mut optimizer = Adam::new(parameters.clone(), 0.01);
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let mut taken = 0;
            while !stop.load(Ordering::Relaxed) {
                let snapshot = parameters[0].array();
                let first = snapshot.to_vec::<f32>();
                std::thread::sleep(std::time::Duration::from_micros(300));
                assert_eq!(first, snapshot.to_vec::<f32>(), "after {taken} others");
                taken += 1;
            }
            taken
        });
        (0..200).for_each(|_| optimizer.step());
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

/// Memory that a step frees is there for the rest of it, and what is kept is given back when it is asked for.
#[test]
fn a_step_has_the_memory_that_it_freed() {
    let device = common::device(1);
    rushlight_cuda::set_memory_limit(1, 14 << 20).unwrap();
    let work = || {
        drop(Array::full([2 << 20], 1.0, DType::F32, &device));
        drop(Array::full([5 << 19], 1.0, DType::F32, &device));
    };
    work();
    graph_step(&device, |()| work()).unwrap().run(());
    let full = || Array::full([4 << 20], 1.0, DType::F32, &device);
    let message = catch_unwind(AssertUnwindSafe(full)).unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    let start = "cuda:1: out of memory: 16.00 MiB asked for, 0 bytes taken of the limit of 14.00 MiB that set_memory_limit";
    assert!(message.starts_with(start), "{message}");
    rushlight_cuda::set_memory_limit(1, usize::MAX).unwrap();
}

/// An index out of range in a step is told to whoever reads its result, whatever other threads read meanwhile.
#[test]
fn a_bad_index_in_a_step_is_not_forgotten() {
    let device = cuda();
    let (table, numbers) = (rand([4, 3]).to(&device), rushlight::tensor([1i64, 9]).to(&device));
    let elsewhere = Array::full([3], 1.0, DType::F32, &device);
    let mut step = graph_step(&device, |()| {
        let y = F::embedding(&numbers, &table).sum();
        std::thread::scope(|threads| {
            threads.spawn(|| elsewhere.to_vec::<f32>()).join().unwrap();
        });
        y
    })
    .unwrap();
    let y = step.run(());
    let panic = catch_unwind(AssertUnwindSafe(|| y.item())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("out of range in a step of graph_step"));
}
