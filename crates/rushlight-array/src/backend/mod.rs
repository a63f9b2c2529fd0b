//! What a device must be able to do.
//!
//! The required methods come in kinds (transfer, copy, elementwise, reduce, matmul, index); the provided
//! ones are fused operations whose default bodies compose the required ones. A new device needs the
//! first, and may override the second where it can do better.
//!
//! Arguments arrive checked and, for elementwise work, already broadcast: [`Array`] does that once for
//! all devices. Results are contiguous arrays unless a method says otherwise; where nothing is to do, a backend may
//! give back the argument as it is.

mod calls;
mod functions;
mod host;
mod steps;

pub(crate) use calls::Kernels;
pub use functions::*;
use host::{back, host};
pub use steps::*;

use crate::array::Array;
use crate::cpu::Cpu;
use crate::cpu::linalg;
use crate::cpu::memory::HostBuffer;
use crate::cpu::{channels, window};
use crate::device::Device;
use crate::dtype::DType;
use crate::layout::Layout;
use crate::random::{Draws, Stretch};
use crate::scalar::Scalar;
use crate::storage::Buffer;
use crate::window::{Conv, Spans, Window};
use std::fmt::Debug;

/// A device that holds arrays and computes on them.
pub trait Backend: Send + Sync + Debug {
    /// The device's name as PyTorch writes it: `cpu`, `cuda:0`.
    fn name(&self) -> &str;

    /// Takes host memory to the device.
    fn upload(&self, data: HostBuffer) -> Buffer;

    /// A copy of the array's elements, row-major, in host memory.
    fn download(&self, x: &Array) -> HostBuffer;

    /// The array with row-major strides, in storage of its own.
    fn copy(&self, x: &Array) -> Array;

    /// The array in another dtype.
    fn cast(&self, x: &Array, dtype: DType) -> Array;

    /// A new array of this shape and dtype, filled with one value.
    fn fill(&self, shape: &[usize], dtype: DType, value: Scalar) -> Array;

    /// An elementwise function of a compute-type array.
    fn unary(&self, op: Unary, x: &Array) -> Array;

    /// An elementwise function of two compute-type arrays of one shape.
    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array;

    /// A comparison of two compute-type arrays of one shape.
    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array;

    /// `a` where `condition`, else `b`; all of one shape, `a` and `b` of one dtype.
    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array;

    /// Reduces the given axes (ascending, distinct); they stay with size 1.
    fn reduce(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array;

    /// Positions along one axis, as i64; the axis stays with size 1.
    fn arg_reduce(&self, op: ArgReduce, x: &Array, axis: usize) -> Array;

    /// Products of matrices: `[..., M, K] x [..., K, N] -> [..., M, N]` with equal leading sizes.
    fn matmul(&self, a: &Array, b: &Array) -> Array;

    /// The places of `x` along `axis` named by the one-dimensional i64 array `index`.
    fn index_select(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange>;

    /// `out[i][j][k] = x[i][index[i][j][k]][k]` for axis 1, and so on; `index` is i64.
    fn gather(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange>;

    /// `x` with `out[i][index[i][j][k]][k]` set to, or joined with, `source[i][j][k]` for axis 1, and so on. Where the
    /// op is not [`Scatter::Set`], the dtype is a compute type.
    fn scatter(
        &self,
        op: Scatter,
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange>;

    /// Joins arrays of one dtype, equal but along `axis`.
    fn cat(&self, parts: &[&Array], axis: usize) -> Array;

    // Provided: more of indexing, by the CPU if the device has no kernel.

    /// `x` with its slices along `axis` that the one-dimensional i64 array `index` names set to, or joined with, those
    /// of `source`. The result may take the place of `x` in memory.
    fn index_scatter(
        &self,
        op: Scatter,
        x: Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        let mut column = vec![1; x.rank()];
        column[axis] = index.numel();
        self.scatter(op, &x, axis, &index.reshape(column.as_slice()).expand(source.shape()), source)
    }

    /// Row-major numbers in an array of the given sizes, from i64 arrays of one shape that hold the places along each
    /// axis; negative places count from the back. An error says which array holds a place out of range.
    fn ravel_index(&self, indices: &[&Array], sizes: &[usize]) -> Result<Array, (usize, OutOfRange)> {
        let host: Vec<Array> = indices.iter().map(|index| index.to_device(&Device::cpu())).collect();
        let numbers = Cpu.ravel_index(&host.iter().collect::<Vec<_>>(), sizes)?;
        Ok(numbers.to_device(indices[0].device()))
    }

    /// The places of the true elements of a bool array, in row-major order: `[count, rank]`, i64.
    fn nonzero(&self, mask: &Array) -> Array {
        Cpu.nonzero(&mask.to_device(&Device::cpu())).to_device(mask.device())
    }

    /// The elements of `x` where the bool array `mask`, of its shape, is true, in row-major order.
    fn masked_select(&self, x: &Array, mask: &Array) -> Array {
        let host = Device::cpu();
        Cpu.masked_select(&x.to_device(&host), &mask.to_device(&host)).to_device(x.device())
    }

    /// `x` with the elements where the bool array `mask`, of its shape, is true replaced by the first ones of `source`,
    /// in row-major order. If these are too few, the error is the number of true elements.
    fn masked_scatter(&self, x: &Array, mask: &Array, source: &Array) -> Result<Array, usize> {
        let host = Device::cpu();
        let (on_host, mask) = (x.to_device(&host), mask.to_device(&host));
        Ok(Cpu.masked_scatter(&on_host, &mask, &source.to_device(&host))?.to_device(x.device()))
    }

    // Provided: placing.

    /// The elements of `x` in row-major order, with those of `source`, which has the shape of `region` and the dtype of
    /// `x`, in the places of `region`, a layout within that order; where places meet, one of the elements stays, the
    /// same every time. It may overwrite `x` where nobody else holds its elements.
    fn place(&self, x: Array, region: &Layout, source: &Array) -> Array {
        let (here, host) = (x.device().clone(), Device::cpu());
        Cpu.place(x.to_device(&host), region, &source.to_device(&host)).to_device(&here)
    }

    // Provided: random draws, by the host if the device has no kernel.

    /// So many drawn values: floats as F32 or F64, truth values as bool, integers as I64. They are those that the
    /// [`ChaCha`](crate::random::ChaCha) generator of the CPU draws from this place of its stream on.
    fn random(&self, draws: Draws, from: Stretch, dtype: DType, count: usize) -> Buffer {
        self.upload(draws.on_host(from, dtype, count))
    }

    // Provided: what rare functions need.

    /// `x = mantissa * 2^exponent` with a mantissa of absolute value 1/2 to 1, for a float array of a compute type;
    /// the exponents are i32. Zeros, infinities and NaN are their own mantissas, with the exponent 0.
    fn frexp(&self, x: &Array) -> (Array, Array) {
        let (mantissa, exponent) = crate::cpu::frexp(&x.to_device(&crate::Device::cpu()));
        (mantissa.to_device(x.device()), exponent.to_device(x.device()))
    }

    // Provided: fused operations.

    /// `a = op(a, b)` for compute-type arrays of one shape, in place where nobody else holds the elements of `a`.
    fn binary_assign(&self, op: Binary, a: &mut Array, b: &Array) {
        *a = self.binary(op, a, b);
    }

    /// An elementwise function of three compute-type arrays of one shape.
    fn ternary(&self, op: Ternary, a: &Array, b: &Array, c: &Array) -> Array {
        let number = |value: Scalar| self.fill(&[], a.dtype(), value);
        match op {
            Ternary::Addcmul(value) => a.add(&b.mul(c).mul(&number(value))),
            Ternary::Addcdiv(value) => a.add(&b.scale(value).div(c)),
            Ternary::Lerp => {
                let step = b.sub(a);
                // From the nearer end, so that both ends are met exactly.
                let far = b.sub(&step.mul(&number(Scalar::Float(1.0)).sub(c)));
                c.abs().lt(&number(Scalar::Float(0.5))).where_(&a.add(&step.mul(c)), &far)
            }
            Ternary::Clamp => a.maximum(b).minimum(c),
        }
    }

    /// `x W^T + b`: `[N, in] x [out, in] + [out] -> [N, out]`, and a relu behind it if wanted.
    fn linear(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        let y = self.matmul(x, &weight.t());
        let y = match bias {
            Some(bias) => y.add(bias),
            None => y,
        };
        if relu { y.relu() } else { y }
    }

    /// [`Backend::matmul`] of f16 or bf16, whose sums are of f32 and rounded once. The CPU is not asked: its arrays cast.
    fn matmul_narrow(&self, a: &Array, b: &Array) -> Array {
        self.matmul(&a.cast(DType::F32), &b.cast(DType::F32)).cast(a.dtype())
    }

    /// [`Backend::linear`] of f16 or bf16, rounded once. The CPU is not asked.
    fn linear_narrow(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        let [wide, weight] = [x, weight].map(|x| x.cast(DType::F32));
        let bias = bias.map(|bias| bias.cast(DType::F32));
        self.linear(&wide, &weight, bias.as_ref(), relu).cast(x.dtype())
    }

    /// The sum of the absolute values or squares of the float array `x`, or of what it differs by from `centre`, over
    /// axes as in [`Backend::reduce`]; `centre` has the shape of the result.
    fn reduce_term(&self, term: Term, x: &Array, centre: Option<&Array>, axes: &[usize]) -> Array {
        let x = centre.map_or_else(|| x.clone(), |centre| x.sub(centre));
        let terms = match term {
            Term::Abs => x.abs(),
            Term::Square => x.mul(&x),
        };
        self.reduce(Reduce::Sum, &terms, axes)
    }

    /// The number of elements that are not zero, as i64, over axes as in [`Backend::reduce`].
    fn count_nonzero(&self, x: &Array, axes: &[usize]) -> Array {
        self.reduce(Reduce::Sum, &x.cast(DType::Bool).cast(DType::I64), axes)
    }

    /// What [`Scan`] says of all elements of `x` up to each place along an axis, or from there on. Here and in what
    /// follows, until fused operations begin again, the default body lets the host compute; no axis is empty.
    fn scan(&self, op: Scan, x: &Array, axis: usize, reverse: bool) -> Array {
        Cpu.scan(op, &host(x), axis, reverse).to_device(x.device())
    }

    /// The largest or smallest element up to each place along an axis, and the last place where it stands, as i64. NaN
    /// wins.
    fn scan_extreme(&self, op: ArgReduce, x: &Array, axis: usize) -> (Array, Array) {
        back(Cpu.scan_extreme(op, &host(x), axis), x)
    }

    /// `y[k] = b[k] + a[k] y[k - 1]` along an axis, or with `reverse` `b[k] + a[k] y[k + 1]`; float arrays of one shape.
    fn recurrence(&self, a: &Array, b: &Array, axis: usize, reverse: bool) -> Array {
        Cpu.recurrence(&host(a), &host(b), axis, reverse).to_device(a.device())
    }

    /// The elements in order along an axis, and their places, as i64; equal ones keep theirs, NaN counts as largest.
    fn sort(&self, x: &Array, axis: usize, descending: bool) -> (Array, Array) {
        back(Cpu.sort(&host(x), axis, descending), x)
    }

    /// The first `k` of [`Backend::sort`].
    fn topk(&self, x: &Array, axis: usize, k: usize, largest: bool) -> (Array, Array) {
        back(Cpu.topk(&host(x), axis, k, largest), x)
    }

    /// One element along an axis, which stays with size 1, and its place, as i64.
    fn kth(&self, rank: Rank, x: &Array, axis: usize) -> (Array, Array) {
        back(Cpu.kth(rank, &host(x), axis), x)
    }

    /// The most frequent element along an axis, which stays with size 1 (the smallest of several), and the last place
    /// where it stands, as i64. NaN is not equal to itself.
    fn mode(&self, x: &Array, axis: usize) -> (Array, Array) {
        back(Cpu.mode(&host(x), axis), x)
    }

    /// For each of `values`, `[rows, m]`, the first place in its row of `sorted`, `[rows, n]`, before which it can be
    /// put; with `right` the last such place. One dtype; i64.
    fn search_sorted(&self, sorted: &Array, values: &Array, right: bool) -> Array {
        Cpu.search_sorted(&host(sorted), &host(values), right).to_device(values.device())
    }

    /// How often each of `0..size` stands in the one-dimensional i64 array `index`, which has only such; or the sums of
    /// their weights, in f32 or f64.
    fn bincount(&self, index: &Array, weights: Option<&Array>, size: usize) -> Array {
        Cpu.bincount(&host(index), weights.map(host).as_ref(), size).to_device(index.device())
    }

    /// How many elements of the float array `x` lie in each of so many equal parts of `low..=high`, as i64.
    fn histc(&self, x: &Array, bins: usize, low: f64, high: f64) -> Array {
        Cpu.histc(&host(x), bins, low, high).to_device(x.device())
    }

    /// exp(x) over its sum along `axis`, without overflow.
    fn softmax(&self, x: &Array, axis: usize) -> Array {
        let e = x.sub(&self.reduce(Reduce::Max, x, &[axis])).exp();
        let sum = self.reduce(Reduce::Sum, &e, &[axis]);
        e.div(&sum)
    }

    /// The logarithm of [`Backend::softmax`], without its loss of small values.
    fn log_softmax(&self, x: &Array, axis: usize) -> Array {
        let shifted = x.sub(&self.reduce(Reduce::Max, x, &[axis]));
        let sum = self.reduce(Reduce::Sum, &shifted.exp(), &[axis]);
        shifted.sub(&sum.log())
    }

    /// The gradient of [`Backend::softmax`] from that of its result, and the result `y`.
    fn softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        let sum = self.reduce(Reduce::Sum, &grad.mul(y), &[axis]);
        y.mul(&grad.sub(&sum))
    }

    /// The gradient of [`Backend::log_softmax`] from that of its result, and the result `y`.
    fn log_softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        grad.sub(&y.exp().mul(&self.reduce(Reduce::Sum, grad, &[axis])))
    }

    /// The losses `-log_softmax(x)[target]` of the rows of `[N, C]`, `[N]`, and for each row its largest logit and the
    /// logarithm of the sum of the exponentials of the distances to it, `[N, 2]`. The targets, i64, are in range.
    fn cross_entropy(&self, x: &Array, target: &Array) -> (Array, Array) {
        let most = self.reduce(Reduce::Max, x, &[1]);
        let shifted = x.sub(&most);
        let sums = self.reduce(Reduce::Sum, &shifted.exp(), &[1]).log();
        let chosen = self.gather(&shifted, 1, &target.unsqueeze(1)).expect("targets were checked");
        (sums.sub(&chosen).squeeze_dim(1), self.cat(&[&most, &sums], 1))
    }

    /// The gradient of the losses of [`Backend::cross_entropy`]: `(softmax(x) - one_hot(target)) * grad`; `stats` is
    /// its second result and `grad` has the shape `[N]`, perhaps expanded.
    fn cross_entropy_grad(&self, x: &Array, stats: &Array, target: &Array, grad: &Array) -> Array {
        let slopes = x.sub(&stats.narrow(1, 0, 1)).sub(&stats.narrow(1, 1, 1)).exp();
        let column = target.unsqueeze(1);
        let minus_one = self.fill(column.shape(), x.dtype(), crate::Scalar::Float(-1.0));
        let slopes =
            self.scatter(Scatter::Add, &slopes, 1, &column, &minus_one).expect("targets were checked");
        slopes.mul(&grad.unsqueeze(1))
    }

    /// The losses of pairs of elements of two float arrays of one shape.
    fn pair_loss(&self, kind: PairLoss, x: &Array, y: &Array) -> Array {
        crate::array::loss::composed(kind, x, y)
    }

    /// The gradients of [`Backend::pair_loss`] with respect to `x`, from those of the losses: a scalar or of their shape.
    fn pair_loss_grad(&self, kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array {
        crate::array::loss::composed_grad(kind, grad, x, y)
    }

    /// Whether all elements of a float array lie in `low..=high`; NaN does not.
    fn within(&self, x: &Array, low: f64, high: f64) -> bool {
        let (low, high) = (x.scalar_operand(low), x.scalar_operand(high));
        x.ge(&low).logical_and(&x.le(&high)).all().item()
    }

    /// See [`Array::class_numbers`].
    fn class_numbers(&self, x: &Array, classes: usize, ignored: Option<i64>) -> Option<[bool; 2]> {
        Some(host::class_numbers(&host(x), classes, ignored))
    }

    /// For log-probabilities `[T, N, C]` of classes at each time, minus the logarithm of the probability that they
    /// spell each sample's labels, `[N]`: the sum over all paths with repeats and blanks. On the host.
    fn ctc_loss(&self, x: &Array, task: &Ctc) -> Array {
        crate::cpu::ctc_losses(&x.to_device(&crate::Device::cpu()), task).to_device(x.device())
    }

    /// The gradient of [`Backend::ctc_loss`] with respect to `x`, from that of the losses. It takes for granted, as
    /// PyTorch's does, that `x` comes from a log-softmax.
    fn ctc_loss_grad(&self, x: &Array, task: &Ctc, grad: &Array) -> Array {
        let [host, grad] = [x, grad].map(|x| x.to_device(&crate::Device::cpu()));
        crate::cpu::ctc_gradient(&host, task, &grad).to_device(x.device())
    }

    /// Normalises the rows of `[N, D]`: `(x - mean) * rate * weight + bias`, where the rate is
    /// `1 / sqrt(mean((x - mean)^2) + eps)`; [`Norm::Rms`] takes 0 for the mean. The second result holds mean and
    /// rate of each row, `[N, 2]`.
    fn norm(
        &self,
        kind: Norm,
        x: &Array,
        weight: Option<&Array>,
        bias: Option<&Array>,
        eps: f64,
    ) -> (Array, Array) {
        let share = 1.0 / x.shape()[1] as f64;
        let mean = match kind {
            Norm::Layer => {
                // In two steps: the first rounds, and the mean of the differences is what it missed by.
                let near = self.reduce(Reduce::Sum, x, &[1]).scale(share);
                near.add(&self.reduce(Reduce::Sum, &x.sub(&near), &[1]).scale(share))
            }
            Norm::Rms => self.fill(&[x.shape()[0], 1], x.dtype(), crate::Scalar::Float(0.0)),
        };
        let centred = x.sub(&mean);
        let square = self.reduce(Reduce::Sum, &centred.mul(&centred), &[1]).scale(share);
        let rate = square.offset(eps).sqrt().reciprocal();
        let mut y = centred.mul(&rate);
        if let Some(weight) = weight {
            y = y.mul(weight);
        }
        if let Some(bias) = bias {
            y = y.add(bias);
        }
        (y, self.cat(&[&mean, &rate], 1))
    }

    /// `softmax(q k^T scale) v` of query, key and value, `(.., L, E)`, `(.., S, E)` and `(.., S, Ev)` with equal leading dims
    /// and no size of 0; and the softmax, flat or `(.., L, S)` and arbitrary where it is masked, if the gradient needs it.
    fn attention(&self, what: &Attention, [q, k, v]: [&Array; 3], keep: bool) -> (Array, Option<Array>) {
        let mut scores = self.matmul(&q.scale(what.scale), &k.transpose(-1, -2));
        if what.causal {
            let [l, s] = [q, k].map(|x| x.shape()[x.rank() - 2] as i64);
            let seen = Array::arange(0, s, 1).le(&Array::arange(0, l, 1).unsqueeze(1)).to_device(q.device());
            scores = seen.where_(&scores, &scores.scalar_operand(f64::NEG_INFINITY));
        }
        let weights = self.softmax(&scores, scores.rank() - 1);
        (self.matmul(&weights, v), keep.then_some(weights))
    }

    /// The gradients of query, key and value from the result's; `weights` is what this backend's own `attention` kept.
    fn attention_grad(
        &self,
        what: &Attention,
        grad: &Array,
        [q, k, v]: [&Array; 3],
        weights: &Array,
    ) -> [Array; 3] {
        let scores = self.matmul(grad, &v.transpose(-1, -2));
        let scores = self.softmax_grad(&scores, weights, weights.rank() - 1);
        [
            self.matmul(&scores, k).scale(what.scale),
            self.matmul(&scores.transpose(-1, -2), &q.scale(what.scale)),
            self.matmul(&weights.transpose(-1, -2), grad),
        ]
    }

    /// The gradients of [`Backend::norm`] with respect to `x`, weight and bias; `stats` is its second result. Without
    /// a weight the last two mean what they would for one of ones.
    fn norm_grad(
        &self,
        kind: Norm,
        grad: &Array,
        x: &Array,
        stats: &Array,
        weight: Option<&Array>,
    ) -> (Array, Array, Array) {
        let share = 1.0 / x.shape()[1] as f64;
        let (mean, rate) = (stats.narrow(1, 0, 1), stats.narrow(1, 1, 1));
        let unit = x.sub(&mean).mul(&rate);
        let inner = weight.map_or_else(|| grad.clone(), |weight| grad.mul(weight));
        let along = self.reduce(Reduce::Sum, &inner.mul(&unit), &[1]).scale(share);
        let mut dx = inner.sub(&unit.mul(&along));
        if kind == Norm::Layer {
            dx = dx.sub(&self.reduce(Reduce::Sum, &inner, &[1]).scale(share));
        }
        (dx.mul(&rate), grad.mul(&unit).sum_dim(0, false), grad.sum_dim(0, false))
    }

    /// The Cholesky factors `L` of f32 or f64 matrices `[..., n, n]`, whose lower triangles are read, and for each
    /// matrix, as i32, the order of the first leading minor that is not positive, or 0.
    fn cholesky(&self, x: &Array) -> (Array, Array) {
        let (factor, info) = linalg::cholesky(&host(x));
        (factor.to_device(x.device()), info.to_device(x.device()))
    }

    /// The inverses of `L L^T` from the lower triangles of `[..., n, n]`.
    fn cholesky_inverse(&self, factor: &Array) -> Array {
        linalg::cholesky_inverse(&host(factor)).to_device(factor.device())
    }

    /// LU factors of `[..., m, n]` with partial pivoting, both in one matrix: `P A = L U`, where the diagonal of `L` is
    /// ones. Then, as i32, the row that each row was exchanged with, from 1, `[..., min(m, n)]`, and for each matrix the
    /// first pivot that is zero, from 1, or 0.
    fn lu(&self, x: &Array) -> (Array, Array, Array) {
        let (factors, pivots, info) = linalg::lu(&host(x));
        (factors.to_device(x.device()), pivots.to_device(x.device()), info.to_device(x.device()))
    }

    /// `A^-1 B` for the upper or lower triangles of `[..., n, n]`, whose diagonals count as ones if `unit`, and
    /// `[..., n, k]` with equal leading sizes.
    fn solve_triangular(&self, a: &Array, b: &Array, upper: bool, unit: bool) -> Array {
        linalg::solve_triangular(&host(a), &host(b), upper, unit).to_device(a.device())
    }

    /// `A = Q R` of `[..., m, n]`: `[..., m, k]` and `[..., k, n]`, where k is the smaller size, or m if `complete`. The
    /// signs are LAPACK's.
    fn qr(&self, x: &Array, complete: bool) -> (Array, Array) {
        let (q, r) = linalg::qr(&host(x), complete);
        (q.to_device(x.device()), r.to_device(x.device()))
    }

    /// `A = U diag(S) V^T` of `[..., m, n]`: `[..., m, k]`, `[..., k]`, descending, and `[..., k, n]`, where k is the
    /// smaller size; if `full`, `U` and `V` are square. `None` if the iteration does not converge, as for NaN.
    fn svd(&self, x: &Array, full: bool) -> Option<(Array, Array, Array)> {
        let (u, s, v) = linalg::svd(&host(x), full)?;
        Some((u.to_device(x.device()), s.to_device(x.device()), v.to_device(x.device())))
    }

    /// Eigenvalues, ascending, and eigenvectors, the columns, of symmetric `[..., n, n]`, whose lower triangles are
    /// read. `None` if the iteration does not converge, as for NaN.
    fn eigh(&self, x: &Array) -> Option<(Array, Array)> {
        let (values, vectors) = linalg::eigh(&host(x))?;
        Some((values.to_device(x.device()), vectors.to_device(x.device())))
    }

    /// The cross products of the three elements along `axis` of two arrays of one shape and numeric compute type.
    fn cross(&self, a: &Array, b: &Array, axis: usize) -> Array {
        linalg::cross(&host(a), &host(b), axis).to_device(a.device())
    }

    /// One step of an optimiser: changes `w`, and the states that its rule has, which are kept in the compute type of `w`.
    ///
    /// The default body lets the host compute.
    fn optimizer_step(&self, step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
        steps::by_host(step, w, g, state);
    }

    /// Calls `steps`, which asks for steps of optimisers on arrays of which none is given twice: they may be done at once,
    /// when it returns. The default body just calls it.
    fn together(&self, steps: &mut dyn FnMut()) {
        steps();
    }

    // Provided: windows and channels. The default bodies let the host compute.

    /// The convolution of `x` with `weight`, plus a bias for each channel; the shapes are those of [`Conv`], or others with
    /// as many elements.
    fn conv(&self, conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
        let bias = bias.map(host);
        window::conv::conv(conv, &host(x), &host(weight), bias.as_ref()).to_device(x.device())
    }

    /// [`Backend::conv`] with negative results made zero; of those the largest of each window, if there is a `pool` over
    /// the planes, and their places in the planes if wanted: the numbers of one after the other.
    fn conv_relu(
        &self,
        conv: &Conv,
        x: &Array,
        weight: &Array,
        bias: Option<&Array>,
        pool: Option<&Spans>,
        places: bool,
    ) -> (Array, Option<Array>) {
        let bias = bias.map(host);
        let (y, index) = window::conv::conv_relu(conv, &host(x), &host(weight), bias.as_ref(), pool, places);
        (y.to_device(x.device()), index.map(|index| index.to_device(x.device())))
    }

    /// The gradient of [`Backend::conv`] with respect to `x`, from that of its result.
    fn conv_grad_input(&self, conv: &Conv, grad: &Array, weight: &Array) -> Array {
        window::conv::grad_input(conv, &host(grad), &host(weight)).to_device(grad.device())
    }

    /// The gradient of [`Backend::conv`] with respect to the weight, from that of its result.
    fn conv_grad_weight(&self, conv: &Conv, grad: &Array, x: &Array) -> Array {
        window::conv::grad_weight(conv, &host(grad), &host(x)).to_device(grad.device())
    }

    /// The windows of `[N, C, ...]` as columns, `[N, C * kernel, windows]`.
    fn unfold_windows(&self, window: &Window, x: &Array) -> Array {
        window::columns::unfold(window, &host(x)).to_device(x.device())
    }

    /// The sums of columns `[N, C * kernel, windows]` in the places that [`Backend::unfold_windows`] takes them from.
    fn fold_windows(&self, window: &Window, columns: &Array) -> Array {
        window::columns::fold(window, &host(columns)).to_device(columns.device())
    }

    /// The largest elements of the windows of `[planes, depth, height, width]`, the first of equals and NaN before all,
    /// and their places in the planes, i64.
    fn max_pool(&self, spans: &Spans, x: &Array) -> (Array, Array) {
        let (values, index) = window::pool::max(spans, &host(x));
        (values.to_device(x.device()), index.to_device(x.device()))
    }

    /// The gradient of [`Backend::max_pool`] from that of its result and the places.
    fn max_pool_grad(&self, spans: &Spans, grad: &Array, index: &Array) -> Array {
        window::pool::max_grad(spans, &host(grad), &host(index)).to_device(grad.device())
    }

    /// The means of the windows of `[planes, depth, height, width]`.
    fn avg_pool(&self, spans: &Spans, x: &Array) -> Array {
        window::pool::avg(spans, &host(x)).to_device(x.device())
    }

    /// The gradient of [`Backend::avg_pool`] from that of its result.
    fn avg_pool_grad(&self, spans: &Spans, grad: &Array) -> Array {
        window::pool::avg_grad(spans, &host(grad)).to_device(grad.device())
    }

    /// Mean and variance of each channel of `[N, C, L]`, as `[C, 2]`; the variance is divided by the number of elements.
    fn channel_stats(&self, x: &Array) -> Array {
        channels::channel_stats(&host(x)).to_device(x.device())
    }

    /// For each channel of `[N, C, L]` the sum of the gradients, and that of their products with the distances of `x`
    /// from the mean, `[C]`: as `[C, 2]`.
    fn channel_grad_sums(&self, grad: &Array, x: &Array, mean: &Array) -> Array {
        channels::channel_grad_sums(&host(grad), &host(x), &host(mean)).to_device(x.device())
    }

    /// `(x - m) a + b` with `m, a, b` of each channel of `[N, C, L]`, `[C, 3]`.
    fn channel_scale(&self, x: &Array, factors: &Array) -> Array {
        channels::channel_scale(&host(x), &host(factors)).to_device(x.device())
    }

    /// `grad a + (x - m) b + c` with `m, a, b, c` of each channel of `[N, C, L]`, `[C, 4]`.
    fn channel_mix(&self, grad: &Array, x: &Array, factors: &Array) -> Array {
        channels::channel_mix(&host(grad), &host(x), &host(factors)).to_device(x.device())
    }
}
