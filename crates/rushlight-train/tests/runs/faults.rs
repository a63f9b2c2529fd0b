use crate::{At, alone, digits, folder, mlp, names};
use rushlight_array::Result;
use rushlight_array::random::manual_seed;
use rushlight_data::DataLoader;
use rushlight_nn::{Module, functional as F};
use rushlight_optim::SGD;
use rushlight_train::{
    Callback, Checkpoint, Context, CsvLogger, JsonlLogger, Mode, Outcome, Trainer, weights_sha256,
};
use std::cell::RefCell;
use std::fs;
use std::path::Path;

/// A run into a folder, or its next part; with what it said.
fn run(dir: &Path, until: usize, resume: bool) -> (Result<Outcome>, String, Vec<String>) {
    run_of(dir, until, resume, Checkpoint::new(dir).every_steps(1))
}

fn run_of(
    dir: &Path,
    until: usize,
    resume: bool,
    checkpoint: Checkpoint,
) -> (Result<Outcome>, String, Vec<String>) {
    manual_seed(2);
    let model = mlp();
    let loader = DataLoader::new(digits(48, false)).batch_size(16).shuffle(true);
    let said = RefCell::new(Vec::new());
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
        .max_epochs(3)
        .callback(CsvLogger::new(dir.join("log.csv")).every_steps(1))
        .callback(JsonlLogger::new(dir.join("log.jsonl")))
        .callback(checkpoint)
        .callback(At(until))
        .messages(|message| said.borrow_mut().push(message.to_owned()));
    if resume {
        trainer = trainer.resume(dir);
    }
    let outcome = trainer.fit(&loader, None);
    drop(trainer);
    (outcome, weights_sha256(&model).unwrap(), said.into_inner())
}

const NEVER: usize = usize::MAX;

#[test]
fn a_damaged_newest_checkpoint_falls_back_with_a_warning() {
    let _turn = alone();
    let (whole, dir) = (folder("damaged-whole"), folder("damaged"));
    let (_, hash, _) = run(&whole, NEVER, true);
    for damage in 0..3 {
        let _ = fs::remove_dir_all(&dir);
        run(&dir, 5, true).0.unwrap();
        let newest = dir.join("step-0000000005.ckpt");
        let mut bytes = fs::read(&newest).unwrap();
        match damage {
            0 => bytes.truncate(bytes.len() / 2),
            1 => bytes.clear(),
            _ => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
        }
        fs::write(&newest, &bytes).unwrap();
        let (outcome, again, said) = run(&dir, NEVER, true);
        assert_eq!((outcome.unwrap(), &again), (Outcome::Finished, &hash));
        assert!(
            said[0].starts_with("warning: a checkpoint cannot be read, the one before is taken: "),
            "{said:?}"
        );
        assert!(said[1].contains("step-0000000004.ckpt: epoch 2, batch 1, step 4"), "{said:?}");
        // The damaged one is out of the way of later resumes.
        assert!(names(&dir).contains(&"step-0000000005.ckpt.old".to_owned()), "{:?}", names(&dir));
        for log in ["log.csv", "log.jsonl"] {
            assert_eq!(fs::read(dir.join(log)).unwrap(), fs::read(whole.join(log)).unwrap());
        }
    }
}

#[test]
fn where_no_checkpoint_can_be_read_the_run_does_not_begin_anew() {
    let _turn = alone();
    let dir = folder("all-damaged");
    run(&dir, 3, true).0.unwrap();
    for name in names(&dir).iter().filter(|name| name.ends_with(".ckpt")) {
        fs::write(dir.join(name), b"nothing").unwrap();
    }
    let error = run(&dir, NEVER, true).0.unwrap_err().to_string();
    assert!(error.contains("none of its 2 checkpoints can be read"), "{error}");
}

#[test]
fn another_run_in_the_folder_is_set_aside() {
    let _turn = alone();
    let dir = folder("aside");
    let (_, hash, _) = run(&dir, NEVER, false);
    let log = fs::read(dir.join("log.csv")).unwrap();
    let (_, again, said) = run(&dir, NEVER, false);
    assert_eq!(again, hash);
    assert_eq!(fs::read(dir.join("log.csv.old")).unwrap(), log);
    assert_eq!(fs::read(dir.join("log.csv")).unwrap(), log);
    assert!(said.iter().any(|message| message.ends_with("step-0000000009-final.ckpt.old")), "{said:?}");
}

#[test]
fn what_was_logged_after_the_checkpoint_is_cut_off() {
    let _turn = alone();
    let (whole, dir) = (folder("cut-whole"), folder("cut"));
    run(&whole, NEVER, true).0.unwrap();
    run(&dir, 4, true).0.unwrap();
    let log = dir.join("log.csv");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("{text}2,5,0.123\n2,6,0.4")).unwrap();
    run(&dir, NEVER, true).0.unwrap();
    assert_eq!(fs::read(&log).unwrap(), fs::read(whole.join("log.csv")).unwrap());
}

#[test]
fn a_log_that_lost_lines_is_told_of() {
    let _turn = alone();
    let dir = folder("lost");
    run(&dir, 4, true).0.unwrap();
    fs::write(dir.join("log.csv"), "epoch,step,loss\n").unwrap();
    let (outcome, _, said) = run(&dir, NEVER, true);
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    assert!(
        said.iter().any(|message| message.contains("has 16 bytes") && message.contains("lines are missing")),
        "{said:?}"
    );
}

#[test]
fn a_checkpoint_of_another_model_or_optimiser_is_an_error() {
    let _turn = alone();
    let dir = folder("other");
    run(&dir, 4, true).0.unwrap();
    let model = crate::cnn();
    let loader = DataLoader::new(digits(48, false)).batch_size(16).shuffle(true);
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
        .resume(&dir)
        .messages(|_| {});
    let error = trainer.fit(&loader, None).unwrap_err().to_string();
    assert!(error.contains("step-0000000004.ckpt: load_state_dict: "), "{error}");

    let model = mlp();
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
        .optimizer(SGD::new(model.parameters(), 0.1))
        .resume(&dir)
        .messages(|_| {});
    let error = trainer.fit(&loader, None).unwrap_err().to_string();
    assert!(error.ends_with("checkpoint: it has 1 optimisers, the trainer 2"), "{error}");

    let loader = DataLoader::new(digits(48, false)).batch_size(8).shuffle(true);
    let model = mlp();
    let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
        .resume(&dir)
        .messages(|_| {});
    let error = trainer.fit(&loader, None).unwrap_err().to_string();
    assert!(error.contains("batch size must be the same"), "{error}");
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let _turn = alone();
    let dir = folder("says");
    let (outcome, _, said) = run(&dir, 4, true);
    assert_eq!(outcome.unwrap(), Outcome::Interrupted);
    let last = said.last().unwrap();
    assert!(
        last.starts_with("stopped after step 4; to go on, run the program again with .resume("),
        "{last}"
    );
}

#[test]
fn the_last_and_the_best_checkpoints_stay() {
    let _turn = alone();
    let dir = folder("best");
    let checkpoint = Checkpoint::new(&dir).keep_last(1).keep_best(1, "loss", Mode::Max);
    run_of(&dir, NEVER, true, checkpoint.clone()).0.unwrap();
    // The loss falls, so the first epoch of three steps has the largest.
    let kept: Vec<String> = names(&dir).into_iter().filter(|name| name.ends_with(".ckpt")).collect();
    assert_eq!(kept, ["step-0000000003.ckpt", "step-0000000009-final.ckpt"]);
    assert_eq!(checkpoint.best(), Some(dir.join("step-0000000003.ckpt")));
}

/// A file system of 2 MiB, which only the system's owner can have.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_keeps_the_checkpoint_before_and_is_told_of() {
    use std::process::Command;
    let _turn = alone();
    let dir = folder("full");
    fs::create_dir_all(&dir).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none"]).arg(&dir).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        eprintln!("not tested here: a small file system cannot be mounted");
        return;
    }
    /// Unmounts, also by a panic.
    struct Mounted<'d>(&'d Path);
    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _mounted = Mounted(&dir);
    let logs = folder("full-logs");
    let fill = dir.join("fill");
    let run = |until: usize, full_from: usize| {
        struct Fill<'f>(usize, &'f Path);
        impl Callback for Fill<'_> {
            fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
                if cx.progress.step == self.0 {
                    let _ = fs::write(self.1, vec![7; 4 << 20]);
                }
                Ok(())
            }
        }
        manual_seed(2);
        let model = mlp();
        let loader = DataLoader::new(digits(48, false)).batch_size(16).shuffle(true);
        let said = RefCell::new(Vec::new());
        let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
            .max_epochs(3)
            .callback(Fill(full_from, &fill))
            .callback(CsvLogger::new(logs.join("log.csv")).every_steps(1))
            .callback(Checkpoint::new(&dir).every_steps(1))
            .callback(At(until))
            .messages(|message| said.borrow_mut().push(message.to_owned()))
            .resume(&dir);
        let outcome = trainer.fit(&loader, None).unwrap();
        drop(trainer);
        (outcome, weights_sha256(&model).unwrap(), said.into_inner())
    };
    let (outcome, _, said) = run(6, 4);
    assert_eq!(outcome, Outcome::Interrupted);
    let warning = said.iter().find(|message| message.contains("could not be written")).unwrap();
    assert!(
        warning.contains("the one before it stays: ") && warning.contains("step-0000000003.ckpt"),
        "{warning}"
    );
    assert!(warning.contains("No space left"), "{warning}");
    let kept: Vec<String> = names(&dir).into_iter().filter(|name| name.contains("ckpt")).collect();
    assert_eq!(kept, ["step-0000000002.ckpt", "step-0000000003.ckpt"]);
    fs::remove_file(&fill).unwrap();
    let (outcome, hash, _) = run(NEVER, NEVER);
    assert_eq!(outcome, Outcome::Finished);
    let whole = folder("full-whole");
    assert_eq!(super::faults::run(&whole, NEVER, true).1, hash);
    assert_eq!(fs::read(logs.join("log.csv")).unwrap(), fs::read(whole.join("log.csv")).unwrap());
}
