//! Rows of a table by number, alone or in bags, and numbers as rows of zeros and a one.

use crate::mode::no_grad;
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Scatter;
use rushlight_array::{Array, DType, fail};

/// Options of [`embedding_with`]; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct EmbeddingOptions {
    /// A row that gets no gradient; a negative one counts from the back.
    pub padding_idx: Option<isize>,
    /// Rows that are used and whose norm is larger are scaled down to this norm, in the weight itself.
    pub max_norm: Option<f64>,
    /// The p of this norm.
    pub norm_type: f64,
    /// Divides the gradient of each row by how often it is used.
    pub scale_grad_by_freq: bool,
}

impl Default for EmbeddingOptions {
    fn default() -> Self {
        EmbeddingOptions { padding_idx: None, max_norm: None, norm_type: 2.0, scale_grad_by_freq: false }
    }
}

/// What [`embedding_bag`] makes of the rows of a bag.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EmbeddingBagMode {
    /// Their sum: `"sum"`.
    Sum,
    /// Their mean: `"mean"`.
    #[default]
    Mean,
    /// Their largest elements; of equal ones the first gets the gradient: `"max"`.
    Max,
}

/// Options of [`embedding_bag_with`]; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct EmbeddingBagOptions {
    /// Rows that are used and whose norm is larger are scaled down to this norm, in the weight itself.
    pub max_norm: Option<f64>,
    /// The p of this norm.
    pub norm_type: f64,
    /// Divides the gradient of each row by how often it is used; not for [`EmbeddingBagMode::Max`].
    pub scale_grad_by_freq: bool,
    /// What a bag's rows become.
    pub mode: EmbeddingBagMode,
    /// A factor for each row that is used, of the shape of the input; for [`EmbeddingBagMode::Sum`] alone.
    pub per_sample_weights: Option<Tensor>,
    /// Whether the offsets end with the end of the last bag; what lies behind it does not count.
    pub include_last_offset: bool,
    /// A row that does not count; a negative one counts from the back.
    pub padding_idx: Option<isize>,
}

impl Default for EmbeddingBagOptions {
    fn default() -> Self {
        EmbeddingBagOptions {
            max_norm: None,
            norm_type: 2.0,
            scale_grad_by_freq: false,
            mode: EmbeddingBagMode::Mean,
            per_sample_weights: None,
            include_last_offset: false,
            padding_idx: None,
        }
    }
}

/// Rows of a weight.
#[derive(Debug)]
struct Embedding {
    /// One dim.
    index: Array,
    padding: Option<i64>,
    by_frequency: bool,
    /// The values of the weight, if they are not its own any more.
    values: Option<Array>,
    name: &'static str,
}

impl Op for Embedding {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let values = self.values.take();
        values.as_ref().unwrap_or(inputs[0]).index_select_by(self.name, 0, &self.index)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (index, device) = (Tensor::constant(self.index.clone()), grad.device());
            let shape = saved.shape(0);
            let mut grad = grad.clone();
            if self.by_frequency {
                let counts = Tensor::constant(Array::full(shape[0], 0.0, grad.dtype(), &device));
                let ones = Tensor::constant(Array::full(index.numel(), 1.0, grad.dtype(), &device));
                let counts = counts.index_add(0, &index, &ones).index_select(0, &index);
                grad /= counts.unsqueeze(1);
            }
            let zeros = Tensor::constant(Array::full(shape, 0.0, grad.dtype(), &device));
            let all = zeros.index_add(0, &index, &grad);
            match self.padding {
                Some(row) => all.index_fill(0, &Tensor::constant(Array::new([row]).to_device(&device)), 0.0),
                None => all,
            }
        });
    }
}

/// The rows of `weight` whose numbers `input` holds: `(*) -> (*, D)` with a weight `(count, D)`. PyTorch's
/// `torch.nn.functional.embedding`.
///
/// ```
/// use rushlight_autograd::{ops::embedding, tensor};
/// let weight = tensor([[1.0, 2.0], [3.0, 4.0]]).requires_grad_();
/// let y = embedding(&tensor([1, 1]), &weight);
/// assert_eq!(y.to_vec::<f32>(), [3.0, 4.0, 3.0, 4.0]);
/// y.sum().backward();
/// assert_eq!(weight.grad().unwrap().to_vec::<f32>(), [0.0, 0.0, 2.0, 2.0]);
/// ```
///
/// # Panics
/// If the weight has not two dims, or the input does not hold integers from 0 to count - 1.
#[track_caller]
pub fn embedding(input: &Tensor, weight: &Tensor) -> Tensor {
    embedding_with(input, weight, &EmbeddingOptions::default())
}

/// [`embedding`] with [`EmbeddingOptions`].
///
/// With `max_norm` the weight's rows are changed as in PyTorch if it is a leaf, whether it requires a gradient or not.
/// Other tensors do not change here: the result is that of the scaled rows.
///
/// # Panics
/// As [`embedding`]; also if `padding_idx` is out of range.
#[track_caller]
pub fn embedding_with(input: &Tensor, weight: &Tensor, options: &EmbeddingOptions) -> Tensor {
    check("embedding", input, weight);
    let padding = padding("embedding", weight, options.padding_idx);
    let index = input.array().cast(DType::I64).reshape([-1]);
    let norm = options.max_norm.map(|max| (max, options.norm_type));
    let rows = rows("embedding", weight, index, padding, options.scale_grad_by_freq, norm);
    let shape = [&*input.shape(), &[weight.size(1)]].concat();
    if input.dim() == 1 { rows } else { rows.reshape(shape.as_slice()) }
}

#[track_caller]
fn check(op: &str, input: &Tensor, weight: &Tensor) {
    if weight.dim() != 2 {
        fail!(
            "{op}: the weight has shape {:?}; it must have two dims, a row for each number",
            weight.shape()
        );
    }
    if !input.dtype().is_int() {
        fail!("{op}: the input is {}, not integers; cast with .to(DType::I64)", input.dtype().name());
    }
}

#[track_caller]
fn padding(op: &str, weight: &Tensor, row: Option<isize>) -> Option<i64> {
    let (row, count) = (row?, weight.size(0) as isize);
    if row < -count || row >= count {
        fail!(
            "{op}: padding_idx {row} is out of range for a weight of shape {:?}; expected {} to {}",
            weight.shape(),
            -count,
            count - 1
        );
    }
    Some((if row < 0 { row + count } else { row }) as i64)
}

/// The rows of a weight, whose norms are cut before if wanted: (largest norm, p).
#[track_caller]
fn rows(
    name: &'static str,
    weight: &Tensor,
    index: Array,
    padding: Option<i64>,
    by_frequency: bool,
    norm: Option<(f64, f64)>,
) -> Tensor {
    let mut values = None;
    if let Some((max, p)) = norm {
        let cut = cut_norms(name, &weight.array(), &index, max, p);
        if weight.leaf().is_some() {
            no_grad(|| weight.set(cut));
        } else {
            values = Some(cut);
        }
    }
    Tensor::apply(Embedding { index, padding, by_frequency, values, name }, &[weight])
}

/// The weight with the rows that an index names scaled down to a norm.
#[track_caller]
fn cut_norms(name: &str, weight: &Array, index: &Array, max: f64, p: f64) -> Array {
    let rows = weight.index_select_by(name, 0, index);
    let norms = match p {
        p if p.is_infinite() && weight.shape()[1] > 0 => rows.abs().amax(1, true),
        p => rows.abs().powf(p).sum_dim(1, true).powf(1.0 / p),
    };
    let limit = norms.scalar_operand(max);
    // The term in the denominator is PyTorch's.
    let factors = limit.div(&norms.add(&norms.scalar_operand(1e-7)));
    let factors = norms.gt(&limit).where_(&factors, &norms.scalar_operand(1.0));
    weight.index_scatter(name, Scatter::Set, 0, index, &rows.mul(&factors))
}

/// Sums, means or largest elements of bags of rows: `(B, N) -> (B, D)`, or `(N) -> (B, D)` with `offsets` `(B)`, where
/// each bag begins. A bag without rows gives zeros. PyTorch's `torch.nn.functional.embedding_bag`.
///
/// ```
/// use rushlight_autograd::{ops::embedding_bag, tensor};
/// let weight = tensor([[1.0, 2.0], [3.0, 4.0]]);
/// let y = embedding_bag(&tensor([0, 1, 1]), &weight, Some(&tensor([0, 2])));
/// assert_eq!(y.to_vec::<f32>(), [2.0, 3.0, 3.0, 4.0]);
/// ```
///
/// # Panics
/// If the weight has not two dims; if the input does not hold integers from 0 to count - 1; if an input of one dim has
/// no offsets, or one of two dims has some; if the offsets do not begin with 0, fall, or leave the input.
#[track_caller]
pub fn embedding_bag(input: &Tensor, weight: &Tensor, offsets: Option<&Tensor>) -> Tensor {
    embedding_bag_with(input, weight, offsets, &EmbeddingBagOptions::default())
}

/// [`embedding_bag`] with [`EmbeddingBagOptions`].
///
/// # Panics
/// As [`embedding_bag`]; also if the options do not go together, as PyTorch says.
#[track_caller]
pub fn embedding_bag_with(
    input: &Tensor,
    weight: &Tensor,
    offsets: Option<&Tensor>,
    options: &EmbeddingBagOptions,
) -> Tensor {
    check("embedding_bag", input, weight);
    if !weight.dtype().is_float() {
        fail!("embedding_bag: the weight is {}, not a float", weight.dtype().name());
    }
    check_options(input, weight, options);
    let padding = padding("embedding_bag", weight, options.padding_idx);
    let mut samples = Samples::new(input, offsets, options);
    if let Some(row) = padding {
        samples.leave_out(row);
    }
    let norm = options.max_norm.map(|max| (max, options.norm_type));
    let index = samples.index.clone();
    let rows = rows("embedding_bag", weight, index, None, options.scale_grad_by_freq, norm);
    samples.join(&rows, options.mode)
}

#[track_caller]
fn check_options(input: &Tensor, weight: &Tensor, options: &EmbeddingBagOptions) {
    if options.mode == EmbeddingBagMode::Max && options.scale_grad_by_freq {
        fail!("embedding_bag: scale_grad_by_freq does not go with the mode Max; use Sum or Mean");
    }
    let Some(factors) = &options.per_sample_weights else { return };
    if options.mode != EmbeddingBagMode::Sum {
        fail!("embedding_bag: per_sample_weights do not go with the mode {:?}; use Sum", options.mode);
    }
    if factors.shape() != input.shape() || factors.dtype() != weight.dtype() {
        fail!(
            "embedding_bag: per_sample_weights are {:?} of {}; expected {:?} of {}, as the input and the weight",
            factors.shape(),
            factors.dtype().name(),
            input.shape(),
            weight.dtype().name()
        );
    }
}

/// The rows that are used: their numbers, their bags, and their factors.
struct Samples {
    index: Array,
    bags: Array,
    factors: Option<Tensor>,
    /// The number of bags.
    count: usize,
}

impl Samples {
    #[track_caller]
    fn new(input: &Tensor, offsets: Option<&Tensor>, options: &EmbeddingBagOptions) -> Samples {
        let (bags, count) = match (input.dim(), offsets) {
            (1, Some(offsets)) => bags(offsets, input.numel(), options.include_last_offset),
            (2, None) => {
                let [count, each] = [input.size(0), input.size(1)];
                ((0..count * each).map(|i| (i / each) as i64).collect(), count)
            }
            (1, None) => fail!("embedding_bag: an input of one dim needs offsets, where its bags begin"),
            (2, Some(_)) => {
                fail!("embedding_bag: an input of two dims has a bag in each row; leave out the offsets")
            }
            _ => {
                fail!("embedding_bag: the input has shape {:?}; it must have one or two dims", input.shape())
            }
        };
        // What lies behind the last bag does not count.
        let used = bags.len();
        Samples {
            index: input.array().cast(DType::I64).reshape([-1]).narrow(0, 0, used),
            bags: Array::from_vec(bags, used).to_device(&input.device()),
            factors: options.per_sample_weights.as_ref().map(|f| f.reshape([-1]).narrow(0, 0, used)),
            count,
        }
    }

    /// Leaves out the samples of a row.
    fn leave_out(&mut self, row: i64) {
        let kept = self.index.ne(&self.index.scalar_operand(row));
        self.index = self.index.masked_select(&kept);
        self.bags = self.bags.masked_select(&kept);
        self.factors = self.factors.take().map(|factors| factors.masked_select(&kept.into()));
    }

    fn join(&self, rows: &Tensor, mode: EmbeddingBagMode) -> Tensor {
        if mode == EmbeddingBagMode::Max && self.bags.numel() > 0 {
            return self.largest(rows);
        }
        let full = |value, shape: &[usize]| Array::full(shape, value, rows.dtype(), &rows.device());
        let bags = Tensor::constant(self.bags.clone());
        let zeros = Tensor::constant(full(0.0, &[self.count, rows.size(1)]));
        match &self.factors {
            Some(factors) => zeros.index_add(0, &bags, &(rows * factors.unsqueeze(1))),
            None if mode == EmbeddingBagMode::Mean => {
                let counts =
                    full(0.0, &[self.count]).index_add(0, &self.bags, &full(1.0, &[self.bags.numel()]));
                let counts = counts.maximum(&counts.scalar_operand(1.0)).unsqueeze(1);
                zeros.index_add(0, &bags, rows) / Tensor::constant(counts)
            }
            None => zeros.index_add(0, &bags, rows),
        }
    }

    /// The largest elements of each bag, picked from the first row that has them.
    fn largest(&self, rows: &Tensor) -> Tensor {
        let (x, n, device) = (rows.array(), rows.size(0) as i64, rows.device());
        let shape = [self.count, rows.size(1)];
        let least = Array::full(shape, f64::NEG_INFINITY, x.dtype(), &device);
        let most = least.index_scatter("embedding_bag", Scatter::Max, 0, &self.bags, &x);
        // NaN wins, and is not equal to itself.
        let hit = x.eq(&most.index_select(0, &self.bags)).logical_or(&x.ne(&x));
        let numbers = Array::arange(0, n, 1).to_device(&device).unsqueeze(1);
        let places = hit.where_(&numbers, &numbers.scalar_operand(n));
        let none = Array::full(shape, n, DType::I64, &device);
        let first = none.index_scatter("embedding_bag", Scatter::Min, 0, &self.bags, &places);
        let empty = first.eq(&none);
        let first = empty.where_(&first.scalar_operand(0), &first);
        rows.gather(0, &first.into()).masked_fill(&empty.into(), 0.0)
    }
}

/// The bag of each sample, up to the end of the last bag, and the number of bags.
#[track_caller]
fn bags(offsets: &Tensor, n: usize, include_last: bool) -> (Vec<i64>, usize) {
    if offsets.dim() != 1 || !offsets.dtype().is_int() {
        fail!(
            "embedding_bag: the offsets are {:?} of {}; they must be integers of one dim",
            offsets.shape(),
            offsets.dtype().name()
        );
    }
    let mut starts = offsets.array().cast(DType::I64).to_vec::<i64>();
    if starts.first().is_some_and(|&start| start != 0) {
        fail!("embedding_bag: the offsets begin with {}, not with 0", starts[0]);
    }
    if let Some(pair) = starts.windows(2).find(|pair| pair[0] > pair[1]) {
        fail!(
            "embedding_bag: the offsets fall from {} to {}; bags lie one behind the other",
            pair[0],
            pair[1]
        );
    }
    if let Some(last) = starts.last().filter(|&&last| last > n as i64) {
        fail!("embedding_bag: the last offset is {last}, but the input has {n} elements");
    }
    let end = if include_last {
        match starts.pop() {
            Some(end) => end,
            None => fail!("embedding_bag: no offsets, though the last one was to be the end of the last bag"),
        }
    } else {
        n as i64
    };
    let mut bags = Vec::with_capacity(n);
    for (bag, &start) in starts.iter().enumerate() {
        let next = starts.get(bag + 1).map_or(end, |&next| next);
        bags.extend(std::iter::repeat_n(bag as i64, (next - start) as usize));
    }
    (bags, starts.len())
}

/// Class numbers as rows with a one in the place of the class: `(*) -> (*, C)`, `i64`, with one class more than the
/// largest number. PyTorch's `torch.nn.functional.one_hot`.
///
/// ```
/// use rushlight_autograd::{ops::one_hot, tensor};
/// assert_eq!(one_hot(&tensor([0, 2])).to_vec::<i64>(), [1, 0, 0, 0, 0, 1]);
/// ```
///
/// # Panics
/// If the numbers are not `i64` integers from 0, or there is none.
#[track_caller]
pub fn one_hot(input: &Tensor) -> Tensor {
    if input.numel() == 0 {
        fail!("one_hot: an empty input does not tell the number of classes; use one_hot_with");
    }
    check_classes(input);
    let most = input.array().max().item::<i64>();
    one_hot_with(input, most.max(0) as usize + 1)
}

/// [`one_hot`] with a number of classes.
///
/// # Panics
/// If the numbers are not `i64` integers from 0 to `num_classes - 1`, or there is neither a number nor a class.
#[track_caller]
pub fn one_hot_with(input: &Tensor, num_classes: usize) -> Tensor {
    check_classes(input);
    if input.numel() == 0 && num_classes == 0 {
        fail!("one_hot: an empty input and no classes; there must be at least one class");
    }
    let index = input.array().unsqueeze(-1);
    let shape = [&*input.shape(), &[num_classes]].concat();
    let zeros = Array::full(shape, 0, DType::I64, &input.device());
    let ones = Array::full((), 1, DType::I64, &input.device()).expand(index.shape());
    zeros.scatter_by("one_hot", Scatter::Set, -1, &index, &ones).into()
}

#[track_caller]
fn check_classes(input: &Tensor) {
    if input.dtype() != DType::I64 {
        fail!("one_hot: the classes are {}, not int64; cast with .to(DType::I64)", input.dtype().name());
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Embedding", "embedding", "torch.nn.functional.embedding", |draw| {
        let (count, shape) = (draw.full_size(), draw.shape(0, 2));
        let input = Tensor::constant(draw.index(&shape, count));
        let width = draw.size();
        Sample::new(vec![draw.leaf(&[count, width], Domain::Any)], move |x| embedding(&input, &x[0]).exp())
    })
    .rejects(|| {
        vec![
            Reject::new(
                "embedding: index 3 is out of range for dim 0 of shape [3, 2]; expected 0 to 2",
                || {
                    embedding(&integers(), &floats([3, 2]));
                },
            ),
            Reject::new("embedding: the weight has shape [3]", || {
                embedding(&integers(), &floats([3]));
            }),
            Reject::new("embedding: padding_idx 3 is out of range", || {
                let options = EmbeddingOptions { padding_idx: Some(3), ..EmbeddingOptions::default() };
                embedding_with(&integers(), &floats([3, 2]), &options);
            }),
        ]
    })
    .differs("gradients are never sparse; max_norm changes the weight in place only if it is a leaf"),
    OpInfo::composed("embedding_bag", "torch.nn.functional.embedding_bag", |draw| {
        let (count, width) = (draw.full_size(), draw.full_size());
        let mode = [EmbeddingBagMode::Sum, EmbeddingBagMode::Mean, EmbeddingBagMode::Max][draw.below(3)];
        let padding_idx = draw.coin().then_some(-1);
        let shape = draw.full_shape(2, 2);
        let input = Tensor::constant(draw.index(&shape, count));
        let mut inputs = vec![draw.leaf(&[count, width], Domain::Distinct)];
        if mode == EmbeddingBagMode::Sum {
            inputs.push(draw.leaf(&shape, Domain::Any));
        }
        let flat = draw.coin();
        Sample::new(inputs, move |x| {
            let mut options = EmbeddingBagOptions { mode, padding_idx, ..EmbeddingBagOptions::default() };
            options.per_sample_weights = x.get(1).cloned();
            if !flat {
                return embedding_bag_with(&input, &x[0], None, &options).exp();
            }
            options.per_sample_weights = options.per_sample_weights.map(|factors| factors.reshape([-1]));
            let each = input.size(1) as i64;
            let offsets = Array::arange(0, input.numel() as i64, each).to_device(&input.device()).into();
            embedding_bag_with(&input.reshape([-1]), &x[0], Some(&offsets), &options).exp()
        })
    })
    .rejects(|| {
        vec![
            Reject::new("embedding_bag: an input of one dim needs offsets", || {
                embedding_bag(&integers(), &floats([4, 2]), None);
            }),
            Reject::new("embedding_bag: the offsets begin with 1, not with 0", || {
                embedding_bag(&integers(), &floats([4, 2]), Some(&integers()));
            }),
            Reject::new("embedding_bag: index 3 is out of range for dim 0 of shape [3, 2]", || {
                embedding_bag(&integers().unsqueeze(0), &floats([3, 2]), None);
            }),
        ]
    })
    .differs("gradients are never sparse; max_norm changes the weight in place only if it is a leaf"),
    OpInfo::composed("one_hot", "torch.nn.functional.one_hot", |draw| {
        let shape = draw.full_shape(0, 2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            one_hot(&x[0].gt(0.0).to(DType::I64)).to(DType::F64)
        })
    })
    .never()
    .rejects(|| {
        vec![
            Reject::new(
                "one_hot: index 3 is out of range for dim -1 of shape [3, 3]; expected 0 to 2",
                || {
                    one_hot_with(&integers(), 3);
                },
            ),
            Reject::new("one_hot: the classes are float32, not int64", || {
                one_hot(&floats([2]));
            }),
        ]
    }),
];
