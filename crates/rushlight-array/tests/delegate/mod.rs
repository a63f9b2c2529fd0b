//! A backend of its own name that keeps elements in host memory and lets the CPU do the required work; the
//! provided operations are left to their default bodies.

use rushlight_array::backend::{ArgReduce, Binary, Compare, OutOfRange, Reduce, Scatter, Unary};
use rushlight_array::{Array, Backend, Buffer, Cpu, DType, Device, HostBuffer, Scalar};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Counts its calls by method.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delegate {
    calls: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Delegate {
    pub(crate) fn device(&self) -> Device {
        Device::new(Arc::new(self.clone()))
    }

    #[allow(dead_code, reason = "only one of the two test files counts")]
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.calls.lock().unwrap().get(method).copied().unwrap_or(0)
    }

    fn count(&self, method: &'static str) {
        *self.calls.lock().unwrap().entry(method).or_default() += 1;
    }

    /// Counts a call and takes over its result, which says `cpu`.
    fn own(&self, method: &'static str, result: Array) -> Array {
        self.count(method);
        let (storage, layout) = result.into_parts();
        // Shared only if the result is its own argument, which is ours already.
        let storage =
            Arc::try_unwrap(storage).map_or_else(|ours| ours, |s| Arc::new(s.relabel(self.device())));
        Array::from_parts(storage, layout)
    }
}

impl Backend for Delegate {
    fn name(&self) -> &str {
        "delegate"
    }
    fn upload(&self, data: HostBuffer) -> Buffer {
        self.count("upload");
        Buffer::Host(data)
    }
    fn download(&self, x: &Array) -> HostBuffer {
        self.count("download");
        Cpu.download(x)
    }
    fn copy(&self, x: &Array) -> Array {
        self.own("copy", Cpu.copy(x))
    }
    fn cast(&self, x: &Array, dtype: DType) -> Array {
        self.own("cast", Cpu.cast(x, dtype))
    }
    fn fill(&self, shape: &[usize], dtype: DType, value: Scalar) -> Array {
        self.own("fill", Cpu.fill(shape, dtype, value))
    }
    fn unary(&self, op: Unary, x: &Array) -> Array {
        self.own("unary", Cpu.unary(op, x))
    }
    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array {
        self.own("binary", Cpu.binary(op, a, b))
    }
    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array {
        self.own("compare", Cpu.compare(op, a, b))
    }
    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array {
        self.own("select", Cpu.select(condition, a, b))
    }
    fn reduce(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array {
        self.own("reduce", Cpu.reduce(op, x, axes))
    }
    fn arg_reduce(&self, op: ArgReduce, x: &Array, axis: usize) -> Array {
        self.own("arg_reduce", Cpu.arg_reduce(op, x, axis))
    }
    fn matmul(&self, a: &Array, b: &Array) -> Array {
        self.own("matmul", Cpu.matmul(a, b))
    }
    fn index_select(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        Cpu.index_select(x, axis, index).map(|out| self.own("index_select", out))
    }
    fn gather(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        Cpu.gather(x, axis, index).map(|out| self.own("gather", out))
    }
    fn scatter(
        &self,
        op: Scatter,
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        Cpu.scatter(op, x, axis, index, source).map(|out| self.own("scatter", out))
    }
    fn cat(&self, parts: &[&Array], axis: usize) -> Array {
        self.own("cat", Cpu.cat(parts, axis))
    }
}
