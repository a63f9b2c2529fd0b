//! The example `resume`, killed and interrupted: it ends with the weights and the logs of a run that nobody touched.

use rushlight::serialize::checkpoint;
use rushlight::train::replay;
use rushlight::train::report::RunCard;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

/// An example. `cargo test --tests` builds none, and one that lies there may be of yesterday.
fn example(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let here = std::env::current_exe().unwrap();
    let target = here.parent().unwrap().parent().unwrap();
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--quiet",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ]);
        // Of the packages that the matrix tests, whose features its crates were built with: another choice would compile
        // all of them anew.
        build.args(["--workspace", "--exclude", "rushlight-benches"]);
        build.args(["resume", "digits", "custom_loop"].map(|name| format!("--example={name}")));
        build.args(target.ends_with("release").then_some("--release"));
        // What cargo told this test of its package is news to some build scripts, which would run again.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.to_string_lossy().starts_with(start))
            {
                build.env_remove(name);
            }
        }
        assert!(build.status().unwrap().success(), "the examples do not build");
    });
    target.join("examples").join(name)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rushlight-resume-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn start(dir: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(example("resume"));
    command.arg("--dir").arg(dir).args(["--seed", "3", "--augment", "--every", "3"]).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The last line of a run that goes to its end, and what it said.
fn finish(dir: &Path, more: &[&str]) -> (String, String) {
    let done = start(dir, more).wait_with_output().unwrap();
    let (out, said) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(done.status.success(), "{}: {said}", done.status);
    let last = out.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("final weights sha256 ") && last.len() == 21 + 64, "{out}\n{said}");
    (last, said)
}

/// The last line of another example.
fn last_line(name: &str, words: &[&str]) -> String {
    let done = Command::new(example(name)).args(words).output().unwrap();
    let (out, said) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert!(done.status.success(), "{}: {said}", done.status);
    out.lines().last().unwrap_or_default().to_owned()
}

fn same_logs(dir: &Path, whole: &Path) {
    for name in ["epochs.csv", "steps.jsonl"] {
        let read = |dir: &Path| fs::read_to_string(dir.join(name)).unwrap();
        assert_eq!(read(dir), read(whole), "{name}");
    }
    assert_eq!(fs::read_to_string(dir.join("epochs.csv")).unwrap().lines().count(), 1 + 3);
    // 45 steps and an epoch's line, three times.
    assert_eq!(fs::read_to_string(dir.join("steps.jsonl")).unwrap().lines().count(), 3 * (45 + 1));
}

/// Numbers in 0-1 that look random: the upper bits of a linear congruential generator (Knuth, MMIX).
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn a_run_that_is_killed_ten_times_ends_as_one_that_is_not() {
    let _turn = crate::alone();
    let (whole, dir) = (folder("whole"), folder("killed"));
    // It is built before the clock starts.
    example("resume");
    let began = Instant::now();
    let (hash, _) = finish(&whole, &["--workers", "2", "--threads", "2"]);
    let time = began.elapsed();
    // RUSHLIGHT_KILLS=100 is the long form.
    let kills: usize = std::env::var("RUSHLIGHT_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let (mut moments, mut killed, mut whole_runs) = (Moments(kills as u64), 0, 0);
    while killed < kills {
        let mut child = start(&dir, &["--workers", "2", "--threads", "2"]);
        std::thread::sleep(time.mul_f64(0.4 * moments.next()));
        if child.try_wait().unwrap().is_some() {
            // It was quicker: compare, and begin anew.
            whole_runs += 1;
            assert_eq!(finish(&dir, &[]).0, hash);
            same_logs(&dir, &whole);
            fs::remove_dir_all(&dir).unwrap();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "ckpt") {
                checkpoint::load(&path).unwrap_or_else(|error| panic!("after kill {killed}: {error}"));
            }
        }
    }
    assert_eq!(finish(&dir, &["--workers", "2", "--threads", "2"]).0, hash);
    same_logs(&dir, &whole);
    println!("{killed} kills over {} runs; a whole run takes {time:.2?}", whole_runs + 1);
    fs::remove_dir_all(&dir).unwrap();
    fs::remove_dir_all(&whole).unwrap();
}

#[test]
fn threads_workers_and_a_stop_change_neither_weights_nor_logs() {
    let _turn = crate::alone();
    let (whole, dir) = (folder("ways-whole"), folder("ways"));
    let (hash, _) = finish(&whole, &[]);
    for (threads, workers, until) in [("1", "1", "45"), ("8", "4", "70")] {
        let ways = ["--threads", threads, "--workers", workers];
        let stopped = start(&dir, &[&ways[..], &["--until", until]].concat()).wait_with_output().unwrap();
        assert!(stopped.status.success() && stopped.stdout.is_empty());
        let said = String::from_utf8(stopped.stderr).unwrap();
        assert!(
            said.contains(&format!("stopped after step {until}; to go on, run the program again")),
            "{said}"
        );
        assert_eq!(finish(&dir, &ways).0, hash);
        same_logs(&dir, &whole);
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::remove_dir_all(&whole).unwrap();
}

#[test]
#[cfg(unix)]
fn ctrl_c_writes_a_checkpoint_and_a_second_one_ends_at_once() {
    let _turn = crate::alone();
    let interrupt = |child: &Child| {
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    let begun = |dir: &Path, steps: usize| {
        let until = Instant::now() + Duration::from_secs(60);
        let lines = || fs::read_to_string(dir.join("steps.jsonl")).map_or(0, |text| text.lines().count());
        while lines() < steps {
            assert!(Instant::now() < until, "the run does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let (whole, dir) = (folder("ctrl-c-whole"), folder("ctrl-c"));
    let (hash, _) = finish(&whole, &[]);
    let child = start(&dir, &[]);
    begun(&dir, 4);
    interrupt(&child);
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    assert!(
        said.contains("the run ends after this step") && said.contains("run the program again with"),
        "{said}"
    );
    assert_eq!(finish(&dir, &[]).0, hash);
    same_logs(&dir, &whole);

    fs::remove_dir_all(&dir).unwrap();
    // It never comes to the end of its step.
    let child = start(&dir, &["--hang", "20"]);
    // Lines that come fast wait for each other; the checkpoint before that step tells how far it is.
    let until = Instant::now() + Duration::from_secs(60);
    while !dir.join("step-0000000018.ckpt").exists() {
        assert!(Instant::now() < until, "the run does not begin");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    std::thread::sleep(Duration::from_millis(300));
    interrupt(&child);
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(finish(&dir, &[]).0, hash);
    same_logs(&dir, &whole);
    fs::remove_dir_all(&dir).unwrap();
    fs::remove_dir_all(&whole).unwrap();
}

#[test]
fn the_loop_by_hand_has_the_weights_of_the_trainer() {
    let _turn = crate::alone();
    let dir = folder("by-hand");
    let (hash, _) = finish(&dir, &[]);
    assert_eq!(last_line("custom_loop", &["--seed", "3", "--augment", "--workers", "1"]), hash);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn digits_by_the_trainer_are_those_of_the_loop() {
    let _turn = crate::alone();
    let dir = folder("digits");
    let by_hand = last_line("digits", &["--epochs", "2"]);
    assert!(by_hand.starts_with("final weights sha256 "), "{by_hand}");
    let place = dir.display().to_string();
    let words = ["--epochs", "2", "--trainer", "--dir", &place, "--workers", "2"];
    assert_eq!(last_line("digits", &words), by_hand);
    assert!(dir.join("report.html").exists() && dir.join("pictures/samples.png").exists());
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_replay_says_whether_the_weights_are_bit_equal_and_why_not() {
    let _turn = crate::alone();
    let dir = folder("replay");
    let (hash, _) = finish(&dir, &["--threads", "1"]);
    let mut card = RunCard::load(dir.join("card.json")).unwrap();
    assert_eq!(card.weights_sha256.as_deref(), hash.strip_prefix("final weights sha256 "));
    let before = fs::read(dir.join("card.json")).unwrap();
    let again = replay(&card).unwrap();
    assert!(again.equal && again.differences.is_empty(), "{again}");
    assert_eq!(fs::read(dir.join("card.json")).unwrap(), before, "the first run is not touched");

    // Other threads change no bit, another seed does.
    let words = card.command.iter().position(|word| word == "--threads").unwrap();
    card.command[words + 1] = "2".to_owned();
    let again = replay(&card).unwrap();
    assert!(again.equal && again.differences == ["threads: 1 then, 2 now"], "{again}");
    let seed = card.command.iter().position(|word| word == "--seed").unwrap();
    card.command[seed + 1] = "4".to_owned();
    let again = replay(&card).unwrap();
    assert!(!again.equal && again.differences[0] == "seed: 3 then, 4 now", "{again}");
    assert!(again.differences.iter().any(|line| line.starts_with("loss (train) at epoch 1: ")), "{again}");

    // A program that fails, and one that leaves no card.
    card.command.push("--nonsense".to_owned());
    let error = replay(&card).unwrap_err().to_string();
    assert!(error.contains("failed: exit status: 2"), "{error}");
    card.command.truncate(1);
    card.command.push("--help".to_owned());
    let error = replay(&card).unwrap_err().to_string();
    assert!(error.contains("left no card of a run"), "{error}");
    fs::remove_dir_all(&dir).unwrap();
}
