//! Runs one command: no input, its output in the row's log, ended when its time is up.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Lines of a failed row's log that are shown.
const TAIL: usize = 40;
/// Lines shown where the log has the test harness's own account of failures.
const FAILURES: usize = 120;

/// A command to run.
pub(crate) struct Step {
    words: Vec<String>,
    env: Vec<(String, String)>,
    limit: Duration,
}

impl Step {
    /// `words` are separated by single blanks; `arg` adds one that holds blanks itself.
    pub(crate) fn new(words: &str, limit: Duration) -> Step {
        Step { words: words.split_whitespace().map(str::to_owned).collect(), env: Vec::new(), limit }
    }

    pub(crate) fn arg(mut self, word: &str) -> Step {
        self.words.push(word.to_owned());
        self
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Step {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The command as a person would type it.
    fn typed(&self) -> String {
        let quoted = |word: &str| if word.contains(' ') { format!("{word:?}") } else { word.to_owned() };
        let env = self.env.iter().map(|(key, value)| format!("{key}={}", quoted(value)));
        env.chain(self.words.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
    }

    fn command(&self, directory: &Path) -> Command {
        // Cargo names itself to its children; that one is the toolchain this xtask was built with.
        let program = match self.words[0].as_str() {
            "cargo" => std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
            other => other.to_owned(),
        };
        let mut command = Command::new(program);
        command.args(&self.words[1..]).current_dir(directory).stdin(Stdio::null());
        // Colours are noise in a log; rustfmt asks the terminal alone, and not whether it writes to one.
        command.env("CARGO_TERM_COLOR", "never").env("TERM", "dumb");
        // What cargo told xtask of its package is news to some build scripts, which would run again, as after a test that
        // starts cargo itself.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.to_string_lossy().starts_with(start))
            {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }
}

/// What a command that could be started did.
pub(crate) struct Output {
    pub(crate) stdout: String,
    /// Why it counts as failed: its exit status or its time.
    pub(crate) failure: Option<String>,
}

impl Output {
    /// The standard output of a command that succeeded.
    pub(crate) fn success(self) -> Result<String, String> {
        self.failure.map_or(Ok(self.stdout), Err)
    }
}

/// The log of one row, `target/xtask/ROW.log`.
pub(crate) struct Log {
    row: String,
    file: File,
    path: PathBuf,
    root: PathBuf,
}

impl Log {
    pub(crate) fn create(root: &Path, row: &str) -> Result<Log, String> {
        let directory = target(root).join("xtask");
        let path = directory.join(format!("{row}.log"));
        std::fs::create_dir_all(&directory)
            .and_then(|()| File::create(&path))
            .map(|file| Log { row: row.to_owned(), file, path: path.clone(), root: root.to_path_buf() })
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder `target/xtask`, where a row may leave more than its log.
    pub(crate) fn directory(&self) -> PathBuf {
        target(&self.root).join("xtask")
    }

    /// Shows what starts now, on the screen and in the log.
    pub(crate) fn announce(&mut self, what: &str) {
        println!("{}: {what}", self.row);
        let _ = std::io::stdout().flush();
        self.write(&format!("$ {what}\n"));
    }

    pub(crate) fn write(&mut self, text: &str) {
        // A full disk shows in the command itself; losing a line of the log must not hide the row's result.
        let _ = self.file.write_all(text.as_bytes());
    }

    /// Runs `step` in the root of the workspace.
    pub(crate) fn run(&mut self, step: &Step) -> Result<Output, String> {
        self.announce(&step.typed());
        let cannot = |error: std::io::Error| format!("cannot run {}: {error}", step.words[0]);
        let log = || self.file.try_clone().map_err(cannot);
        let mut child =
            step.command(&self.root).stdout(Stdio::piped()).stderr(log()?).spawn().map_err(cannot)?;
        let stdout = collect(&mut child, log()?);
        let ended = wait(&mut child, step.limit).map_err(cannot)?;
        // A grandchild that outlives the command may hold the pipe open; do not wait for it.
        let stdout = stdout.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
        let failure = match ended {
            None => Some(format!("ended after its limit of {} s", step.limit.as_secs())),
            Some(status) if status.success() => None,
            Some(status) => Some(status.to_string()),
        };
        Ok(Output { stdout: String::from_utf8_lossy(&stdout).into_owned(), failure })
    }

    /// What a reader needs of a failed row's log.
    pub(crate) fn excerpt(&self) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let log = String::from_utf8_lossy(&bytes);
        let lines: String = excerpt(&log).iter().map(|line| format!("\n    | {line}")).collect();
        format!("    log: {}{lines}", self.path.display())
    }
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// Copies the child's standard output into the log as it comes, and gives all of it at the end.
fn collect(child: &mut Child, mut log: File) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let mut pipe = child.stdout.take().expect("the child was started with a pipe");
    thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), [0; 8192]);
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
            let _ = log.write_all(&buffer[..count]);
        }
        let _ = sender.send(all);
    });
    receiver
}

/// The child's exit status, or nothing if it had to be ended.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            end_family(child);
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Ends a command with everything it started: a hanging test is a grandchild, and it would keep its core busy.
///
/// A process group of its own would be simpler, but then Ctrl-C in the terminal would not reach the command.
fn end_family(child: &mut Child) {
    let family: Vec<String> = descendants(child.id()).iter().map(u32::to_string).collect();
    let _ = child.kill();
    if !family.is_empty() {
        let _ = Command::new("sh").arg("-c").arg(format!("kill -KILL {}", family.join(" "))).status();
    }
}

/// The processes below `parent`, from /proc; none on systems without it.
fn descendants(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pairs: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let mut family = vec![parent];
    let mut next = 0;
    while next < family.len() {
        family.extend(
            pairs.iter().filter(|pair| pair.1 == family[next]).map(|pair| pair.0).collect::<Vec<_>>(),
        );
        next += 1;
    }
    family.split_off(1)
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `pid (name) state parent ...`: the name may hold blanks and brackets, so count from its end.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The test harness's failures if the log has any, else its last lines; first what ended a program otherwise.
fn excerpt(log: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = log.lines().filter(|line| line.contains("(signal: ")).collect();
    let (mut failures, mut inside) = (Vec::new(), false);
    for line in log.lines() {
        inside = (inside || line == "failures:") && !line.starts_with("test result:");
        if inside {
            failures.push(line);
        }
    }
    if failures.is_empty() {
        let all: Vec<&str> = log.lines().collect();
        lines.extend(&all[all.len().saturating_sub(TAIL)..]);
    } else {
        // What failed stands first, why at the end: between them may lie what tests of panics print.
        let end = failures.len().saturating_sub(FAILURES / 2).max(FAILURES / 2);
        lines.extend(failures.iter().take(FAILURES / 2));
        lines.extend(failures.iter().skip(end));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> Log {
        let root = std::env::temp_dir().join(format!("xtask-run-{}", std::process::id()));
        let path = root.join(name);
        std::fs::create_dir_all(&root).expect("the temporary folder can be written");
        Log { row: name.to_owned(), file: File::create(&path).expect("so can a file in it"), path, root }
    }

    #[test]
    fn output_goes_to_the_log_and_the_caller() {
        let mut log = log("both");
        let step = Step::new("sh -c", Duration::from_secs(60)).arg("echo out; echo err >&2");
        let output = log.run(&step).expect("sh exists");
        assert_eq!(output.success(), Ok("out\n".to_owned()));
        let text = std::fs::read_to_string(&log.path).expect("the log exists");
        assert!(text.starts_with("$ sh -c \"echo out;"), "{text}");
        assert!(text.contains("\nout\n") && text.contains("\nerr\n"), "{text}");
    }

    #[test]
    fn a_failing_command_tells_its_status() {
        let step = Step::new("sh -c", Duration::from_secs(60)).arg("exit 3");
        let output = log("status").run(&step).expect("sh exists");
        assert!(output.failure.expect("3 is a failure").contains('3'));
        assert!(log("missing").run(&Step::new("no-such-program", Duration::from_secs(1))).is_err());
    }

    #[test]
    fn a_hanging_command_ends_with_its_children() {
        let step =
            Step::new("sh -c", Duration::from_millis(300)).arg("sh -c 'sleep 3.21; echo late'; echo late");
        let start = Instant::now();
        let output = log("hang").run(&step).expect("sh exists");
        assert!(output.failure.expect("it ran too long").contains("limit"));
        // Had the grandchild lived, it would have held the pipe for three seconds.
        assert!(start.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn excerpt_prefers_failed_tests_to_the_last_lines() {
        let log = "running 1 test\nfailures:\n---- a stdout ----\nboom\ntest result: FAILED.\nmore\n";
        assert_eq!(excerpt(log), ["failures:", "---- a stdout ----", "boom"]);
        let killed = "  process didn't exit successfully: `x` (signal: 9, SIGKILL: kill)";
        assert_eq!(excerpt(&format!("{killed}\n{log}"))[..2], [killed, "failures:"]);
        let panics: String = (0..1000).map(|line| format!("{line}\n")).collect();
        let panics = format!("failures:\n{panics}why\ntest result: FAILED.\n");
        assert_eq!(excerpt(&panics).len(), FAILURES);
        assert_eq!(excerpt(&panics).last(), Some(&"why"));
        let long: String = (0..100).map(|line| format!("{line}\n")).collect();
        assert_eq!(excerpt(&long).len(), TAIL);
        assert_eq!(excerpt(&long).last(), Some(&"99"));
    }
}
