//! A long run holds no more memory than a short one. A test file of its own: no other test may allocate meanwhile.

use rushlight_array::random::manual_seed;
use rushlight_array::{MemoryStats, Result, memory_stats, set_num_threads};
use rushlight_autograd::{randint, randn};
use rushlight_data::{DataLoader, TensorDataset};
use rushlight_nn::{BatchNorm1d, Dropout, Linear, Module, ReLU, functional as F, sequential};
use rushlight_optim::Adam;
use rushlight_train::metrics::{Accuracy, ConfusionMatrix};
use rushlight_train::{Callback, Context, EarlyStopping, NanGuard, RunFolder, Trainer};
use std::cell::RefCell;
use std::rc::Rc;

const EPOCHS: usize = 20;
const STEPS: usize = 1000;

/// The memory of arrays, and that of the process in bytes, at the end of an epoch, when all its tensors are gone.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<(MemoryStats, usize)>>>);

impl Callback for Memory {
    fn on_epoch_start(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.0.borrow_mut().push((memory_stats(), resident()));
        Ok(())
    }
}

/// Resident memory by the kernel's word, 0 where it gives none.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).map_or(0, |kib| kib << 10)
}

/// With logs, checkpoints, metrics, a guard and validation: what lives after the second epoch lives after the last.
#[test]
fn twenty_thousand_steps_leave_nothing_behind() {
    manual_seed(1);
    set_num_threads(2);
    let dir = std::env::temp_dir().join(format!("rushlight-steady-{}", std::process::id()));
    let model =
        sequential![Linear::new(20, 16), BatchNorm1d::new(16), ReLU, Dropout::new(0.1), Linear::new(16, 5)];
    let data = |len| TensorDataset::new(randn([len, 20]), randint(0, 5, [len]));
    let train = DataLoader::new(data(4 * STEPS)).batch_size(4).shuffle(true).num_workers(1);
    let valid = DataLoader::new(data(100)).batch_size(30);
    let memory = Memory::default();
    let mut trainer = Trainer::new(&model, Adam::new(model.parameters(), 1e-3), F::cross_entropy)
        .max_epochs(EPOCHS + 1)
        .metric(Accuracy::new())
        .metric(ConfusionMatrix::new(5))
        .callback(NanGuard::new())
        .callback(EarlyStopping::new("val_loss").patience(EPOCHS + 1))
        .callback(memory.clone())
        .run_folder(RunFolder::new(&dir).checkpoint(|checkpoint| checkpoint.every_steps(STEPS / 2)))
        .messages(|_| {});
    trainer.fit(&train, Some(&valid)).unwrap();
    assert_eq!(trainer.progress().step, (EPOCHS + 1) * STEPS);
    let seen = memory.0.take();
    // The first is before the run, the next ones are after epochs.
    let (base, rss) = seen[2];
    for (epoch, (stats, resident)) in seen.iter().enumerate().skip(3) {
        assert_eq!(stats.live, base.live, "live tensors after epoch {epoch}: {stats:?}, at first {base:?}");
        let more = resident.saturating_sub(rss);
        assert!(more < 4 << 20, "after epoch {epoch} {more} bytes more are resident than the {rss} after 2");
    }
    println!("{} steps; live {} bytes, resident {} then {}", EPOCHS * STEPS, base.live, rss, seen[EPOCHS].1);
    std::fs::remove_dir_all(&dir).unwrap();
}
