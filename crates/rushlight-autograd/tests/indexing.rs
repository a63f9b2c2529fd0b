//! Indexing as PyTorch does it: what the op table's loops cannot know. Shapes and values were made with PyTorch 2.

use rushlight_autograd::array::{Array, DType, Index, Indices};
use rushlight_autograd::ops::{
    EmbeddingBagOptions, EmbeddingOptions, ScatterReduce, embedding_bag_with, embedding_with,
};
use rushlight_autograd::{Tensor, tensor};

const REST: Index = Index::Ellipsis;

fn zeros(shape: &[usize]) -> Tensor {
    Array::zeros(shape, DType::F32).into()
}

fn mask(shape: &[usize]) -> Index {
    Index::Array(Array::ones(shape, DType::Bool))
}

fn all() -> Index {
    (..).into()
}

fn list(places: &[i64]) -> Index {
    places.to_vec().into()
}

#[test]
fn dims_of_index_tensors_stand_where_pytorch_puts_them() {
    let x = zeros(&[2, 3, 4, 5]);
    let pair = || list(&[0, 1]);
    let cases: Vec<(Vec<Index>, &[usize])> = vec![
        (vec![], &[2, 3, 4, 5]),
        (vec![REST, pair()], &[2, 3, 4, 2]),
        (vec![list(&[0]), all(), pair()], &[2, 3, 5]),
        // A place is no index tensor: it takes its dim away before the others are looked at.
        (vec![0.into_index(), all(), pair()], &[3, 2, 5]),
        (vec![Index::from(&tensor(0)), all(), pair()], &[3, 2, 5]),
        (vec![all(), 0.into_index(), all(), pair()], &[2, 4, 2]),
        (vec![all(), pair(), Index::NewAxis, pair()], &[2, 2, 1, 5]),
        (vec![mask(&[2, 3]), all(), list(&[0])], &[6, 4]),
        (vec![all(), mask(&[3, 4]), list(&[0])], &[2, 12]),
        (vec![list(&[0]), mask(&[3, 4])], &[12, 5]),
        (vec![true.into()], &[1, 2, 3, 4, 5]),
        (vec![false.into()], &[0, 2, 3, 4, 5]),
        (vec![true.into(), pair()], &[2, 3, 4, 5]),
        (vec![all(), true.into(), pair()], &[2, 2, 4, 5]),
        (vec![true.into(), all(), pair()], &[2, 2, 4, 5]),
        (vec![false.into(), list(&[0])], &[0, 3, 4, 5]),
    ];
    for (indices, shape) in cases {
        assert_eq!(*x.get(indices.clone()).shape(), *shape, "{indices:?}");
    }
}

trait IntoIndex {
    fn into_index(self) -> Index;
}

impl IntoIndex for i32 {
    fn into_index(self) -> Index {
        self.into()
    }
}

#[test]
fn bytes_are_masks() {
    let x = tensor([[0.0, 1.0], [2.0, 3.0]]);
    let bytes = tensor([2, 0]).to(DType::U8);
    assert_eq!(x.get(&bytes).to_vec::<f32>(), [0.0, 1.0]);
}

#[test]
fn assignment_puts_back_what_indexing_names() {
    // Every element has its own value, so a place that is wrong shows.
    let x = Tensor::from_vec((0..24).map(|i| i as f32).collect::<Vec<_>>(), [2, 3, 4]);
    let lists: Vec<Indices> = vec![
        1.into(),
        (.., 1..).into(),
        (Index::step(0, 2, 1), vec![2, 0], Index::step(0, 4, 2)).into(),
        (vec![0, 1], .., vec![3, 1]).into(),
        (Index::NewAxis, 1, vec![1, 0]).into(),
        (.., mask(&[3, 4])).into(),
        (vec![true, false], 2).into(),
        Index::Ellipsis.into(),
    ];
    for indices in lists {
        let named = x.get(&indices);
        let doubled = x.set_at(&indices, &(&named * 2.0));
        assert!(doubled.get(&indices).equal(&(&named * 2.0)), "{indices:?}");
        let added = x.index_put_with(&indices, &named, true);
        assert!(added.equal(&doubled), "{indices:?}");
        assert!(doubled.set_at(&indices, &named).equal(&x), "{indices:?}");
    }
}

#[test]
fn assignment_in_place_leaves_other_handles() {
    let mut x = tensor([1.0, 2.0, 3.0]);
    let before = x.clone();
    x.set_at_(&x.clone().gt(1.5), 0.0);
    assert_eq!(x.to_vec::<f32>(), [1.0, 0.0, 0.0]);
    assert_eq!(before.to_vec::<f32>(), [1.0, 2.0, 3.0]);
}

#[test]
fn repeated_places_add_up_and_the_last_value_stays() {
    let (x, index) = (tensor([0.0, 0.0]), tensor([1, 1, 0]));
    let values = tensor([1.0, 2.0, 3.0]);
    assert_eq!(x.index_put_with(&index, &values, true).to_vec::<f32>(), [3.0, 3.0]);
    assert_eq!(x.index_put(&index, &values).to_vec::<f32>(), [3.0, 2.0]);
    assert_eq!(x.scatter(0, &index, &values).to_vec::<f32>(), [3.0, 2.0]);
    assert_eq!(x.index_copy(0, &index, &values).to_vec::<f32>(), [3.0, 2.0]);
}

#[test]
fn gradients_of_reductions_are_pytorchs_at_ties_and_zeros() {
    // (kind, own values, sources, include_self, gradient of own values, gradient of sources)
    let third = 1.0 / 3.0;
    let cases = [
        (ScatterReduce::Amax, [3.0, 5.0], [3.0, 3.0], true, [third, 1.0], [third, third]),
        (ScatterReduce::Amin, [2.0, 5.0], [0.0, 0.0], true, [0.0, 1.0], [0.5, 0.5]),
        (ScatterReduce::Amin, [0.0, 5.0], [3.0, 4.0], false, [0.0, 1.0], [1.0, 0.0]),
        (ScatterReduce::Prod, [0.0, 5.0], [3.0, 4.0], true, [12.0, 1.0], [0.0, 0.0]),
        (ScatterReduce::Prod, [0.0, 5.0], [3.0, 0.0], false, [0.0, 1.0], [0.0, 3.0]),
        (ScatterReduce::Prod, [2.0, 5.0], [0.0, 0.0], true, [0.0, 1.0], [0.0, 0.0]),
        (ScatterReduce::Mean, [3.0, 5.0], [3.0, 0.0], true, [third, 1.0], [third, third]),
        (ScatterReduce::Mean, [3.0, 5.0], [3.0, 0.0], false, [0.0, 1.0], [0.5, 0.5]),
    ];
    let leaf = |values: [f64; 2]| Tensor::new_leaf(Array::from_vec(values.to_vec(), 2), true);
    let index = tensor([0, 0]);
    for (kind, own, source, include_self, to_own, to_source) in cases {
        for slices in [false, true] {
            let (x, s) = (leaf(own), leaf(source));
            let y = match slices {
                true => x.index_reduce_with(0, &index, &s, kind, include_self),
                false => x.scatter_reduce_with(0, &index, &s, kind, include_self),
            };
            y.sum().backward();
            assert_eq!(x.grad().unwrap().to_vec::<f64>(), to_own, "{kind:?} {own:?} {source:?} {slices}");
            assert_eq!(s.grad().unwrap().to_vec::<f64>(), to_source, "{kind:?} {own:?} {source:?} {slices}");
        }
    }
}

#[test]
fn integer_means_are_the_next_below() {
    // (-3 - 4 - 1) / 3 = -2.67; (7 + 2) / 2 = 4.5.
    let x = tensor([-3, 0, 7]);
    let y = x.scatter_reduce(0, &tensor([0, 0, 2]), &tensor([-4, -1, 2]), ScatterReduce::Mean);
    assert_eq!(y.to_vec::<i64>(), [-3, 0, 4]);
}

#[test]
fn a_filled_place_counts_once_however_often_it_is_named() {
    let value = tensor(2.0).requires_grad_();
    tensor([1.0, 1.0]).index_fill(0, &tensor([1, 1]), &value).sum().backward();
    assert_eq!(value.grad().unwrap().item(), 1.0);
}

#[test]
fn max_norm_cuts_the_rows_that_are_used_in_the_weight_itself() {
    // Row 1 has norm 5: it becomes (3, 4) / 5; row 2 is not used, row 0 is short enough.
    let weight = tensor([[0.5, 0.0], [3.0, 4.0], [6.0, 8.0]]).requires_grad_();
    let options = EmbeddingOptions { max_norm: Some(1.0), ..EmbeddingOptions::default() };
    let y = embedding_with(&tensor([1, 0, 1]), &weight, &options);
    let expected = tensor([[0.5, 0.0], [0.6, 0.8], [6.0, 8.0]]);
    assert!(weight.detach().allclose(&expected, 1e-6, 0.0), "{weight}");
    y.sum().backward();
    assert_eq!(weight.grad().unwrap().to_vec::<f32>(), [1.0, 1.0, 2.0, 2.0, 0.0, 0.0]);
}

#[test]
fn padding_rows_and_frequencies_shape_the_gradient() {
    let weight = tensor([[1.0], [2.0], [3.0]]).requires_grad_();
    let options =
        EmbeddingOptions { padding_idx: Some(-1), scale_grad_by_freq: true, ..EmbeddingOptions::default() };
    embedding_with(&tensor([0, 0, 1, 2]), &weight, &options).sum().backward();
    assert_eq!(weight.grad().unwrap().to_vec::<f32>(), [1.0, 1.0, 0.0]);
}

#[test]
fn the_last_offset_ends_the_last_bag() {
    let weight = tensor([[1.0], [2.0], [4.0]]);
    let options = EmbeddingBagOptions { include_last_offset: true, ..EmbeddingBagOptions::default() };
    let y = embedding_bag_with(&tensor([0, 1, 2]), &weight, Some(&tensor([0, 2, 3])), &options);
    assert_eq!(y.to_vec::<f32>(), [1.5, 4.0]);
}
