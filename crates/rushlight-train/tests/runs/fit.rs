use crate::{At, Right, alone, digits, folder, mlp, names};
use rushlight_array::random::{default_generator, manual_seed};
use rushlight_array::{Error, Result};
use rushlight_autograd::{Tensor, no_grad, tensor};
use rushlight_data::{DataLoader, TensorDataset, from_fn};
use rushlight_nn::{Linear, MSELoss, Module, functional as F};
use rushlight_optim::lr_scheduler::ReduceLROnPlateau;
use rushlight_optim::{Optimizer, SGD, clip_grad_norm_};
use rushlight_train::{
    Callback, Checkpoint, Context, CsvLogger, EarlyStopping, Moment, Outcome, Output, Trainer, weights_sha256,
};
use std::cell::RefCell;
use std::rc::Rc;

/// Writes down what happens.
#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<String>>>);

impl Diary {
    fn note(&self, text: String) {
        self.0.borrow_mut().push(text);
    }
    fn read(&self) -> Vec<String> {
        self.0.take()
    }
}

impl Callback for Diary {
    fn on_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.note(format!("start resumed={}", cx.resumed));
        Ok(())
    }
    fn on_epoch_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.note(format!("epoch {} starts", cx.progress.epoch_number()));
        Ok(())
    }
    fn on_backward(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.note(format!("backward {}", cx.progress.batch));
        Ok(())
    }
    fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.note(format!("batch {}/{} stepped={}", cx.progress.batch, cx.batches, cx.stepped));
        Ok(())
    }
    fn on_epoch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.note(format!("epoch {} ends", cx.progress.epoch_number()));
        Ok(())
    }
    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.note(format!("log {:?} at {}", cx.moment, cx.progress.step));
        Ok(())
    }
    fn on_exception(&mut self, _: &mut Context<'_>, message: &str) {
        self.note(format!("exception {message}"));
    }
    fn on_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.note(format!("end {:?}", cx.outcome));
        Ok(())
    }
}

fn line(len: usize) -> TensorDataset<(Tensor, Tensor)> {
    let x: Vec<f32> = (0..len).map(|i| i as f32).collect();
    let x = tensor(x).reshape([len, 1]);
    TensorDataset::new(x.clone(), x * 2.0)
}

#[test]
fn weights_are_those_of_the_loop_by_hand() {
    let _turn = alone();
    let loader = || DataLoader::new(digits(70, false)).batch_size(16).shuffle(true);
    manual_seed(1);
    let by_hand = mlp();
    let train = loader();
    let mut optimizer = SGD::new(by_hand.parameters(), 0.1).momentum(0.9);
    for _ in 0..2 {
        by_hand.train();
        for batch in &train {
            let (x, y) = batch.unwrap();
            optimizer.zero_grad();
            F::cross_entropy(&by_hand.forward(&x), &y).backward();
            clip_grad_norm_(by_hand.parameters(), 0.5);
            optimizer.step();
        }
    }
    manual_seed(1);
    let model = mlp();
    let optimizer = SGD::new(model.parameters(), 0.1).momentum(0.9);
    let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy).max_epochs(2).clip_grad_norm(0.5);
    assert_eq!(trainer.fit(&loader(), None).unwrap(), Outcome::Finished);
    assert_eq!(weights_sha256(&model).unwrap(), weights_sha256(&by_hand).unwrap());
}

#[test]
fn events_come_in_order() {
    let _turn = alone();
    let model = Linear::new(1, 1);
    let diary = Diary::default();
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.0), MSELoss::new())
        .accumulate(2)
        .callback(diary.clone());
    trainer.fit(&DataLoader::new(line(5)).batch_size(2), None).unwrap();
    assert_eq!(
        diary.read(),
        [
            "start resumed=false",
            "epoch 1 starts",
            "backward 0",
            "batch 1/3 stepped=false",
            "backward 1",
            "batch 2/3 stepped=true",
            "log Step at 1",
            "backward 2",
            "batch 3/3 stepped=true",
            "log Step at 2",
            "epoch 1 ends",
            "log Epoch at 2",
            "end Some(Finished)",
        ]
    );
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let _turn = alone();
    let run = |batch_size: usize, accumulate: usize| {
        manual_seed(1);
        let model = Linear::new(1, 1);
        let optimizer = SGD::new(model.parameters(), 0.01);
        let mut trainer = Trainer::new(&model, optimizer, F::mse_loss).accumulate(accumulate).max_epochs(2);
        trainer.fit(&DataLoader::new(line(12)).batch_size(batch_size), None).unwrap();
        assert_eq!(trainer.progress().step, 2 * 12 / (batch_size * accumulate));
        model.weight.item()
    };
    // Sums in another order: equal up to rounding.
    assert!((run(6, 1) - run(2, 3)).abs() < 1e-5);
    assert!((run(6, 1) - run(2, 1)).abs() > 1e-3);
}

#[test]
fn losses_and_metrics_weigh_uneven_batches_by_samples() {
    let _turn = alone();
    manual_seed(4);
    let model = mlp();
    let (images, labels) = DataLoader::new(digits(50, false)).batch_size(50).iter().next().unwrap().unwrap();
    model.eval();
    let logits = no_grad(|| model.forward(&images));
    let loss = F::cross_entropy(&logits, &labels).item();
    let right = logits.argmax_dim(1, false).eq(&labels).sum().item() / 50.0;
    let loader = DataLoader::new(digits(50, false)).batch_size(16);
    let optimizer = SGD::new(model.parameters(), 0.0);
    let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy).metric(Right::default());
    let logs = trainer.evaluate(&loader).unwrap();
    assert!((logs.get("loss").unwrap() - loss).abs() < 1e-6);
    assert_eq!(logs.get("right"), Some(right));
    // Without dropout and learning an epoch of training says the same as validation.
    let predicted = trainer.predict(&loader).unwrap();
    assert!(predicted.allclose(&logits, 1e-5, 1e-6));
    trainer.fit(&loader, Some(&loader)).unwrap();
    let history = &trainer.progress().history[0];
    assert_eq!(history.get("val_right"), Some(right));
    assert!((history.get("val_loss").unwrap() - loss).abs() < 1e-6);
    assert!(history.get("right").is_some() && history.get("loss").is_some());
}

#[test]
fn a_manual_step_has_its_own_optimisers() {
    let _turn = alone();
    let (a, b) = (tensor([1.0]).requires_grad_(), tensor([1.0]).requires_grad_());
    let model = Linear::new(1, 1);
    let mut trainer = Trainer::manual(&model, |x: &Tensor, optimizers: &mut [Box<dyn Optimizer>]| {
        optimizers.iter().for_each(|optimizer| optimizer.zero_grad());
        (&a * x.sum()).sum().backward();
        optimizers[0].step();
        let loss = (&b * 2.0).sum();
        loss.backward();
        optimizers[1].step();
        Ok(Output::new(loss, x.len()).log("a", a.item()))
    })
    .optimizer(SGD::new([&a], 0.1))
    .optimizer(SGD::new([&b], 0.5));
    let loader = DataLoader::new(from_fn(2, |_| Ok(1.0_f32))).batch_size(1);
    trainer.fit(&loader, None).unwrap();
    // Two steps: a - 2 * 0.1 * 1, b - 2 * 0.5 * 2. The mean of a after each step is (0.9 + 0.8) / 2.
    assert!((a.item() - 0.8).abs() < 1e-6 && (b.item() + 1.0).abs() < 1e-6);
    assert!((trainer.progress().history[0].get("a").unwrap() - 0.85).abs() < 1e-6);
    let error = trainer.evaluate(&loader).unwrap_err().to_string();
    assert_eq!(error, "Trainer: a manual step cannot validate; give a validation_step");
}

#[test]
fn a_plateau_goes_by_a_number_of_the_logs() {
    let _turn = alone();
    let model = Linear::new(1, 1);
    let optimizer = SGD::new(model.parameters(), 1.0);
    let plateau = ReduceLROnPlateau::new(&optimizer).patience(0).factor(0.5);
    let constant = |x: &Tensor| Ok(Output::new((model.forward(&x.unsqueeze(1)) * 0.0).sum() + 3.0, x.len()));
    let loader = DataLoader::new(from_fn(4, |_| Ok(1.0_f32))).batch_size(2);
    let mut trainer = Trainer::with_step(&model, optimizer, constant).max_epochs(3).plateau(plateau, "loss");
    trainer.fit(&loader, None).unwrap();
    // The first epoch is the best; two without progress halve twice.
    assert_eq!(trainer.optimizers()[0].lr(), 0.25);
    let optimizer = SGD::new(model.parameters(), 1.0);
    let plateau = ReduceLROnPlateau::new(&optimizer);
    let mut trainer = Trainer::with_step(&model, optimizer, constant).plateau(plateau, "val_loss");
    let error = trainer.fit(&loader, None).unwrap_err().to_string();
    assert_eq!(error, "ReduceLROnPlateau: there is no number `val_loss` to go by; there are [loss]");
}

#[test]
fn limits_end_an_epoch_or_the_run() {
    let _turn = alone();
    let model = Linear::new(1, 1);
    let diary = Diary::default();
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.0), F::mse_loss)
        .max_epochs(9)
        .max_steps(5)
        .limit_batches(3, 1)
        .callback(diary.clone());
    let loader = DataLoader::new(line(10)).batch_size(2);
    assert_eq!(trainer.fit(&loader, Some(&loader)).unwrap(), Outcome::Finished);
    assert_eq!((trainer.progress().step, trainer.progress().epoch), (5, 2));
    assert_eq!(trainer.progress().samples, 10);
}

#[test]
fn a_stop_ends_the_epoch_and_its_reason_is_the_outcome() {
    struct Stop;
    impl Callback for Stop {
        fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
            if cx.moment == Moment::Step && cx.progress.step == 2 {
                cx.stop("enough");
                cx.stop("not this one");
            }
            Ok(())
        }
    }
    let _turn = alone();
    let model = Linear::new(1, 1);
    let mut trainer =
        Trainer::new(&model, SGD::new(model.parameters(), 0.0), F::mse_loss).max_epochs(3).callback(Stop);
    let outcome = trainer.fit(&DataLoader::new(line(10)).batch_size(2), None).unwrap();
    assert_eq!(outcome, Outcome::Stopped("enough".into()));
    assert_eq!((trainer.progress().step, trainer.progress().history.len()), (2, 1));
}

#[test]
fn errors_and_panics_are_told_and_come_through() {
    let _turn = alone();
    let model = Linear::new(1, 1);
    let loader = DataLoader::new(from_fn(4, |i| match i {
        3 => Err(Error::invalid("sample", "broken")),
        i => Ok(i as f32),
    }));
    let diary = Diary::default();
    let step = |x: &Tensor| Ok(Output::new(model.forward(&x.unsqueeze(1)).sum(), 1));
    let mut trainer =
        Trainer::with_step(&model, SGD::new(model.parameters(), 0.0), step).callback(diary.clone());
    let error = trainer.fit(&loader, None).unwrap_err().to_string();
    assert_eq!(error, "sample 3: sample: broken");
    assert_eq!(diary.read().last().unwrap(), "exception sample 3: sample: broken");

    let step = |_: &Tensor| panic!("on purpose");
    let mut trainer =
        Trainer::with_step(&model, SGD::new(model.parameters(), 0.0), step).callback(diary.clone());
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| trainer.fit(&loader, None)));
    assert!(panic.is_err());
    assert_eq!(diary.read(), ["start resumed=false", "epoch 1 starts", "exception on purpose"]);
}

#[test]
fn a_dev_run_leaves_no_trace_and_overfitting_repeats_its_batches() {
    let _turn = alone();
    let dir = folder("dev");
    manual_seed(1);
    let model = Linear::new(1, 1);
    let loader = DataLoader::new(line(10)).batch_size(2).shuffle(true);
    let diary = Diary::default();
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.0), F::mse_loss)
        .max_epochs(5)
        .callback(Checkpoint::new(&dir))
        .callback(CsvLogger::new(dir.join("log.csv")))
        .callback(EarlyStopping::new("nothing"))
        .callback(diary.clone())
        .fast_dev_run(1);
    trainer.fit(&loader, Some(&loader)).unwrap();
    assert!(!dir.exists());
    assert_eq!(diary.read().iter().filter(|line| line.starts_with("batch")).count(), 1);

    let seen = RefCell::new(Vec::new());
    let step = |(x, _): &(Tensor, Tensor)| {
        seen.borrow_mut().push(x.to_vec::<f32>());
        Ok(Output::new(model.forward(x).sum(), x.len()))
    };
    let mut trainer =
        Trainer::with_step(&model, SGD::new(model.parameters(), 0.0), step).max_epochs(3).overfit_batches(2);
    trainer.fit(&loader, None).unwrap();
    let seen = seen.borrow();
    assert_eq!(seen.len(), 6);
    assert_eq!((&seen[0], &seen[1]), (&seen[2], &seen[3]));
    assert_eq!((&seen[0], &seen[1]), (&seen[4], &seen[5]));
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn more_epochs_go_on_in_the_same_process_or_in_another() {
    let _turn = alone();
    let dir = folder("more");
    let run = |epochs: &[usize], dir: Option<&std::path::Path>| {
        manual_seed(1);
        let model = mlp();
        let loader = DataLoader::new(digits(40, false)).batch_size(16).shuffle(true);
        let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
            .messages(|_| {})
            .max_epochs(epochs[0]);
        if let Some(dir) = dir {
            trainer = trainer.callback(Checkpoint::new(dir)).resume(dir);
        }
        for &more in epochs {
            trainer.set_max_epochs(more);
            trainer.fit(&loader, None).unwrap();
        }
        (weights_sha256(&model).unwrap(), default_generator().state())
    };
    let expected = run(&[3], None);
    assert_eq!(run(&[1, 3], None), expected);
    run(&[1], Some(&dir));
    assert_eq!(names(&dir), ["step-0000000003-final.ckpt", "step-0000000003.ckpt"]);
    assert_eq!(run(&[3], Some(&dir)), expected);
}

#[test]
fn an_interrupted_fit_goes_on_in_the_same_process() {
    let _turn = alone();
    let dir = folder("again");
    let run = |until: usize| {
        manual_seed(1);
        let model = mlp();
        let loader = DataLoader::new(digits(70, true)).batch_size(16).shuffle(true);
        let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
            .messages(|message| assert!(!message.contains(".old"), "{message}"))
            .callback(Checkpoint::new(&dir).every_steps(1))
            .callback(At(until))
            .max_epochs(2);
        let outcome = trainer.fit(&loader, None).unwrap();
        if until < usize::MAX {
            assert_eq!(outcome, Outcome::Interrupted);
            assert_eq!(trainer.fit(&loader, None).unwrap(), Outcome::Finished);
        }
        let history = trainer.progress().history.clone();
        drop(trainer);
        std::fs::remove_dir_all(&dir).unwrap();
        (weights_sha256(&model).unwrap(), history)
    };
    let whole = run(usize::MAX);
    for until in [3, 5, 9] {
        assert_eq!(run(until), whole, "{until}");
    }
}
