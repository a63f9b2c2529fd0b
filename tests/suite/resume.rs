//! The example `resume`, killed and interrupted: it ends with the weights and the logs of a run that nobody touched.

use rushlight::serialize::checkpoint;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program, which cargo builds with the tests. A test that is built alone builds it now.
fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/resume");
    if !program.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--example", "resume", "--manifest-path"]);
        let built = build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).status().unwrap();
        assert!(built.success() && program.exists(), "{} is not there", program.display());
    }
    program
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rushlight-resume-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn start(dir: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(program());
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
    // The 20th line is written after that.
    begun(&dir, 19);
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
