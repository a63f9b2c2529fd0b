//! The data sets themselves.

use rushlight_autograd::{tensor, zeros};
use rushlight_data::*;
use std::sync::Arc;

/// The facts of scikit-learn's file, as `data/README.md` has them.
#[test]
fn the_digits_have_the_counts_and_moments_of_the_source() {
    let digits = Digits::new();
    assert_eq!((digits.len(), Digits::LEN), (1797, 1797));
    let mut counts = [0; 10];
    for label in digits.labels().to_vec::<i64>() {
        counts[label as usize] += 1;
    }
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);

    let pixels: Vec<f64> = digits.images().to_vec::<f32>().into_iter().map(f64::from).collect();
    let mean = pixels.iter().sum::<f64>() / pixels.len() as f64;
    let variance = pixels.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
    assert!((mean - 4.8841646).abs() < 5e-8, "{mean}");
    assert!((variance.sqrt() - 6.0167875).abs() < 5e-8, "{}", variance.sqrt());
    assert!(pixels.iter().all(|x| (0.0..=16.0).contains(x) && x.fract() == 0.0));
}

/// The first two rows of the first image in the source: `0,0,5,13,9,1,0,0` and `0,0,13,15,10,15,5,0`.
#[test]
fn a_digit_is_its_image_over_sixteen_and_its_label() {
    let digits = Digits::new();
    assert_eq!(digits.images().shape().to_vec(), [1797, 8, 8]);
    assert_eq!(digits.inputs().shape().to_vec(), [1797, 64]);
    let (image, label) = digits.get(0).unwrap();
    let first = [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0, 0.0, 0.0, 13.0, 15.0, 10.0, 15.0, 5.0, 0.0];
    assert_eq!((&image * 16.0).to_vec::<f32>()[..16], first);
    assert_eq!(label, 0);
    for i in [1, 900, 1796] {
        let (image, label) = digits.get(i).unwrap();
        let scanned = digits.images().select(0, i as isize) / 16.0;
        assert_eq!(image.to_vec::<f32>(), scanned.to_vec::<f32>());
        assert_eq!(label, digits.labels().to_vec::<i64>()[i]);
    }
}

#[test]
#[should_panic(expected = "Digits: index 1797 is out of range for 1797 images")]
fn a_digit_beyond_the_last_panics() {
    let _ = Digits::new().get(1797);
}

#[test]
fn tensor_data_sets_give_rows_in_the_form_of_their_tensors() {
    let x = tensor([[1, 2], [3, 4]]);
    let y = tensor([5, 6]);
    let pair = TensorDataset::new(x.clone(), y.clone()).get(1).unwrap();
    assert_eq!((pair.0.to_vec::<i64>(), pair.1.to_vec::<i64>()), (vec![3, 4], vec![6]));
    assert_eq!(TensorDataset::of(x.clone()).get(0).unwrap().to_vec::<i64>(), [1, 2]);
    let triple = TensorDataset::of((x.clone(), y.clone(), x.clone())).get(0).unwrap();
    assert_eq!(triple.2.to_vec::<i64>(), [1, 2]);
    let many = TensorDataset::of(vec![y, x]);
    assert_eq!((many.len(), many.tensors().len(), many.get(1).unwrap().len()), (2, 2, 2));
}

#[test]
#[should_panic(
    expected = "TensorDataset: tensor 0 has shape [5, 2], but tensor 1 [4]; the first sizes must be equal"
)]
fn tensors_of_different_first_sizes_are_no_data_set() {
    TensorDataset::new(zeros([5, 2]), zeros(4));
}

#[test]
#[should_panic(expected = "TensorDataset: tensor 1 is a scalar; the first dim must count the samples")]
fn scalars_are_no_data_set() {
    TensorDataset::new(zeros(5), zeros(()));
}

#[test]
#[should_panic(expected = "TensorDataset: an empty list of tensors; at least one is needed")]
fn no_tensors_are_no_data_set() {
    TensorDataset::of(Vec::new());
}

#[test]
fn a_subset_of_a_subset_and_pointers_reach_the_same_samples() {
    let tens = Arc::new(from_fn(6, |i| Ok(10 * i)));
    let odd = Subset::new(Arc::clone(&tens), vec![1, 3, 5]);
    let last = Subset::new(&odd, vec![2]);
    assert_eq!(last.get(0).unwrap(), 50);
    assert_eq!(last.dataset().indices(), [1, 3, 5]);
    let any: Box<dyn Dataset<Item = usize>> = Box::new(tens);
    assert_eq!((any.len(), any.is_empty(), any.get(2).unwrap()), (6, false, 20));
}
