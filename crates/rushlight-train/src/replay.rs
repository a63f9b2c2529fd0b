//! A run once more, to see whether it gives the same bits.

use crate::report::RunCard;
use rushlight_array::{Error, Result};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in a program that [`replay`] starts, to the folder in which its run folders lie then.
const REPLAY: &str = "RUSHLIGHT_REPLAY";

/// Where a run folder is: as the program says, or of the same name among those of a replay.
pub(crate) fn place(path: &Path) -> PathBuf {
    match (std::env::var_os(REPLAY), path.file_name()) {
        (Some(folder), Some(name)) => Path::new(&folder).join(name),
        _ => path.to_path_buf(),
    }
}

/// What became of a run that was done once more.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Whether the final weights are equal bit for bit.
    pub equal: bool,
    /// The card of the second run.
    pub card: RunCard,
    /// What is not as it was then, by which one may understand why weights are not: `seed: 1 then, 2 now`.
    pub differences: Vec<String>,
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.card.weights_sha256.as_deref().unwrap_or("none");
        match self.equal {
            true => write!(f, "the weights are bit-equal: sha256 {hash}")?,
            false => write!(f, "the weights differ: sha256 {hash} now")?,
        }
        self.differences.iter().try_for_each(|difference| write!(f, "\n  {difference}"))
    }
}

/// Trains again as a card says, and tells whether the final weights are equal bit for bit.
///
/// The program of the card is started in the folder and with the words of the card, and its [`RunFolder`](crate::RunFolder)s
/// lie in a folder for the occasion, which is removed: nothing of the first run is touched or used. Files that the program
/// reads of its own accord, such as weights to begin with, it reads again. What it prints is seen as ever. So a card can be
/// replayed where its program was built and its data are.
///
/// **It starts a program that a file names**: replay only cards that you would run as a script.
///
/// ```no_run
/// use rushlight_train::{replay, report::RunCard};
/// let replay = replay(&RunCard::load("runs/digits/card.json")?)?;
/// assert!(replay.equal, "{replay}");
/// # Ok::<(), rushlight_array::Error>(())
/// ```
///
/// # Errors
/// If the run of the card is not over, the program cannot be started or fails, or it leaves no card of that name.
pub fn replay(card: &RunCard) -> Result<Replay> {
    let invalid = |reason: String| Error::invalid("replay", reason);
    let Some(before) = &card.weights_sha256 else {
        let reason =
            format!("the run {:?} is not over ({}): there are no final weights", card.name, card.outcome);
        return Err(invalid(reason));
    };
    let place = Place::new()?;
    let mut program = Command::new(&card.program);
    program.args(card.command.iter().skip(1)).env(REPLAY, &place.0);
    if !card.directory.is_empty() {
        program.current_dir(&card.directory);
    }
    let status =
        program.status().map_err(|error| invalid(format!("{} cannot be started: {error}", card.program)))?;
    if !status.success() {
        return Err(invalid(format!("{} failed: {status}", card.program)));
    }
    let path = place.0.join(&card.name).join("card.json");
    if !path.exists() {
        return Err(invalid(format!("{} left no card of a run {:?}", card.program, card.name)));
    }
    let again = RunCard::load(path)?;
    let equal = again.weights_sha256.as_ref() == Some(before);
    let differences = differences(card, &again, equal);
    Ok(Replay { equal, card: again, differences })
}

/// A folder among the temporary files, for as long as it is needed.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Place> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rushlight-replay-{}-{count}", std::process::id()));
        // One that is there already is somebody else's.
        fs::create_dir(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Place(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn differences(then: &RunCard, now: &RunCard, equal: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, then: &str, now: &str| {
        if then != now {
            found.push(format!("{name}: {then} then, {now} now"));
        }
    };
    let seed = |card: &RunCard| card.seed.map_or("none".to_owned(), |seed| seed.to_string());
    compare("outcome", &then.outcome, &now.outcome);
    compare("seed", &seed(then), &seed(now));
    compare("generator", &then.generator, &now.generator);
    compare("dtype", &then.dtype, &now.dtype);
    compare("device", &then.device, &now.device);
    compare("threads", &then.threads.to_string(), &now.threads.to_string());
    compare("workers", &then.workers.to_string(), &now.workers.to_string());
    let lists = [(&then.settings, &now.settings), (&then.data, &now.data), (&then.versions, &now.versions)];
    for (then, now) in lists {
        for (name, value) in then {
            let other = now.iter().find(|(other, _)| other == name);
            compare(name, value, other.map_or("nothing", |(_, other)| other));
        }
        for (name, value) in now.iter().filter(|(name, _)| !then.iter().any(|(other, _)| other == name)) {
            compare(name, "nothing", value);
        }
    }
    if !equal {
        found.extend(then.curves.iter().filter_map(|curve| parting(curve, &now.curves)));
    }
    found
}

/// The first point at which a curve is another.
fn parting(then: &crate::report::Curve, now: &[crate::report::Curve]) -> Option<String> {
    let now = now.iter().find(|now| now.chart == then.chart && now.name == then.name)?;
    let unlike = |(a, b): &(&(f64, f64), &(f64, f64))| a.0 != b.0 || a.1.to_bits() != b.1.to_bits();
    let (a, b) = then.points.iter().zip(&now.points).find(unlike)?;
    Some(format!("{} ({}) at {} {}: {} then, {} now", then.chart, then.name, then.x, a.0, a.1, b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Curve;

    #[test]
    fn differences_are_named_and_the_first_parting_of_a_curve() {
        let mut then = RunCard { seed: Some(1), ..RunCard::default() };
        then.settings.push(("lr".to_owned(), "0.1".to_owned()));
        then.curves.push(Curve::new("loss", "train", "epoch", vec![(1.0, 2.0), (2.0, 1.0), (3.0, 0.5)]));
        let mut now = then.clone();
        assert!(differences(&then, &now, true).is_empty());
        now.seed = Some(2);
        now.settings = vec![("momentum".to_owned(), "0.9".to_owned())];
        now.curves[0].points[1].1 = 1.25;
        let expected = [
            "seed: 1 then, 2 now",
            "lr: 0.1 then, nothing now",
            "momentum: nothing then, 0.9 now",
            "loss (train) at epoch 2: 1 then, 1.25 now",
        ];
        assert_eq!(differences(&then, &now, false), expected);
    }

    #[test]
    fn a_run_that_is_not_over_or_cannot_start_is_an_error() {
        let mut card =
            RunCard { name: "x".to_owned(), outcome: "interrupted".to_owned(), ..RunCard::default() };
        let error = replay(&card).unwrap_err().to_string();
        assert!(error.contains("the run \"x\" is not over (interrupted)"), "{error}");
        card.weights_sha256 = Some("0".repeat(64));
        card.program = "/nowhere/program".to_owned();
        let error = replay(&card).unwrap_err().to_string();
        assert!(error.contains("/nowhere/program cannot be started"), "{error}");
    }
}
