//! Reading by grids, unpooling, norms of windows, pairs, and what draws random numbers: values and gradients that PyTorch
//! 2.15 gives for the same calls.

use rushlight_autograd::array::DType;
use rushlight_autograd::array::random::{Generator, TorchSeed, with_default_generator};
use rushlight_autograd::ops::*;
use rushlight_autograd::{Tensor, arange, tensor, zeros, zeros_with};

/// As after `torch.manual_seed(3)`.
fn seeded(call: impl FnOnce() -> Tensor) -> Vec<f32> {
    with_default_generator(|| Generator::new(TorchSeed(3)), || call().reshape([-1]).to_vec())
}

fn close(ours: &Tensor, torch: &[f64]) -> bool {
    let ours = ours.reshape([-1]).to_vec::<f32>();
    ours.len() == torch.len() && ours.iter().zip(torch).all(|(a, b)| (f64::from(*a) - b).abs() < 2e-5)
}

fn check(what: &str, ours: &Tensor, torch: &[f64]) {
    assert!(close(ours, torch), "{what}: {ours} is not {torch:?}");
}

#[test]
fn grids_read_what_pytorch_reads() {
    use GridPadding::{Border, Reflection, Zeros};
    use GridSampleMode::{Bilinear, Nearest};
    // Mode, padding, align_corners, values, the gradient of the grid.
    type Row = (GridSampleMode, GridPadding, bool, [f64; 4], [f64; 8]);
    let rows: [Row; 12] = [
        (Bilinear, Zeros, false, [0.25, 4.7, 0.0, 0.0], [1.0, 0.75, 4.0, 12.0, 0.0, 0.0, 0.0, 0.0]),
        (Bilinear, Zeros, true, [1.0, 5.35, 0.88, 0.0], [1.5, 4.0, 3.0, 8.0, -39.6, 1.2, 0.0, 0.0]),
        (Bilinear, Border, false, [1.0, 4.7, 9.2, 2.3], [0.0, 0.0, 4.0, 12.0, 0.0, 18.0, 8.0, 0.0]),
        (Bilinear, Border, true, [1.0, 5.35, 8.8, 2.35], [0.0, 0.0, 3.0, 8.0, 0.0, 12.0, 6.0, 0.0]),
        (Bilinear, Reflection, false, [1.0, 4.7, 8.5, 10.3], [0.0, 0.0, 4.0, 12.0, -6.0, 18.0, 8.0, 0.0]),
        (Bilinear, Reflection, true, [1.0, 5.35, 7.9, 9.15], [0.0, 0.0, 3.0, 8.0, -4.5, 12.0, 6.0, -16.0]),
        (Nearest, Zeros, false, [1.0, 3.0, 0.0, 0.0], [0.0; 8]),
        (Nearest, Zeros, true, [1.0, 7.0, 0.0, 0.0], [0.0; 8]),
        (Nearest, Border, false, [1.0, 3.0, 8.0, 2.0], [0.0; 8]),
        (Nearest, Border, true, [1.0, 7.0, 8.0, 2.0], [0.0; 8]),
        (Nearest, Reflection, false, [1.0, 3.0, 7.0, 10.0], [0.0; 8]),
        (Nearest, Reflection, true, [1.0, 7.0, 7.0, 10.0], [0.0; 8]),
    ];
    let image = arange(1.0, 13.0, 1.0).reshape([1, 1, 3, 4]);
    for (mode, padding_mode, align_corners, values, slopes) in rows {
        let grid = tensor([[[[-1.0, -1.0], [0.3, -0.4], [1.6, 0.2], [-0.1, -2.7]]]]).requires_grad_();
        let options = GridSampleOptions { mode, padding_mode, align_corners };
        let y = grid_sample_with(&image, &grid, options);
        (&y * tensor([1.0, 2.0, 3.0, 4.0])).sum().backward();
        check(&format!("{options:?}"), &y, &values);
        check(&format!("{options:?}, grid"), &grid.grad().unwrap(), &slopes);
    }
}

#[test]
fn nan_and_infinite_places_are_read_as_by_pytorch() {
    let image = arange(1.0, 13.0, 1.0).reshape([1, 1, 3, 4]);
    let grid = tensor([[[[f64::NAN, 0.0], [f64::INFINITY, 0.0], [f64::NEG_INFINITY, 0.0]]]]);
    let read = |mode, padding_mode| {
        grid_sample_with(&image, &grid, GridSampleOptions { mode, padding_mode, align_corners: false })
            .reshape([-1])
            .to_vec::<f32>()
    };
    for mode in [GridSampleMode::Bilinear, GridSampleMode::Nearest] {
        assert_eq!(read(mode, GridPadding::Border), [5.0, 8.0, 5.0]);
        assert_eq!(read(mode, GridPadding::Reflection), [5.0, 5.0, 5.0]);
    }
    assert!(read(GridSampleMode::Bilinear, GridPadding::Zeros).iter().all(|x| x.is_nan()));
    assert_eq!(read(GridSampleMode::Nearest, GridPadding::Zeros), [0.0; 3]);
}

#[test]
fn affine_grids_are_pytorchs() {
    let theta = tensor([[[1.0, 0.2, -0.1], [0.3, 0.5, 0.25]]]);
    check(
        "edges",
        &affine_grid(&theta, [1, 1, 2, 3]),
        &[-0.866667, -0.2, -0.2, 0.0, 0.466667, 0.2, -0.666667, 0.3, 0.0, 0.5, 0.666667, 0.7],
    );
    check(
        "centres",
        &affine_grid_with(&theta, [1, 1, 2, 3], true),
        &[-1.3, -0.55, -0.3, -0.25, 0.7, 0.05, -0.9, 0.45, 0.1, 0.75, 1.1, 1.05],
    );
    check("one pixel", &affine_grid_with(&theta, [1, 1, 1, 1], true), &[-0.1, 0.25]);
}

#[test]
fn what_pools_took_goes_back_to_its_place() {
    let x = tensor([[[1.0, 5.0, 2.0, 7.0, 3.0, 4.0]]]);
    let (y, places) = max_pool1d_with_indices(&x, 2, MaxPoolOptions::default());
    check("1d", &max_unpool1d(&y, &places, 2), &[0.0, 5.0, 0.0, 7.0, 0.0, 4.0]);
    let longer = MaxUnpoolOptions { output_size: Some([7]), ..Default::default() };
    check("longer", &max_unpool1d_with(&y, &places, 2, &longer), &[0.0, 5.0, 0.0, 7.0, 0.0, 4.0, 0.0]);
    let x = tensor([[[[1.0, 5.0, 2.0, 7.0], [3.0, 4.0, 8.0, 0.0]]]]);
    let (y, places) = max_pool2d_with_indices(&x, 2, MaxPoolOptions::default());
    check("2d", &max_unpool2d(&y, &places, 2), &[0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 8.0, 0.0]);
    assert_eq!(max_unpool3d(&y.unsqueeze(1), &places.unsqueeze(1), [1, 2, 2]).sum().item(), 13.0);
}

#[test]
fn norms_of_windows_are_pytorchs() {
    let x = tensor([[3.0, 4.0, -6.0, 8.0, 1.0]]);
    check("1d", &lp_pool1d(&x, 2.0, 2), &[5.0, 10.0]);
    let options = LpPoolOptions { ceil_mode: true, ..Default::default() };
    // The last window has one element, whose mean counts twice.
    check("ceil", &lp_pool1d_with(&x, 2.0, 2, options), &[5.0, 10.0, std::f64::consts::SQRT_2]);
    let options = LpPoolOptions { stride: Some([1]), ceil_mode: true };
    check("cubes", &lp_pool1d_with(&x.abs(), 3.0, 2, options), &[4.497941, 6.542133, 8.995883, 8.005205]);
    check("2d", &lp_pool2d(&tensor([[[3.0, 4.0], [0.0, 12.0]]]), 2.0, 2), &[13.0]);
}

#[test]
fn distances_of_pairs_are_pytorchs() {
    let rows: [(f64, [f64; 3], [f64; 6]); 5] = [
        (0.0, [2.0, 1.0, 1.0], [0.0; 6]),
        (1.0, [7.0, 3.0, 4.0], [-2.0, -1.0, 1.0, 2.0, 1.0, -1.0]),
        (2.0, [5.0, 3.0, 4.0], [-1.6, -0.8, 0.6, 1.8, 1.0, -1.0]),
        (3.0, [4.497941, 3.0, 4.0], [-1.444851, -0.790847, 0.444851, 1.790847, 1.0, -1.0]),
        (f64::INFINITY, [4.0, 3.0, 4.0], [-1.0, -1.0, 0.0, 2.0, 1.0, -1.0]),
    ];
    for (p, values, slopes) in rows {
        let x = tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]).requires_grad_();
        let y = pdist(&x, p);
        if y.requires_grad() {
            y.sum().backward();
            check(&format!("the slopes for {p}"), &x.grad().unwrap(), &slopes);
        }
        check(&format!("p = {p}"), &y, &values);
    }
    assert_eq!(pdist(&tensor([[1.0]]), 2.0).shape(), [0]);
}

#[test]
fn triplets_are_compared_by_any_distance() {
    let (a, p, n) = (tensor([[0.0, 0.0]]), tensor([[3.0, 4.0]]), tensor([[1.0, 1.0]]));
    check("euclidean", &triplet_margin_with_distance_loss(&a, &p, &n, pairwise_distance), &[4.585786]);
    let options = TripletMarginWithDistanceLossOptions { margin: 2.0, swap: true, ..Default::default() };
    let blocks = |a: &Tensor, b: &Tensor| (a - b).abs().sum_dim(-1, false);
    check("swap", &triplet_margin_with_distance_loss_with(&a, &p, &n, blocks, options), &[7.0]);
}

#[test]
fn random_functions_draw_what_pytorch_draws() {
    let x = tensor([[1.0, -2.0, 3.0], [0.5, -0.5, 2.0]]);
    let near = |ours: Vec<f32>, torch: &[f64]| check("draws", &Tensor::from_vec(ours, [torch.len()]), torch);
    near(seeded(|| gumbel_softmax(&x)), &[0.848832, 0.004340, 0.146828, 0.507665, 0.025505, 0.466831]);
    let options = GumbelSoftmaxOptions { tau: 0.5, hard: true, dim: 0 };
    near(seeded(|| gumbel_softmax_with(&x, options)), &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    let dropped = [1.470377, -1.119471, -0.910642, 1.038736, -0.910642, -0.910642];
    near(seeded(|| alpha_dropout(&x, 0.4, true)), &dropped);
    near(seeded(|| feature_alpha_dropout(&x, 0.4, true)), &dropped);
    near(seeded(|| rrelu(&x, 0.125, 1.0 / 3.0, true)), &[1.0, -0.264212, 3.0, 0.5, -0.092369, 2.0]);
    near(seeded(|| rrelu(&x, 0.125, 1.0 / 3.0, false)), &[1.0, -0.458333, 3.0, 0.5, -0.114583, 2.0]);
    // Of (C, L) a channel is a row, of (C, D, H, W) all behind the first dim.
    let kept = [1.666667, -3.333333, 5.0, 0.833333, -0.833333, 3.333333];
    near(seeded(|| dropout1d(&x, 0.4, true)), &kept);
    near(seeded(|| dropout3d(&x.reshape([2, 3, 1, 1]), 0.4, true)), &kept);
    let volumes = x.reshape([2, 3, 1, 1, 1]);
    near(seeded(|| dropout3d(&volumes, 0.4, true)), &[1.666667, -3.333333, 0.0, 0.833333, 0.0, 0.0]);
}

#[test]
fn tensors_are_filled_with_what_pytorch_draws() {
    fn torch<R>(call: impl FnOnce() -> R) -> R {
        with_default_generator(|| Generator::new(TorchSeed(3)), call)
    }
    let filled = |count: usize, dtype, fill: &dyn Fn(&mut Tensor)| {
        let mut x = zeros_with([count], dtype);
        fill(&mut x);
        x
    };
    let fill = |count, dtype, fill: &dyn Fn(&mut Tensor)| torch(|| filled(count, dtype, fill));
    let bernoulli = |x: &mut Tensor| {
        x.bernoulli_(0.3);
    };
    let random = |x: &mut Tensor| {
        x.random_();
    };
    assert_eq!(fill(4, DType::F32, &bernoulli).to_vec::<f32>(), [1.0, 1.0, 0.0, 1.0]);
    let exponential = fill(3, DType::F32, &|x| {
        x.exponential_(2.0);
    });
    check("exponential_", &exponential, &[0.0173517, 0.1689548, 0.7412153]);
    assert_eq!(
        fill(3, DType::I64, &random).to_vec::<i64>(),
        [937_055_941_807_507_096, 3_839_649_608_876_091_011, 5_366_245_355_481_424_840]
    );
    assert_eq!(fill(3, DType::U8, &random).to_vec::<u8>(), [106, 152, 249]);
    assert_eq!(fill(3, DType::F32, &random).to_vec::<f32>(), [71_389.0, 1_771_142.0, 4_795_460.0]);
    assert_eq!(
        fill(3, DType::F64, &random).to_vec::<f64>(),
        [307_219_314_442_800.0, 2_582_726_356_426_969.0, 6_961_798_910_534_005.0]
    );
    assert_eq!(fill(3, DType::F16, &random).to(DType::F32).to_vec::<f32>(), [379.0, 896.0, 1705.0]);
    let within = |low, high| {
        move |x: &mut Tensor| {
            x.random_with_(low, high);
        }
    };
    assert_eq!(fill(3, DType::F32, &within(0, 5)).to_vec::<f32>(), [1.0, 3.0, 2.0]);
    assert_eq!(fill(3, DType::I64, &within(2, 7)).to_vec::<i64>(), [3, 5, 4]);
    let weights = tensor([[0.1, 0.2, 0.7], [1.0, 1.0, 1.0]]);
    let two = torch(|| weights.multinomial(2));
    assert_eq!((two.shape().to_vec(), two.to_vec::<i64>()), (vec![2, 2], vec![0, 1, 0, 2]));
    assert_eq!(torch(|| weights.get(0).multinomial_with(5, true)).to_vec::<i64>(), [0, 1, 2, 1, 2]);
    assert_eq!(zeros([0, 3]).multinomial(2).shape(), [0, 2]);
}

#[test]
fn diagonals_are_filled_as_by_pytorch() {
    let places = |shape: &[usize], wrap| {
        let mut x = zeros(shape);
        x.fill_diagonal_(1, wrap);
        x.reshape([-1]).nonzero().reshape([-1]).to_vec::<i64>()
    };
    assert_eq!(places(&[5, 2], false), [0, 3]);
    assert_eq!(places(&[5, 2], true), [0, 3, 6, 9]);
    assert_eq!(places(&[6, 2], true), [0, 3, 6, 9]);
    assert_eq!(places(&[7, 3], true), [0, 4, 8, 12, 16, 20]);
    assert_eq!(places(&[2, 5], true), [0, 6]);
    assert_eq!(places(&[3, 3, 3], false), [0, 13, 26]);
}

#[test]
fn what_a_tensor_is_can_be_asked_by_pytorchs_names() {
    let x = zeros_with([2, 3], DType::F64).t();
    assert_eq!((x.ndim(), x.nelement(), x.element_size(), x.nbytes()), (2, 6, 8, 48));
    assert_eq!((x.stride(), x.is_floating_point()), (vec![1, 3], true));
    assert!(!tensor([1]).is_floating_point());
    assert_eq!(tensor([1]).type_as(&x).dtype(), DType::F64);
}
