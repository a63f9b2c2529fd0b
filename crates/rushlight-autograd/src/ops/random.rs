//! Random draws: places by weight, and tensors filled in place. All come from the default generator, in the order of
//! PyTorch's.

use crate::create::check_draws;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::random::{Generator, default_generator, with_default_generator};
use rushlight_array::{Array, DType, fail};

impl Tensor {
    /// `num_samples` different places of each row, drawn in proportion to the weights that stand there: PyTorch's
    /// `multinomial` without replacement.
    ///
    /// Shape: `(C)` -> `(num_samples)`, `(N, C)` -> `(N, num_samples)`, of `i64`.
    ///
    /// # Panics
    /// If there are not one or two dims, the dtype is not a float, a weight is negative or not finite, all weights of a row
    /// are 0, or fewer than `num_samples` of them are not 0 (PyTorch then gives places of weight 0).
    #[track_caller]
    pub fn multinomial(&self, num_samples: usize) -> Tensor {
        self.multinomial_with(num_samples, false)
    }

    /// As [`Tensor::multinomial`]; with `replacement` a place may be drawn again.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([0.0, 0.5, 0.0]).multinomial_with(3, true).to_vec::<i64>(), [1, 1, 1]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::multinomial`]; with `replacement` one weight above 0 is enough.
    #[track_caller]
    pub fn multinomial_with(&self, num_samples: usize, replacement: bool) -> Tensor {
        let shape = self.shape();
        if !(1..=2).contains(&shape.len()) || !self.dtype().is_float() {
            fail!(
                "multinomial: shape {shape:?} of {}; it must be [C] or [N, C] of floats",
                self.dtype().name()
            );
        }
        let (mut places, generator) = (Vec::new(), default_generator());
        let row = shape[shape.len() - 1].max(1);
        if self.dtype() == DType::F64 {
            for weights in self.to_vec::<f64>().chunks(row) {
                places.extend(generator.multinomial_f64(weights, num_samples, replacement));
            }
        } else {
            for weights in self.to(DType::F32).to_vec::<f32>().chunks(row) {
                places.extend(generator.multinomial_f32(weights, num_samples, replacement));
            }
        }
        let mut result = shape.to_vec();
        let last = result.len() - 1;
        if places.is_empty() && result.iter().take(last).all(|&rows| rows > 0) {
            fail!("multinomial: shape {shape:?} has no weight to draw from");
        }
        result[last] = num_samples;
        Tensor::constant(Array::from_vec(places, result.as_slice()).to_device(&self.device()))
    }

    /// Fills this tensor with 1 in places drawn with probability `p`, else 0; see [`Tensor::add_`]. PyTorch's default is 1/2.
    ///
    /// # Panics
    /// If `p` is not a probability, or this is a leaf that requires a gradient and recording is on.
    #[track_caller]
    pub fn bernoulli_(&mut self, p: f64) -> &mut Tensor {
        self.check_replaceable("bernoulli_");
        self.drawn("bernoulli_", &Array::bernoulli_on(self.shape(), p, &default_generator(), &self.device()))
    }

    /// Fills this tensor with exponentially distributed numbers of the rate `lambd`, whose mean is `1 / lambd`; see
    /// [`Tensor::add_`]. PyTorch's default is 1.
    ///
    /// # Panics
    /// If `lambd` is not above 0, the dtype is not a float, or this is a leaf that requires a gradient and recording is on.
    #[track_caller]
    pub fn exponential_(&mut self, lambd: f64) -> &mut Tensor {
        self.check_replaceable("exponential_");
        if !self.dtype().is_float() {
            let dtype = self.dtype().name();
            fail!(
                "exponential_: the dtype is {dtype}, not a float; draw into a tensor of floats and cast that"
            );
        }
        let drawn = exponential(self, lambd);
        self.drawn("exponential_", &drawn)
    }

    /// Fills this tensor with integers from 0 to the largest of its dtype, or of floats the largest below which every
    /// integer is one of them (`2^24` of `f32`); see [`Tensor::add_`].
    ///
    /// # Panics
    /// If this is a leaf that requires a gradient and recording is on.
    #[track_caller]
    pub fn random_(&mut self) -> &mut Tensor {
        self.check_replaceable("random_");
        let generator = default_generator();
        let most = match self.dtype() {
            DType::I64 => {
                let drawn = (0..self.numel()).map(|_| generator.random_i64()).collect::<Vec<_>>();
                return self.drawn("random_", &Array::from_vec(drawn, self.shape()));
            }
            DType::Bool => 1,
            DType::F64 => 1 << 53,
            DType::F32 => 1 << 24,
            DType::F16 => 1 << 11,
            DType::BF16 => 1 << 8,
            dtype => dtype.int_range().map_or(0, |(_, most)| most),
        };
        self.drawn("random_", &Array::randint_on(0, most + 1, self.shape(), &generator, &self.device()))
    }

    /// Fills this tensor with integers from `low..high`; see [`Tensor::add_`].
    ///
    /// # Panics
    /// If the range is empty, the dtype has no place for some of its numbers, or this is a leaf that requires a gradient and
    /// recording is on.
    #[track_caller]
    pub fn random_with_(&mut self, low: i64, high: i64) -> &mut Tensor {
        self.check_replaceable("random_");
        check_draws("random_", low, high, self.dtype());
        self.drawn(
            "random_",
            &Array::randint_on(low, high, self.shape(), &default_generator(), &self.device()),
        )
    }

    /// Puts drawn values in the place of this tensor's, in its dtype and on its device.
    #[track_caller]
    fn drawn(&mut self, name: &str, values: &Array) -> &mut Tensor {
        let values = values.reshape(self.shape().as_ref()).cast(self.dtype()).to_device(&self.device());
        self.replace(name, Tensor::constant(values))
    }
}

/// Exponentially distributed numbers in the shape of a tensor of floats: `f64` for such, else `f32`.
#[track_caller]
pub(super) fn exponential(like: &Tensor, lambd: f64) -> Array {
    let (shape, generator) = (like.shape(), default_generator());
    match like.dtype() {
        DType::F64 => Array::build::<f64>(&shape, |out| generator.exponential_f64(out, lambd)),
        _ => Array::build::<f32>(&shape, |out| generator.exponential_f32(out, lambd)),
    }
}

/// A sample of what is drawn in the shape of a leaf, the same in each call.
fn filled(draw: &mut Draw<'_>, fill: fn(&mut Tensor)) -> Sample {
    let shape = draw.shape(0, 3);
    Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
        with_default_generator(
            || Generator::new(7),
            || {
                let mut drawn = x[0].detach();
                fill(&mut drawn);
                drawn
            },
        )
    })
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("multinomial", "torch.multinomial", |draw| {
        let shape = draw.full_shape(1, 2);
        let replacement = draw.coin();
        Sample::new(vec![draw.leaf(&shape, Domain::Positive)], move |x| {
            with_default_generator(|| Generator::new(7), || x[0].multinomial_with(1, replacement))
        })
    })
    .never()
    .differs("places of weight 0 are never drawn")
    .rejects(|| {
        vec![
            Reject::new("multinomial: shape [3] of int64; it must be [C] or [N, C] of floats", || {
                integers().multinomial(1);
            }),
            Reject::new("multinomial: shape [0] has no weight to draw from", || {
                floats([0]).multinomial(1);
            }),
        ]
    }),
    OpInfo::composed("bernoulli_", "torch.Tensor.bernoulli_", |draw| {
        filled(draw, |x| {
            x.bernoulli_(0.3);
        })
    })
    .never(),
    OpInfo::composed("exponential_", "torch.Tensor.exponential_", |draw| {
        filled(draw, |x| {
            x.exponential_(2.0);
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("exponential_: the dtype is int64, not a float", || {
            integers().exponential_(1.0);
        })]
    }),
    OpInfo::composed("random_", "torch.Tensor.random_", |draw| {
        filled(draw, |x| {
            x.random_().mul_(0.5).random_with_(2, 7);
        })
    })
    .never()
    .differs("int32 without a range takes two words of the generator for each number")
    .rejects(|| {
        vec![Reject::new("random_: 0..300 is not within 0..=255, the range of uint8", || {
            floats([2]).to(DType::U8).random_with_(0, 300);
        })]
    }),
];
