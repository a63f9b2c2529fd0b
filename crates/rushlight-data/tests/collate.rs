//! Samples that become batches.

use rushlight_array::DType;
use rushlight_autograd::{Tensor, tensor, tensor_as};
use rushlight_data::*;

/// The batch of the samples, as a loader makes it.
fn batch<T: Collate>(samples: Vec<T>) -> rushlight_array::Result<T::Batch> {
    let indices: Vec<usize> = (0..samples.len()).collect();
    T::collate(samples, &indices)
}

#[test]
fn tensors_are_stacked() {
    let stacked = batch(vec![tensor([1.0, 2.0]), tensor([3.0, 4.0])]).unwrap();
    assert_eq!(stacked.shape().to_vec(), [2, 2]);
    assert_eq!(stacked.to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0]);
}

/// Stacking copies plain rows itself and leaves the others to `Tensor::stack`; both must give the same.
#[test]
fn rows_of_every_dtype_with_gaps_or_without_elements_are_stacked() {
    for dtype in DType::ALL {
        let x = tensor([[1, 0], [0, 1], [1, 1]]).to(dtype);
        for x in [x.clone(), x.t(), x.narrow(1, 0, 0)] {
            let rows: Vec<Tensor> = (0..x.len()).map(|i| x.select(0, i as isize)).collect();
            let stacked = batch(rows).unwrap();
            assert_eq!((stacked.shape(), stacked.dtype()), (x.shape(), dtype));
            assert_eq!(stacked.to(DType::I64).to_vec::<i64>(), x.to(DType::I64).to_vec::<i64>());
        }
    }
}

#[test]
fn scalars_become_a_row() {
    let row = batch(vec![tensor(1), tensor(2)]).unwrap();
    assert_eq!((row.shape().to_vec(), row.dtype()), (vec![2], DType::I64));
}

#[test]
fn numbers_become_a_tensor_of_their_kind() {
    let kind = |tensor: Tensor| (tensor.dtype(), tensor.numel());
    assert_eq!(kind(batch(vec![1_f32, 2.0]).unwrap()), (DType::F32, 2));
    assert_eq!(kind(batch(vec![1_f64, 2.0]).unwrap()), (DType::F64, 2));
    assert_eq!(kind(batch(vec![true, false]).unwrap()), (DType::Bool, 2));
    assert_eq!(kind(batch(vec![1_i64, 2]).unwrap()), (DType::I64, 2));
    assert_eq!(kind(batch(vec![1_usize, 2]).unwrap()), (DType::I64, 2));
    assert_eq!(kind(batch(vec![1_u8, 2]).unwrap()), (DType::I64, 2));
    assert_eq!(batch(vec![0.1_f64]).unwrap().to_vec::<f64>(), [0.1]);
    assert_eq!(batch(vec![-3_i32]).unwrap().to_vec::<i64>(), [-3]);
}

#[test]
fn tuples_strings_and_lists_are_taken_apart() {
    let samples =
        vec![(1.0_f32, "a".to_string(), vec![1, 2], true), (2.0, "b".to_string(), vec![3, 4], false)];
    let (numbers, texts, lists, truths) = batch(samples).unwrap();
    assert_eq!(numbers.to_vec::<f32>(), [1.0, 2.0]);
    assert_eq!(texts, ["a", "b"]);
    assert_eq!(lists.iter().map(Tensor::to_vec::<i64>).collect::<Vec<_>>(), [[1, 3], [2, 4]]);
    assert_eq!(truths.to_vec::<bool>(), [true, false]);
    assert_eq!(batch(vec![((1, 2.0_f32),)]).unwrap().0.1.to_vec::<f32>(), [2.0]);
}

#[test]
fn an_integer_beyond_i64_names_its_sample() {
    let said = usize::collate(vec![0, usize::MAX], &[4, 6]).unwrap_err().to_string();
    assert_eq!(
        said,
        "sample 6: collate: 18446744073709551615 does not fit an i64; at most 9223372036854775807 does"
    );
}

/// What a loader of these samples, in the order 2, 0, 1 and then the rest, says of its first batch.
fn complaint<T: Collate + Clone + Send + Sync + 'static>(samples: &[T], workers: usize) -> String {
    struct Order(Vec<usize>);
    impl Sampler for Order {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn indices(&self, _: Option<&rushlight_array::random::Generator>) -> Vec<usize> {
            self.0.clone()
        }
    }
    let samples = samples.to_vec();
    let dataset = from_fn(samples.len(), move |i| Ok(samples[i].clone()));
    let loader = DataLoader::new(dataset).batch_size(3).sampler(Order(vec![2, 0, 1])).num_workers(workers);
    match loader.iter().next().unwrap() {
        Ok(_) => panic!("the samples do not go together"),
        Err(error) => error.to_string(),
    }
}

const MEND: &str = "; the samples of a batch must be alike, or the loader needs a collate function";

#[test]
fn shapes_that_differ_are_an_error_with_both_shapes_and_samples() {
    let samples = [tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0]), tensor([3.0, 4.0])];
    let expected = format!("sample 1: collate: its shape [3] differs from shape [2] of sample 2{MEND}");
    for workers in [0, 2] {
        assert_eq!(complaint(&samples, workers), expected);
    }
    let pairs = samples.map(|x| (0_i64, x));
    assert_eq!(complaint(&pairs, 0), expected);
}

#[test]
fn dtypes_that_differ_are_an_error_with_both_dtypes_and_samples() {
    let samples = [tensor_as([1.0], DType::F64), tensor([1.0]), tensor([1.0])];
    let expected = format!("sample 0: collate: its dtype F64 differs from dtype F32 of sample 2{MEND}");
    assert_eq!(complaint(&samples, 0), expected);
}

#[test]
fn lists_that_differ_in_length_are_an_error_with_both_lengths_and_samples() {
    let expected = format!("sample 0: collate: its length 2 differs from length 1 of sample 2{MEND}");
    assert_eq!(complaint(&[vec![1, 2], vec![1], vec![1]], 0), expected);
}

#[test]
fn a_function_may_make_the_batch() {
    let loader = DataLoader::new(from_fn(3, Ok)).batch_size(2).drop_last(true);
    let loader = loader.collate(|samples| Ok(samples.iter().sum::<usize>())).num_workers(1);
    assert_eq!(loader.iter().map(Result::unwrap).collect::<Vec<_>>(), [1]);
}

#[test]
fn gradients_pass_through_a_batch() {
    let x = tensor([[1.0, 2.0], [3.0, 4.0]]).requires_grad_();
    for workers in [0, 1] {
        x.zero_grad();
        let rows = DataLoader::new(TensorDataset::of(x.clone())).batch_size(2).num_workers(workers);
        let batch = rows.iter().next().unwrap().unwrap();
        (&batch * &batch).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 4.0, 6.0, 8.0]);
    }
}
