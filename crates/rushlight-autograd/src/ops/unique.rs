//! Distinct elements, or slices, of a tensor.

use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::order::sort_by;
use rushlight_array::{Array, DType, axis, fail};
use std::cmp::Ordering;

/// What [`Tensor::unique_with`] takes beside the tensor.
#[derive(Clone, Copy, Debug)]
pub struct UniqueOptions {
    /// Whether they must be in ascending order. They always are, as in PyTorch on the CPU.
    pub sorted: bool,
    /// Whether [`Unique::inverse`] is wanted.
    pub return_inverse: bool,
    /// Whether [`Unique::counts`] is wanted.
    pub return_counts: bool,
    /// Slices along this dim are compared; `None` for single elements.
    pub dim: Option<isize>,
}

impl Default for UniqueOptions {
    fn default() -> Self {
        UniqueOptions { sorted: true, return_inverse: false, return_counts: false, dim: None }
    }
}

/// What [`Tensor::unique_consecutive_with`] takes beside the tensor.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniqueConsecutiveOptions {
    /// Whether [`Unique::inverse`] is wanted.
    pub return_inverse: bool,
    /// Whether [`Unique::counts`] is wanted.
    pub return_counts: bool,
    /// Slices along this dim are compared; `None` for single elements in row-major order.
    pub dim: Option<isize>,
}

/// Distinct elements or slices.
#[derive(Clone, Debug)]
pub struct Unique {
    /// The elements, in one dim, or the slices along the dim.
    pub values: Tensor,
    /// For each element of the tensor (in its shape), or for each slice, its place among the distinct ones, `i64`.
    pub inverse: Option<Tensor>,
    /// For each distinct one how often it occurs, `i64`.
    pub counts: Option<Tensor>,
}

impl Tensor {
    /// The distinct elements in ascending order, in one dim. NaN is equal to nothing, so each stands for itself.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([3, 1, 3, 2]).unique().to_vec::<i64>(), [1, 2, 3]);
    /// ```
    #[track_caller]
    pub fn unique(&self) -> Tensor {
        self.unique_with(&UniqueOptions::default()).values
    }

    /// The distinct elements, or slices along a dim, where they are and how many.
    ///
    /// ```
    /// use rushlight_autograd::{ops::UniqueOptions, tensor};
    /// let options = UniqueOptions { return_counts: true, dim: Some(0), ..Default::default() };
    /// let unique = tensor([[1, 2], [0, 3], [1, 2]]).unique_with(&options);
    /// assert_eq!(unique.values.to_vec::<i64>(), [0, 3, 1, 2]);
    /// assert_eq!(unique.counts.unwrap().to_vec::<i64>(), [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range, or slices have no elements.
    #[track_caller]
    pub fn unique_with(&self, options: &UniqueOptions) -> Unique {
        self.grouped("unique", options.dim, true, options.return_inverse, options.return_counts)
    }

    /// The elements in row-major order without those that are equal to the one before.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1, 1, 2, 1]).unique_consecutive().to_vec::<i64>(), [1, 2, 1]);
    /// ```
    #[track_caller]
    pub fn unique_consecutive(&self) -> Tensor {
        self.unique_consecutive_with(&UniqueConsecutiveOptions::default()).values
    }

    /// The elements, or slices along a dim, without those that are equal to the one before; where they are and how many.
    ///
    /// # Panics
    /// If the dim is out of range, or slices have no elements.
    #[track_caller]
    pub fn unique_consecutive_with(&self, options: &UniqueConsecutiveOptions) -> Unique {
        self.grouped("unique_consecutive", options.dim, false, options.return_inverse, options.return_counts)
    }

    #[track_caller]
    fn grouped(&self, name: &str, dim: Option<isize>, sorted: bool, inverse: bool, counts: bool) -> Unique {
        let x = self.array();
        let (x, a, shape) = match dim {
            None => (x.reshape([-1]), 0, x.shape().to_vec()),
            Some(dim) => {
                if x.rank() == 0 {
                    fail!("{name}: a scalar has no dim {dim}; reshape it to [1] first");
                }
                let a = axis(name, dim, x.shape());
                let count = x.shape()[a];
                (x, a, vec![count])
            }
        };
        let count = x.shape()[a];
        if x.numel() == 0 && count > 0 {
            fail!(
                "{name}: slices along dim {a} of shape {:?} have no elements; use a dim of size 0 or none",
                x.shape()
            );
        }
        let rows = x.transpose(a as isize, 0).reshape([count, x.numel() / count.max(1)]);
        let dtype = if x.dtype().is_float() { DType::F64 } else { DType::I64 };
        let groups = match dtype {
            DType::F64 => groups(&rows, &rows.cast(dtype).to_vec::<f64>(), sorted),
            _ => groups(&rows, &rows.cast(dtype).to_vec::<i64>(), sorted),
        };
        let found = groups.firsts.len();
        let on = |list: Vec<i64>, shape: &[usize]| Array::from_vec(list, shape).to_device(x.device());
        Unique {
            values: x.index_select(a as isize, &on(groups.firsts, &[found])).into(),
            inverse: inverse.then(|| on(groups.inverse, &shape).into()),
            counts: counts.then(|| on(groups.counts, &[found]).into()),
        }
    }
}

/// Rows that are equal.
#[derive(Default)]
struct Groups {
    /// The first of each group.
    firsts: Vec<i64>,
    /// The group of each row.
    inverse: Vec<i64>,
    /// The number of rows of each group.
    counts: Vec<i64>,
}

/// Puts equal neighbours together, in ascending order or in that of the rows.
fn groups<T: PartialOrd>(rows: &Array, data: &[T], sorted: bool) -> Groups {
    let [count, width] = [rows.shape()[0], rows.shape()[1]];
    let row = |i: i64| &data[i as usize * width..][..width];
    let mut order: Vec<i64> = (0..count as i64).collect();
    if sorted && width == 1 {
        order = rows.reshape([-1]).sort(0, false).1.to_vec();
    } else if sorted {
        sort_by(&mut order, |&i, &j| compare(row(i), row(j)));
    }
    let mut groups = Groups { inverse: vec![0; count], ..Groups::default() };
    let mut before: Option<i64> = None;
    for place in order {
        if before.is_none_or(|before| row(before) != row(place)) {
            groups.firsts.push(place);
            groups.counts.push(0);
        }
        let group = groups.firsts.len() - 1;
        groups.counts[group] += 1;
        groups.inverse[place as usize] = group as i64;
        before = Some(place);
    }
    groups
}

/// The order of rows by their first difference; NaN is larger than all numbers.
fn compare<T: PartialOrd>(a: &[T], b: &[T]) -> Ordering {
    let is_number = |x: &T| x.partial_cmp(x).is_some();
    let order = |a: &T, b: &T| a.partial_cmp(b).unwrap_or_else(|| is_number(b).cmp(&is_number(a)));
    a.iter().zip(b).map(|(a, b)| order(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("unique", "torch.unique", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let dim = draw.coin().then_some(dim);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            let options = UniqueOptions { dim, ..UniqueOptions::default() };
            x[0].floor().detach().unique_with(&options).values
        })
    })
    .never()
    .rejects(|| {
        vec![
            Reject::new("unique: slices along dim 0 of shape [3, 0] have no elements", || {
                floats([3, 0]).unique_with(&UniqueOptions { dim: Some(0), ..UniqueOptions::default() });
            }),
            Reject::new("unique: dim 1 is out of range for shape [3]; expected -1 to 0", || {
                floats([3]).unique_with(&UniqueOptions { dim: Some(1), ..UniqueOptions::default() });
            }),
        ]
    }),
    OpInfo::composed("unique_consecutive", "torch.unique_consecutive", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let dim = draw.coin().then_some(dim);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            let options = UniqueConsecutiveOptions { dim, ..UniqueConsecutiveOptions::default() };
            x[0].floor().detach().unique_consecutive_with(&options).values
        })
    })
    .never(),
];
