//! The array itself: a view of a storage, and how its elements are reached. The operations stand in
//! files by kind beside this one.

mod binary;
mod create;
mod elementwise;
mod fused;
mod index;
mod join;
mod linalg;
pub(crate) mod loss;
mod matmul;
#[cfg(feature = "ndarray")]
mod ndarray_bridge;
mod reduce;
mod scan;
mod select;
mod sort;
mod statistics;
mod steps;
mod unary;
mod view;
mod window;

pub use elementwise::broadcast_shapes;
pub use index::{Index, Indices};
pub use linalg::Lu;
pub use steps::{Step, index_steps};

use crate::cpu::memory::HostBuffer;
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::fail;
use crate::layout::Layout;
use crate::print::{Numbers, format_tensor, print_options};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::{Buffer, Storage};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// An n-dimensional array: a strided view of a shared, typed storage on some device.
///
/// Shape and dtype are values, not types. Arrays are immutable and cheap to clone; views (transpose,
/// slices, expand, ...) share the storage. `Display` prints what PyTorch prints for a tensor.
///
/// ```
/// use rushlight_array::Array;
/// let a = Array::new([[1, 2, 3], [4, 5, 6]]);
/// let b = a.matmul(&a.t());
/// assert_eq!(b.to_string(), "tensor([[14, 32],\n        [32, 77]])");
/// ```
pub struct Array {
    storage: Arc<Storage>,
    layout: Layout,
}

impl Clone for Array {
    /// Another handle on the same storage. A call: shape and strides are copied in so many places that the code in each
    /// of them would be a part of every build.
    #[inline(never)]
    fn clone(&self) -> Array {
        Array { storage: Arc::clone(&self.storage), layout: self.layout.clone() }
    }
}

/// Writes all elements of a block.
trait Fill {
    fn fill(&mut self, buffer: &mut HostBuffer);
}

impl Array {
    /// An array over a storage, as backends make them.
    ///
    /// # Panics
    /// If the layout reaches outside of the storage.
    #[track_caller]
    pub fn from_parts(storage: Arc<Storage>, layout: Layout) -> Self {
        if !layout.lies_within(storage.len()) {
            fail!(
                "as_strided: shape {:?} with strides {:?} from place {} reaches outside of a storage of {} elements",
                layout.shape(),
                layout.strides(),
                layout.offset(),
                storage.len()
            );
        }
        Array { storage, layout }
    }

    /// The storage and the layout: the inverse of [`Array::from_parts`].
    pub fn into_parts(self) -> (Arc<Storage>, Layout) {
        (self.storage, self.layout)
    }

    /// A row-major array over a buffer of the CPU.
    ///
    /// # Panics
    /// If the buffer does not hold exactly the elements of the shape.
    #[track_caller]
    pub fn from_host(buffer: HostBuffer, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        if buffer.len() != shape.numel() {
            fail!(
                "from_vec: {} values do not fill shape {shape:?}, which holds {}",
                buffer.len(),
                shape.numel()
            );
        }
        Array::over(buffer, shape)
    }

    /// A row-major array over a buffer that holds exactly its elements.
    #[inline]
    fn over(buffer: HostBuffer, shape: Shape) -> Self {
        let (dtype, len) = (buffer.dtype(), buffer.len());
        let storage = Arc::new(Storage::new(Buffer::Host(buffer), dtype, len, Device::cpu()));
        Array { storage, layout: Layout::of_counted(shape) }
    }

    /// A row-major array on the CPU whose elements `write` fills in, every one: what stands there before is arbitrary.
    ///
    /// # Panics
    /// If the shape needs more than `isize::MAX` bytes.
    #[track_caller]
    pub fn build<T: Element>(shape: impl Into<Shape>, write: impl FnOnce(&mut [T])) -> Self {
        /// What stands behind a pointer below. Not `dyn FnMut`, whose vtable also holds `call_once`: the kernel would be
        /// compiled twice.
        struct Once<T, W>(Option<W>, PhantomData<T>);
        impl<T: Element, W: FnOnce(&mut [T])> Fill for Once<T, W> {
            fn fill(&mut self, buffer: &mut HostBuffer) {
                if let Some(write) = self.0.take() {
                    write(buffer.as_mut_slice());
                }
            }
        }
        Array::build_untyped(shape.into(), T::DTYPE, &mut Once(Some(write), PhantomData))
    }

    /// The body of [`Array::build`], which is compiled for every kernel. In one piece, not in parts before and behind the
    /// call: a buffer that is moved right after it was made waits for the writes.
    #[inline(never)]
    #[track_caller]
    fn build_untyped(shape: Shape, dtype: DType, write: &mut dyn Fill) -> Self {
        let numel = shape.check_bytes("build", dtype);
        let mut buffer = HostBuffer::scratch(dtype, numel);
        write.fill(&mut buffer);
        Array::over(buffer, shape)
    }

    /// A row-major array of the values, on the CPU.
    ///
    /// ```
    /// use rushlight_array::Array;
    /// let a = Array::from_vec(vec![1.0f64, 2.0, 3.0, 4.0], [2, 2]);
    /// assert_eq!(a.get([1, 0]).item::<f64>(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If the number of values is not the number of elements of the shape.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value, reason = "the values are handed over, as in Vec::from")]
    pub fn from_vec<T: Element>(values: Vec<T>, shape: impl Into<Shape>) -> Self {
        Array::from_host(HostBuffer::from_slice(&values), shape)
    }

    /// The sizes of the dimensions.
    pub fn shape(&self) -> &Shape {
        self.layout.shape()
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape().numel()
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.storage.dtype()
    }

    /// The device that holds the elements.
    pub fn device(&self) -> &Device {
        self.storage.device()
    }

    /// Shape, strides and offset.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The block of elements that this array is a view of.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }

    /// Whether two arrays are views of one storage.
    pub fn shares_storage(&self, other: &Array) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
    }

    pub(crate) fn with_layout(&self, layout: Layout) -> Array {
        Array { storage: Arc::clone(&self.storage), layout }
    }

    /// The whole storage as host memory, for kernels that walk it by strides; also as numbers of another type with their
    /// bits, for those that move elements alone (`with_carrier!`).
    ///
    /// # Panics
    /// If the array is not on the CPU, or neither of type `T` nor carried by it: see [`DType::carrier`].
    pub(crate) fn host<T: Element>(&self) -> &[T] {
        match self.storage.host() {
            Some(buffer) => buffer.carried(),
            None => panic!("the CPU backend was given an array on {}", self.device()),
        }
    }

    /// The elements of an array that lies without gaps.
    ///
    /// # Panics
    /// If it does not lie so; and as [`Array::host`].
    pub(crate) fn dense<T: Element>(&self) -> &[T] {
        assert!(self.is_contiguous(), "it was made contiguous");
        &self.host()[self.start()..][..self.numel()]
    }

    /// These elements as another dtype of their size, in host memory: what a kernel for [`DType::carrier`] is given to
    /// write, and what it has made.
    #[inline]
    pub(crate) fn retype(self, dtype: DType) -> Array {
        if dtype == self.dtype() { self } else { self.retyped(dtype) }
    }

    #[inline(never)]
    fn retyped(mut self, dtype: DType) -> Array {
        if Arc::get_mut(&mut self.storage).is_none() {
            self = self.device().kernels().copy(&self);
        }
        let storage = Arc::get_mut(&mut self.storage).expect("nobody else knows of it");
        storage.retype(dtype);
        self
    }

    /// The elements in row-major order, if they lie so in host memory.
    ///
    /// # Panics
    /// If `T` is not the dtype.
    #[track_caller]
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        let buffer = self.storage.host()?;
        let (all, start) = (buffer.as_slice(), self.start());
        if self.is_contiguous() { Some(&all[start..start + self.numel()]) } else { None }
    }

    /// The place of the first element; views without elements may name one behind the storage's end.
    fn start(&self) -> usize {
        if self.numel() == 0 { 0 } else { self.layout.offset() }
    }

    /// The elements for writing, if they lie in row-major order in host memory and nobody else holds
    /// the storage. This is how optimisers work in place; see [`Array::make_mut`].
    ///
    /// # Panics
    /// If `T` is not the dtype.
    #[track_caller]
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        if !self.is_contiguous() {
            return None;
        }
        let (start, len) = (self.start(), self.numel());
        match Arc::get_mut(&mut self.storage)?.buffer_mut() {
            Buffer::Host(buffer) => Some(&mut buffer.as_mut_slice()[start..start + len]),
            Buffer::Device(_) => None,
        }
    }

    /// The elements for writing: copy on write. Whoever else holds the storage keeps the old values.
    ///
    /// # Panics
    /// If the array is not on the CPU or not of type `T`.
    #[track_caller]
    pub fn make_mut<T: Element>(&mut self) -> &mut [T] {
        if self.as_mut_slice::<T>().is_none() {
            *self = self.device().kernels().copy(self);
        }
        let device = self.device().clone();
        match self.as_mut_slice() {
            Some(slice) => slice,
            None => fail!("make_mut: the elements are on {device}, not on the CPU; move them with .to(..)"),
        }
    }

    /// The elements in row-major order.
    ///
    /// # Panics
    /// If `T` is not the dtype; cast first.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        self.in_row_major_order(T::DTYPE).dense().to_vec()
    }

    /// What does not depend on the type of [`Array::to_vec`].
    #[track_caller]
    fn in_row_major_order(&self, dtype: DType) -> Cow<'_, Array> {
        if dtype != self.dtype() {
            fail!(
                "to_vec: the array is {}, not {}; cast with .to(DType::{dtype:?}) first",
                self.dtype().name(),
                dtype.name()
            );
        }
        if self.is_contiguous() && self.storage.host().is_some() {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Array::over(self.device().kernels().download(self), self.shape().clone()))
    }

    /// The value of an array with one element, cast to `T`.
    ///
    /// # Panics
    /// If there is not exactly one element.
    #[track_caller]
    pub fn item<T: Element>(&self) -> T {
        match self.number() {
            Scalar::Float(value) => T::from_f64(value),
            other => T::from_i64(other.to_i64()),
        }
    }

    /// The one element, of which [`Array::item`] makes a number of any type.
    #[track_caller]
    fn number(&self) -> Scalar {
        if self.numel() != 1 {
            fail!(
                "item: shape {:?} has {} elements; only one can become a number",
                self.shape(),
                self.numel()
            );
        }
        let Some(buffer) = self.storage.host() else { return self.to_device(&Device::cpu()).number() };
        crate::cpu::with_dtype!(self.dtype(), T => {
            let value = buffer.as_slice::<T>()[self.start()];
            if T::DTYPE.is_float() { Scalar::Float(value.to_f64()) } else { Scalar::Int(value.to_i64()) }
        })
    }

    /// The array in another dtype; itself if it has that dtype.
    ///
    /// ```
    /// use rushlight_array::{Array, DType};
    /// assert_eq!(Array::new([1.9, -1.9]).cast(DType::I64).to_vec::<i64>(), [1, -1]);
    /// ```
    pub fn cast(&self, dtype: DType) -> Array {
        if dtype == self.dtype() { self.clone() } else { self.device().kernels().cast(self, dtype) }
    }

    /// As [`Array::cast`], without a handle of its own where nothing is to do.
    pub(crate) fn in_dtype(&self, dtype: DType) -> Cow<'_, Array> {
        if dtype == self.dtype() { Cow::Borrowed(self) } else { Cow::Owned(self.cast(dtype)) }
    }

    /// As [`Array::cast`], of an array that nobody needs any more.
    pub(crate) fn into_dtype(self, dtype: DType) -> Array {
        if dtype == self.dtype() { self } else { self.cast(dtype) }
    }

    /// The array on another device; itself if it is there.
    pub fn to_device(&self, device: &Device) -> Array {
        if device == self.device() {
            return self.clone();
        }
        let data = self.device().kernels().download(self);
        let storage = Storage::new(device.kernels().upload(data), self.dtype(), self.numel(), device.clone());
        Array { storage: Arc::new(storage), layout: Layout::contiguous(self.shape()) }
    }

    /// The array in row-major order without gaps; itself if it is so already.
    pub fn contiguous(&self) -> Array {
        if self.is_contiguous() { self.clone() } else { self.device().kernels().copy(self) }
    }

    /// Checks that two arrays are on one device.
    #[track_caller]
    pub(crate) fn same_device(&self, op: &str, other: &Array) {
        if self.device() != other.device() {
            fail!(
                "{op}: expected all tensors to be on the same device, but found {} and {}; move one with .to(..)",
                self.device(),
                other.device()
            );
        }
    }

    /// The text PyTorch prints, with more remarks (`requires_grad=True`) behind the elements.
    pub fn format(&self, remarks: &[String]) -> String {
        let mut extra = Vec::with_capacity(remarks.len() + 1);
        if !self.device().is_cpu() {
            extra.push(format!("device='{}'", self.device()));
        }
        extra.extend_from_slice(remarks);
        let host = self.to_device(&Device::cpu());
        host.with_numbers(|numbers| {
            format_tensor(host.shape(), host.dtype(), numbers, &print_options(), &extra)
        })
    }

    /// Hands out the elements by their row-major number, without a copy.
    fn with_numbers<R>(&self, f: impl FnOnce(Numbers<'_>) -> R) -> R {
        let at = |i: usize| {
            let mut rest = i;
            let mut place = self.layout.offset() as isize;
            for (&size, &stride) in self.shape().iter().zip(self.layout.strides()).rev() {
                place += (rest % size) as isize * stride;
                rest /= size;
            }
            place as usize
        };
        crate::cpu::with_dtype!(self.dtype(), T => {
            let data = self.host::<T>();
            match self.dtype() {
                DType::Bool => f(Numbers::Bool(&|i| data[at(i)].to_i64() != 0)),
                dtype if dtype.is_float() => f(Numbers::Float(&|i| data[at(i)].to_f64())),
                _ => f(Numbers::Int(&|i| data[at(i)].to_i64())),
            }
        })
    }
}

impl From<&Array> for Array {
    fn from(array: &Array) -> Array {
        array.clone()
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(&[]))
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(&[]))
    }
}
