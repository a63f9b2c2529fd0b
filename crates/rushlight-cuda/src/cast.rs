//! Casts: `kernels/cast.cu`.

use crate::backend::Cuda;
use crate::elementwise::Operands;
use crate::functions::variant;
use rushlight_array::{Array, DType};

/// Elements that are read and written at once, whatever their types.
const WIDTH: usize = 4;

impl Cuda {
    #[track_caller]
    pub(crate) fn converted(&self, x: &Array, dtype: DType) -> Array {
        if x.dtype() == dtype {
            return x.clone();
        }
        let (y, to) = self.empty(x.shape(), dtype);
        let operands = Operands::of(self, [x], WIDTH, true);
        // The kernel has the types in this order, too.
        let number =
            DType::ALL.iter().position(|&other| other == dtype).expect("all dtypes are there") as i32;
        if let Some(args) = operands.args(to) {
            self.gpu.launch(("cast", "cast", variant(x.dtype())), operands.grid(self), args.put(number));
        }
        y
    }
}
