//! Copies between the host's memory and a GPU's.

use crate::driver::{self, check};
use crate::gpu::Gpu;
use crate::graph;
use crate::launch::{Args, Grid, View};
use crate::memory::{Address, Block};
use rushlight_array::{DType, HostBuffer};

impl Gpu {
    /// A block with the bytes of the host.
    #[track_caller]
    pub(crate) fn upload(&'static self, data: &HostBuffer) -> Block {
        let bytes = data.as_bytes();
        let block = self.block(bytes.len());
        self.write(block.address, bytes);
        block
    }

    /// Writes bytes of the host, which are copied before this returns.
    #[track_caller]
    pub(crate) fn write(&self, to: Address, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        graph::flush(self);
        self.enter();
        match self.write_through_pinned(to, bytes) {
            Ok(true) => return,
            Ok(false) => {}
            Err(failure) => self.expect("a copy to the GPU failed", Err(failure)),
        }
        // SAFETY: the block holds as many bytes, and those of the host stay until the copy has ended.
        let answer = check(unsafe {
            driver::cuMemcpyHtoDAsync_v2(to, bytes.as_ptr().cast(), bytes.len(), self.stream.0)
        });
        self.expect("a copy to the GPU failed", answer);
        self.wait();
    }

    /// The bytes behind an address, when all work that was asked for is done.
    #[track_caller]
    pub(crate) fn read(&self, from: Address, dtype: DType, len: usize) -> HostBuffer {
        graph::flush(self);
        let data = self.read_now(from, dtype, len);
        self.tell_bad_index();
        data
    }

    /// As [`Gpu::read`], of what was asked for already.
    #[track_caller]
    pub(crate) fn read_now(&self, from: Address, dtype: DType, len: usize) -> HostBuffer {
        self.enter();
        HostBuffer::from_bytes(dtype, len, |bytes| {
            if bytes.is_empty() {
                return;
            }
            // SAFETY: the block holds as many bytes, and the buffer stays until the copy has ended.
            let answer = check(unsafe {
                driver::cuMemcpyDtoHAsync_v2(bytes.as_mut_ptr().cast(), from, bytes.len(), self.stream.0)
            });
            self.expect("a copy from the GPU failed", answer);
            self.wait();
        })
    }

    /// Copies within the GPU.
    #[track_caller]
    pub(crate) fn copy_bytes(&self, to: Address, from: Address, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if graph::records(self) {
            self.copy_by_kernel(to, from, bytes);
            return;
        }
        self.enter();
        // SAFETY: both blocks hold as many bytes.
        let answer = check(unsafe { driver::cuMemcpyDtoDAsync_v2(to, from, bytes, self.stream.0) });
        self.expect("a copy within the GPU failed", answer);
    }

    /// Sets bytes to zero.
    #[track_caller]
    pub(crate) fn zero(&self, to: Address, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if graph::records(self) {
            let (unit, variant) = unit(to, to, bytes);
            let grid = Grid::over(self, bytes / 16 + 1);
            let args = Args::new().pointer(to).put(0i64).count(bytes / unit);
            self.launch(("elementwise", "fill", variant), grid, args);
            return;
        }
        self.zero_now(to, bytes);
    }

    /// As [`Gpu::zero`], ahead of what is collected.
    #[track_caller]
    pub(crate) fn zero_now(&self, to: Address, bytes: usize) {
        self.enter();
        // SAFETY: the block holds as many bytes.
        let answer = check(unsafe { driver::cuMemsetD8Async(to, 0, bytes, self.stream.0) });
        self.expect("memory could not be set to zero", answer);
    }

    /// As [`Gpu::copy_bytes`], by a kernel: graphs are made of kernels alone.
    #[track_caller]
    fn copy_by_kernel(&self, to: Address, from: Address, bytes: usize) {
        let (unit, variant) = unit(to, from, bytes);
        let view = View::of(&[bytes / unit], [&[1]]).expect("one axis");
        let args = Args::new().pointer(from).pointer(to).put(view).count(bytes / unit);
        self.launch(("elementwise", "copy", variant), Grid::over(self, bytes / unit), args);
    }
}

/// The largest elements that these bytes consist of at both addresses, and the kernels' name for it.
fn unit(to: Address, from: Address, bytes: usize) -> (usize, &'static str) {
    let all = to | from | bytes as Address;
    [(8, "8"), (4, "4"), (2, "2")]
        .into_iter()
        .find(|&(unit, _)| all.is_multiple_of(unit as Address))
        .unwrap_or((1, "1"))
}
