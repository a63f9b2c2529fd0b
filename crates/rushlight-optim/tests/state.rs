//! States that are saved and loaded: the same bits as without a break, and one message for all that does not fit.

use rushlight_array::Array;
use rushlight_autograd::{Tensor, tensor};
use rushlight_optim::lr_scheduler::{
    ChainedScheduler, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR, LRScheduler, LinearLR,
    OneCycleLR, ReduceLROnPlateau, SequentialLR, StepLR,
};
use rushlight_optim::{
    ASGD, Adadelta, Adagrad, Adam, AdamW, Adamax, Group, LBFGS, LineSearch, Muon, NAdam, Optimizer, RAdam,
    RMSprop, Rprop, SGD, Value,
};

/// Two matrices of numbers that are not round.
fn leaves() -> Vec<Tensor> {
    let of = |seed: usize| {
        let values: Vec<f32> = (0..6).map(|i| ((i * 7 + seed * 5) % 11) as f32 / 3.7 - 1.3).collect();
        Tensor::new_leaf(Array::from_vec(values, [2, 3]), true)
    };
    vec![of(1), of(2)]
}

fn bits(parameters: &[Tensor]) -> Vec<u32> {
    parameters.iter().flat_map(|p| p.detach().to_vec::<f32>()).map(f32::to_bits).collect()
}

/// A gradient that depends on the weights and on the step.
fn closure(parameters: &[Tensor], step: usize) -> Tensor {
    parameters.iter().for_each(Tensor::zero_grad);
    let [a, b] = parameters else { unreachable!("there are two") };
    let loss = ((a * a - b * (0.3 + step as f64)).square() + a * b * 0.5).sum();
    loss.backward();
    loss
}

type Make = fn(Vec<Group>) -> Box<dyn Optimizer>;

fn optimizers() -> Vec<Make> {
    vec![
        |p| Box::new(SGD::new(p, 0.01).momentum(0.9).dampening(0.1)),
        |p| Box::new(Adam::new(p, 0.01).amsgrad(true)),
        |p| Box::new(AdamW::new(p, 0.01)),
        |p| Box::new(RMSprop::new(p, 0.01).centered(true).momentum(0.5)),
        |p| Box::new(Adagrad::new(p, 0.01).lr_decay(0.1)),
        |p| Box::new(Adadelta::new(p, 0.5)),
        |p| Box::new(Adamax::new(p, 0.01)),
        |p| Box::new(NAdam::new(p, 0.01)),
        |p| Box::new(RAdam::new(p, 0.01)),
        |p| Box::new(ASGD::new(p, 0.01).t0(2.0)),
        |p| Box::new(Rprop::new(p, 0.01)),
        |p| Box::new(Muon::new(p, 0.01)),
    ]
}

#[test]
fn a_loaded_optimiser_continues_with_the_same_bits() {
    for make in optimizers() {
        let groups = |p: &[Tensor]| vec![Group::new([&p[0]]), Group::new([&p[1]]).lr(0.02)];
        let run = |breaks: bool| {
            let parameters = leaves();
            let mut optimizer = make(groups(&parameters));
            for step in 0..9 {
                if breaks && step == 4 {
                    let state = optimizer.state_dict();
                    // Steps after it must not change what was saved.
                    let before = bits(&parameters);
                    closure(&parameters, 7);
                    optimizer.step();
                    let copies = leaves();
                    for (p, part) in copies.iter().zip(before.chunks(6)) {
                        let values: Vec<f32> = part.iter().map(|&x| f32::from_bits(x)).collect();
                        rushlight_autograd::no_grad(|| p.set(Array::from_vec(values, [2, 3])));
                    }
                    let mut fresh = make(groups(&copies));
                    fresh.load_state_dict(&state).unwrap();
                    for step in 4..9 {
                        closure(&copies, step);
                        fresh.step();
                    }
                    return bits(&copies);
                }
                closure(&parameters, step);
                optimizer.step();
            }
            bits(&parameters)
        };
        let name = make(vec![Group::new(leaves())]).param_groups().name();
        assert_eq!(run(false), run(true), "{name}");
    }
}

#[test]
fn lbfgs_continues_with_the_same_bits() {
    for search in [false, true] {
        let make = |p: &[Tensor]| {
            let optimizer = LBFGS::new(p, 0.1).max_iter(3);
            if search { optimizer.line_search_fn(LineSearch::StrongWolfe) } else { optimizer }
        };
        let parameters = leaves();
        let mut optimizer = make(&parameters);
        let step = |optimizer: &mut LBFGS, p: &[Tensor]| drop(optimizer.step_with(&mut || closure(p, 1)));
        (0..3).for_each(|_| step(&mut optimizer, &parameters));
        let copies: Vec<Tensor> = parameters.iter().map(|p| Tensor::new_leaf(p.array(), true)).collect();
        let mut fresh = make(&copies);
        fresh.load_state_dict(&optimizer.state_dict()).unwrap();
        (0..3).for_each(|_| step(&mut optimizer, &parameters));
        (0..3).for_each(|_| step(&mut fresh, &copies));
        assert_eq!(bits(&parameters), bits(&copies));
    }
}

#[test]
fn all_that_does_not_fit_is_in_one_message_and_nothing_is_changed() {
    let p = leaves();
    let mut adam = Adam::new(&p, 0.1);
    closure(&p, 0);
    adam.step();
    let mut state = adam.state_dict();
    state.state.get_mut(&0).unwrap().tensors.insert("exp_avg".into(), tensor([1.0]));
    state.state.get_mut(&0).unwrap().tensors.remove("exp_avg_sq");
    state.state.get_mut(&1).unwrap().scalars.clear();
    state.state.get_mut(&1).unwrap().scalars.insert("steps".into(), 1.0);
    state.state.insert(5, Default::default());
    state.param_groups[0].options.set("lr", "fast");
    state.param_groups[0].options.set("momentum", 0.9);
    let before = adam.state_dict().state[&0].tensors["exp_avg"].to_vec::<f32>();
    let message = adam.load_state_dict(&state).unwrap_err().to_string();
    for part in [
        "load_state_dict: Adam does not match: ",
        "group 0: lr is Text(\"fast\"), it would be as Float(0.1)",
        "group 0: unexpected momentum",
        "parameter 0: exp_avg has shape [1], not [2, 3]",
        "parameter 0: missing exp_avg_sq",
        "parameter 1: missing step",
        "parameter 1: unexpected steps",
        "state of parameter 5, of which there are 2",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert_eq!(adam.state_dict().state[&0].tensors["exp_avg"].to_vec::<f32>(), before);
    let other = SGD::new(&p, 0.1).load_state_dict(&adam.state_dict()).unwrap_err().to_string();
    assert!(other.contains("missing momentum") && other.contains("unexpected exp_avg"), "{other}");
    let fewer = Adam::new([&p[0]], 0.1).load_state_dict(&adam.state_dict()).unwrap_err().to_string();
    assert!(fewer.contains("group 0 has 2 parameters, that of the optimiser 1"), "{fewer}");
}

#[test]
fn a_state_as_pytorch_writes_it_is_understood() {
    let p = leaves();
    let mut adam = Adam::new(&p, 0.1);
    closure(&p, 0);
    adam.step();
    let mut state = adam.state_dict();
    for state in state.state.values_mut() {
        let step = state.scalars.remove("step").unwrap();
        state.tensors.insert("step".into(), tensor(step as f32));
    }
    let options = &mut state.param_groups[0].options;
    options.set("weight_decay", 0_usize);
    options.set("foreach", Value::Null);
    options.set("capturable", false);
    options.set("initial_lr", 0.1);
    adam.load_state_dict(&state).unwrap();
    assert_eq!(adam.state_dict().state[&1].scalars["step"], 1.0);
    assert_eq!(adam.param_groups().get(0, "initial_lr"), Some(Value::Float(0.1)));
}

/// A schedule of some kind.
fn schedule(kind: usize, optimizer: &SGD) -> Box<dyn LRScheduler> {
    let linear = || LinearLR::new(optimizer).total_iters(3);
    match kind {
        0 => Box::new(StepLR::new(optimizer, 2).gamma(0.5)),
        1 => Box::new(CosineAnnealingWarmRestarts::new(optimizer, 2).T_mult(2)),
        2 => Box::new(OneCycleLR::new(optimizer, 0.5, 20)),
        3 => Box::new(CyclicLR::new(optimizer, 0.1, 0.5).step_size_up(3)),
        4 => Box::new(SequentialLR::new(optimizer, (linear(), ExponentialLR::new(optimizer, 0.9)), vec![6])),
        _ => Box::new(ChainedScheduler::new((linear(), ExponentialLR::new(optimizer, 0.9)))),
    }
}

#[test]
fn a_loaded_schedule_continues_with_the_same_bits() {
    for kind in 0..6 {
        let make = || SGD::new(leaves(), 0.3).momentum(0.5);
        let (one, mut two) = (make(), make());
        let (mut first, mut second) = (schedule(kind, &one), schedule(kind, &two));
        (0..5).for_each(|_| first.step());
        two.load_state_dict(&one.state_dict()).unwrap();
        second.load_state_dict(&first.state_dict()).unwrap();
        for _ in 0..8 {
            first.step();
            second.step();
            assert_eq!(one.lr().to_bits(), two.lr().to_bits(), "{:?}", first.state_dict());
            assert_eq!(one.param_groups().get(0, "momentum"), two.param_groups().get(0, "momentum"));
        }
        assert_eq!(first.state_dict(), second.state_dict());
    }
}

#[test]
fn a_plateau_continues_where_it_was() {
    let (one, mut two) = (SGD::new(leaves(), 0.5), SGD::new(leaves(), 0.5));
    let make = |optimizer: &SGD| ReduceLROnPlateau::new(optimizer).patience(2).cooldown(1).factor(0.5);
    let (mut first, mut second) = (make(&one), make(&two));
    [3.0, 2.0, 2.0, 2.0].iter().for_each(|&loss| first.step(loss));
    two.load_state_dict(&one.state_dict()).unwrap();
    second.load_state_dict(&first.state_dict()).unwrap();
    for loss in [2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0] {
        first.step(loss);
        second.step(loss);
        assert_eq!(one.lr(), two.lr());
    }
    assert!(one.lr() < 0.5);
    assert_eq!(first.state_dict(), second.state_dict());
}

#[test]
fn a_schedule_lists_what_does_not_fit() {
    let optimizer = SGD::new(leaves(), 0.5);
    let step = StepLR::new(&optimizer, 2);
    let mut exponential = ExponentialLR::new(&optimizer, 0.5);
    let message = exponential.load_state_dict(&step.state_dict()).unwrap_err().to_string();
    assert!(message.contains("ExponentialLR does not match: unexpected step_size"), "{message}");
}

#[test]
#[should_panic(expected = "StepLR: an option is set after the rates have changed")]
fn an_option_is_set_where_the_schedule_is_made() {
    let optimizer = SGD::new(leaves(), 0.5);
    let mut schedule = StepLR::new(&optimizer, 1);
    schedule.step();
    let _ = schedule.gamma(0.5);
}

#[test]
fn a_schedule_resumes_by_the_number_of_the_epoch() {
    let optimizer = SGD::new(leaves(), 0.5);
    let mut first = ExponentialLR::new(&optimizer, 0.5);
    (0..3).for_each(|_| first.step());
    let mut second = ExponentialLR::new(&optimizer, 0.5).last_epoch(2);
    assert_eq!(optimizer.lr(), 0.0625);
    second.step();
    assert_eq!(optimizer.lr(), 0.03125);
    assert_eq!(second.state_dict().get("last_epoch"), Some(&Value::Int(4)));
}
