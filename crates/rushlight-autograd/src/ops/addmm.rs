//! Products added to something: `beta input + alpha (a b)`.

use super::inplace::in_place;
use super::matmul::{check_joined, check_product};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, fail};

/// Which product it is: PyTorch's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Addmm,
    Addmv,
    Addr,
    Addbmm,
    Baddbmm,
}

/// `beta input + alpha (a b)`.
#[derive(Debug)]
struct AddProduct {
    kind: Kind,
    beta: Scalar,
    alpha: Scalar,
}

impl Op for AddProduct {
    fn name(&self) -> &'static str {
        self.kind.name()
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (input, a, b) = (inputs[0], inputs[1], inputs[2]);
        let plain = is_one(self.beta) && is_one(self.alpha) && input.dtype().is_float();
        if self.kind == Kind::Addmm && plain && *input.shape() == [b.shape()[1]] {
            // A bias for each column is added while the sums are in registers.
            return a.linear(&b.t(), Some(input), false);
        }
        // Halves would round, and overflow, before they are scaled and added.
        let dtype = input.dtype();
        let [input, a, b] = [input, a, b].map(|x| x.cast(dtype.compute()));
        let (a, b) = (&a, &b);
        let product = match self.kind {
            // The vector is the smallest thing to scale.
            Kind::Addr => scaled(a, self.alpha).unsqueeze(1).mul(b),
            Kind::Addbmm => {
                let rows = [a.shape()[1], a.shape()[0] * a.shape()[2]];
                let columns = [rows[1], b.shape()[2]];
                scaled(&a.transpose(0, 1).reshape(rows).matmul(&b.reshape(columns)), self.alpha)
            }
            _ => scaled(&a.matmul(b), self.alpha),
        };
        if self.beta.to_f64() == 0.0 {
            // Whatever the input holds, also NaN, does not count.
            return product.cast(dtype);
        }
        let input = scaled(&input, self.beta).expand(product.shape());
        product.into_add(&input).cast(dtype)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || match self.beta.to_f64() {
            1.0 => grad.clone(),
            0.0 => grad.zeros_like(),
            beta => grad * beta,
        });
        let scaled = match self.alpha.to_f64() {
            1.0 => grad.clone(),
            alpha => grad * alpha,
        };
        give.to(1, || {
            let b = saved.input(2);
            match self.kind {
                Kind::Addmm | Kind::Baddbmm => scaled.matmul(&b.transpose(-1, -2)),
                Kind::Addmv => scaled.unsqueeze(1).mul(&b),
                Kind::Addr => scaled.matmul(&b),
                Kind::Addbmm => scaled.unsqueeze(0).matmul(&b.transpose(1, 2)),
            }
        });
        give.to(2, || {
            let a = saved.input(1);
            match self.kind {
                Kind::Addmm | Kind::Baddbmm => a.transpose(-1, -2).matmul(&scaled),
                Kind::Addmv | Kind::Addr => {
                    if self.kind == Kind::Addr {
                        scaled.t().matmul(&a)
                    } else {
                        a.t().matmul(&scaled)
                    }
                }
                Kind::Addbmm => a.transpose(1, 2).matmul(&scaled.unsqueeze(0)),
            }
        });
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Addmm => "addmm",
            Kind::Addmv => "addmv",
            Kind::Addr => "addr",
            Kind::Addbmm => "addbmm",
            Kind::Baddbmm => "baddbmm",
        }
    }
}

fn is_one(factor: Scalar) -> bool {
    factor.to_f64() == 1.0
}

/// `factor x` in the dtype of `x`; for integers the factor is cut to an integer, as in PyTorch.
fn scaled(x: &Array, factor: Scalar) -> Array {
    match factor {
        factor if is_one(factor) => x.clone(),
        factor if x.dtype().is_float() => x.scale(factor.to_f64()),
        factor if x.dtype() == DType::Bool => x.mul(&x.scalar_operand(factor.to_f64() != 0.0)),
        factor => x.mul(&x.scalar_operand(factor.to_i64())),
    }
}

#[track_caller]
fn apply(kind: Kind, input: &Tensor, a: &Tensor, b: &Tensor, beta: Scalar, alpha: Scalar) -> Tensor {
    let op = kind.name();
    let shape = match kind {
        Kind::Addmm => {
            check_product(op, a, b, [2, 2]);
            vec![a.shape()[0], b.shape()[1]]
        }
        Kind::Addmv => {
            check_product(op, a, b, [2, 1]);
            vec![a.shape()[0]]
        }
        Kind::Addr => {
            if a.dim() != 1 || b.dim() != 1 {
                fail!("addr: shapes {:?} and {:?}; both must be vectors (1 dim)", a.shape(), b.shape());
            }
            vec![a.numel(), b.numel()]
        }
        Kind::Addbmm | Kind::Baddbmm => {
            check_product(op, a, b, [3, 3]);
            let full = [a.shape()[0], a.shape()[1], b.shape()[2]];
            full[usize::from(kind == Kind::Addbmm)..].to_vec()
        }
    };
    let own = input.shape();
    let fits = own.len() <= shape.len()
        && own.iter().rev().zip(shape.iter().rev()).all(|(&own, &size)| own == size || own == 1);
    if !fits {
        fail!("{op}: the input of shape {own:?} does not broadcast to the product's {shape:?}");
    }
    let inner = AddProduct { kind, beta, alpha };
    if kind != Kind::Addr {
        check_joined(op, input, a);
        return Tensor::apply(inner, &[input, a, b]);
    }
    let dtype = input.dtype().promote(a.dtype()).promote(b.dtype());
    let fractional = |factor: &Scalar| matches!(factor, Scalar::Float(_));
    if !dtype.is_float() && (fractional(&beta) || fractional(&alpha)) {
        fail!("addr: beta {beta:?} and alpha {alpha:?} for integers; they must be integers, too");
    }
    Tensor::apply(inner, &[&input.to(dtype), &a.to(dtype), &b.to(dtype)])
}

macro_rules! add_products {
    ($($(#[$doc:meta])* $name:ident, $with:ident, $kind:ident, $a:ident, $b:ident;)*) => {
        /// Products added to a tensor.
        impl Tensor {$(
            $(#[$doc])*
            ///
            /// This tensor broadcasts to the result. The dtypes must be equal, but for `addr`, which promotes.
            ///
            /// # Panics
            /// If shapes or dtypes do not fit.
            #[track_caller]
            pub fn $name(&self, $a: &Tensor, $b: &Tensor) -> Tensor {
                apply(Kind::$kind, self, $a, $b, Scalar::Int(1), Scalar::Int(1))
            }

            #[doc = concat!("[`Tensor::", stringify!($name), "`] with factors: `beta` times this tensor plus `alpha` \
                times the product.")]
            ///
            /// With `beta` 0 this tensor does not count, even where it is NaN. For integers the factors are cut to
            /// integers (`addr` takes integers only).
            ///
            /// # Panics
            /// If shapes or dtypes do not fit.
            #[track_caller]
            pub fn $with(
                &self,
                $a: &Tensor,
                $b: &Tensor,
                beta: impl Into<Scalar>,
                alpha: impl Into<Scalar>,
            ) -> Tensor {
                apply(Kind::$kind, self, $a, $b, beta.into(), alpha.into())
            }
        )*}
    };
}
add_products! {
    /// This tensor plus the product of two matrices.
    ///
    /// Shape: `(m, k)`, `(k, n)` -> `(m, n)`.
    ///
    /// ```
    /// use rushlight_autograd::{eye, tensor};
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(tensor([10.0, 20.0]).addmm(&x, &eye(2)).to_vec::<f32>(), [11.0, 22.0, 13.0, 24.0]);
    /// assert_eq!(x.addmm_with(&x, &eye(2), 0.5, 2.0).to_vec::<f32>(), [2.5, 5.0, 7.5, 10.0]);
    /// ```
    addmm, addmm_with, Addmm, mat1, mat2;
    /// This tensor plus the product of a matrix and a vector.
    ///
    /// Shape: `(m, n)`, `(n)` -> `(m)`.
    addmv, addmv_with, Addmv, mat, vec;
    /// This tensor plus the products of all elements of two vectors; of bools, or and and.
    ///
    /// Shape: `(m)`, `(n)` -> `(m, n)`.
    addr, addr_with, Addr, vec1, vec2;
    /// This tensor plus the sum of the products of two batches of matrices.
    ///
    /// Shape: `(b, m, k)`, `(b, k, n)` -> `(m, n)`.
    addbmm, addbmm_with, Addbmm, batch1, batch2;
    /// This tensor plus the products of two batches of matrices.
    ///
    /// Shape: `(b, m, k)`, `(b, k, n)` -> `(b, m, n)`.
    baddbmm, baddbmm_with, Baddbmm, batch1, batch2;
}

in_place! {
    addmm_ = addmm(mat1: &Tensor, mat2: &Tensor);
    addmm_with_ = addmm_with(mat1: &Tensor, mat2: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>);
    addmv_ = addmv(mat: &Tensor, vec: &Tensor);
    addmv_with_ = addmv_with(mat: &Tensor, vec: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>);
    addr_ = addr(vec1: &Tensor, vec2: &Tensor);
    addr_with_ = addr_with(vec1: &Tensor, vec2: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>);
    addbmm_ = addbmm(batch1: &Tensor, batch2: &Tensor);
    addbmm_with_ = addbmm_with(batch1: &Tensor, batch2: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>);
    baddbmm_ = baddbmm(batch1: &Tensor, batch2: &Tensor);
    baddbmm_with_ = baddbmm_with(batch1: &Tensor, batch2: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>);
}

/// One of the products, with inputs that broadcast, and with and without factors.
fn sample(draw: &mut Draw<'_>, kind: Kind) -> Sample {
    let (count, m, k, n) = (draw.size(), draw.size(), draw.size(), draw.size());
    let (a, b, mut out) = match kind {
        Kind::Addmm => (vec![m, k], vec![k, n], vec![m, n]),
        Kind::Addmv => (vec![m, k], vec![k], vec![m]),
        Kind::Addr => (vec![m], vec![n], vec![m, n]),
        Kind::Addbmm => (vec![count, m, k], vec![count, k, n], vec![m, n]),
        Kind::Baddbmm => (vec![count, m, k], vec![count, k, n], vec![count, m, n]),
    };
    match draw.below(3) {
        0 => out[0] = 1,
        1 => out.drain(..1).for_each(drop),
        _ => {}
    }
    let (beta, alpha) = [(1.0, 1.0), (0.6, -1.5), (0.0, 2.0), (1.0, 0.5)][draw.below(4)];
    let inputs = vec![draw.leaf(&out, Domain::Any), draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
    Sample::new(inputs, move |x| apply(kind, &x[0], &x[1], &x[2], Scalar::Float(beta), Scalar::Float(alpha)))
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("AddProduct", "addmm", "torch.addmm", |draw| sample(draw, Kind::Addmm)).rejects(|| {
        vec![
            Reject::new(
                "addmm: the input of shape [3, 3] does not broadcast to the product's [2, 2]",
                || {
                    floats([3, 3]).addmm(&floats([2, 1]), &floats([1, 2]));
                },
            ),
            Reject::new("addmm: dtypes differ: int64 and float32", || {
                integers().addmm(&floats([3, 3]), &floats([3, 3]));
            }),
        ]
    }),
    OpInfo::composed("addmv", "torch.addmv", |draw| sample(draw, Kind::Addmv)).rejects(|| {
        vec![Reject::new("addmv: shapes [2, 3] x [3, 1]; expected 2 and 1 dims", || {
            floats([2]).addmv(&floats([2, 3]), &floats([3, 1]));
        })]
    }),
    OpInfo::composed("addr", "torch.addr", |draw| sample(draw, Kind::Addr)).rejects(|| {
        vec![
            Reject::new("addr: shapes [2, 2] and [2]; both must be vectors (1 dim)", || {
                floats([2]).addr(&floats([2, 2]), &floats([2]));
            }),
            Reject::new(
                "addr: beta Float(0.5) and alpha Int(1) for integers; they must be integers, too",
                || {
                    integers().addr_with(&integers(), &integers(), 0.5, 1);
                },
            ),
        ]
    }),
    OpInfo::composed("addbmm", "torch.addbmm", |draw| sample(draw, Kind::Addbmm)),
    OpInfo::composed("baddbmm", "torch.baddbmm", |draw| sample(draw, Kind::Baddbmm)),
];
