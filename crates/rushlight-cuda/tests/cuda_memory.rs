//! Blocks of a GPU's memory: counted, kept, given back.

mod common;

use common::{cuda, device};
use rushlight_array::{Array, DType};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn arrays_that_are_dropped_leave_nothing_in_use() {
    let device = device(1);
    {
        let x = Array::full([1000, 1000], 1.5, DType::F32, &device);
        let stats = rushlight_cuda::memory_stats(1).unwrap();
        assert!(stats.allocated >= 4_000_000 && stats.blocks == 1, "{stats:?}");
        let y = x.t().contiguous();
        assert_eq!(y.to_vec::<f32>().len(), 1_000_000);
    }
    let stats = rushlight_cuda::memory_stats(1).unwrap();
    assert_eq!((stats.allocated, stats.blocks), (0, 0), "{stats:?}");
    assert!(stats.max_allocated >= 8_000_000 && stats.reserved >= 8_000_000, "{stats:?}");
    rushlight_cuda::empty_cache();
    assert_eq!(rushlight_cuda::memory_stats(1).unwrap().reserved, 0);
}

#[test]
fn elements_come_back_as_they_were_sent() {
    let device = cuda();
    for dtype in DType::ALL {
        let x = Array::arange(0, 24, 1).cast(dtype).reshape([2, 3, 4]);
        let there = x.to_device(&device);
        assert_eq!(there.device(), &device);
        let turned = there.permute([2, 0, 1]);
        let back = turned.to_device(x.device());
        assert_eq!(
            back.cast(DType::I64).to_vec::<i64>(),
            x.permute([2, 0, 1]).cast(DType::I64).to_vec::<i64>()
        );
    }
}

/// Larger copies go through pinned blocks, which are used again and again and do not mix.
#[test]
fn many_copies_of_many_sizes_arrive_whole() {
    let device = cuda();
    let arrays: Vec<Array> = (0..40)
        .map(|i| Array::arange(0, 10_000 + 7919 * i, 1).offset(f64::from(i as u16)).cast(DType::F32))
        .collect();
    let there: Vec<Array> = arrays.iter().map(|x| x.to_device(&device)).collect();
    for (x, y) in arrays.iter().zip(&there) {
        assert_eq!(x.to_vec::<f32>(), y.to_vec::<f32>());
    }
}

#[test]
fn out_of_memory_names_what_was_asked_for_and_what_is_free() {
    if common::real() {
        return;
    }
    let device = device(1);
    let panic = catch_unwind(AssertUnwindSafe(|| Array::full([3 << 30], 1.0, DType::F32, &device)))
        .expect_err("a panic");
    let text = panic.downcast_ref::<String>().unwrap();
    let start = "cuda:1: out of memory: 12.00 GiB asked for, ";
    assert!(text.starts_with(start) && text.contains(" free of 8.00 GiB ("), "{text}");
    // And all goes on.
    assert_eq!(Array::full([3], 1.0, DType::F32, &device).to_vec::<f32>(), [1.0; 3]);
}
