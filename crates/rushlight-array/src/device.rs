use crate::backend::{Backend, Kernels};
use crate::cpu::Cpu;
use std::fmt;
use std::sync::Arc;

/// A handle on the backend that holds an array's elements and computes on them.
///
/// ```
/// use rushlight_array::Device;
/// assert_eq!(Device::cpu().to_string(), "cpu");
/// ```
#[derive(Clone)]
pub struct Device(Handle);

/// The CPU needs no reference count: arrays are created and dropped by the million.
#[derive(Clone)]
enum Handle {
    Cpu,
    Other(Arc<dyn Backend>),
}

impl Device {
    /// The host.
    pub const fn cpu() -> Self {
        Device(Handle::Cpu)
    }

    /// A device with a backend of its own. Two handles are equal if the backends' names are.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Device(Handle::Other(backend))
    }

    /// Whether this is the host's own backend.
    pub fn is_cpu(&self) -> bool {
        matches!(self.0, Handle::Cpu)
    }

    /// The backend for calls by name.
    #[inline]
    pub(crate) fn kernels(&self) -> Kernels<'_> {
        match &self.0 {
            Handle::Cpu => Kernels::Cpu,
            Handle::Other(backend) => Kernels::Other(&**backend),
        }
    }

    /// The backend behind the handle. A program that calls this for the CPU holds all of its kernels.
    pub fn backend(&self) -> &dyn Backend {
        match &self.0 {
            Handle::Cpu => &Cpu,
            Handle::Other(backend) => &**backend,
        }
    }
}

impl Default for Device {
    fn default() -> Self {
        Device::cpu()
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Handle::Cpu, Handle::Cpu) => true,
            (Handle::Other(a), Handle::Other(b)) => Arc::ptr_eq(a, b) || a.name() == b.name(),
            _ => false,
        }
    }
}

impl Eq for Device {}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Handle::Cpu => Cpu.name(),
            Handle::Other(backend) => backend.name(),
        })
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device(\"{self}\")")
    }
}
