//! Casts and moves: other dtypes and devices.

use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Device};

/// What [`Tensor::to`] takes: a dtype, a device, both, or a tensor that has both.
#[derive(Clone, Debug)]
pub enum To {
    /// Cast to this dtype.
    DType(DType),
    /// Move to this device.
    Device(Device),
    /// Move to this device and cast to this dtype.
    Both(Device, DType),
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

impl From<(&Device, DType)> for To {
    fn from((device, dtype): (&Device, DType)) -> To {
        To::Both(device.clone(), dtype)
    }
}

impl From<&Tensor> for To {
    fn from(like: &Tensor) -> To {
        To::Both(like.device(), like.dtype())
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
            To::Both(device, dtype) => inputs[0].to_device(&device).cast(dtype),
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
    /// Another dtype or device, or those of another tensor: PyTorch's `x.to(torch.float64)`, `x.to("cuda")`, `x.to(y)`.
    /// The tensor itself if it has that dtype and is there already.
    ///
    /// Casts truncate floats towards zero and wrap integers, as in PyTorch. A float that an integer type has no place for
    /// becomes the nearest one that fits an `i64`, cut to the type (NaN becomes 0); in PyTorch it is undefined.
    ///
    /// ```
    /// use rushlight_autograd::{array::DType, tensor};
    /// let x = tensor([1, 2]);
    /// assert_eq!(x.to(DType::F32).dtype(), DType::F32);
    /// assert_eq!(tensor([1.5]).to(&x).to_vec::<i64>(), [1]);
    /// ```
    #[track_caller]
    pub fn to(&self, to: impl Into<To>) -> Tensor {
        let to = to.into();
        let here = match &to {
            To::DType(dtype) => self.dtype() == *dtype,
            To::Device(device) => self.device() == *device,
            To::Both(device, dtype) => self.device() == *device && self.dtype() == *dtype,
        };
        if here { self.clone() } else { Tensor::apply(Cast(to), &[self]) }
    }

    /// This tensor with the dtype and on the device of another: [`Tensor::to`] of that tensor.
    #[track_caller]
    pub fn type_as(&self, other: &Tensor) -> Tensor {
        self.to(other)
    }
}

/// Casts by PyTorch's names of dtypes.
macro_rules! casts {
    ($($name:ident $dtype:ident $torch:literal;)*) => {
        impl Tensor {
            $(
                #[doc = concat!("A cast to `", $torch, "`; see [`Tensor::to`].")]
                #[track_caller]
                pub fn $name(&self) -> Tensor {
                    self.to(DType::$dtype)
                }
            )*
        }

        const CASTS: &[OpInfo] = &[$(
            OpInfo::composed(stringify!($name), concat!("torch.Tensor.", stringify!($name)), |draw| {
                let shape = draw.shape(0, 2);
                // Of a constant: the rounding would spoil finite differences.
                let constant = draw.constant(&shape, Domain::Any);
                Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| constant.$name().to(DType::F64) * &x[0])
            }),
        )*];
    };
}
casts! {
    float F32 "float32";
    double F64 "float64";
    half F16 "float16";
    bfloat16 BF16 "bfloat16";
    long I64 "int64";
    int I32 "int32";
    short I16 "int16";
    char I8 "int8";
    byte U8 "uint8";
    bool Bool "bool";
}

pub(crate) const TABLES: [&[OpInfo]; 2] = [TABLE, CASTS];

const TABLE: &[OpInfo] = &[
    OpInfo::op("Cast", "to", "torch.Tensor.to", |draw| {
        let shape = draw.shape(0, 2);
        // A cast to f32 and back would spoil finite differences; the same dtype on "another" device does not.
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            Tensor::apply(Cast(To::Device(Device::cpu())), &[&x[0]])
        })
    }),
    OpInfo::composed("type_as", "torch.Tensor.type_as", |draw| {
        let shape = draw.shape(0, 2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].type_as(&x[0]) * 2.0)
    }),
];
