//! Metrics against scikit-learn, over any batches, and through a restart.

use rushlight_array::DType;
use rushlight_autograd::{Tensor, tensor, zeros};
use rushlight_serialize::Value;
use rushlight_train::Metric;
use rushlight_train::metrics::*;

/// What `tests/metrics.py` wrote.
struct Reference(serde_json::Value);

impl Reference {
    fn new() -> Reference {
        Reference(serde_json::from_str(include_str!("data/metrics.json")).unwrap())
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    }

    /// Samples, as f32, or as i64 where they are classes.
    fn samples(&self, name: &str) -> Tensor {
        let found = &self.0["samples"][name];
        let shape: Vec<usize> = Self::numbers(&found["shape"]).iter().map(|&v| v as usize).collect();
        let values = Tensor::from_vec(Self::numbers(&found["values"]), shape);
        let classes = ["target", "yes", "tokens", "order"].contains(&name);
        values.to(if classes { DType::I64 } else { DType::F32 })
    }

    fn expected(&self, name: &str) -> f64 {
        self.0["expected"][name].as_f64().unwrap()
    }

    fn list(&self, name: &str) -> Vec<f64> {
        Self::numbers(&self.0["expected"][name])
    }

    fn matrix(&self, name: &str) -> Vec<Vec<f64>> {
        self.0["expected"][name].as_array().unwrap().iter().map(Self::numbers).collect()
    }
}

/// A metric, its samples, and the key of its expected value.
type Case = (fn() -> Box<dyn Metric>, [&'static str; 2], &'static str);

const CLASSES: [&str; 2] = ["logits", "target"];
const BINARY: [&str; 2] = ["score", "yes"];
const NUMBERS: [&str; 2] = ["predicted", "actual"];

const CASES: &[Case] = &[
    (|| Box::new(Accuracy::new()), CLASSES, "accuracy"),
    (|| Box::new(Accuracy::binary()), BINARY, "accuracy_binary"),
    (|| Box::new(TopKAccuracy::new(2)), CLASSES, "top2"),
    (|| Box::new(TopKAccuracy::new(3)), CLASSES, "top3"),
    (|| Box::new(ConfusionMatrix::new(5)), CLASSES, "accuracy"),
    (|| Box::new(Precision::binary()), BINARY, "precision_binary"),
    (|| Box::new(Precision::new(5)), CLASSES, "precision_macro"),
    (|| Box::new(Precision::new(5).average(Average::Micro)), CLASSES, "precision_micro"),
    (|| Box::new(Precision::new(5).average(Average::Weighted)), CLASSES, "precision_weighted"),
    (|| Box::new(Recall::binary()), BINARY, "recall_binary"),
    (|| Box::new(Recall::new(5)), CLASSES, "recall_macro"),
    (|| Box::new(Recall::new(5).average(Average::Micro)), CLASSES, "recall_micro"),
    (|| Box::new(Recall::new(5).average(Average::Weighted)), CLASSES, "recall_weighted"),
    (|| Box::new(F1::binary()), BINARY, "f1_binary"),
    (|| Box::new(F1::new(5)), CLASSES, "f1_macro"),
    (|| Box::new(F1::new(5).average(Average::Micro)), CLASSES, "f1_micro"),
    (|| Box::new(F1::new(5).average(Average::Weighted)), CLASSES, "f1_weighted"),
    (|| Box::new(RocAuc::binary()), BINARY, "roc_auc"),
    (|| Box::new(RocAuc::new(4)), ["ranks", "order"], "roc_auc_macro"),
    (|| Box::new(RocAuc::new(4).average(RocAverage::Weighted)), ["ranks", "order"], "roc_auc_weighted"),
    (|| Box::new(MeanSquaredError::new()), NUMBERS, "mse"),
    (|| Box::new(MeanAbsoluteError::new()), NUMBERS, "mae"),
    (|| Box::new(R2Score::new()), NUMBERS, "r2"),
    (|| Box::new(R2Score::new().multi_output(MultiOutput::VarianceWeighted)), NUMBERS, "r2_weighted"),
    (|| Box::new(Perplexity::new().ignore_index(-100)), ["scores", "tokens"], "perplexity"),
    (
        || {
            let squares = |a: &Tensor, b: &Tensor| {
                let error = a.to(DType::F64) - b.to(DType::F64);
                &error * &error
            };
            Box::new(FnMetric::new("own", squares))
        },
        NUMBERS,
        "mse",
    ),
];

/// Rows `start..end`.
fn rows(tensor: &Tensor, start: usize, end: usize) -> Tensor {
    tensor.narrow(0, start, end - start)
}

fn over_batches(metric: &mut dyn Metric, samples: &[Tensor; 2], size: usize) -> f64 {
    metric.reset();
    let count = samples[0].len();
    for start in (0..count).step_by(size) {
        let end = (start + size).min(count);
        metric.update(&rows(&samples[0], start, end), &rows(&samples[1], start, end));
    }
    metric.value()
}

#[test]
fn values_are_those_of_scikit_learn() {
    let reference = Reference::new();
    for (new, samples, key) in CASES {
        let value = over_batches(&mut *new(), &samples.map(|name| reference.samples(name)), 8);
        let expected = reference.expected(key);
        assert!((value - expected).abs() <= 1e-12 * expected.abs(), "{key}: {value} and {expected}");
    }
}

#[test]
fn every_batch_size_gives_the_same_bits() {
    let reference = Reference::new();
    for (new, samples, key) in CASES {
        let samples = samples.map(|name| reference.samples(name));
        let mut metric = new();
        let whole = over_batches(&mut *metric, &samples, 1000);
        for size in [1, 3, 7, 60] {
            let value = over_batches(&mut *metric, &samples, size);
            assert_eq!(
                value.to_bits(),
                whole.to_bits(),
                "{key}: {value} in batches of {size}, {whole} at once"
            );
        }
    }
}

#[test]
fn another_order_of_samples_gives_the_same_bits() {
    let reference = Reference::new();
    for (new, samples, key) in CASES {
        let samples = samples.map(|name| reference.samples(name));
        let turned = [samples[0].flip([0]), samples[1].flip([0])];
        let mut metric = new();
        let value = over_batches(&mut *metric, &samples, 8);
        assert_eq!(value.to_bits(), over_batches(&mut *metric, &turned, 8).to_bits(), "{key}");
    }
}

#[test]
fn a_metric_that_was_saved_in_between_ends_with_the_same_bits() {
    let folder = std::env::temp_dir().join(format!("rushlight-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("state.ckpt");
    let reference = Reference::new();
    for (new, samples, key) in CASES {
        let samples = samples.map(|name| reference.samples(name));
        let whole = over_batches(&mut *new(), &samples, 7);
        let (count, mut metric) = (samples[0].len(), new());
        for start in (0..count).step_by(7) {
            let end = (start + 7).min(count);
            let mut resumed = new();
            // Through the bytes of a file, as after a restart.
            rushlight_serialize::checkpoint::save(&path, &metric.state()).unwrap();
            resumed.load_state(&rushlight_serialize::checkpoint::load(&path).unwrap()).unwrap();
            resumed.update(&rows(&samples[0], start, end), &rows(&samples[1], start, end));
            metric = resumed;
        }
        assert_eq!(metric.value().to_bits(), whole.to_bits(), "{key}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_state_of_something_else_is_refused_and_changes_nothing() {
    let reference = Reference::new();
    for (new, samples, key) in CASES {
        let samples = samples.map(|name| reference.samples(name));
        let mut metric = new();
        let before = over_batches(&mut *metric, &samples, 8);
        for wrong in [
            Value::None,
            Value::from(vec![1, 2]),
            Value::map(),
            Value::map().with("count", "x").with("sum", Value::None),
        ] {
            assert!(metric.load_state(&wrong).is_err(), "{key}: {wrong:?}");
        }
        assert_eq!(metric.value().to_bits(), before.to_bits(), "{key}");
    }
}

#[test]
fn classes_and_outputs_have_their_own_scores() {
    let reference = Reference::new();
    let samples = CLASSES.map(|name| reference.samples(name));
    let (mut precision, mut recall, mut f1) = (Precision::new(5), Recall::new(5), F1::new(5));
    let mut matrix = ConfusionMatrix::new(5);
    for metric in [&mut precision as &mut dyn Metric, &mut recall, &mut f1, &mut matrix] {
        over_batches(metric, &samples, 9);
    }
    let close = |a: Vec<f64>, b: Vec<f64>| {
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-14)
    };
    assert!(close(precision.per_class(), reference.list("precision_per_class")));
    assert!(close(recall.per_class(), reference.list("recall_per_class")));
    assert!(close(f1.per_class(), reference.list("f1_per_class")));
    let counts: Vec<Vec<f64>> =
        matrix.counts().iter().map(|row| row.iter().map(|&count| count as f64).collect()).collect();
    assert_eq!(counts, reference.matrix("confusion"));
    assert!(close(matrix.normalized(Normalize::True).concat(), reference.matrix("confusion_true").concat()));
    assert!(close(matrix.normalized(Normalize::Pred).concat(), reference.matrix("confusion_pred").concat()));
    assert!(close(matrix.normalized(Normalize::All).concat(), reference.matrix("confusion_all").concat()));

    let mut r2 = R2Score::new();
    over_batches(&mut r2, &NUMBERS.map(|name| reference.samples(name)), 9);
    assert!(close(r2.per_output(), reference.list("r2_raw")), "{:?}", r2.per_output());
}

#[test]
fn pixels_are_samples_and_some_are_ignored() {
    // Scores (N, C, L): the class lies on axis 1. Of 2 x 3 pixels one is ignored, and of the others four are right.
    let scores = tensor([[[0.9, 0.2, 0.1], [0.1, 0.8, 0.9]], [[0.3, 0.6, 0.5], [0.7, 0.4, 0.6]]]);
    let target = tensor([[0, 1, 0], [1, 0, 9]]);
    let (mut accuracy, mut top1) = (Accuracy::new().ignore_index(9), TopKAccuracy::new(1).ignore_index(9));
    accuracy.update(&scores, &target);
    top1.update(&scores, &target);
    assert_eq!((accuracy.value(), top1.value()), (0.8, 0.8));
}

#[test]
fn binary_metrics_take_the_shapes_of_binary_models() {
    // A column of logits with the float targets of `binary_cross_entropy`, and a pair of logits for each sample.
    let column = (tensor([[1.0], [-1.0], [2.0]]), tensor([[1.0], [0.0], [0.0]]));
    let pair = (tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0]]), tensor([1, 0, 0]));
    for (output, target) in [column, pair] {
        let (mut precision, mut auc) = (Precision::binary(), RocAuc::binary());
        precision.update(&output, &target);
        auc.update(&output, &target);
        assert_eq!((precision.value(), auc.value()), (0.5, 0.5));
    }
    let mut probabilities = Recall::binary().threshold(0.5);
    probabilities.update(&tensor([0.4, 0.6]), &tensor([1, 1]));
    assert_eq!(probabilities.value(), 0.5);
}

#[test]
fn nothing_has_no_value() {
    for (new, _, key) in CASES {
        assert!(new().value().is_nan(), "{key}");
    }
    let mut accuracy = Accuracy::new();
    accuracy.update(&zeros([0, 3]), &zeros([0]).to(DType::I64));
    assert!(accuracy.value().is_nan());
    let mut auc = RocAuc::binary();
    auc.update(&tensor([0.1, 0.2]), &tensor([1, 1]));
    assert!(auc.value().is_nan());
}

#[test]
fn a_mean_of_losses_weighs_them_by_their_batches() {
    let mut mean = Mean::new("loss");
    mean.update(&tensor(3.0), &tensor([0, 0, 0]));
    mean.update(&tensor(7.0), &tensor([0]));
    assert_eq!((mean.value(), mean.name().as_str()), (4.0, "loss"));
    let mut resumed = Mean::new("loss");
    resumed.load_state(&mean.state()).unwrap();
    resumed.add(f64::NAN, 1);
    assert!(resumed.value().is_nan());
}

#[test]
fn targets_without_variation_are_explained_or_not() {
    let mut r2 = R2Score::new();
    r2.update(&tensor([5.0, 5.0]), &tensor([5.0, 5.0]));
    assert_eq!(r2.value(), 1.0);
    r2.update(&tensor([4.0]), &tensor([5.0]));
    assert_eq!(r2.value(), 0.0);
}

#[test]
#[should_panic(expected = "accuracy: output [2, 3] of torch.float32 does not go with target [3]")]
fn a_target_of_another_size_is_named() {
    Accuracy::new().update(&zeros([2, 3]), &zeros([3]).to(DType::I64));
}

#[test]
#[should_panic(expected = "recall: target holds the class 3; there are 3, from 0")]
fn a_class_that_is_none_is_named() {
    Recall::new(3).update(&zeros([1, 3]), &tensor([3]));
}
