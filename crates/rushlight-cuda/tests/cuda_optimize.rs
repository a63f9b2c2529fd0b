//! Steps of optimisers: parameters and states after them are those of the CPU, and nothing is copied that need not be.
//!
//! f32 differs by at most 16 units of the last place of the greatest term, half precision by one unit; f64 by 1e-12.

mod common;

use common::cases::{Near, Numbers, Values, difference, values};
use common::{cuda, device};
use proptest::prelude::*;
use rushlight_array::backend::{OptimizerStep, StepRule, rule};
use rushlight_array::{Array, DType, Device};

/// Every rule with the states that it can have.
fn rows() -> Vec<(StepRule, [bool; 3])> {
    let sgd = rule::Sgd { lr: 0.1, momentum: 0.9, fresh: 0.7, nesterov: false, first: false };
    let adam = rule::Adam { beta1: 0.9, beta2: 0.99, eps: 1e-3, rate: 0.05, root: 0.7 };
    let rmsprop = rule::RmsProp { lr: 0.01, alpha: 0.9, eps: 1e-2, momentum: 0.8 };
    let radam = rule::RAdam { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-3, correction: 0.6, adaptive: None };
    let (one, two, all) = ([true, false, false], [true, true, false], [true; 3]);
    vec![
        (sgd.into(), [false; 3]),
        (sgd.into(), one),
        (rule::Sgd { nesterov: true, ..sgd }.into(), one),
        (rule::Sgd { first: true, ..sgd }.into(), one),
        (adam.into(), two),
        (adam.into(), all),
        // The mean moves by more than half of the way.
        (rule::Adam { beta1: 0.3, ..adam }.into(), two),
        (rmsprop.into(), one),
        (rmsprop.into(), two),
        (rmsprop.into(), [true, false, true]),
        (rmsprop.into(), all),
        (rule::Adagrad { rate: 0.1, eps: 1e-3 }.into(), one),
        (rule::Adadelta { lr: 0.5, rho: 0.9, eps: 1e-3 }.into(), two),
        (rule::Adamax { beta1: 0.9, beta2: 0.99, eps: 1e-2, rate: 0.02 }.into(), two),
        (
            rule::NAdam {
                beta1: 0.9,
                beta2: 0.99,
                eps: 1e-2,
                correction: 0.4,
                rate_grad: 0.03,
                rate_mean: 0.02,
            }
            .into(),
            two,
        ),
        (radam.into(), two),
        (rule::RAdam { adaptive: Some((0.8, 0.5)), ..radam }.into(), two),
        (rule::Asgd { rate: 0.1, average: 0.25 }.into(), one),
        (rule::Asgd { rate: 0.1, average: 1.0 }.into(), one),
        (rule::Rprop { minus: 0.5, plus: 1.2, min: 1e-6, max: 5.0 }.into(), two),
    ]
}

/// A parameter and its states.
#[derive(Clone)]
struct Kept {
    w: Array,
    states: [Option<Array>; 3],
}

impl Kept {
    fn to(&self, device: &Device) -> Kept {
        let states = self.states.each_ref().map(|state| state.as_ref().map(|state| state.to_device(device)));
        Kept { w: self.w.to_device(device), states }
    }

    fn step(&mut self, step: &OptimizerStep, g: &Array) {
        let device = self.w.device().clone();
        let states = self.states.each_mut().map(Option::as_mut);
        device.backend().optimizer_step(step, &mut self.w, g, states);
    }

    fn differs(&self, near: Near, other: &Kept) -> Option<String> {
        let states = self.states.iter().flatten().zip(other.states.iter().flatten());
        std::iter::once((&self.w, &other.w))
            .chain(states)
            .enumerate()
            .find_map(|(k, (a, b))| Some(format!("array {k} at {}", difference(near, a, b)?)))
    }
}

fn steps(numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let device = cuda();
    let sizes: &[&[usize]] = &[&[], &[0], &[1], &[3, 5], &[257], &[32, 33], &[4, 4]];
    let shape = sizes[numbers.below(sizes.len())];
    for (rule, there) in rows() {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            let mut step = OptimizerStep::new(rule);
            step.maximize = numbers.below(2) == 0;
            step.weight_decay = [0.0, 0.05][numbers.below(2)];
            step.shrink = [1.0, 0.9][numbers.below(2)];
            let mut draw = |kind, dtype| values(numbers, kind, shape, dtype);
            // Means of squares are not below 0.
            let states = there.map(|is| is.then(|| draw(Values::Share, dtype.compute()).offset(0.5)));
            let mut here = Kept { w: draw(Values::Moderate, dtype), states };
            let mut away = here.to(&device);
            let held = away.clone();
            // Half precision's gradients may be wide.
            let wide = draw(Values::Share, DType::F32).offset(0.1);
            let g = if numbers.below(4) == 0 { wide } else { wide.cast(dtype) };
            let before = here.clone();
            for (turn, g) in [g.clone(), g.neg()].iter().enumerate() {
                here.step(&step, g);
                away.step(&step, &g.to_device(&device));
                let found = here.differs(Near::Sum, &away);
                prop_assert!(
                    found.is_none(),
                    "{step:?} of {dtype}, step {turn}: {}",
                    found.unwrap_or_default()
                );
            }
            // Whoever else holds them has them as they were.
            prop_assert_eq!(before.differs(Near::Same, &held), None, "{:?} of {}", step, dtype);
        }
    }
    Ok(())
}

/// Steps of many parameters at once are those of each alone, whatever their kinds; what is asked for between them too.
fn steps_together(numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let device = cuda();
    let (sgd, adam) = (rows()[1].0, rows()[4].0);
    // More than a launch takes, of sizes at and around the blocks' and a row of kinds.
    let sizes = [0, 1, 255, 256, 257, 1024, 1030, 2600];
    let mut alone: Vec<(OptimizerStep, Kept, Array)> = Vec::new();
    while alone.len() < 90 {
        let dtype = [DType::F32, DType::F16, DType::F64][numbers.below(20).saturating_sub(17)];
        let (rule, there) =
            [(adam, [true, true, false]), (sgd, [true, false, false])][numbers.below(20) / 18];
        let mut step = OptimizerStep::new(rule);
        step.weight_decay = [0.0, 0.05][numbers.below(20) / 17];
        // Half of the views begin where no pack does.
        let (size, from) = (sizes[numbers.below(sizes.len())], numbers.below(2));
        let mut draw = |kind, dtype| {
            let whole = values(numbers, kind, &[size + 1], dtype).to_device(&device);
            whole.narrow(0, from, size)
        };
        let states = there.map(|is| is.then(|| draw(Values::Share, dtype.compute()).offset(0.5)));
        let w = draw(Values::Moderate, dtype);
        // A gradient with gaps is copied first.
        let g = draw(Values::Share, dtype);
        let g = if numbers.below(30) == 0 && size > 0 { g.narrow(0, 0, 1).expand([size]) } else { g };
        alone.push((step, Kept { w, states }, g));
    }
    let copies = |all: &[(OptimizerStep, Kept, Array)]| -> Vec<Kept> {
        all.iter().map(|(_, kept, _)| kept.to(&Device::cpu()).to(&device)).collect()
    };
    let mut at_once = copies(&alone);
    device.backend().together(&mut || {
        for (kept, (step, _, g)) in at_once.iter_mut().zip(&alone) {
            kept.step(step, g);
        }
    });
    for (step, kept, g) in &mut alone {
        kept.step(step, g);
    }
    for (number, (kept, (step, one, _))) in at_once.iter().zip(&alone).enumerate() {
        let (kept, one) = (kept.to(&Device::cpu()), one.to(&Device::cpu()));
        prop_assert_eq!(kept.differs(Near::Same, &one), None, "parameter {}, {:?}", number, step);
    }
    Ok(())
}

#[test]
fn what_is_asked_for_between_steps_sees_those_before() {
    let device = cuda();
    let fill = |value: f64| Array::full([300], value, DType::F32, &device);
    let (mut w, mut v, g) = (fill(1.0), fill(2.0), fill(0.5));
    let step = OptimizerStep::new(
        rule::Sgd { lr: 1.0, momentum: 0.0, fresh: 0.0, nesterov: false, first: false }.into(),
    );
    let mut seen = Vec::new();
    device.backend().together(&mut || {
        device.backend().optimizer_step(&step, &mut w, &g, [None, None, None]);
        device.backend().optimizer_step(&step, &mut v, &g, [None, None, None]);
        // Between the second and the third step.
        seen.push(v.sum());
        // A parameter that comes twice, though it must not, is stepped twice.
        device.backend().optimizer_step(&step, &mut w, &g, [None, None, None]);
        device
            .backend()
            .together(&mut || device.backend().optimizer_step(&step, &mut w, &g, [None, None, None]));
    });
    assert_eq!(seen[0].to_vec::<f32>(), [450.0]);
    assert_eq!(w.to_vec::<f32>(), [-0.5; 300]);
    // One that panics takes the steps since the last launch with it, and no others.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        device.backend().together(&mut || {
            device.backend().optimizer_step(&step, &mut w, &g, [None, None, None]);
            panic!("no step");
        });
    }));
    assert!(panicked.is_err());
    device.backend().optimizer_step(&step, &mut v, &g, [None, None, None]);
    assert_eq!((w.to_vec::<f32>()[299], v.to_vec::<f32>()[299]), (-0.5, 1.0));
}

#[test]
fn many_parameters_are_one_launch() {
    use rushlight::Tensor;
    use rushlight::optim::{AdamW, Optimizer};
    let device = cuda();
    let parameters: Vec<Tensor> =
        (0..130).map(|i| rushlight::ones([i % 7 + 1]).to(&device).detach().requires_grad_()).collect();
    let grads: Vec<Tensor> = parameters.iter().map(|parameter| parameter.detach() * 2.0).collect();
    let mut optimizer = AdamW::new(parameters.clone(), 0.5);
    let mut step = rushlight_cuda::graph_step(&device, |()| {
        optimizer.zero_grad();
        parameters.iter().zip(&grads).for_each(|(parameter, grad)| parameter.set_grad(Some(grad.clone())));
        optimizer.step();
    })
    .unwrap();
    // States are made by the first.
    step.run(());
    let before = step.stats();
    step.run(());
    let after = step.stats();
    assert_eq!(after.kernels + after.single - before.kernels - before.single, 130_usize.div_ceil(64));
}

proptest! {
    #![proptest_config(common::config(8))]

    #[test]
    fn steps_together_are_those_of_each(seed: u64) {
        steps_together(&mut Numbers(seed))?;
    }

    #[test]
    fn steps_are_those_of_the_cpu(seed: u64) {
        steps(&mut Numbers(seed))?;
    }
}

#[test]
fn a_step_on_arrays_that_nobody_else_holds_takes_no_memory() {
    let device = device(1);
    let ones = |value: f64| Array::full([1000], value, DType::F32, &device);
    let (mut w, g, mut m, mut v) = (ones(1.0), ones(0.5), ones(0.0), ones(0.0));
    let part = w.narrow(0, 10, 4);
    let rule = StepRule::Adam(rule::Adam { beta1: 0.5, beta2: 0.75, eps: 0.0, rate: 0.25, root: 1.0 });
    let mut peaks = Vec::new();
    for _ in 0..3 {
        rushlight_cuda::reset_peak_memory_stats(1).unwrap();
        let before = rushlight_cuda::memory_stats(1).unwrap().allocated;
        let state = [Some(&mut m), Some(&mut v), None];
        device.backend().optimizer_step(&OptimizerStep::new(rule), &mut w, &g, state);
        peaks.push(rushlight_cuda::memory_stats(1).unwrap().max_allocated - before);
    }
    // A view holds the first weights: they are copied once.
    assert_eq!(peaks, [4096, 0, 0]);
    assert_eq!(part.to_vec::<f32>(), [1.0; 4]);
    // m = 1/4, v = 1/16 and w = 1 - 1/4 after the first step; 3/8, 7/64 and w - 1/4 3/8 / sqrt(7/64) after the second.
    let m: Vec<f32> = m.to_vec();
    assert_eq!(m[0], 0.4375);
}
