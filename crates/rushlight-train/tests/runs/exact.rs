use crate::{At, Reader, Right, alone, cnn, digits, folder, mlp};
use rushlight_array::random::manual_seed;
use rushlight_array::{num_threads, set_num_threads};
use rushlight_data::DataLoader;
use rushlight_nn::{Module, functional as F};
use rushlight_optim::SGD;
use rushlight_optim::lr_scheduler::{OneCycleLR, StepLR};
use rushlight_train::{
    Checkpoint, CsvLogger, EarlyStopping, Every, JsonlLogger, Outcome, Trainer, weights_sha256,
};
use std::fs;
use std::path::Path;

/// How a part of a run is done.
#[derive(Clone, Copy)]
struct Way {
    threads: usize,
    workers: usize,
    accumulate: usize,
    /// The step after which it is interrupted.
    until: usize,
}

const PLAIN: Way = Way { threads: 1, workers: 0, accumulate: 1, until: usize::MAX };
const EPOCHS: usize = 2;

/// A part of a run as a program would do it: everything is made anew, and it goes on if the folder has a checkpoint. The
/// hash of the weights when it is over.
fn part<M: Module>(dir: &Path, model: fn() -> M, way: Way) -> Option<String> {
    manual_seed(3);
    set_num_threads(way.threads);
    let model = model();
    let loader = |len, augment| DataLoader::new(digits(len, augment)).batch_size(12).num_workers(way.workers);
    let (train, valid) = (loader(100, true).shuffle(true), loader(30, false));
    let optimizer = SGD::new(model.parameters(), 0.1).momentum(0.9);
    let steps = train.len().div_ceil(way.accumulate);
    let cycle = OneCycleLR::new(&optimizer, 0.1, EPOCHS * steps).cycle_momentum(false);
    let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy)
        .max_epochs(EPOCHS)
        .schedule(cycle, Every::Step)
        .accumulate(way.accumulate)
        .clip_grad_norm(5.0)
        .metric(Right::default())
        .callback(CsvLogger::new(dir.join("log.csv")))
        .callback(JsonlLogger::new(dir.join("log.jsonl")).every_steps(1))
        .callback(EarlyStopping::new("val_loss").patience(9).restore_best(true))
        .callback(Checkpoint::new(dir).every_steps(2))
        .callback(At(way.until))
        .messages(|_| {})
        .resume(dir);
    let outcome = trainer.fit(&train, Some(&valid)).unwrap();
    set_num_threads(1);
    match outcome {
        Outcome::Interrupted => None,
        _ => Some(weights_sha256(&model).unwrap()),
    }
}

fn logs(dir: &Path) -> (String, String) {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    (read("log.csv"), read("log.jsonl"))
}

/// Interrupts at each of the steps in turn and compares with the run that nobody interrupted.
fn same_bits<M: Module>(
    name: &str,
    model: fn() -> M,
    accumulate: usize,
    stops: &[usize],
    ways: &[(usize, usize)],
) {
    let _turn = alone();
    let before = num_threads();
    let whole = folder(&format!("{name}-whole"));
    let hash = part(&whole, model, Way { accumulate, ..PLAIN }).unwrap();
    for &(threads, workers) in ways {
        let dir = folder(&format!("{name}-{threads}-{workers}"));
        for &until in stops {
            let way = Way { threads, workers, accumulate, until };
            assert_eq!(part(&dir, model, way), None, "{name}: stopped at {until}");
        }
        let way = Way { threads, workers, accumulate, until: usize::MAX };
        assert_eq!(
            part(&dir, model, way).as_ref(),
            Some(&hash),
            "{name}: {threads} threads, {workers} workers"
        );
        assert_eq!(logs(&dir), logs(&whole), "{name}: {threads} threads, {workers} workers");
        // A run that is over is loaded, and nothing is done.
        assert_eq!(part(&dir, model, way).as_ref(), Some(&hash));
        assert_eq!(logs(&dir), logs(&whole));
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::remove_dir_all(&whole).unwrap();
    set_num_threads(before);
}

const ALL_WAYS: [(usize, usize); 9] =
    [(1, 0), (1, 1), (1, 4), (2, 0), (2, 1), (2, 4), (8, 0), (8, 1), (8, 4)];

#[test]
fn an_mlp_has_one_hash_for_threads_workers_and_no_resume() {
    same_bits("mlp-none", mlp, 1, &[], &ALL_WAYS);
}

#[test]
fn an_mlp_has_one_hash_for_threads_workers_and_one_resume() {
    same_bits("mlp-one", mlp, 1, &[5], &ALL_WAYS);
}

#[test]
fn an_mlp_has_one_hash_for_threads_workers_and_two_resumes() {
    same_bits("mlp-two", mlp, 1, &[4, 13], &ALL_WAYS);
}

#[test]
fn a_cnn_has_one_hash_for_threads_workers_and_resumes() {
    same_bits("cnn-none", cnn, 1, &[], &ALL_WAYS);
    same_bits("cnn-one", cnn, 1, &[7], &ALL_WAYS);
    same_bits("cnn-two", cnn, 1, &[3, 11], &ALL_WAYS);
}

#[test]
fn an_lstm_has_one_hash_for_threads_workers_and_resumes() {
    same_bits("lstm-none", Reader::new, 1, &[], &ALL_WAYS);
    same_bits("lstm-one", Reader::new, 1, &[6], &ALL_WAYS);
    same_bits("lstm-two", Reader::new, 1, &[1, 16], &ALL_WAYS);
}

#[test]
fn a_run_goes_on_from_every_step() {
    // 9 batches an epoch; 9 and 18 are the last steps of epochs, where the epoch's end is still to come.
    for stop in 1..=18 {
        same_bits(&format!("every-{stop}"), cnn, 1, &[stop], &[(1, 0), (1, 2)]);
    }
    let each: Vec<usize> = (1..=18).collect();
    same_bits("every", cnn, 1, &each, &[(2, 1)]);
}

#[test]
fn accumulated_gradients_are_whole_in_every_checkpoint() {
    // 9 batches by 4: steps of 4, 4 and 1 batches.
    same_bits("accumulate", mlp, 4, &[1, 2, 3, 5], &[(1, 0), (2, 4)]);
}

#[test]
fn threads_and_workers_may_change_at_each_resume() {
    let _turn = alone();
    let (whole, dir) = (folder("change-whole"), folder("change"));
    let hash = part(&whole, cnn, PLAIN).unwrap();
    for (threads, workers, until) in [(1, 0, 3), (8, 4, 7), (2, 1, 12)] {
        assert_eq!(part(&dir, cnn, Way { threads, workers, until, ..PLAIN }), None);
    }
    assert_eq!(part(&dir, cnn, Way { threads: 8, workers: 1, ..PLAIN }), Some(hash));
    assert_eq!(logs(&dir), logs(&whole));
}

#[test]
fn generators_of_loader_and_program_and_a_schedule_of_epochs_go_on() {
    use rushlight_array::random::{Generator, TorchSeed};
    let _turn = alone();
    let run = |dir: &Path, until: usize| {
        manual_seed(TorchSeed(5));
        let own = Generator::new(8);
        let model = mlp();
        let train = DataLoader::new(digits(60, true))
            .batch_size(10)
            .shuffle(true)
            .drop_last(true)
            .generator(Generator::new(TorchSeed(2)));
        let optimizer = SGD::new(model.parameters(), 0.1);
        let schedule = StepLR::new(&optimizer, 1).gamma(0.5);
        let noise = own.clone();
        let mut trainer = Trainer::with_step(&model, optimizer, |(x, y): &(_, _)| {
            let mut draw = [0.0];
            noise.uniform_f64(&mut draw, 0.0, 0.1);
            let x: &rushlight_autograd::Tensor = x;
            let y: &rushlight_autograd::Tensor = y;
            let loss = F::cross_entropy(&model.forward(&(x + draw[0])), y);
            Ok(rushlight_train::Output::new(loss, y.len()).log("noise", draw[0]))
        })
        .max_epochs(3)
        .schedule(schedule, Every::Epoch)
        .generator("noise", &own)
        .limit_batches(5, 5)
        .callback(Checkpoint::new(dir).every_steps(1))
        .callback(At(until))
        .messages(|_| {})
        .resume(dir);
        trainer.fit(&train, None).unwrap();
        let rate = trainer.optimizers()[0].lr();
        (weights_sha256(&model).unwrap(), rate, trainer.progress().history.clone())
    };
    let (whole, dir) = (folder("own-whole"), folder("own"));
    let expected = run(&whole, usize::MAX);
    assert_eq!(expected.1, 0.1 * 0.5_f64.powi(3));
    for until in [2, 5, 6, 14] {
        run(&dir, until);
    }
    assert_eq!(run(&dir, usize::MAX), expected);
}

#[test]
fn a_sampler_that_is_told_the_epoch_goes_on_in_the_second_one() {
    use rushlight_data::DistributedSampler;
    use std::sync::Arc;
    let _turn = alone();
    let run = |dir: &Path, until: usize| {
        manual_seed(7);
        let model = mlp();
        let sampler = Arc::new(DistributedSampler::new(80, 2, 1));
        let train = DataLoader::new(digits(80, false)).batch_size(8).sampler(Arc::clone(&sampler));
        let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
            .max_epochs(3)
            .set_epoch(|epoch| sampler.set_epoch(epoch as u64))
            .callback(Checkpoint::new(dir))
            .callback(At(until))
            .messages(|_| {})
            .resume(dir);
        trainer.fit(&train, None).unwrap();
        weights_sha256(&model).unwrap()
    };
    let (whole, dir) = (folder("rank-whole"), folder("rank"));
    let expected = run(&whole, usize::MAX);
    // 5 batches an epoch.
    for until in [3, 7, 12] {
        run(&dir, until);
    }
    assert_eq!(run(&dir, usize::MAX), expected);
}
