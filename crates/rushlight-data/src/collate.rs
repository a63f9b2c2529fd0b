use rushlight_array::{Array, DType, Element, Error, Result, Shape};
use rushlight_autograd::Tensor;
use std::fmt::Debug;

/// How samples of one type become a batch, as torch's `default_collate`.
///
/// | sample | batch |
/// |---|---|
/// | `Tensor` of shape `(...)` | `Tensor` of shape `(N, ...)` |
/// | `f32`, `f64`, `bool`, an integer | `Tensor` of shape `(N)`; integers become `i64` |
/// | `String` | `Vec<String>` |
/// | a tuple of up to six | the tuple of their batches |
/// | `Vec` of k samples | `Vec` of k batches |
///
/// A sample type of your own implements it by its fields:
///
/// ```
/// use rushlight_array::Result;
/// use rushlight_autograd::Tensor;
/// use rushlight_data::{Collate, DataLoader, from_fn};
///
/// struct Word {
///     text: String,
///     count: i64,
/// }
/// impl Collate for Word {
///     type Batch = (Vec<String>, Tensor);
///     fn collate(samples: Vec<Word>, indices: &[usize]) -> Result<Self::Batch> {
///         Collate::collate(samples.into_iter().map(|word| (word.text, word.count)).collect(), indices)
///     }
/// }
/// let words = from_fn(2, |i| Ok(Word { text: "ab"[i..].to_string(), count: 7 }));
/// let (texts, counts) = DataLoader::new(words).batch_size(2).iter().next().unwrap()?;
/// assert_eq!((texts.join(" "), counts.to_vec::<i64>()), ("ab b".to_string(), vec![7, 7]));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub trait Collate: Sized {
    /// The batch, for instance one tensor for many.
    type Batch: Send + 'static;

    /// The batch of the samples, which are there at least once. `indices` are their numbers in the data set,
    /// for messages.
    ///
    /// # Errors
    /// If the samples do not go together, as tensors of different shapes: [`Error::Sample`], which names two
    /// of them.
    fn collate(samples: Vec<Self>, indices: &[usize]) -> Result<Self::Batch>;
}

/// What a [`DataLoader`](crate::DataLoader) makes its batches with: [`DefaultCollate`], or a function.
pub trait CollateFn<Item>: Send + Sync {
    /// The batch.
    type Batch: Send + 'static;

    /// The batch of the samples, whose numbers in the data set are `indices`.
    ///
    /// # Errors
    /// If the samples do not go together.
    fn batch(&self, samples: Vec<Item>, indices: &[usize]) -> Result<Self::Batch>;
}

/// The rule that the sample's own type has: [`Collate`].
#[derive(Clone, Copy, Debug)]
pub struct DefaultCollate;

impl<Item: Collate> CollateFn<Item> for DefaultCollate {
    type Batch = Item::Batch;

    fn batch(&self, samples: Vec<Item>, indices: &[usize]) -> Result<Self::Batch> {
        Item::collate(samples, indices)
    }
}

impl<Item, Batch, F> CollateFn<Item> for F
where
    F: Fn(Vec<Item>) -> Result<Batch> + Send + Sync,
    Batch: Send + 'static,
{
    type Batch = Batch;

    fn batch(&self, samples: Vec<Item>, _: &[usize]) -> Result<Batch> {
        self(samples)
    }
}

impl Collate for Tensor {
    type Batch = Tensor;

    fn collate(samples: Vec<Tensor>, indices: &[usize]) -> Result<Tensor> {
        if let Some(whole) = whole(&samples) {
            return Ok(whole);
        }
        all_alike(&samples, indices, "shape", Tensor::shape)?;
        // PyTorch promotes here; but then the dtype of a batch would hang on the samples that chance put into
        // it.
        all_alike(&samples, indices, "dtype", Tensor::dtype)?;
        all_alike(&samples, indices, "device", Tensor::device)?;
        Ok(copied(&samples).unwrap_or_else(|| Tensor::stack(&samples.iter().collect::<Vec<_>>(), 0)))
    }
}

/// Checks that all samples have one shape (or other property) and else names the first two that differ.
fn all_alike<S, P: PartialEq + Debug>(
    samples: &[S],
    indices: &[usize],
    property: &str,
    of: impl Fn(&S) -> P,
) -> Result<()> {
    let mut properties = samples.iter().map(of);
    let Some(first) = properties.next() else { return Ok(()) };
    for (other, &index) in properties.zip(&indices[1..]) {
        if other != first {
            let reason = format!(
                "collate: its {property} {other:?} differs from {property} {first:?} of sample {}; \
                 the samples of a batch must be alike, or the loader needs a collate function",
                indices[0]
            );
            return Err(Error::sample(index, reason));
        }
    }
    Ok(())
}

/// The common case of [`Tensor::stack`]: rows without gaps in host memory, which no gradient goes through.
/// Each is copied once, without a view or a record of its own.
fn copied(samples: &[Tensor]) -> Option<Tensor> {
    if samples.iter().any(Tensor::requires_grad) {
        return None;
    }
    match samples.first()?.dtype() {
        DType::F32 => copied_as::<f32>(samples),
        DType::F64 => copied_as::<f64>(samples),
        DType::I64 => copied_as::<i64>(samples),
        DType::U8 => copied_as::<u8>(samples),
        _ => None,
    }
}

fn copied_as<T: Element>(samples: &[Tensor]) -> Option<Tensor> {
    let rows: Vec<Array> = samples.iter().map(Tensor::array).collect();
    let slices: Vec<&[T]> = rows.iter().map(Array::as_slice).collect::<Option<_>>()?;
    let shape: Shape = std::iter::once(rows.len()).chain(rows[0].shape().iter().copied()).collect();
    let stacked = Array::build(shape, |out: &mut [T]| {
        // An empty row has no length to cut by, and nothing to copy.
        for (place, row) in out.chunks_exact_mut(slices[0].len().max(1)).zip(slices) {
            place.copy_from_slice(row);
        }
    });
    Some(stacked.into())
}

/// The rows of one storage, in order and all of them: a data set that made its samples together. The batch is there
/// already.
fn whole(samples: &[Tensor]) -> Option<Tensor> {
    let first = samples.first()?;
    if first.requires_grad() {
        return None;
    }
    let first = first.array();
    let numel = first.numel();
    if numel == 0 || first.storage().len() != samples.len() * numel {
        return None;
    }
    let follows = |(i, sample): (usize, &Tensor)| {
        let row = sample.array();
        row.shares_storage(&first)
            && row.layout().offset() == i * numel
            && row.shape() == first.shape()
            && row.is_contiguous()
            && !sample.requires_grad()
    };
    if !samples.iter().enumerate().all(follows) {
        return None;
    }
    let strides: Vec<usize> = std::iter::once(numel).chain(contiguous_strides(first.shape())).collect();
    let shape: Shape = std::iter::once(samples.len()).chain(first.shape().iter().copied()).collect();
    Some(first.as_strided(shape, &strides, 0).into())
}

fn contiguous_strides(shape: &Shape) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

macro_rules! numbers {
    ($($t:ty => $element:ty),*) => {$(
        impl Collate for $t {
            type Batch = Tensor;

            fn collate(samples: Vec<$t>, _: &[usize]) -> Result<Tensor> {
                let len = samples.len();
                let values: Vec<$element> = samples.into_iter().map(<$element>::from).collect();
                Ok(Tensor::from_vec(values, len))
            }
        }
    )*};
}
numbers!(
    f32 => f32, f64 => f64, bool => bool,
    i64 => i64, i32 => i64, i16 => i64, i8 => i64, u32 => i64, u16 => i64, u8 => i64
);

impl Collate for usize {
    type Batch = Tensor;

    fn collate(samples: Vec<usize>, indices: &[usize]) -> Result<Tensor> {
        let number = |(value, &index): (usize, &usize)| {
            i64::try_from(value).map_err(|_| {
                let reason = format!("collate: {value} does not fit an i64; at most {} does", i64::MAX);
                Error::sample(index, reason)
            })
        };
        i64::collate(samples.into_iter().zip(indices).map(number).collect::<Result<_>>()?, indices)
    }
}

impl Collate for String {
    type Batch = Vec<String>;

    fn collate(samples: Vec<String>, _: &[usize]) -> Result<Vec<String>> {
        Ok(samples)
    }
}

impl<T: Collate> Collate for Vec<T> {
    type Batch = Vec<T::Batch>;

    fn collate(samples: Vec<Vec<T>>, indices: &[usize]) -> Result<Self::Batch> {
        all_alike(&samples, indices, "length", Vec::len)?;
        let mut columns: Vec<Vec<T>> = Vec::new();
        for sample in samples {
            columns.resize_with(sample.len(), Vec::new);
            for (column, value) in columns.iter_mut().zip(sample) {
                column.push(value);
            }
        }
        columns.into_iter().map(|column| T::collate(column, indices)).collect()
    }
}

macro_rules! tuples {
    ($(($($t:ident $place:tt),*))*) => {$(
        impl<$($t: Collate),*> Collate for ($($t,)*) {
            type Batch = ($($t::Batch,)*);

            fn collate(samples: Vec<Self>, indices: &[usize]) -> Result<Self::Batch> {
                let mut columns = ($(Vec::<$t>::with_capacity(samples.len()),)*);
                for sample in samples {
                    $(columns.$place.push(sample.$place);)*
                }
                Ok(($($t::collate(columns.$place, indices)?,)*))
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}
