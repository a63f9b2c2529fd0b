//! Recurrent layers and their cells.

use crate::fields;
use crate::functional::dropout;
use crate::init;
use crate::module::{Fields, Mode, Module, Parameter, Path};
use crate::print::python_float;
use crate::walk::{Field, Walk};
use rushlight_array::{Array, DType, fail};
use rushlight_autograd::ops::{self, cat, stack};
use rushlight_autograd::{Tensor, TensorOptions, is_autocast_enabled, zeros_with};

/// Options of [`RNN`], [`LSTM`] and [`GRU`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RnnOptions {
    /// Layers on top of each other.
    pub num_layers: usize,
    /// Whether the additions have biases.
    pub bias: bool,
    /// Whether the batch is the first dim, before the time.
    pub batch_first: bool,
    /// The probability that an output of a layer but the last becomes 0, in training.
    pub dropout: f64,
    /// Whether each layer also reads from the end, with weights of its own.
    pub bidirectional: bool,
    /// The function of an [`RNN`].
    pub nonlinearity: RnnNonlinearity,
    /// The size of an [`LSTM`]'s projected state; 0 for none.
    pub proj_size: usize,
}

impl Default for RnnOptions {
    fn default() -> Self {
        RnnOptions {
            num_layers: 1,
            bias: true,
            batch_first: false,
            dropout: 0.0,
            bidirectional: false,
            nonlinearity: RnnNonlinearity::Tanh,
            proj_size: 0,
        }
    }
}

/// What an [`RNN`] does with its sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RnnNonlinearity {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0).
    Relu,
}

impl Field for RnnOptions {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl Field for RnnNonlinearity {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

/// How a cell goes from one step to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    Rnn(RnnNonlinearity),
    Lstm,
    Gru,
}

impl Field for Cell {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

impl Cell {
    /// The number of sums of each hidden unit.
    fn gates(self) -> usize {
        match self {
            Cell::Rnn(_) => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// The next state from what the input adds, `(N, gates H)`, and the state before, `(N, H)`; the second is the LSTM's
    /// cell.
    #[track_caller]
    fn step(self, from_input: &Tensor, weights: &Weights, state: &[Tensor]) -> Vec<Tensor> {
        // Within `autocast` the whole step is narrow, as in PyTorch; the state before may be wide.
        let narrow = is_autocast_enabled(&from_input.device());
        let of_input = |x: &Tensor| if narrow { x.to(from_input.dtype()) } else { x.clone() };
        let state: Vec<Tensor> = state.iter().map(of_input).collect();
        let h = &state[0];
        let from_state = ops::linear(h, &weights.hidden, weights.hidden_bias.as_deref());
        match self {
            Cell::Rnn(RnnNonlinearity::Tanh) => vec![(from_input + from_state).tanh()],
            Cell::Rnn(RnnNonlinearity::Relu) => vec![(from_input + from_state).relu()],
            Cell::Lstm => {
                let gates = (from_input + from_state).chunk(4, 1);
                let (input, forget, output) = (gates[0].sigmoid(), gates[1].sigmoid(), gates[3].sigmoid());
                let cell = forget * &state[1] + input * gates[2].tanh();
                let mut h = output * cell.tanh();
                if let Some(projection) = &weights.projection {
                    h = ops::linear(&h, projection, None);
                }
                vec![h, cell]
            }
            Cell::Gru => {
                let (x, h_sums) = (from_input.chunk(3, 1), from_state.chunk(3, 1));
                let reset = (&x[0] + &h_sums[0]).sigmoid();
                let update = (&x[1] + &h_sums[1]).sigmoid();
                let new = (&x[2] + reset * &h_sums[2]).tanh();
                vec![&new + update * (h - &new)]
            }
        }
    }
}

/// The weights of one direction of one layer.
#[derive(Debug)]
struct Weights {
    input: Parameter,
    hidden: Parameter,
    input_bias: Option<Parameter>,
    hidden_bias: Option<Parameter>,
    projection: Option<Parameter>,
}

impl Weights {
    /// Evenly drawn from +-1/sqrt(hidden), in this order.
    fn new(cell: Cell, inputs: usize, hidden: usize, bias: bool, proj_size: usize) -> Self {
        let bound = if hidden > 0 { 1.0 / (hidden as f64).sqrt() } else { 0.0 };
        let drawn = |shape: &[usize]| {
            let parameter = Parameter::new(Array::zeros(shape, DType::F32));
            init::uniform_(&parameter, -bound, bound);
            parameter
        };
        let rows = cell.gates() * hidden;
        let state = if proj_size > 0 { proj_size } else { hidden };
        Weights {
            input: drawn(&[rows, inputs]),
            hidden: drawn(&[rows, state]),
            input_bias: bias.then(|| drawn(&[rows])),
            hidden_bias: bias.then(|| drawn(&[rows])),
            projection: (proj_size > 0).then(|| drawn(&[proj_size, hidden])),
        }
    }

    fn visit(&self, walk: &mut Walk<'_>, end: &str) {
        walk.field(&format!("weight_ih{end}"), &self.input);
        walk.field(&format!("weight_hh{end}"), &self.hidden);
        walk.field(&format!("bias_ih{end}"), &self.input_bias);
        walk.field(&format!("bias_hh{end}"), &self.hidden_bias);
        walk.field(&format!("weight_hr{end}"), &self.projection);
    }

    fn numel(&self) -> usize {
        self.input.numel() + self.hidden.numel() + self.projection.as_ref().map_or(0, |p| p.numel())
    }
}

/// What the three layers share.
#[derive(Debug)]
struct Recurrent {
    cell: Cell,
    name: &'static str,
    /// For each layer, its directions.
    layers: Vec<Vec<Weights>>,
    input_size: usize,
    hidden_size: usize,
    options: RnnOptions,
    training: Mode,
    path: Path,
}

impl Recurrent {
    #[track_caller]
    fn new(
        name: &'static str,
        cell: Cell,
        input_size: usize,
        hidden_size: usize,
        options: RnnOptions,
    ) -> Self {
        let RnnOptions { num_layers, bias, dropout, bidirectional, proj_size, .. } = options;
        if num_layers == 0 || hidden_size == 0 {
            fail!("{name}: {num_layers} layers of size {hidden_size}; both must be 1 or more");
        }
        if !(0.0..=1.0).contains(&dropout) {
            fail!("{name}: dropout is {dropout}; a probability must be between 0 and 1");
        }
        if proj_size > 0 && (cell != Cell::Lstm || proj_size >= hidden_size) {
            fail!(
                "{name}: proj_size is {proj_size}; only an LSTM has one, and it must be below hidden_size {hidden_size}"
            );
        }
        let directions = 1 + usize::from(bidirectional);
        let state = if proj_size > 0 { proj_size } else { hidden_size };
        let weights = |layer: usize| {
            let inputs = if layer == 0 { input_size } else { state * directions };
            (0..directions).map(|_| Weights::new(cell, inputs, hidden_size, bias, proj_size)).collect()
        };
        let layers = (0..num_layers).map(weights).collect();
        let (training, path) = (Mode::default(), Path::default());
        Recurrent { cell, name, layers, input_size, hidden_size, options, training, path }
    }

    /// The size of the state that layers hand on.
    fn state_size(&self) -> usize {
        if self.options.proj_size > 0 { self.options.proj_size } else { self.hidden_size }
    }

    /// Output `(L, N, directions H)` and last states `(layers directions, N, H)`, or as `batch_first` and a missing batch
    /// have it.
    #[track_caller]
    fn forward(&self, x: &Tensor, states: Option<&[&Tensor]>) -> (Tensor, Vec<Tensor>) {
        let single = x.dim() == 2;
        if !(2..=3).contains(&x.dim()) || x.shape()[x.dim() - 1] != self.input_size {
            fail!(
                "{}: the input has shape {:?}; it must have 2 or 3 dims, the last of size {}",
                self.name,
                x.shape(),
                self.input_size
            );
        }
        let x = if single { x.unsqueeze(1) } else { x.clone() };
        let batch_first = self.options.batch_first && !single;
        let x = if batch_first { x.transpose(0, 1) } else { x };
        let (steps, count) = (x.shape()[0], x.shape()[1]);
        if steps == 0 {
            fail!("{}: the sequence is empty; it must have a step", self.name);
        }
        let directions = self.layers[0].len();
        let rows = self.layers.len() * directions;
        let sizes: &[usize] = if self.cell == Cell::Lstm {
            &[self.state_size(), self.hidden_size]
        } else {
            &[self.state_size()]
        };
        let starts: Vec<Tensor> = match states {
            None => {
                let options = TensorOptions { dtype: Some(x.dtype()), device: Some(x.device()) };
                sizes.iter().map(|&size| zeros_with([rows, count, size], options.clone())).collect()
            }
            Some(states) => {
                let mut starts = Vec::with_capacity(states.len());
                for (&state, &size) in states.iter().zip(sizes) {
                    let state = if single && state.dim() == 2 { state.unsqueeze(1) } else { state.clone() };
                    if state.shape() != [rows, count, size] {
                        fail!(
                            "{}: the first state has shape {:?}; it must be {:?}",
                            self.name,
                            state.shape(),
                            [rows, count, size]
                        );
                    }
                    starts.push(state);
                }
                starts
            }
        };
        let mut ends: Vec<Vec<Tensor>> = vec![Vec::new(); sizes.len()];
        let mut layer_input = x;
        for (l, layer) in self.layers.iter().enumerate() {
            if l > 0 && self.options.dropout > 0.0 {
                layer_input = dropout(&layer_input, self.options.dropout, self.training.is_training());
            }
            let mut outputs = Vec::with_capacity(directions);
            for (d, weights) in layer.iter().enumerate() {
                let mut state: Vec<Tensor> =
                    starts.iter().map(|start| start.select(0, (l * directions + d) as isize)).collect();
                // What the inputs of all steps add, in one product.
                let added = ops::linear(&layer_input, &weights.input, weights.input_bias.as_deref());
                let added = added.unbind(0);
                let mut steps_out = vec![None; steps];
                for t in 0..steps {
                    let t = if d == 0 { t } else { steps - 1 - t };
                    state = self.cell.step(&added[t], weights, &state);
                    steps_out[t] = Some(state[0].clone());
                }
                for (ends, state) in ends.iter_mut().zip(state) {
                    ends.push(state);
                }
                let steps_out: Vec<Tensor> = steps_out.into_iter().flatten().collect();
                outputs.push(stack(&steps_out.iter().collect::<Vec<_>>(), 0));
            }
            layer_input = match &outputs[..] {
                [one] => one.clone(),
                both => cat(&both.iter().collect::<Vec<_>>(), 2),
            };
        }
        let ends = ends.iter().map(|ends| stack(&ends.iter().collect::<Vec<_>>(), 0));
        let ends: Vec<Tensor> = ends.map(|end| if single { end.squeeze_dim(1) } else { end }).collect();
        let output = match (single, batch_first) {
            (true, _) => layer_input.squeeze_dim(1),
            (_, true) => layer_input.transpose(0, 1),
            _ => layer_input,
        };
        (output, ends)
    }

    fn visit(&self, walk: &mut Walk<'_>) {
        walk.field("path", &self.path);
        walk.field("training", &self.training);
        for (l, layer) in self.layers.iter().enumerate() {
            for (weights, direction) in layer.iter().zip(["", "_reverse"]) {
                weights.visit(walk, &format!("_l{l}{direction}"));
            }
        }
    }

    fn text(&self) -> String {
        let options = &self.options;
        let mut text = format!("{}, {}", self.input_size, self.hidden_size);
        if options.proj_size > 0 {
            text += &format!(", proj_size={}", options.proj_size);
        }
        if options.num_layers != 1 {
            text += &format!(", num_layers={}", options.num_layers);
        }
        if !options.bias {
            text += ", bias=False";
        }
        if options.batch_first {
            text += ", batch_first=True";
        }
        if options.dropout != 0.0 {
            text += &format!(", dropout={}", python_float(options.dropout));
        }
        if options.bidirectional {
            text += ", bidirectional=True";
        }
        text
    }

    fn multiply_adds(&self, x: &Tensor) -> usize {
        let positions = x.numel() / self.input_size.max(1);
        positions * self.layers.iter().flatten().map(Weights::numel).sum::<usize>()
    }
}

macro_rules! recurrent {
    ($($(#[$doc:meta])* $Name:ident, |$options:ident| $cell:expr, $States:ty, |$given:ident| $slices:expr, |$ends:ident| $states:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// Shape: `(L, N, input_size)`, `(N, L, input_size)` with `batch_first`, or `(L, input_size)` -> output with
        /// `directions * hidden_size` features, and the last states `(layers * directions, N, hidden_size)`.
        ///
        /// Parameters are PyTorch's (`weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `..._reverse`), evenly drawn
        /// from +-1/sqrt(hidden_size).
        #[derive(Debug)]
        pub struct $Name {
            inner: Recurrent,
        }

        impl $Name {
            /// One layer, with PyTorch's defaults.
            ///
            /// # Panics
            /// If `hidden_size` is 0.
            #[track_caller]
            pub fn new(input_size: usize, hidden_size: usize) -> Self {
                $Name::with(input_size, hidden_size, RnnOptions::default())
            }

            /// With other options.
            ///
            /// # Panics
            /// If a size or the number of layers is 0, or an option does not fit.
            #[track_caller]
            pub fn with(input_size: usize, hidden_size: usize, $options: RnnOptions) -> Self {
                $Name { inner: Recurrent::new(stringify!($Name), $cell, input_size, hidden_size, $options) }
            }

            /// The outputs of the last layer at all steps and the last states; zeros are the first states if none are given.
            ///
            /// # Panics
            /// If shapes or dtypes do not fit.
            #[track_caller]
            pub fn forward(&self, x: &Tensor, $given: Option<$States>) -> (Tensor, $States) {
                let _place = self.inner.path.enter(None, stringify!($Name));
                let (y, $ends) = self.inner.forward(x, $slices);
                (self.inner.path.finish(self, x, y), $states)
            }
        }

        impl Fields for $Name {
            fn visit(&self, walk: &mut Walk<'_>) {
                self.inner.visit(walk);
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::write_module(self, f)
            }
        }

        impl Module for $Name {
            /// The output alone, from zeros; see the method of the same name for the states.
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                $Name::forward(self, x, None).0
            }

            fn multiply_adds(&self, x: &Tensor, _: &Tensor) -> usize {
                self.inner.multiply_adds(x)
            }

            fn extra_repr(&self) -> String {
                self.inner.text()
            }
        }
    )*};
}
recurrent! {
    /// Elman's network: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)` (Elman, "Finding structure in time", 1990).
    ///
    /// ```
    /// use rushlight_autograd::randn;
    /// use rushlight_nn::{RNN, RnnOptions};
    /// let rnn = RNN::with(3, 4, RnnOptions { num_layers: 2, batch_first: true, ..Default::default() });
    /// let (y, h) = rnn.forward(&randn([5, 7, 3]), None);
    /// assert_eq!((y.shape().to_vec(), h.shape().to_vec()), (vec![5, 7, 4], vec![2, 5, 4]));
    /// ```
    RNN, |options| Cell::Rnn(options.nonlinearity), Tensor,
        |h| h.as_ref().map(|h| [h]).as_ref().map(|states| &states[..]), |ends| ends[0].clone();
    /// Long short-term memory (Hochreiter & Schmidhuber, 1997; with forget gates). The states are a pair: output and cell.
    LSTM, |options| Cell::Lstm, (Tensor, Tensor),
        |states| states.as_ref().map(|(h, c)| [h, c]).as_ref().map(|states| &states[..]),
        |ends| (ends[0].clone(), ends[1].clone());
    /// Gated recurrent units (Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014).
    GRU, |options| Cell::Gru, Tensor,
        |h| h.as_ref().map(|h| [h]).as_ref().map(|states| &states[..]), |ends| ends[0].clone();
}

macro_rules! cells {
    ($($(#[$doc:meta])* $Name:ident, $cell:expr, $States:ty, |$given:ident| $list:expr, |$ends:ident| $states:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// Shape: `(N, input_size)` or `(input_size)` and states `(N, hidden_size)` -> states.
        #[derive(Debug)]
        pub struct $Name {
            /// `(gates * hidden_size, input_size)`.
            pub weight_ih: Parameter,
            /// `(gates * hidden_size, hidden_size)`.
            pub weight_hh: Parameter,
            /// `(gates * hidden_size)`.
            pub bias_ih: Option<Parameter>,
            /// `(gates * hidden_size)`.
            pub bias_hh: Option<Parameter>,
            path: Path,
        }
        fields!($Name { path, weight_ih, weight_hh, bias_ih, bias_hh });

        impl $Name {
            /// A cell, with biases or without.
            pub fn new(input_size: usize, hidden_size: usize, bias: bool) -> Self {
                let Weights { input, hidden, input_bias, hidden_bias, .. } =
                    Weights::new($cell, input_size, hidden_size, bias, 0);
                let path = Path::default();
                $Name { weight_ih: input, weight_hh: hidden, bias_ih: input_bias, bias_hh: hidden_bias, path }
            }

            /// The next states; zeros are the states before if none are given.
            ///
            /// # Panics
            /// If shapes or dtypes do not fit.
            #[track_caller]
            pub fn forward(&self, x: &Tensor, $given: Option<$States>) -> $States {
                let _place = self.path.enter(None, stringify!($Name));
                let single = x.dim() == 1;
                let rows = if single { x.unsqueeze(0) } else { x.clone() };
                let size = self.weight_hh.shape()[1];
                let given: Option<Vec<Tensor>> = $list;
                let states: Vec<Tensor> = match given {
                    Some(states) => states.iter().map(|s| if single { s.unsqueeze(0) } else { s.clone() }).collect(),
                    None => {
                        let options = TensorOptions { dtype: Some(x.dtype()), device: Some(x.device()) };
                        vec![zeros_with([rows.shape()[0], size], options); 2]
                    }
                };
                let weights = Weights {
                    input: self.weight_ih.clone(),
                    hidden: self.weight_hh.clone(),
                    input_bias: self.bias_ih.clone(),
                    hidden_bias: self.bias_hh.clone(),
                    projection: None,
                };
                let added = ops::linear(&rows, &self.weight_ih, self.bias_ih.as_deref());
                let $ends: Vec<Tensor> = $cell.step(&added, &weights, &states);
                let $ends: Vec<Tensor> =
                    $ends.into_iter().map(|s| if single { s.squeeze_dim(0) } else { s }).collect();
                $states
            }
        }

        impl Module for $Name {
            fn extra_repr(&self) -> String {
                let bias = if self.bias_ih.is_some() { "" } else { ", bias=False" };
                format!("{}, {}{bias}", self.weight_ih.shape()[1], self.weight_hh.shape()[1])
            }
        }
    )*};
}
cells! {
    /// One step of an [`RNN`] with tanh.
    RNNCell, Cell::Rnn(RnnNonlinearity::Tanh), Tensor, |h| h.map(|h| vec![h]), |ends| ends[0].clone();
    /// One step of an [`LSTM`].
    LSTMCell, Cell::Lstm, (Tensor, Tensor), |states| states.map(|(h, c)| vec![h, c]), |ends| (ends[0].clone(), ends[1].clone());
    /// One step of a [`GRU`].
    GRUCell, Cell::Gru, Tensor, |h| h.map(|h| vec![h]), |ends| ends[0].clone();
}
