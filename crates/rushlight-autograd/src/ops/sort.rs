//! Sorting, selecting, and searching in what is sorted.

use super::Operand;
use super::reduce::check_not_bool;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Rank;
use rushlight_array::{Array, DType, Device, axis, fail};

/// Sorting and selecting along a dim: values, and their places as `i64`. NaN counts as larger than all numbers. Values pass
/// their gradient to where they came from.
impl Tensor {
    /// The elements in ascending or descending order. Equal ones keep their order: PyTorch's `stable=True`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (values, places) = tensor([3.0, 1.0, 2.0]).sort(-1, false);
    /// assert_eq!(values.to_vec::<f32>(), [1.0, 2.0, 3.0]);
    /// assert_eq!(places.to_vec::<i64>(), [1, 2, 0]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> (Tensor, Tensor) {
        let (values, index) = self.array().sort(dim, descending);
        self.picked("sort", dim, true, (Some(values), index))
    }

    /// The places of the elements in ascending or descending order: the second result of [`Tensor::sort`].
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn argsort(&self, dim: isize, descending: bool) -> Tensor {
        self.array().sort(dim, descending).1.into()
    }

    /// The elements in ascending order along the first dim.
    #[track_caller]
    pub fn msort(&self) -> Tensor {
        self.sort(0, false).0
    }

    /// The `k` largest elements along a dim, in descending order.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (values, places) = tensor([3.0, 1.0, 2.0]).topk(2, 0);
    /// assert_eq!(values.to_vec::<f32>(), [3.0, 2.0]);
    /// assert_eq!(places.to_vec::<i64>(), [0, 2]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range or has fewer than `k` elements, or the dtype is bool.
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize) -> (Tensor, Tensor) {
        self.topk_with(k, dim, true, true)
    }

    /// The `k` largest or smallest elements along a dim. Without `sorted` PyTorch leaves their order open; here they are in
    /// order all the same.
    ///
    /// # Panics
    /// If the dim is out of range or has fewer than `k` elements, or the dtype is bool.
    #[track_caller]
    pub fn topk_with(&self, k: usize, dim: isize, largest: bool, sorted: bool) -> (Tensor, Tensor) {
        let _ = sorted;
        check_not_bool("topk", self);
        let (values, index) = self.array().topk(k, dim, largest);
        self.picked("topk", dim, true, (Some(values), index))
    }

    /// The `k`-th smallest element along a dim, counted from 1, and a place where it stands.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (value, place) = tensor([3.0, 1.0, 2.0]).kthvalue(3, 0, false);
    /// assert_eq!([value.item(), place.item()], [3.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range, `k` is 0 or more than it has elements, or the dtype is bool.
    #[track_caller]
    pub fn kthvalue(&self, k: usize, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let Some(before) = k.checked_sub(1) else {
            fail!("kthvalue: k is 0; the smallest element is the one of k = 1");
        };
        if self.dim() > 0 {
            check_not_bool("kthvalue", self);
        }
        let (values, index) = self.array().kth("kthvalue", Rank::At(before), dim);
        self.picked("kthvalue", dim, keepdim, (Some(values), index))
    }

    /// The most frequent element along a dim, the smallest of several, and the last place where it stands.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (value, place) = tensor([3.0, 1.0, 3.0, 2.0]).mode(0, false);
    /// assert_eq!([value.item(), place.item()], [3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn mode(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let (values, index) = self.array().mode(dim);
        self.picked("mode", dim, keepdim, (Some(values), index))
    }
}

/// On which side of equal ones a value is put: PyTorch's `side`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Before them.
    Left,
    /// Behind them.
    Right,
}

/// What [`searchsorted_with`] takes beside the tensors.
#[derive(Clone, Debug, Default)]
pub struct SearchsortedOptions {
    /// Whether the places are `i32`, not `i64`.
    pub out_int32: bool,
    /// Whether values are put behind those that are equal.
    pub right: bool,
    /// The same in words; it must not contradict `right = true`.
    pub side: Option<Side>,
    /// The places of the sequence in ascending order, where it is not sorted itself.
    pub sorter: Option<Tensor>,
}

/// Where each value can be put into a sorted sequence, before those that are equal: `i64` places. The sequence has one dim, or
/// all dims of the values but the last are those of the sequence, and each row is searched in its own.
///
/// ```
/// use rushlight_autograd::{ops::searchsorted, tensor};
/// let places = searchsorted(&tensor([1.0, 3.0, 5.0]), &tensor([3.0, 6.0, 0.0]));
/// assert_eq!(places.to_vec::<i64>(), [1, 3, 0]);
/// ```
///
/// # Panics
/// If shapes or devices do not fit, or a dtype is bool.
#[track_caller]
pub fn searchsorted<'a>(sorted_sequence: &Tensor, values: impl Into<Operand<'a>>) -> Tensor {
    searchsorted_with(sorted_sequence, values, &SearchsortedOptions::default())
}

/// [`searchsorted`] with options.
///
/// # Panics
/// If shapes, dtypes or devices do not fit, or the options contradict each other.
#[track_caller]
pub fn searchsorted_with<'a>(
    sorted_sequence: &Tensor,
    values: impl Into<Operand<'a>>,
    options: &SearchsortedOptions,
) -> Tensor {
    let right = match options.side {
        Some(Side::Left) if options.right => {
            fail!("searchsorted: side is Left, but right is true; give one of them")
        }
        side => options.right || side == Some(Side::Right),
    };
    let mut sequence = sorted_sequence.array();
    if let Some(sorter) = &options.sorter {
        if sorter.shape() != sorted_sequence.shape() || sorter.dtype() != DType::I64 {
            fail!(
                "searchsorted: the sorter is {} of shape {:?}; it must be int64 of the sequence's shape {:?}",
                sorter.dtype().name(),
                sorter.shape(),
                sorted_sequence.shape()
            );
        }
        sequence = sequence.gather(-1, &sorter.array());
    }
    search("searchsorted", &sequence, values.into(), right, options.out_int32)
}

/// For each element the bucket that it lies in: the number of boundaries below it. The boundaries are sorted and have one dim.
///
/// ```
/// use rushlight_autograd::{ops::bucketize, tensor};
/// let buckets = bucketize(&tensor([0.0, 1.0, 2.0]), &tensor([1.0, 5.0]));
/// assert_eq!(buckets.to_vec::<i64>(), [0, 0, 1]);
/// ```
///
/// # Panics
/// If the boundaries have not one dim, devices differ, or a dtype is bool.
#[track_caller]
pub fn bucketize<'a>(input: impl Into<Operand<'a>>, boundaries: &Tensor) -> Tensor {
    bucketize_with(input, boundaries, false, false)
}

/// [`bucketize`] with `i32` numbers, or counting boundaries that are equal as below.
///
/// # Panics
/// As [`bucketize`].
#[track_caller]
pub fn bucketize_with<'a>(
    input: impl Into<Operand<'a>>,
    boundaries: &Tensor,
    out_int32: bool,
    right: bool,
) -> Tensor {
    if boundaries.dim() != 1 {
        fail!("bucketize: the boundaries have shape {:?}; they must have one dim", boundaries.shape());
    }
    search("bucketize", &boundaries.array(), input.into(), right, out_int32)
}

#[track_caller]
fn search(name: &str, sequence: &Array, values: Operand<'_>, right: bool, narrow: bool) -> Tensor {
    let values = values.array(sequence);
    if (values.dtype() == DType::Bool || sequence.dtype() == DType::Bool) && values.numel() > 0 {
        fail!("{name}: not defined for bool; cast with .to(DType::I64) first");
    }
    if values.device() != sequence.device() {
        fail!(
            "{name}: the sorted values are on {}, those to be found on {}; move one with .to(..)",
            sequence.device(),
            values.device()
        );
    }
    let (shape, sorted) = (values.shape(), sequence.shape());
    let rowwise = sorted.len() > 1;
    let fits =
        sorted.len() == shape.len() && shape.split_last().map(|x| x.1) == sorted.split_last().map(|x| x.1);
    if sorted.is_empty() || (rowwise && !fits) {
        fail!(
            "{name}: values of shape {shape:?} in a sequence of shape {sorted:?}; it must have one dim, or the same dims but for the last"
        );
    }
    let rows = if rowwise { sorted[..sorted.len() - 1].iter().product() } else { 1 };
    let places = if values.numel() == 0 {
        Array::full(shape, 0, DType::I64, values.device())
    } else {
        let (size, count) = (sorted[sorted.len() - 1], values.numel() / rows);
        sequence.reshape([rows, size]).search_sorted(&values.reshape([rows, count]), right).reshape(shape)
    };
    if narrow { places.cast(DType::I32).into() } else { places.into() }
}

/// Whether each element is among the others. NaN is not.
///
/// ```
/// use rushlight_autograd::{ops::isin, tensor};
/// assert_eq!(isin(&tensor([1, 2, 3]), &tensor([3, 1])).to_vec::<bool>(), [true, false, true]);
/// ```
///
/// # Panics
/// If the devices differ, or both are bool.
#[track_caller]
pub fn isin<'a, 'b>(elements: impl Into<Operand<'a>>, test_elements: impl Into<Operand<'b>>) -> Tensor {
    isin_with(elements, test_elements, false, false)
}

/// [`isin`], or with `invert` whether each element is not among the others. `assume_unique` is a hint that changes nothing.
///
/// # Panics
/// If the devices differ, or both are bool.
#[track_caller]
pub fn isin_with<'a, 'b>(
    elements: impl Into<Operand<'a>>,
    test_elements: impl Into<Operand<'b>>,
    assume_unique: bool,
    invert: bool,
) -> Tensor {
    let _ = assume_unique;
    let (elements, test) = match (elements.into(), test_elements.into()) {
        (Operand::Tensor(x), test) => (x.array(), test.array(&x.array())),
        (number, Operand::Tensor(test)) => (number.array(&test.array()), test.array()),
        (Operand::Number(a), Operand::Number(b)) => {
            let like = Array::full((), b, b.promote(DType::Bool), &Device::cpu());
            (like.scalar_operand(a), like)
        }
    };
    if elements.device() != test.device() {
        fail!(
            "isin: the elements are on {}, the others on {}; move one with .to(..)",
            elements.device(),
            test.device()
        );
    }
    if elements.dtype() == DType::Bool && test.dtype() == DType::Bool {
        fail!("isin: not defined for bool; cast with .to(DType::I64) first");
    }
    let found = if test.numel() == 0 || elements.numel() == 0 {
        Array::full(elements.shape(), false, DType::Bool, elements.device())
    } else {
        let dtype = elements.dtype().promote(test.dtype());
        let (flat, test) = (elements.cast(dtype).reshape([1, -1]), test.cast(dtype).reshape([1, -1]));
        let sorted = test.sort(1, false).0;
        // NaN, at the end, is equal to nothing and would mislead the search; one element stays in any case.
        let numbers = sorted.eq(&sorted).sum().item::<i64>().max(1);
        let sorted = sorted.narrow(1, 0, numbers as usize);
        let last = Array::full((), numbers - 1, DType::I64, sorted.device());
        let places = sorted.search_sorted(&flat, false).minimum(&last);
        sorted.gather(1, &places).eq(&flat).reshape(elements.shape())
    };
    if invert { found.logical_not().into() } else { found.into() }
}

/// A call on a tensor without two equal elements, and the size of a dim that is not empty.
fn distinct(draw: &mut Draw<'_>, call: fn(&Tensor, usize, isize, bool) -> Tensor) -> Sample {
    let shape = draw.full_shape(1, 3);
    let dim = draw.dim(&shape);
    let size = shape[axis("sample", dim, &shape)];
    let (k, flag) = (1 + draw.below(size), draw.coin());
    Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| call(&x[0], k, dim, flag))
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("sort", "torch.sort", |draw| {
        distinct(draw, |x, _, dim, flag| x.sort(dim, flag).0.cumsum(dim).sin())
    })
    .rejects(|| {
        vec![Reject::new("sort: dim 1 is out of range for shape [2]; expected -1 to 0", || {
            floats([2]).sort(1, false);
        })]
    }),
    OpInfo::composed("argsort", "torch.argsort", |draw| {
        distinct(draw, |x, _, dim, flag| x.argsort(dim, flag))
    })
    .never()
    .rejects(|| {
        vec![Reject::new("sort: dim 1 is out of range for shape [2]; expected -1 to 0", || {
            floats([2]).argsort(1, false);
        })]
    }),
    OpInfo::composed("msort", "torch.msort", |draw| distinct(draw, |x, _, _, _| x.msort().cumsum(0).sin())),
    OpInfo::composed("topk", "torch.topk", |draw| {
        distinct(draw, |x, k, dim, flag| x.topk_with(k, dim, flag, true).0.cumsum(dim).sin())
    })
    .rejects(|| {
        vec![Reject::new("topk: k is 3, but dim 0 of shape [2] has only 2 elements", || {
            floats([2]).topk(3, 0);
        })]
    }),
    OpInfo::composed("kthvalue", "torch.kthvalue", |draw| {
        distinct(draw, |x, k, dim, flag| x.kthvalue(k, dim, flag).0.sin())
    })
    .rejects(|| {
        vec![
            Reject::new("kthvalue: k is 0", || {
                floats([2]).kthvalue(0, 0, false);
            }),
            Reject::new("kthvalue: there is no element 3 among the 2 of dim 0 of shape [2]", || {
                floats([2]).kthvalue(3, 0, false);
            }),
        ]
    }),
    OpInfo::composed("mode", "torch.mode", |draw| {
        distinct(draw, |x, _, dim, flag| x.mode(dim, flag).0.sin())
    })
    .rejects(|| {
        vec![Reject::new("mode: axis 0 of shape [0] is empty and has no element", || {
            floats([0]).mode(0, false);
        })]
    }),
    OpInfo::composed("searchsorted", "torch.searchsorted", |draw| {
        let (size, shape) = (draw.size(), draw.shape(0, 3));
        let (sequence, right) = (draw.constant(&[size], Domain::Any).msort(), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            let options = SearchsortedOptions { right, ..SearchsortedOptions::default() };
            searchsorted_with(&sequence, &x[0], &options)
        })
    })
    .never()
    .rejects(|| {
        vec![
            Reject::new("searchsorted: values of shape [3] in a sequence of shape [2, 3]", || {
                searchsorted(&floats([2, 3]), &floats([3]));
            }),
            Reject::new("searchsorted: not defined for bool", || {
                searchsorted(&integers().gt(1), &integers().gt(2));
            }),
        ]
    }),
    OpInfo::composed("bucketize", "torch.bucketize", |draw| {
        let (size, shape) = (draw.size(), draw.shape(0, 3));
        let (boundaries, right) = (draw.constant(&[size], Domain::Any).msort(), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            bucketize_with(&x[0], &boundaries, false, right)
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("bucketize: the boundaries have shape [2, 3]; they must have one dim", || {
            bucketize(&floats([2]), &floats([2, 3]));
        })]
    }),
    OpInfo::composed("isin", "torch.isin", |draw| {
        let (size, shape) = (draw.size(), draw.shape(0, 3));
        let (test, invert) = (draw.constant(&[size], Domain::Any).floor(), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            isin_with(&x[0].floor(), &test, false, invert)
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("isin: not defined for bool", || {
            isin(&integers().gt(1), &integers().gt(2));
        })]
    }),
];
