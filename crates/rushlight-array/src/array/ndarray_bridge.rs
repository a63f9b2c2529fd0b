use super::Array;
use crate::dtype::Element;
use crate::fail;
use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

/// The bridge to the `ndarray` crate (feature `ndarray`); both ways copy.
impl Array {
    /// An array with the elements of an `ndarray` array or view of any layout.
    ///
    /// ```
    /// use rushlight_array::Array;
    /// let a = Array::from_ndarray(&ndarray::arr2(&[[1.0f32, 2.0], [3.0, 4.0]]));
    /// assert_eq!(a.t().to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    pub fn from_ndarray<T, S, D>(array: &ArrayBase<S, D>) -> Array
    where
        T: Element,
        S: Data<Elem = T>,
        D: Dimension,
    {
        Array::from_vec(array.iter().copied().collect(), array.shape())
    }

    /// An `ndarray` array with this array's elements, row-major.
    ///
    /// # Panics
    /// If `T` is not the dtype.
    #[track_caller]
    pub fn to_ndarray<T: Element>(&self) -> ArrayD<T> {
        match ArrayD::from_shape_vec(IxDyn(self.shape()), self.to_vec()) {
            Ok(array) => array,
            Err(error) => fail!("to_ndarray: shape {:?}: {error}", self.shape()),
        }
    }
}
