//! How a kernel is called: its arguments as the driver wants them, and how many threads it gets.

use crate::driver::{self, check};
use crate::gpu::{Gpu, Handle, KernelName};
use crate::graph;
use crate::memory::Address;
use crate::optimize;
use std::ffi::c_void;
use std::ptr;

/// The axes that a view can have; as in `kernels/inc/rushlight.h`.
pub(crate) const MAX_RANK: usize = 8;

/// What can be handed to a kernel as it lies in memory.
///
/// # Safety
/// A type without padding, whose layout is that of its namesake in the kernels.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: numbers are numbers there, too.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: a struct there that has as many members of this type and no others.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// `Numbers` of the kernels.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Numbers(pub(crate) [f64; 3]);
// SAFETY: three numbers, as there.
unsafe impl Plain for Numbers {}

/// `View` of the kernels: one shape, and the strides of N arrays that have it.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(C)]
pub(crate) struct View<const N: usize> {
    pub(crate) rank: i64,
    pub(crate) shape: [i64; MAX_RANK],
    pub(crate) strides: [[i64; MAX_RANK]; N],
}
// SAFETY: numbers of one size, in the order of the struct there.
unsafe impl<const N: usize> Plain for View<N> {}

impl<const N: usize> View<N> {
    /// The view of arrays with these strides, without axes of size 1 and with those joined that all arrays run through
    /// without a gap. `None` if more than [`MAX_RANK`] are left.
    pub(crate) fn of(shape: &[usize], strides: [&[isize]; N]) -> Option<View<N>> {
        let mut view = View { rank: 0, shape: [0; MAX_RANK], strides: [[0; MAX_RANK]; N] };
        let mut rank = 0;
        for (axis, &size) in shape.iter().enumerate() {
            if size == 1 {
                continue;
            }
            let size = size as i64;
            let step: [i64; N] = std::array::from_fn(|k| strides[k][axis] as i64);
            let joins = rank > 0 && (0..N).all(|k| view.strides[k][rank - 1] == step[k] * size);
            if joins {
                view.shape[rank - 1] *= size;
            } else {
                if rank == MAX_RANK {
                    return None;
                }
                view.shape[rank] = size;
                rank += 1;
            }
            for (strides, step) in view.strides.iter_mut().zip(step) {
                strides[rank - 1] = step;
            }
        }
        view.rank = rank as i64;
        Some(view)
    }

    /// The step of each array if one axis is left, or none: 0 where there is one element or all are the same.
    pub(crate) fn steps(&self) -> Option<[i64; N]> {
        match self.rank {
            0 => Some([0; N]),
            1 => Some(std::array::from_fn(|k| self.strides[k][0])),
            _ => None,
        }
    }
}

/// How many blocks of how many threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Grid {
    pub(crate) blocks: [u32; 3],
    pub(crate) threads: [u32; 3],
    /// Bytes of shared memory whose size the launch decides.
    pub(crate) shared: u32,
}

/// Threads of a block where nothing speaks for another number: eight warps.
pub(crate) const THREADS: u32 = 256;

impl Grid {
    /// A thread for each of so many items, at least one, or fewer that go on with further items when done, as many as the
    /// GPU can hold at once a few times over.
    pub(crate) fn over(gpu: &Gpu, items: usize) -> Grid {
        let most = (gpu.multiprocessors * 32) as usize;
        let blocks = items.div_ceil(THREADS as usize).clamp(1, most) as u32;
        Grid { blocks: [blocks, 1, 1], threads: [THREADS, 1, 1], shared: 0 }
    }

    /// So many blocks of so many threads.
    pub(crate) fn of(blocks: [u32; 3], threads: u32) -> Grid {
        Grid { blocks, threads: [threads, 1, 1], shared: 0 }
    }

    pub(crate) fn with_shared(self, bytes: usize) -> Grid {
        Grid { shared: bytes as u32, ..self }
    }
}

/// Room for the arguments of most kernels, in units of eight bytes.
const USUAL: usize = 128;
pub(crate) const MOST: usize = 24;

/// The arguments of a launch, in order.
pub(crate) struct Args<const ROOM: usize = USUAL> {
    values: [u64; ROOM],
    used: usize,
    starts: [usize; MOST],
    count: usize,
}

impl Args {
    pub(crate) fn new() -> Args {
        Args::with_room()
    }
}

impl<const ROOM: usize> Args<ROOM> {
    /// With room for other than the usual arguments.
    pub(crate) fn with_room() -> Self {
        Args { values: [0; ROOM], used: 0, starts: [0; MOST], count: 0 }
    }

    /// One more argument.
    pub(crate) fn put<T: Plain>(mut self, value: T) -> Self {
        let units = size_of::<T>().div_ceil(8);
        assert!(self.used + units <= ROOM && self.count < MOST, "a kernel has too many arguments");
        // SAFETY: there is room for the value (checked), and a place of u64 is aligned for every plain type.
        unsafe { self.values.as_mut_ptr().add(self.used).cast::<T>().write(value) };
        self.starts[self.count] = self.used;
        self.used += units;
        self.count += 1;
        self
    }

    pub(crate) fn pointer(self, address: Address) -> Self {
        self.put(address)
    }

    pub(crate) fn count(self, number: usize) -> Self {
        self.put(number as i64)
    }

    /// What the values take up, and where each begins.
    pub(crate) fn parts(&self) -> (&[u64], &[usize]) {
        (&self.values[..self.used], &self.starts[..self.count])
    }

    /// The addresses of the values, as the driver wants them.
    pub(crate) fn pointers(&mut self) -> [*mut c_void; MOST] {
        let mut pointers = [ptr::null_mut(); MOST];
        for (pointer, &start) in pointers.iter_mut().zip(&self.starts[..self.count]) {
            *pointer = (&raw mut self.values[start]).cast();
        }
        pointers
    }
}

impl Gpu {
    /// Asks the GPU to run a kernel when all that was asked for before is done.
    #[track_caller]
    pub(crate) fn launch<const ROOM: usize>(&self, name: KernelName, grid: Grid, mut args: Args<ROOM>) {
        optimize::flush();
        let function = self.function(name);
        if graph::records(self) {
            graph::record(Handle(function), grid, &args);
            return;
        }
        self.enter();
        let mut pointers = args.pointers();
        let ([bx, by, bz], [tx, ty, tz]) = (grid.blocks, grid.threads);
        // SAFETY: the function is loaded for good, the arguments are as many and as large as those of its source, which
        // the tests see, and the driver copies them before it returns. The memory they point to is given back, if at
        // all, to work that is asked for later.
        let answer = check(unsafe {
            driver::cuLaunchKernel(
                function,
                bx,
                by,
                bz,
                tx,
                ty,
                tz,
                grid.shared,
                self.stream.0,
                pointers.as_mut_ptr(),
                ptr::null_mut(),
            )
        });
        if answer.is_err() {
            let (file, operation, variant) = name;
            self.expect(&format!("{operation} {variant} of kernels/{file}.cu could not be run"), answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_without_gaps_are_joined() {
        let view = View::of(&[2, 1, 3, 4], [&[12, 12, 4, 1]]).unwrap();
        assert_eq!((view.rank, view.steps()), (1, Some([1])));
        let view = View::of(&[2, 3, 4], [&[12, 4, 1], &[0, 4, 1]]).unwrap();
        assert_eq!((view.rank, &view.shape[..2]), (2, &[2, 12][..]));
        assert_eq!(View::of(&[1, 1], [&[5, 7]]).unwrap().steps(), Some([0]));
        // A step backwards, over all of it.
        assert_eq!(View::of(&[3, 4], [&[-4, -1]]).unwrap().steps(), Some([-1]));
    }

    #[test]
    fn nine_axes_that_do_not_join_are_too_many() {
        let shape = [2; 9];
        let strides: Vec<isize> = (0..9).map(|axis| 3isize.pow(axis)).collect();
        assert_eq!(View::of(&shape, [&strides]), None);
        assert!(View::of(&shape[..8], [&strides[..8]]).is_some());
    }
}
