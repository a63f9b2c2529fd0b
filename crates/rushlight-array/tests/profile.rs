//! The profiler: what it counts, what it writes, and that it leaves nothing behind.

use rushlight_array::profile::{OpProfile, Profile, Work, profile, span, span_of};
use rushlight_array::{Array, DType};
use serde_json::Value;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A profile sees the whole process, so tests take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A span that lasts at least this long.
fn busy(name: &'static str, milliseconds: u64, within: impl FnOnce()) {
    let _span = span(name, Work::default);
    within();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(milliseconds) {
        std::hint::spin_loop();
    }
}

fn op(profile: &Profile, name: &str) -> OpProfile {
    let found = profile.ops().into_iter().find(|op| op.name == name);
    found.unwrap_or_else(|| panic!("no {name} in\n{profile}"))
}

/// A path in an empty folder of the test's own.
fn place(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("profile").join(test);
    // Left by an earlier run, if there was one.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("cargo's folder for tests can be written");
    folder.join("trace.json")
}

/// The complete events of a trace file, by name.
fn events(text: &str) -> HashMap<String, Vec<Value>> {
    let trace: Value = serde_json::from_str(text).expect("the trace is JSON");
    let mut events: HashMap<String, Vec<Value>> = HashMap::new();
    for event in trace["traceEvents"].as_array().expect("a list of events") {
        let kind = if event["ph"] == "X" { "" } else { "meta " };
        let name = format!("{kind}{}", event["name"].as_str().expect("events have names"));
        events.entry(name).or_default().push(event.clone());
    }
    events
}

fn written(profile: &Profile, test: &str) -> HashMap<String, Vec<Value>> {
    let path = place(test);
    profile.write_trace(&path).expect("the folder can be written");
    events(&std::fs::read_to_string(path).expect("it was written"))
}

#[test]
fn self_time_excludes_the_spans_within() {
    let _turn = alone();
    let ((), profile) = profile(|| busy("outer", 2, || busy("inner", 5, || busy("core", 3, || {}))));
    let [outer, inner, core] = ["outer", "inner", "core"].map(|name| op(&profile, name));
    assert!(core.own == core.total && core.own >= Duration::from_millis(3));
    assert_eq!(inner.own, inner.total - core.total);
    assert_eq!(outer.own, outer.total - inner.total);
    // All of the caller's time in spans is the self time of one of them.
    assert_eq!(profile.wall() - profile.outside(), outer.total);
}

#[test]
fn a_span_within_one_of_its_own_name_is_not_added_to_the_total_again() {
    let _turn = alone();
    let ((), profile) = profile(|| busy("block", 0, || busy("block", 2, || {})));
    let block = op(&profile, "block");
    assert_eq!((block.calls, block.total), (2, block.own));
}

#[test]
fn calls_and_work_add_up() {
    let _turn = alone();
    let ((), profile) = profile(|| {
        for bytes in [10, 20, 30] {
            let _span = span_of("load", "backward", || Work { bytes, flops: 2 * bytes });
        }
    });
    let load = op(&profile, "load backward");
    assert_eq!((load.calls, load.bytes, load.flops), (3, 60, 120));
    assert_eq!((profile.ops().len(), profile.left_out()), (1, 0));
}

#[test]
fn kernels_tell_their_traffic_and_arithmetic() {
    let _turn = alone();
    let x = Array::zeros([4, 6], DType::F32);
    let (_, profile) = profile(|| (x.exp(), x.add(&x), x.matmul(&x.t()), x.cast(DType::F64), x.softmax(1)));
    // 24 elements of 4 bytes: 96 bytes an array; the product is 2 x 4 x 4 x 6 FLOP and 64 bytes.
    let work = ["exp kernel", "add kernel", "matmul kernel", "cast kernel", "softmax kernel"].map(|name| {
        let op = op(&profile, name);
        (op.bytes, op.flops)
    });
    assert_eq!(work, [(192, 0), (288, 0), (256, 192), (288, 0), (192, 0)]);
}

#[test]
fn the_table_has_a_line_for_each_op_and_one_for_the_wall_time() {
    let _turn = alone();
    let x = Array::zeros([100, 100], DType::F32);
    let (_, profile) = profile(|| x.matmul(&x).exp());
    let table = profile.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("op") && lines[0].ends_with("share"), "{table}");
    assert_eq!(lines.len(), profile.ops().len() + 2, "{table}");
    assert!(
        lines.iter().any(|line| line.starts_with("matmul kernel") && line.contains("GFLOP/s")),
        "{table}"
    );
    assert!(lines.iter().any(|line| line.starts_with("exp kernel") && line.contains("GB/s")), "{table}");
    assert!(lines.last().expect("it has lines").starts_with("wall time "), "{table}");
}

#[test]
fn nothing_is_recorded_while_nobody_profiles() {
    let _turn = alone();
    let called = std::cell::Cell::new(false);
    let look = || {
        called.set(true);
        Work::default()
    };
    drop(span("before", look));
    assert!(!called.get());
    let straddling = span("straddling", look);
    let ((), profile) = profile(|| ());
    drop(straddling);
    drop(span("after", look));
    assert!(profile.ops().is_empty() && !called.get(), "{profile}");
    assert_eq!(profile.outside(), profile.wall());
}

#[test]
fn every_thread_has_its_row() {
    let _turn = alone();
    let ((), profile) = profile(|| {
        busy("here", 1, || {
            std::thread::scope(|scope| {
                let worker = |name: &str| std::thread::Builder::new().name(name.to_owned());
                for name in ["left \"1\"", "right"] {
                    worker(name).spawn_scoped(scope, || busy("there", 1, || {})).expect("threads start");
                }
            });
        });
    });
    // Spans of other threads are no children of this one's.
    assert_eq!(op(&profile, "here").own, op(&profile, "here").total);
    assert_eq!(op(&profile, "there").calls, 2);
    let events = written(&profile, "threads");
    let rows = |name: &str| -> Vec<i64> {
        let mut rows: Vec<i64> = events[name].iter().filter_map(|event| event["tid"].as_i64()).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    };
    assert_eq!((rows("here").len(), rows("there").len(), rows("meta thread_name").len()), (1, 2, 3));
    let names: Vec<&str> =
        events["meta thread_name"].iter().filter_map(|event| event["args"]["name"].as_str()).collect();
    assert!(names.contains(&"left \"1\"") && names.contains(&"right"), "{names:?}");
}

#[test]
fn a_thread_that_does_nothing_has_no_row() {
    let _turn = alone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let (_, first) = profile(|| {
            scope.spawn(move || {
                busy("there", 0, || {});
                ready.send(()).expect("the test waits");
                // Lives until the sender is dropped.
                let _ = stopped.recv();
            });
            is_ready.recv().expect("the thread sends");
        });
        let ((), second) = profile(|| busy("here", 0, || {}));
        drop(stop);
        assert_eq!(op(&first, "there").calls, 1);
        assert_eq!(written(&second, "idle")["meta thread_name"].len(), 1);
    });
}

#[test]
fn the_trace_nests_as_the_spans_did() {
    let _turn = alone();
    let ((), profile) = profile(|| {
        busy("outer", 1, || {
            let _span = span_of("inner", "kernel", || Work { bytes: 12, flops: 34 });
        });
    });
    let events = written(&profile, "nests");
    let number = |name: &str, key: &str| events[name][0][key].as_f64().expect("a number");
    let end = |name: &str| number(name, "ts") + number(name, "dur");
    assert!(number("outer", "ts") >= 0.0 && number("outer", "dur") >= 1000.0);
    assert!(number("outer", "ts") <= number("inner kernel", "ts"));
    assert!(end("inner kernel") <= end("outer"));
    assert!(end("outer") <= profile.wall().as_secs_f64() * 1e6);
    assert_eq!(events["inner kernel"][0]["args"], serde_json::json!({ "bytes": 12, "flops": 34 }));
    assert_eq!(events["outer"][0]["pid"], std::process::id());
}

#[test]
fn a_panic_ends_the_recording() {
    let _turn = alone();
    let panic = catch_unwind(AssertUnwindSafe(|| profile(|| busy("outer", 0, || panic!("within")))));
    assert!(panic.is_err());
    let called = std::cell::Cell::new(false);
    drop(span("after", || {
        called.set(true);
        Work::default()
    }));
    assert!(!called.get());
    // The spans that were open are closed: the next one is no child of theirs, and they are not in its profile.
    let ((), next) = profile(|| busy("next", 1, || {}));
    assert_eq!(next.ops().len(), 1);
    assert_eq!(next.wall() - next.outside(), op(&next, "next").total);
}

#[test]
fn a_profile_within_another_sees_its_own_part() {
    let _turn = alone();
    let (inner, outer) = profile(|| {
        busy("first", 1, || {});
        let (_, inner) = profile(|| busy("second", 1, || {}));
        busy("third", 1, || {});
        inner
    });
    assert_eq!(inner.ops().len(), 1);
    assert_eq!(op(&inner, "second"), op(&outer, "second"));
    assert_eq!(outer.ops().len(), 3);
}

#[test]
fn a_forgotten_guard_ends_with_the_span_around_it() {
    let _turn = alone();
    let ((), profile) = profile(|| {
        busy("outer", 0, || std::mem::forget(span("forgotten", Work::default)));
        busy("next", 1, || {});
    });
    let names = ["outer", "forgotten", "next"].map(|name| op(&profile, name));
    assert!(names.iter().all(|op| op.calls == 1));
    assert_eq!(names[2].own, names[2].total);
}

#[test]
fn beyond_a_million_events_only_sums_are_kept() {
    let _turn = alone();
    let ((), outer) = profile(|| {
        for _ in 0..1_000_010 {
            let _span = span("many", || Work { bytes: 1, flops: 0 });
        }
        let ((), inner) = profile(|| drop(span("many", || Work { bytes: 5, flops: 0 })));
        assert_eq!((op(&inner, "many").calls, op(&inner, "many").bytes, inner.left_out()), (1, 5, 1));
    });
    let many = op(&outer, "many");
    assert_eq!((many.calls, many.bytes, outer.left_out()), (1_000_011, 1_000_015, 11));
    assert!(outer.to_string().ends_with("11 calls are in the table, but not in the trace, which is full\n"));
    let ((), next) = profile(|| drop(span("next", Work::default)));
    assert_eq!(next.left_out(), 0);
}

#[test]
fn a_trace_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let _turn = alone();
    let ((), profile) = profile(|| ());
    let path = place("unwritable");
    let folder = path.parent().expect("it has one");
    let missing = folder.join("missing").join("trace.json");
    let message = profile.write_trace(&missing).expect_err("there is no such folder").to_string();
    assert!(message.starts_with(&missing.display().to_string()), "{message}");
    // A folder cannot be replaced by a file: the rename fails after all was written.
    std::fs::create_dir_all(path.join("within")).expect("the folder can be written");
    assert!(profile.write_trace(&path).is_err());
    assert!(profile.write_trace("").is_err() && profile.write_trace("..").is_err());
    let left: Vec<_> =
        std::fs::read_dir(folder).expect("it exists").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["trace.json"]);
}

/// Not a test of its own: the program that the next test profiles as a whole.
#[test]
fn program_of_the_next_test() {
    if std::env::var_os("RUSHLIGHT_PROFILE_TEST").is_some() {
        busy("of the program", 2, || {});
        let ((), part) = profile(|| busy("part", 1, || {}));
        assert_eq!(part.ops().len(), 1);
    }
}

#[test]
fn the_variable_profiles_a_program_to_its_end() {
    let path = place("variable");
    let run = |value: &str| {
        let program = std::env::current_exe().expect("tests are programs");
        let output = Command::new(program)
            .args(["--exact", "program_of_the_next_test", "--nocapture"])
            .env("RUSHLIGHT_PROFILE", value)
            .env("RUSHLIGHT_PROFILE_TEST", "1")
            .current_dir(path.parent().expect("it has one"))
            .output()
            .expect("this test can be run again");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let printed = run(&path.display().to_string());
    for part in ["op ", "of the program", "part", "wall time ", "trace: "] {
        assert!(printed.contains(part), "{printed}");
    }
    let events = events(&std::fs::read_to_string(&path).expect("the program wrote it"));
    assert_eq!((events["of the program"].len(), events["part"].len()), (1, 1));
    run("1");
    assert!(path.with_file_name("rushlight-trace.json").exists());
    assert!(!run("0").contains("wall time"));
    let nowhere = run("/nowhere/at/all.json");
    assert!(
        nowhere.contains("wall time ") && nowhere.contains("no trace: /nowhere/at/all.json: "),
        "{nowhere}"
    );
}
