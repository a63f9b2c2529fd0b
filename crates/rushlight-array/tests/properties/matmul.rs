use crate::model::*;
use proptest::prelude::*;
use rushlight_array::{Array, DType};

/// The product by its definition; vectors get a dim of size 1 that is dropped at the end.
fn product(a: &Model, b: &Model, dtype: DType) -> Model {
    let (row, column) = (a.shape.len() == 1, b.shape.len() == 1);
    let mut a = a.clone();
    let mut b = b.clone();
    if row {
        a.shape.insert(0, 1);
    }
    if column {
        b.shape.push(1);
    }
    let (p, q) = (a.shape.len() - 2, b.shape.len() - 2);
    let (m, k, n) = (a.shape[p], a.shape[p + 1], b.shape[q + 1]);
    let rank = p.max(q);
    let size = |s: &[usize], own: usize, i: usize| (i + own).checked_sub(rank).map_or(1, |i| s[i]);
    let batch: Vec<usize> = (0..rank)
        .map(|i| match (size(&a.shape, p, i), size(&b.shape, q, i)) {
            (1, y) => y,
            (x, _) => x,
        })
        .collect();
    let flat = |s: &[usize], own: usize, at: &[usize]| {
        let at = at[rank - own..].iter().zip(s).map(|(&i, &size)| (if size == 1 { 0 } else { i }, size));
        at.fold(0, |flat, (i, size)| flat * size + i)
    };
    let mut data = Vec::new();
    for at in places(&batch) {
        let (x, y) = (&a.data[flat(&a.shape, p, &at) * m * k..], &b.data[flat(&b.shape, q, &at) * k * n..]);
        for i in 0..m {
            for j in 0..n {
                data.push(store(dtype, (0..k).map(|l| x[i * k + l] * y[l * n + j]).sum()));
            }
        }
    }
    let mut shape = batch;
    shape.extend((!row).then_some(m));
    shape.extend((!column).then_some(n));
    Model { shape, data }
}

fn numbers() -> impl Strategy<Value = DType> {
    prop::sample::select(vec![DType::F32, DType::F64, DType::I64, DType::F16, DType::U8])
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0usize), 2 => Just(1usize), 4 => 2..9usize, 4 => 9..70usize]
}

proptest! {
    #![proptest_config(config(120))]

    #[test]
    fn products_of_every_rank_match_the_definition(
        (m, k, n) in (length(), length(), length()), (batch_a, batch_b, _) in broadcasting(), dtype in numbers(),
        layouts in (0..5usize, 0..5usize), ranks in (0..3u8, 0..3u8),
    ) {
        // Rank 1, rank 2, or up to two batch dims.
        let side = |rank: u8, batch: &[usize], matrix: [usize; 2], vector: usize| match rank {
            0 => vec![vector],
            1 => matrix.to_vec(),
            _ => [&batch[batch.len().saturating_sub(2)..], &matrix].concat(),
        };
        let a = sample(&side(ranks.0, &batch_a, [m, k], k), dtype, m, layouts.0);
        let b = sample(&side(ranks.1, &batch_b, [k, n], k), dtype, n, layouts.1);
        check(&a.array.matmul(&b.array), &product(&a.model, &b.model, dtype), dtype, 0.0);
    }

    #[test]
    fn transposed_and_expanded_operands_are_read_in_place((m, k, n) in (1..40usize, 1..40usize, 1..40usize), seed in 0..9usize) {
        let a = sample(&[k, m], DType::F32, seed, 0);
        let row = sample(&[1, n], DType::F32, seed + 1, 0);
        let transposed = Model::from_fn(&[m, k], |at| a.model.at(&[at[1], at[0]]));
        let rows = Model::from_fn(&[k, n], |at| row.model.at(&[0, at[1]]));
        let expected = product(&transposed, &rows, DType::F32);
        check(&a.array.t().matmul(&row.array.expand([k, n])), &expected, DType::F32, 0.0);
    }
}

#[test]
fn products_past_the_thresholds_match_the_definition() {
    // Across the tiles of threads, in both directions, and skinny; the sums are exact in f32.
    for (m, k, n) in [
        (130, 70, 257),
        (700, 90, 30),
        (30, 90, 700),
        (1, 3000, 200),
        (200, 3000, 1),
        (900, 2, 400),
        (49, 4000, 3),
    ] {
        for (dtype, layouts) in
            [(DType::F32, (0, 0)), (DType::F32, (1, 1)), (DType::F64, (2, 3)), (DType::I64, (1, 0))]
        {
            let (a, b) = (sample(&[m, k], dtype, 1, layouts.0), sample(&[k, n], dtype, 2, layouts.1));
            check(&a.array.matmul(&b.array), &product(&a.model, &b.model, dtype), dtype, 0.0);
        }
    }
}

#[test]
fn an_empty_inner_axis_gives_zeros() {
    let out = Array::zeros([2, 3, 0], DType::F32).matmul(&Array::zeros([0, 4], DType::F32));
    check(&out, &Model::from_fn(&[2, 3, 4], |_| 0.0), DType::F32, 0.0);
}
