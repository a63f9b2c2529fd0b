use crate::fields;
use crate::module::{Module, Path};
use rushlight_autograd::Tensor;

/// Merges dims into one: by default all but the first, the batch.
///
/// Shape: `(N, *) -> (N, product of *)`.
#[derive(Debug)]
pub struct Flatten {
    start_dim: isize,
    end_dim: isize,
    path: Path,
}
fields!(Flatten { path, start_dim, end_dim });

impl Flatten {
    /// Merges the dims `start_dim..=end_dim`; negative ones count from the back.
    pub fn new(start_dim: isize, end_dim: isize) -> Self {
        Flatten { start_dim, end_dim, path: Path::default() }
    }
}

impl Default for Flatten {
    fn default() -> Self {
        Flatten::new(1, -1)
    }
}

impl Module for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Flatten");
        x.flatten(self.start_dim, self.end_dim)
    }

    fn extra_repr(&self) -> String {
        format!("start_dim={}, end_dim={}", self.start_dim, self.end_dim)
    }
}
