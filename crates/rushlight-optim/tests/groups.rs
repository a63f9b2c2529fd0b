//! Groups of parameters, gradients that are missing, and clipping.

use rushlight_autograd::{Tensor, tensor};
use rushlight_optim::lr_scheduler::{LRScheduler, StepLR};
use rushlight_optim::{
    AdamW, Group, Muon, Optimizer, SGD, clip_grad_norm_, clip_grad_norm_with_, clip_grad_value_,
    get_total_norm,
};

fn leaf(values: &[f32]) -> Tensor {
    tensor(values.to_vec()).requires_grad_()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.detach().to_vec::<f32>()
}

#[test]
fn groups_step_with_their_own_options_and_share_the_rest() {
    let (a, b) = (leaf(&[1.0]), leaf(&[1.0]));
    let groups = [Group::new([&a]), Group::new([&b]).lr(0.5).weight_decay(1.0)];
    let mut optimizer = SGD::new(groups, 0.25).weight_decay(0.0).momentum(0.5);
    [&a, &b].iter().for_each(|p| p.set_grad(Some(tensor([1.0]))));
    optimizer.step();
    // 1 - 0.25 * 1, and 1 - 0.5 (1 + 1 * 1).
    assert_eq!((values(&a), values(&b)), (vec![0.75], vec![0.0]));
    // Both have the momentum: 0.75 - 0.25 (1 + 0.5).
    optimizer.step();
    assert_eq!(values(&a), [0.375]);
}

#[test]
fn an_added_group_gets_the_options_of_all_and_is_stepped() {
    let (a, b) = (leaf(&[1.0]), leaf(&[1.0]));
    let mut optimizer = SGD::new([&a], 0.25).weight_decay(1.0);
    optimizer.set_lr(0.125);
    optimizer.add_param_group(Group::new([&b]));
    // As PyTorch's defaults: what was said when it was made, not what the rate has become.
    assert_eq!(optimizer.param_groups().lrs(), [0.125, 0.25]);
    b.set_grad(Some(tensor([1.0])));
    optimizer.step();
    assert_eq!((values(&a), values(&b)), (vec![1.0], vec![0.5]));
    assert_eq!(optimizer.parameters().len(), 2);
    optimizer.zero_grad();
    assert!(b.grad().is_none());
}

#[test]
fn a_schedule_changes_the_rates_of_all_groups() {
    let (a, b) = (leaf(&[1.0]), leaf(&[1.0]));
    let optimizer = SGD::new([Group::new([&a]), Group::new([&b]).lr(0.5)], 0.25);
    let mut schedule = StepLR::new(&optimizer, 1).gamma(0.5);
    schedule.step();
    assert_eq!(optimizer.param_groups().lrs(), [0.125, 0.25]);
    assert_eq!(schedule.get_last_lr(), [0.125, 0.25]);
}

#[test]
fn a_parameter_without_a_gradient_does_not_advance() {
    let (a, b) = (leaf(&[1.0]), leaf(&[1.0]));
    let mut optimizer = AdamW::new([&a, &b], 0.1);
    a.set_grad(Some(tensor([1.0])));
    optimizer.step();
    optimizer.step();
    // Neither stepped nor decayed.
    assert_eq!(values(&b), [1.0]);
    let state = optimizer.state_dict();
    assert_eq!(state.state[&0].scalars["step"], 2.0);
    assert!(!state.state.contains_key(&1));
}

#[test]
fn a_velocity_rests_while_the_momentum_is_zero() {
    let w = leaf(&[0.0]);
    let mut optimizer = SGD::new([&w], 1.0).momentum(0.5);
    let mut moved = |momentum: f64| {
        optimizer.param_groups().set(0, "momentum", momentum);
        let before = values(&w)[0];
        w.set_grad(Some(tensor([1.0])));
        optimizer.step();
        before - values(&w)[0]
    };
    // v = 1; then plain; then v = 0.5 * 1 + 1.
    assert_eq!([moved(0.5), moved(0.0), moved(0.5)], [1.0, 1.0, 1.5]);
}

#[test]
#[should_panic(
    expected = "SGD: group 1 has the option `betas`; SGD takes lr, momentum, dampening, weight_decay, nesterov, maximize"
)]
fn an_option_of_another_optimiser_is_refused() {
    SGD::new([Group::new([&leaf(&[1.0])]), Group::new([&leaf(&[1.0])]).betas(0.9, 0.99)], 0.1);
}

#[test]
#[should_panic(expected = "SGD: weight_decay is -1; it must not be negative")]
fn options_of_groups_are_checked() {
    SGD::new([Group::new([&leaf(&[1.0])]).weight_decay(-1.0)], 0.1);
}

#[test]
#[should_panic(expected = "SGD: parameters 0 and 1 are the same tensor; give each once")]
fn a_parameter_of_two_groups_is_refused() {
    let w = leaf(&[1.0]);
    SGD::new([&w], 0.1).add_param_group(Group::new([&w]));
}

#[test]
#[should_panic(expected = "Muon: a parameter of shape [1]; it must be a matrix")]
fn muon_takes_matrices_alone() {
    Muon::new([&leaf(&[1.0])], 0.1);
}

#[test]
fn a_norm_below_the_bound_changes_nothing() {
    let (a, b) = (leaf(&[0.0, 0.0]), leaf(&[0.0]));
    a.set_grad(Some(tensor([3.0, 0.0])));
    assert_eq!(clip_grad_norm_([&a, &b], 10.0).item(), 3.0);
    assert_eq!(a.grad().unwrap().to_vec::<f32>(), [3.0, 0.0]);
    assert!(b.grad().is_none());
    assert_eq!(clip_grad_norm_([&b], 1.0).item(), 0.0);
    assert_eq!(get_total_norm(&[tensor([3.0]), tensor([4.0])]).item(), 5.0);
}

#[test]
fn the_greatest_element_may_be_the_norm() {
    let a = leaf(&[0.0, 0.0]);
    a.set_grad(Some(tensor([-8.0, 2.0])));
    assert_eq!(clip_grad_norm_with_([&a], 2.0, f64::INFINITY, true).item(), 8.0);
    let grad = a.grad().unwrap().to_vec::<f32>();
    assert!((grad[0] + 2.0).abs() < 1e-5 && (grad[1] - 0.5).abs() < 1e-5);
    clip_grad_value_([&a], 1.0);
    assert_eq!(a.grad().unwrap().to_vec::<f32>()[0], -1.0);
}

#[test]
#[should_panic(
    expected = "clip_grad_norm_: the norm of order 2 of the gradients is inf, so they cannot be clipped"
)]
fn a_norm_that_is_not_finite_is_refused_where_asked() {
    let a = leaf(&[0.0]);
    a.set_grad(Some(tensor([f32::INFINITY])));
    clip_grad_norm_with_([&a], 1.0, 2.0, true);
}
