use crate::cpu::memory::HostBuffer;
use crate::device::Device;
use crate::dtype::DType;
use std::any::Any;
use std::fmt;

/// Where the elements of an array are: host memory, or something that only its backend understands.
pub enum Buffer {
    /// Memory that the CPU reads and writes.
    Host(HostBuffer),
    /// A backend's own handle, for instance a block of GPU memory.
    Device(Box<dyn Any + Send + Sync>),
}

/// A one-dimensional block of elements of one dtype on one device, shared by all views of it.
pub struct Storage {
    buffer: Buffer,
    dtype: DType,
    len: usize,
    device: Device,
}

impl Storage {
    /// A storage of `len` elements that live in `buffer`.
    pub fn new(buffer: Buffer, dtype: DType, len: usize, device: Device) -> Self {
        Storage { buffer, dtype, len, device }
    }

    /// The same elements under another device's name. For backends that keep their elements in
    /// host memory and let [`Cpu`](crate::Cpu) do some of the work: its results say `cpu`.
    pub fn relabel(self, device: Device) -> Self {
        Storage { device, ..self }
    }

    /// Gives the elements of the host another dtype of their size; see [`HostBuffer::retype`].
    pub(crate) fn retype(&mut self, dtype: DType) {
        if let Buffer::Host(buffer) = &mut self.buffer {
            buffer.retype(dtype);
            self.dtype = dtype;
        }
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device that holds the elements.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The elements' place.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The elements' place, to be written by a backend.
    pub fn buffer_mut(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    /// The host memory, if the elements are there.
    pub fn host(&self) -> Option<&HostBuffer> {
        match &self.buffer {
            Buffer::Host(buffer) => Some(buffer),
            Buffer::Device(_) => None,
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Storage({} x {} on {})", self.len, self.dtype.name(), self.device)
    }
}
