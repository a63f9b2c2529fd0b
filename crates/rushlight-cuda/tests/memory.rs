//! Blocks of a GPU's memory: counted, kept, given back.

mod common;

use common::{cuda, device};
use rushlight_array::{Array, DType};

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
        assert_eq!(back.cast(DType::I64).to_vec::<i64>(), x.permute([2, 0, 1]).cast(DType::I64).to_vec::<i64>());
    }
}
