//! Ctrl-C and its kin: a run ends after the step that it is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A handle that ends a run from outside, as Ctrl-C does: after the step that it is in, with a checkpoint.
///
/// ```
/// use rushlight_train::Stopper;
/// let stopper = Stopper::default();
/// let elsewhere = stopper.clone();
/// std::thread::spawn(move || elsewhere.interrupt()).join().unwrap();
/// assert!(stopper.is_interrupted());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stopper(Arc<AtomicBool>);

impl Stopper {
    /// Asks the run to end after this step.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked to.
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(feature = "ctrlc")]
pub(crate) mod signal {
    //! The process has one handler, and the run that goes on at the moment listens to it.

    use super::Stopper;
    use rushlight_array::{Error, Result};
    use std::sync::{Mutex, MutexGuard, Once, PoisonError};

    static LISTENING: Mutex<Vec<Stopper>> = Mutex::new(Vec::new());
    /// The exit status of a program that Ctrl-C ended: 128 and the number of the signal.
    const INTERRUPTED: i32 = 130;

    fn listening() -> MutexGuard<'static, Vec<Stopper>> {
        LISTENING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens until it is dropped.
    pub(crate) struct Listener(());

    impl Drop for Listener {
        fn drop(&mut self) {
            listening().pop();
        }
    }

    /// Tells `stopper` of the first Ctrl-C from now on; the second ends the program at once.
    pub(crate) fn listen(stopper: &Stopper) -> Result<Listener> {
        static INSTALL: Once = Once::new();
        let mut failed = None;
        INSTALL.call_once(|| failed = ctrlc::set_handler(interrupted).err());
        if let Some(error) = failed {
            return Err(Error::invalid("Ctrl-C", format!("its handler cannot be set: {error}")));
        }
        listening().push(stopper.clone());
        Ok(Listener(()))
    }

    fn interrupted() {
        match listening().last() {
            Some(stopper) if !stopper.is_interrupted() => {
                eprintln!("\ninterrupted: the run ends after this step; once more ends it at once");
                stopper.interrupt();
            }
            // Nobody trains, or nobody wants to wait.
            _ => std::process::exit(INTERRUPTED),
        }
    }
}
