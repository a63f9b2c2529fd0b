//! Losses of pairs of numbers, and whether all numbers lie between two: `kernels/loss.cu`. Mantissas and exponents, which
//! are two results of one function as well: `kernels/special.cu`.

use crate::backend::{Cuda, address};
use crate::functions::{pair_loss, variant};
use crate::launch::{Args, Grid, Numbers};
use rushlight_array::backend::PairLoss;
use rushlight_array::{Array, DType, Scalar};

impl Cuda {
    #[track_caller]
    pub(crate) fn pair_losses(&self, kind: PairLoss, x: &Array, y: &Array) -> Array {
        let [loss, _] = pair_loss(kind);
        self.map(loss, x.dtype(), [x, y])
    }

    #[track_caller]
    pub(crate) fn pair_slopes(&self, kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array {
        let [_, slope] = pair_loss(kind);
        self.map(slope, x.dtype(), [grad, x, y])
    }

    #[track_caller]
    pub(crate) fn lies_within(&self, x: &Array, low: f64, high: f64) -> bool {
        if x.numel() == 0 {
            return true;
        }
        let x = self.dense(x);
        let flag = self.filled(&[1], DType::Bool, Scalar::Bool(false));
        let args = Args::new().pointer(address(&x)).pointer(address(&flag)).count(x.numel());
        let kernel = ("loss", "outside", variant(x.dtype()));
        self.gpu.launch(kernel, Grid::over(self.gpu, x.numel()), args.put(Numbers([low, high, 0.0])));
        !flag.item::<bool>()
    }

    #[track_caller]
    pub(crate) fn split_floats(&self, x: &Array) -> (Array, Array) {
        let (mantissa, to) = self.empty(x.shape(), x.dtype());
        let (exponent, exponents) = self.empty(x.shape(), DType::I32);
        if x.numel() > 0 {
            let x = self.dense(x);
            let args = Args::new().pointer(address(&x)).pointer(to).pointer(exponents).count(x.numel());
            self.gpu.launch(("special", "frexp", variant(x.dtype())), Grid::over(self.gpu, x.numel()), args);
        }
        (mantissa, exponent)
    }
}
