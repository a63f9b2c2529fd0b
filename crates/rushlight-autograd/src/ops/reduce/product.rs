//! Products.

use super::Over;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType};

/// The product of all elements, or along a dim.
#[derive(Debug)]
struct Prod {
    dim: Option<isize>,
    keepdim: bool,
}

impl Op for Prod {
    fn name(&self) -> &'static str {
        "prod"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        match self.dim {
            None => inputs[0].prod(),
            Some(dim) => inputs[0].prod_dim(dim, self.keepdim),
        }
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let x = saved.input(0);
            let over = match self.dim {
                None => Over::ALL,
                Some(dim) => Over::some(dim, self.keepdim),
            };
            let grad = over.restore(grad, saved.shape(0));
            if !x.all().item_as::<bool>() {
                return match self.dim {
                    None => grad * products_of_others(&x.reshape([-1]), 0).reshape(saved.shape(0)),
                    Some(dim) => grad * products_of_others(&x, dim),
                };
            }
            grad * (over.restore(&saved.output(), saved.shape(0)) / x)
        });
    }
    fn grad_fn(&self) -> String {
        format!("ProdBackward{}", u8::from(self.dim.is_some()))
    }
}

/// For each element the product of all others along a dim, without a division, for which a zero would do harm: the product
/// of those before it and of those behind it.
fn products_of_others(x: &Tensor, dim: isize) -> Tensor {
    if x.dim() == 0 {
        return x.ones_like();
    }
    let before = x.cumprod_from(dim, false).after_one(dim, false);
    before * x.cumprod_from(dim, true).after_one(dim, true)
}

impl Tensor {
    /// Ones in front along a dim, and what was there moved on by one place; with `reverse` from the other end.
    pub(crate) fn after_one(&self, dim: isize, reverse: bool) -> Tensor {
        let size = self.size(dim);
        if size == 0 {
            return self.clone();
        }
        let one = self.narrow(dim, 0, 1).ones_like();
        match reverse {
            false => Tensor::cat(&[&one, &self.narrow(dim, 0, size - 1)], dim),
            true => Tensor::cat(&[&self.narrow(dim, 1, size - 1), &one], dim),
        }
    }

    /// The product of all elements; integers and bools give `i64`.
    #[track_caller]
    pub fn prod(&self) -> Tensor {
        Tensor::apply(Prod { dim: None, keepdim: false }, &[self])
    }

    /// [`Tensor::prod`] of the tensor cast to a dtype.
    #[track_caller]
    pub fn prod_with(&self, dtype: DType) -> Tensor {
        self.to(dtype).prod().to(dtype)
    }

    /// The product along a dim; integers and bools give `i64`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1.0, 2.0], [3.0, 4.0]]).prod_dim(1, false).to_vec::<f32>(), [2.0, 12.0]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn prod_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        Tensor::apply(Prod { dim: Some(dim), keepdim }, &[self])
    }

    /// [`Tensor::prod_dim`] of the tensor cast to a dtype.
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn prod_dim_with(&self, dim: isize, keepdim: bool, dtype: DType) -> Tensor {
        self.to(dtype).prod_dim(dim, keepdim).to(dtype)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::op("Prod", "prod", "torch.prod", |draw| {
    let shape = draw.shape(0, 2);
    let (dim, keepdim) = (draw.dim(&shape), draw.coin());
    let dim = draw.coin().then_some(dim);
    let call = move |x: &Tensor| match dim {
        None => x.prod(),
        Some(dim) => x.prod_dim(dim, keepdim),
    };
    let leaf = draw.leaf(&shape, Domain::NonZero);
    if draw.coin() {
        // With zeros among the factors, as the rule must not divide.
        let factors = Tensor::constant(draw.mask(&shape));
        return Sample::new(vec![leaf], move |x| call(&(&x[0] * &factors)));
    }
    Sample::new(vec![leaf], move |x| call(&x[0]))
})
.rejects(|| {
    vec![Reject::new("prod: dim 2 is out of range for shape [2, 3]; expected -2 to 1", || {
        floats([2, 3]).prod_dim(2, false);
    })]
})];
