//! Casts and moves: other dtypes and devices.

use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Device};

/// What [`Tensor::to`] takes: a dtype or a device.
#[derive(Clone, Debug)]
pub enum To {
    /// Cast to this dtype.
    DType(DType),
    /// Move to this device.
    Device(Device),
}

impl From<DType> for To {
    fn from(dtype: DType) -> To {
        To::DType(dtype)
    }
}

impl From<Device> for To {
    fn from(device: Device) -> To {
        To::Device(device)
    }
}

impl From<&Device> for To {
    fn from(device: &Device) -> To {
        To::Device(device.clone())
    }
}

/// Another dtype or device.
#[derive(Debug)]
struct Cast(To);

impl Op for Cast {
    fn name(&self) -> &'static str {
        "to"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        match std::mem::replace(&mut self.0, To::Device(inputs[0].device().clone())) {
            To::DType(dtype) => inputs[0].cast(dtype),
            To::Device(device) => inputs[0].to_device(&device),
        }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // `forward` has left the device that the input came from.
        let To::Device(device) = &self.0 else { unreachable!("forward runs before backward") };
        give.to(0, || grad.to(saved.dtype(0)).to(device));
    }
    fn grad_fn(&self) -> String {
        "ToCopyBackward0".to_string()
    }
}

impl Tensor {
    /// Another dtype or device: PyTorch's `x.to(torch.float64)`, `x.to("cuda")`. The tensor itself if it has
    /// that dtype or is there already.
    ///
    /// ```
    /// use rushlight_autograd::{array::DType, tensor};
    /// assert_eq!(tensor([1, 2]).to(DType::F32).dtype(), DType::F32);
    /// ```
    #[track_caller]
    pub fn to(&self, to: impl Into<To>) -> Tensor {
        let to = to.into();
        let here = match &to {
            To::DType(dtype) => self.dtype() == *dtype,
            To::Device(device) => self.device() == *device,
        };
        if here { self.clone() } else { Tensor::apply(Cast(to), &[self]) }
    }
}

pub(crate) static TABLE: &[OpInfo] = &[OpInfo::op("Cast", "to", "torch.Tensor.to", |draw| {
    let shape = draw.shape(0, 2);
    // A cast to f32 and back would spoil finite differences; the same dtype on "another" device does not.
    Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
        Tensor::apply(Cast(To::Device(Device::cpu())), &[&x[0]])
    })
})];
