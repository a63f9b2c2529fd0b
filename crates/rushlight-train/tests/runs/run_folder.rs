//! The folder of a run: all that is in it, the same after interruptions.

use crate::{At, alone, cnn, digits, folder, names};
use rushlight_array::Result;
use rushlight_array::random::manual_seed;
use rushlight_autograd::ops::stack;
use rushlight_autograd::{Tensor, tensor};
use rushlight_data::{DataLoader, Dataset};
use rushlight_nn::{Module, functional as F};
use rushlight_optim::SGD;
use rushlight_optim::lr_scheduler::StepLR;
use rushlight_train::metrics::{Accuracy, ConfusionMatrix};
use rushlight_train::report::{RunCard, sha256_of_file};
use rushlight_train::{
    Callback, Context, EarlyStopping, Every, Outcome, RunFolder, TensorBoard, Trainer, weights_sha256,
};
use std::cell::RefCell;
use std::fs;
use std::path::Path;

const NEVER: usize = usize::MAX;

/// Some digits with their classes.
fn samples(count: usize) -> (Tensor, Tensor) {
    let digits = digits(count, false);
    let (images, labels): (Vec<Tensor>, Vec<i64>) = (0..count).map(|i| digits.get(i).unwrap()).unzip();
    (stack(&images.iter().collect::<Vec<_>>(), 0), tensor(labels))
}

/// A run of two epochs with everything in its folder, or its next part; the hash of the weights, and what it said.
fn run(dir: &Path, until: usize, dev_run: bool) -> (Outcome, String, Vec<String>) {
    manual_seed(4);
    let model = cnn();
    let loader = |len, augment| DataLoader::new(digits(len, augment)).batch_size(12).num_workers(1);
    let (train, valid) = (loader(100, true).shuffle(true), loader(40, false));
    let optimizer = SGD::new(model.parameters(), 0.1).momentum(0.9);
    let schedule = StepLR::new(&optimizer, 1).gamma(0.5);
    let (inputs, classes) = samples(12);
    let place = RunFolder::new(dir)
        .resume(true)
        .checkpoint(|checkpoint| checkpoint.every_steps(3))
        .tensor_board(|tensor_board| tensor_board.histograms(true))
        .report(|report| report.setting("batch size", 12).data("digits", "0123"));
    #[cfg(feature = "plots")]
    let place = place.plots(|plots| {
        plots.classes((0..10).map(|class| format!("digit {class}"))).samples(&inputs, &classes, [8, 8])
    });
    let said = RefCell::new(Vec::new());
    let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy)
        .max_epochs(2)
        .schedule(schedule, Every::Epoch)
        .metric(Accuracy::new())
        .metric(ConfusionMatrix::new(10))
        .run_folder(place)
        // After the folder, whose card must have the weights that this one puts back.
        .callback(EarlyStopping::new("val_loss").restore_best(true))
        .callback(At(until))
        .messages(|message| said.borrow_mut().push(message.to_owned()));
    if dev_run {
        trainer = trainer.fast_dev_run(1);
    }
    let outcome = trainer.fit(&train, Some(&valid)).unwrap();
    drop(trainer);
    (outcome, weights_sha256(&model).unwrap(), said.into_inner())
}

/// The events of a folder's only event file, without their times.
fn events(dir: &Path) -> Vec<Vec<u8>> {
    let files: Vec<String> = names(dir).into_iter().filter(|name| name.contains("tfevents")).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = fs::read(dir.join(&files[0])).unwrap();
    let (mut events, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let len = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let event = &bytes[at + 12..at + 12 + len];
        // The first field is the time: a double under the number 1.
        assert_eq!(event[0], 9);
        events.push(event[9..].to_vec());
        at += 16 + len;
    }
    events
}

#[test]
fn a_folder_holds_the_whole_run_and_the_same_after_interruptions() {
    let _turn = alone();
    let (whole, dir) = (folder("folder-whole").join("run"), folder("folder-parts").join("run"));
    let (outcome, hash, _) = run(&whole, NEVER, false);
    assert_eq!(outcome, Outcome::Finished);

    let card = RunCard::load(whole.join("card.json")).unwrap();
    assert_eq!((&card.name[..], &card.outcome[..], card.seed), ("run", "finished", Some(4)));
    assert_eq!((&card.dtype[..], &card.device[..], card.workers), ("float32", "cpu", 1));
    assert_eq!(card.weights_sha256.as_ref(), Some(&hash));
    assert_eq!(sha256_of_file(whole.join("weights.safetensors")).unwrap(), hash);
    let setting = |name: &str| &card.settings.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!((&setting("batch size")[..], &setting("max epochs")[..]), ("12", "2"));
    assert!(setting("optimizer").starts_with("SGD(lr=0.1, momentum=0.9"), "{}", setting("optimizer"));
    assert_eq!(card.data, [("digits".to_owned(), "0123".to_owned())]);
    let charts: Vec<_> = card.curves.iter().map(|c| (&c.chart[..], &c.name[..], c.points.len())).collect();
    assert_eq!(charts[..2], [("loss", "train", 2), ("loss", "validation", 2)]);
    // 9 batches an epoch.
    assert_eq!(charts[charts.len() - 2..], [("loss by step", "loss", 18), ("learning rate", "lr", 18)]);
    assert_eq!(card.curves.last().unwrap().points[17], (18.0, 0.05));
    assert!(fs::read_to_string(whole.join("report.html")).unwrap().contains("finished"));

    for until in [1, 4, 9, 13] {
        let (outcome, ..) = run(&dir, until, false);
        assert_eq!(outcome, Outcome::Interrupted);
        let card = RunCard::load(dir.join("card.json")).unwrap();
        assert_eq!((&card.outcome[..], card.weights_sha256), ("interrupted", None));
    }
    let (_, again, said) = run(&dir, NEVER, false);
    assert_eq!(again, hash);
    assert!(said[0].starts_with("going on from "), "{said:?}");
    for name in ["epochs.csv", "steps.jsonl"] {
        assert_eq!(fs::read(dir.join(name)).unwrap(), fs::read(whole.join(name)).unwrap(), "{name}");
    }
    let other = RunCard::load(dir.join("card.json")).unwrap();
    assert_eq!(other, card);
    // The version, 18 steps, and 2 epochs with their numbers and 6 histograms.
    assert_eq!(events(&whole).len(), 1 + 18 + 2 * (1 + 6));
    assert_eq!(events(&dir), events(&whole));

    // Another run in the folder leaves nothing of the first one in its own files.
    fs::remove_file(dir.join("step-0000000018-final.ckpt")).unwrap();
    fs::remove_file(dir.join("step-0000000018.ckpt")).unwrap();
    let (_, third, said) = run(&dir, NEVER, false);
    assert_eq!(third, hash);
    assert!(said.iter().any(|said| said.starts_with("the event file of another run is now ")), "{said:?}");
    assert_eq!(events(&dir), events(&whole));
}

#[test]
#[cfg(feature = "plots")]
fn pictures_show_curves_matrix_and_samples() {
    let _turn = alone();
    let dir = folder("folder-pictures");
    run(&dir, NEVER, false);
    let pictures = dir.join("pictures");
    for name in ["loss", "accuracy", "loss-by-step", "learning-rate", "confusion_matrix", "samples"] {
        let svg =
            fs::read_to_string(pictures.join(format!("{name}.svg"))).unwrap_or_else(|_| panic!("{name}"));
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
        assert!(fs::read(pictures.join(format!("{name}.png"))).unwrap().starts_with(b"\x89PNG"), "{name}");
    }
    let text = |name: &str| fs::read_to_string(pictures.join(name)).unwrap();
    assert!(text("loss.svg").contains("validation"));
    assert!(text("confusion_matrix.svg").contains("digit 3"));
    assert!(text("samples.svg").contains("of 12 samples are right"));
}

#[test]
fn a_dev_run_leaves_no_folder() {
    let _turn = alone();
    let dir = folder("folder-dev");
    assert_eq!(run(&dir, NEVER, true).0, Outcome::Finished);
    assert!(!dir.exists());
}

/// Fails after an epoch.
struct Fails;

impl Callback for Fails {
    fn on_epoch_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        Err(rushlight_array::Error::invalid("Fails", "the <reason>"))
    }
}

#[test]
fn a_card_tells_of_an_error_and_has_no_weights() {
    let _turn = alone();
    let dir = folder("folder-fails");
    manual_seed(1);
    let model = cnn();
    let train = DataLoader::new(digits(24, false)).batch_size(12);
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
        .callback(Fails)
        .run_folder(RunFolder::new(&dir))
        .messages(|_| {});
    trainer.fit(&train, None).unwrap_err();
    let card = RunCard::load(dir.join("card.json")).unwrap();
    assert_eq!(card.outcome, "failed: Fails: the <reason>");
    assert_eq!(card.weights_sha256, None);
    assert!(
        fs::read_to_string(dir.join("report.html")).unwrap().contains("failed: Fails: the &lt;reason&gt;")
    );
}

#[test]
fn an_event_file_that_is_gone_is_told_and_the_run_goes_on() {
    let _turn = alone();
    let dir = folder("events-gone");
    let run = |until: usize| {
        manual_seed(1);
        let model = cnn();
        let train = DataLoader::new(digits(48, false)).batch_size(12);
        let said = RefCell::new(Vec::new());
        let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
            .callback(TensorBoard::new(dir.join("events")).every_steps(2))
            .callback(rushlight_train::Checkpoint::new(&dir))
            .callback(At(until))
            .messages(|message| said.borrow_mut().push(message.to_owned()))
            .resume(&dir);
        trainer.fit(&train, None).unwrap();
        drop(trainer);
        said.into_inner()
    };
    run(2);
    // The version, and the loss of step 2.
    assert_eq!(events(&dir.join("events")).len(), 2);
    fs::remove_dir_all(dir.join("events")).unwrap();
    let said = run(NEVER);
    assert!(
        said.iter().any(|said| said.contains("the event file cannot go on, a new one begins")),
        "{said:?}"
    );
    // The version, the loss of step 4, and that of the epoch.
    assert_eq!(events(&dir.join("events")).len(), 3);
}
