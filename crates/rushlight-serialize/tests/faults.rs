//! A checkpoint is replaced as a whole or not at all: whatever happens to the program that writes it.

#![cfg(unix)]

use rushlight_autograd::Tensor;
use rushlight_serialize::{Value, checkpoint};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set for the child process: the folder in which it writes.
const FOLDER: &str = "RUSHLIGHT_TEST_FOLDER";
/// 4 MB: writing them takes much longer than anything round it.
const LEN: usize = 1 << 20;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rushlight-faults-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The checkpoint number `n`: every element says so.
fn version(n: i64) -> Value {
    Value::map().with("n", n).with("w", Tensor::from_vec(vec![n as f32; LEN], [LEN]))
}

/// The number of a checkpoint that is whole.
#[track_caller]
fn number(path: &Path) -> i64 {
    let value = checkpoint::load(path).unwrap();
    let n = value.get("n").unwrap().int::<i64>().unwrap();
    assert!(value.get("w").unwrap().tensor().unwrap().to_vec::<f32>().iter().all(|&x| x == n as f32));
    n
}

/// Runs one test of this file alone in a process of its own, behind `shell` if that is not empty.
fn child(test: &str, folder: &Path, shell: &str) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{shell} exec \"$0\" \"$@\"")).arg(program);
    command.args([test, "--exact", "--ignored", "--nocapture"]).env(FOLDER, folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn folder_of_child() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).expect("the other test starts this one"))
}

#[test]
#[ignore = "run by the test that kills it"]
fn writes_without_end() {
    let path = folder_of_child().join("run.ckpt");
    for n in 1.. {
        checkpoint::save(&path, &version(n)).unwrap();
    }
}

#[test]
fn a_program_killed_while_it_writes_leaves_a_whole_checkpoint() {
    let folder = folder("kill");
    let path = folder.join("run.ckpt");
    checkpoint::save(&path, &version(0)).unwrap();
    let (mut last, mut in_the_middle) = (0, 0);
    for round in 0..12_u64 {
        let mut child = child("writes_without_end", &folder, "").spawn().unwrap();
        // Different moments of a write, from its first bytes to its last.
        std::thread::sleep(Duration::from_millis(60 + 37 * round));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let parts = fs::read_dir(&folder).unwrap().count() - 1;
        in_the_middle += usize::from(parts > 0);
        last = last.max(number(&path));
        // As the next save does once they are old enough.
        for entry in fs::read_dir(&folder).unwrap() {
            let other = entry.unwrap().path();
            if other != path {
                fs::remove_file(other).unwrap();
            }
        }
    }
    assert!(last > 0, "no child got as far as a checkpoint");
    assert!(in_the_middle > 0, "no child was killed while it wrote");
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let pipe = folder("pipe").join("a.ckpt");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for error in [rushlight_serialize::load(&pipe).unwrap_err(), checkpoint::load("/dev/zero").unwrap_err()] {
        assert!(error.to_string().ends_with(": not a regular file"), "{error}");
    }
    let error = checkpoint::save(&pipe, &version(0)).unwrap_err().to_string();
    assert!(error.ends_with("exists and is not a regular file"), "{error}");
}

#[test]
#[ignore = "run by the test that limits it"]
fn writes_once() {
    let path = folder_of_child().join("run.ckpt");
    let error = checkpoint::save(&path, &version(1)).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
}

#[test]
fn a_disk_that_fills_up_leaves_the_old_checkpoint_and_nothing_else() {
    let folder = folder("full");
    let path = folder.join("run.ckpt");
    checkpoint::save(&path, &version(0)).unwrap();
    // At most 1 MiB a file: the system then fails the write, as it does on a full disk, unless a signal comes first.
    let status = child("writes_once", &folder, "trap '' XFSZ; ulimit -f 2048;").status().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(number(&path), 0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}
