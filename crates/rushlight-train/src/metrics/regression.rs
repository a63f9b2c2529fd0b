//! Errors of predicted numbers.

use super::mean::WeightedSum;
use super::named;
use super::values::pairs;
use crate::Metric;
use rushlight_array::Result;
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

macro_rules! metric {
    ($(#[$doc:meta])* $type:ident, $name:literal, |$sum:ident, $error:ident| $add:expr) => {
        $(#[$doc])*
        ///
        /// The differences are computed in f64 and summed exactly.
        ///
        /// Shape: output and target of any one shape; every element counts alike.
        #[derive(Clone, Debug)]
        pub struct $type {
            name: String,
            gathered: WeightedSum,
        }

        impl $type {
            /// Over all elements.
            #[allow(clippy::new_without_default, reason = "metrics are made by `new`")]
            pub fn new() -> Self {
                Self { name: $name.to_owned(), gathered: WeightedSum::default() }
            }

            named!();
        }

        impl Metric for $type {
            fn name(&self) -> String {
                self.name.clone()
            }

            #[track_caller]
            fn update(&mut self, output: &Tensor, target: &Tensor) {
                for (predicted, actual) in pairs($name, output, target) {
                    let ($sum, $error) = (&mut self.gathered.sum, predicted - actual);
                    $add;
                    self.gathered.count += 1;
                }
            }

            fn value(&self) -> f64 {
                self.gathered.mean()
            }

            fn reset(&mut self) {
                self.gathered = WeightedSum::default();
            }

            fn state(&self) -> Value {
                self.gathered.state()
            }

            fn load_state(&mut self, state: &Value) -> Result<()> {
                self.gathered = WeightedSum::from_state(state)?;
                Ok(())
            }
        }
    };
}

metric! {
    /// The mean of the squared differences: scikit-learn's `mean_squared_error`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_train::{Metric, metrics::MeanSquaredError};
    /// let mut mse = MeanSquaredError::new();
    /// mse.update(&tensor([1.0, 2.0]), &tensor([1.0, 4.0]));
    /// assert_eq!(mse.value(), 2.0);
    /// ```
    MeanSquaredError, "mse", |sum, error| sum.add_product(error, error)
}

metric! {
    /// The mean of the absolute differences: scikit-learn's `mean_absolute_error`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_train::{Metric, metrics::MeanAbsoluteError};
    /// let mut mae = MeanAbsoluteError::new();
    /// mae.update(&tensor([1.0, 2.0]), &tensor([1.0, 4.0]));
    /// assert_eq!(mae.value(), 1.0);
    /// ```
    MeanAbsoluteError, "mae", |sum, error| sum.add(error.abs())
}
