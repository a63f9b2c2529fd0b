//! Tests of the library as its users see it, through the facade.

#[path = "suite/cnn.rs"]
mod cnn;
#[path = "suite/determinism.rs"]
mod determinism;
#[path = "suite/digits.rs"]
mod digits;
#[path = "suite/files.rs"]
mod files;
#[path = "suite/messages.rs"]
mod messages;
#[path = "suite/resume.rs"]
mod resume;
#[path = "suite/texts.rs"]
mod texts;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The default generator and the number of threads are the process's; tests that set them take turns, each
/// from a known seed.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    rushlight::manual_seed(0);
    turn
}
