use crate::{alone, folder};
use rushlight_array::Result;
use rushlight_array::random::{default_generator, manual_seed};
use rushlight_autograd::array::Array;
use rushlight_autograd::{Gradients, Op, Saved, Tensor};
use rushlight_data::{DataLoader, from_fn};
use rushlight_nn::{Dropout, Linear, Module, ReLU, Sequential, Tanh, fields, functional as F, sequential};
use rushlight_optim::SGD;
use rushlight_optim::lr_scheduler::StepLR;
use rushlight_train::{
    Callback, Context, CsvLogger, EarlyStopping, Every, GradientReport, JsonlLogger, LrFindOptions,
    LrMonitor, Mode, NanGuard, Outcome, Output, Timer, Trainer, weights_sha256,
};
use std::cell::Cell;
use std::time::Duration;

/// Says what the validation loss of each epoch is, whatever the model does.
struct Script(&'static [f64]);

impl Callback for Script {
    fn on_epoch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        cx.logs.set("val_loss", self.0[cx.progress.epoch - 1]);
        Ok(())
    }
}

/// The epochs that ran, how it ended, and the weight at the end. Each epoch adds 1 to the weight, which begins at 0.
fn stopped(losses: &'static [f64], stopping: EarlyStopping) -> (usize, Outcome, f64) {
    let model = Linear::new(1, 1);
    rushlight_autograd::no_grad(|| model.weight.set(rushlight_autograd::zeros([1, 1])));
    let loader = DataLoader::new(from_fn(1, |_| Ok(1.0_f32)));
    let step = |x: &Tensor| Ok(Output::new(-model.forward(&x.unsqueeze(1)).sum(), 1));
    let mut trainer = Trainer::with_step(&model, SGD::new([&*model.weight], 1.0), step)
        .max_epochs(losses.len())
        .callback(Script(losses))
        .callback(stopping);
    let outcome = trainer.fit(&loader, None).unwrap();
    (trainer.progress().epoch, outcome, model.weight.item())
}

#[test]
fn early_stopping_waits_and_restores_the_best_weights() {
    let _turn = alone();
    let losses = &[3.0, 2.0, 2.5, 2.0, 2.1, 1.0];
    let reason = || Outcome::Stopped("val_loss has not been better than 2 of epoch 2".into());
    let plain = EarlyStopping::new("val_loss").patience(2);
    assert_eq!(stopped(losses, plain.clone()), (4, reason(), 4.0));
    assert_eq!(stopped(losses, plain.clone().restore_best(true)), (4, reason(), 2.0));
    assert_eq!(stopped(losses, plain.patience(4)), (6, Outcome::Finished, 6.0));
}

#[test]
fn early_stopping_wants_a_least_change_and_never_takes_nan_for_better() {
    let _turn = alone();
    let slow = &[3.0, 2.9, 2.8, 2.7];
    let stopping = EarlyStopping::new("val_loss").patience(2).min_delta(0.25);
    // 2.9 and 2.8 are not better than 3 by more than 0.25.
    assert_eq!(stopped(slow, stopping).0, 3);
    let rising = &[1.0, f64::NAN, 2.0, f64::NAN, f64::NAN, 5.0];
    let stopping = EarlyStopping::new("val_loss").patience(2).mode(Mode::Max).restore_best(true);
    assert_eq!((stopped(rising, stopping.clone()).0, stopped(rising, stopping).2), (5, 3.0));
}

#[test]
fn logs_have_every_number_once() {
    let _turn = alone();
    let dir = folder("logs");
    struct More;
    impl Callback for More {
        fn on_epoch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
            let (number, name) = match cx.progress.epoch {
                1 => (0.1, "a,\"b\""),
                2 => (f64::NAN, "a,\"b\""),
                _ => (1.0, "late"),
            };
            cx.logs.set(name, number);
            Ok(())
        }
    }
    let model = Linear::new(1, 1);
    let loader = DataLoader::new(from_fn(4, |_| Ok(1.0_f32))).batch_size(2);
    let step = |x: &Tensor| Ok(Output::new((model.forward(&x.unsqueeze(1)) * 0.0).sum() + 0.5, x.len()));
    let mut said = Vec::new();
    let mut trainer = Trainer::with_step(&model, SGD::new(model.parameters(), 0.0), step)
        .max_epochs(3)
        .messages(|message| said.push(message.to_owned()))
        // Before the callback that adds the numbers, and yet they are there.
        .callback(CsvLogger::new(dir.join("epochs.csv")))
        .callback(JsonlLogger::new(dir.join("both.jsonl")).every_steps(2))
        .callback(More);
    trainer.fit(&loader, None).unwrap();
    drop(trainer);
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("epochs.csv"), "epoch,step,loss,\"a,\"\"b\"\"\"\n1,2,0.5,0.1\n2,4,0.5,NaN\n3,6,0.5,\n");
    assert_eq!(
        read("both.jsonl"),
        "{\"event\":\"step\",\"epoch\":1,\"step\":2,\"loss\":0.5}\n\
         {\"event\":\"epoch\",\"epoch\":1,\"step\":2,\"loss\":0.5,\"a,\\\"b\\\"\":0.1}\n\
         {\"event\":\"step\",\"epoch\":2,\"step\":4,\"loss\":0.5}\n\
         {\"event\":\"epoch\",\"epoch\":2,\"step\":4,\"loss\":0.5,\"a,\\\"b\\\"\":null}\n\
         {\"event\":\"step\",\"epoch\":3,\"step\":6,\"loss\":0.5}\n\
         {\"event\":\"epoch\",\"epoch\":3,\"step\":6,\"loss\":0.5,\"late\":1}\n"
    );
    assert!(said.iter().any(|message| message.contains("has no column `late`")), "{said:?}");
}

/// Where and when a NaN is to come.
#[derive(Clone, Copy, Debug)]
struct Fault {
    layer: usize,
    batch: usize,
    backward: bool,
}

/// Gives a NaN where it is told to, forward or backward.
#[derive(Debug)]
struct Faulty {
    forward: bool,
    backward: bool,
}

impl Op for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let factor = if self.forward { f64::NAN } else { 1.0 };
        inputs[0].mul(&rushlight_autograd::tensor(factor as f32).array())
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let factor = if self.backward { f64::NAN } else { 1.0 };
        give.to(0, || grad * factor);
    }
}

thread_local! {
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    static BATCH: Cell<usize> = const { Cell::new(0) };
}

/// A layer that goes wrong where `FAULT` says.
struct Weak {
    linear: Linear,
    layer: usize,
}
fields!(Weak { linear, layer });

impl Module for Weak {
    fn forward(&self, x: &Tensor) -> Tensor {
        let here = FAULT.get().filter(|fault| fault.layer == self.layer && fault.batch == BATCH.get());
        let (forward, backward) = here.map_or((false, false), |fault| (!fault.backward, fault.backward));
        Tensor::apply(Faulty { forward, backward }, &[&self.linear.forward(x)])
    }
}

#[test]
fn a_nan_anywhere_is_located_in_100_of_100_trials() {
    let _turn = alone();
    let draw = |end: i64| {
        let mut number = [0];
        default_generator().randint(&mut number, 0, end);
        number[0] as usize
    };
    manual_seed(9);
    for trial in 0..100 {
        let fault = Fault { layer: draw(4), batch: draw(12), backward: draw(2) == 1 };
        FAULT.set(Some(fault));
        let weak = |layer| Weak { linear: Linear::new(3, 3), layer };
        let model: Sequential =
            sequential![weak(0), ReLU, weak(1), Dropout::new(0.3), weak(2), Tanh, weak(3), Linear::new(3, 1)];
        let loader = DataLoader::new(from_fn(24, |i| Ok(i as i64))).batch_size(4);
        let step = |x: &Tensor| {
            // Six batches an epoch: that of a trial may come in the first or the second.
            BATCH.set(x.to_vec::<i64>()[0] as usize / 4);
            let noise = rushlight_autograd::rand([x.len(), 3]);
            Ok(Output::new(model.forward(&noise).square().mean(), x.len()))
        };
        let fault = Fault { batch: fault.batch % 6, ..fault };
        FAULT.set(Some(fault));
        let mut trainer = Trainer::with_step(&model, SGD::new(model.parameters(), 0.01), step)
            .max_epochs(2)
            .accumulate(1 + trial % 3)
            .callback(NanGuard::new());
        let error = trainer.fit(&loader, None).unwrap_err().to_string();
        let what = if fault.backward {
            "the gradient that `faulty` gave its input 0"
        } else {
            "the result of `faulty`"
        };
        let place = format!("{what} in {} (Weak)", 2 * fault.layer);
        assert!(error.contains(&format!("the first was {place}.")), "{fault:?}: {error}");
        assert!(error.starts_with(&format!("NanGuard: epoch 1, batch {} (from 0)", fault.batch)), "{error}");
        // The optimiser has not taken it.
        assert!(model.parameters().iter().all(|parameter| parameter.isfinite().all().item() == 1.0));
    }
    FAULT.set(None);
}

#[test]
fn a_nan_in_the_data_is_told_from_one_of_an_operation() {
    let _turn = alone();
    let model = Linear::new(1, 1);
    let loader = DataLoader::new(from_fn(3, |i| Ok(if i == 2 { f32::NAN } else { 1.0 })));
    let step = |x: &Tensor| Ok(Output::new(model.forward(&x.unsqueeze(1)).sum(), 1));
    let mut trainer =
        Trainer::with_step(&model, SGD::new(model.parameters(), 0.0), step).callback(NanGuard::new());
    let error = trainer.fit(&loader, None).unwrap_err().to_string();
    assert!(
        error.contains("batch 2 (from 0)") && error.contains("whose input had such a value already"),
        "{error}"
    );
}

#[test]
fn parameters_without_a_gradient_are_named() {
    let _turn = alone();
    let model = sequential![Linear::new(1, 2), Linear::new(2, 1), Linear::new(5, 5)];
    let used = |x: &Tensor| {
        let first = model.get::<Linear>(0).forward(&x.unsqueeze(1));
        Ok(Output::new(model.get::<Linear>(1).forward(&first).sum(), x.len()))
    };
    let loader = DataLoader::new(from_fn(2, |_| Ok(1.0_f32)));
    let (report, mut said) = (GradientReport::new(), Vec::new());
    let mut trainer = Trainer::with_step(&model, SGD::new(model.parameters(), 0.0), used)
        .callback(report.clone())
        .messages(|message| said.push(message.to_owned()));
    trainer.fit(&loader, None).unwrap();
    drop(trainer);
    assert_eq!(report.missing().unwrap(), ["2.weight", "2.bias"]);
    assert_eq!(said, ["warning: these parameters got no gradient: [2.weight, 2.bias]"]);
    let mut trainer = Trainer::with_step(&model, SGD::new(model.parameters(), 0.0), used)
        .callback(GradientReport::new().strict(true));
    assert!(
        trainer.fit(&loader, None).unwrap_err().to_string().starts_with("GradientReport: these parameters")
    );
}

#[test]
fn rates_are_logged_and_a_timer_ends_the_run() {
    let _turn = alone();
    let dir = folder("rates");
    let model = Linear::new(1, 1);
    let loader = DataLoader::new(from_fn(4, |_| Ok(1.0_f32))).batch_size(2);
    let step = |x: &Tensor| Ok(Output::new((model.forward(&x.unsqueeze(1)) * 0.0).sum() + 0.5, x.len()));
    let optimizer = SGD::new(model.parameters(), 1.0);
    let schedule = StepLR::new(&optimizer, 1).gamma(0.5);
    let timer = Timer::new();
    let mut trainer = Trainer::with_step(&model, optimizer, step)
        .max_epochs(2)
        .schedule(schedule, Every::Epoch)
        .callback(CsvLogger::new(dir.join("log.csv")))
        .callback(LrMonitor::new())
        .callback(timer.clone());
    trainer.fit(&loader, None).unwrap();
    let text = std::fs::read_to_string(dir.join("log.csv")).unwrap();
    assert_eq!(text, "epoch,step,loss,lr\n1,2,0.5,0.5\n2,4,0.5,0.25\n");
    assert_eq!(timer.epochs().len(), 2);
    assert!(timer.epochs().iter().sum::<Duration>() <= timer.elapsed());

    let mut trainer = Trainer::with_step(&model, SGD::new(model.parameters(), 1.0), step)
        .max_epochs(1000)
        .callback(Timer::new().limit(Duration::ZERO));
    let outcome = trainer.fit(&loader, None).unwrap();
    assert_eq!(outcome, Outcome::Stopped("the time of 0.0 s is over".into()));
    assert_eq!(trainer.progress().step, 1);
}

#[test]
fn trying_rates_leaves_everything_as_it_was() {
    let _turn = alone();
    let train = |find: bool| {
        manual_seed(6);
        let model = crate::mlp();
        let loader = DataLoader::new(crate::digits(100, true)).batch_size(10).shuffle(true);
        let optimizer = SGD::new(model.parameters(), 0.1).momentum(0.9);
        let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy);
        if find {
            let options =
                LrFindOptions { num_training: 25, early_stop_threshold: None, ..Default::default() };
            let curve = trainer.lr_find(&loader, &options).unwrap();
            assert_eq!((curve.lrs.len(), curve.losses.len()), (25, 25));
            assert!((curve.lrs[0], curve.lrs[24]) == (1e-8, 1.0) && curve.lrs[1] > curve.lrs[0]);
        }
        trainer.fit(&loader, None).unwrap();
        weights_sha256(&model).unwrap()
    };
    assert_eq!(train(true), train(false));
}
