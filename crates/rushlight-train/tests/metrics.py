"""Makes tests/data/metrics.json: samples, and what scikit-learn says about them.

    python tests/metrics.py > tests/data/metrics.json

Made with scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1.
"""

import json

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn import metrics as m

rng = np.random.default_rng(6)
N, C = 61, 5

# Class 3 is never true, so that its recall has nothing to divide by; few decimals, so that scores are equal at times.
target = rng.choice([0, 0, 0, 1, 1, 2, 4], N)
logits = np.round(rng.normal(size=(N, C)) + 1.5 * np.eye(C)[target], 1).astype(np.float32)
decided = logits.argmax(1)
labels = list(range(C))

yes = rng.integers(0, 2, N)
score = np.round(rng.normal(size=N) + yes, 1).astype(np.float32)

# Far from zero, where sum(y^2) - sum(y)^2 / n loses its digits.
actual = (rng.normal(size=(N, 3)) * [1, 2, 0.5] + [0, 1000, -30]).astype(np.float32)
predicted = (actual + rng.normal(size=(N, 3)) * [0.3, 1.5, 0.1]).astype(np.float32)

tokens = rng.integers(0, 7, (4, 6))
tokens[1, 4:] = -100
scores = rng.normal(size=(4, 6, 7)).astype(np.float32) * 3
kept = tokens >= 0
likelihood = np.take_along_axis(log_softmax(scores.astype(np.float64), -1), np.where(kept, tokens, 0)[..., None], -1)

# Of four classes that are all true, for the areas.
order = rng.integers(0, 4, N)
ranks = np.round(rng.normal(size=(N, 4)) + np.eye(4)[order], 2).astype(np.float32)
chances = softmax(ranks.astype(np.float64), -1)

expected = {
    "accuracy": m.accuracy_score(target, decided),
    "accuracy_binary": m.accuracy_score(yes, score > 0),
    "top2": m.top_k_accuracy_score(target, logits - 1e-4 * np.arange(C), k=2, labels=labels),
    "top3": m.top_k_accuracy_score(target, logits - 1e-4 * np.arange(C), k=3, labels=labels),
    "confusion": m.confusion_matrix(target, decided, labels=labels).tolist(),
    "confusion_true": m.confusion_matrix(target, decided, labels=labels, normalize="true").tolist(),
    "confusion_pred": m.confusion_matrix(target, decided, labels=labels, normalize="pred").tolist(),
    "confusion_all": m.confusion_matrix(target, decided, labels=labels, normalize="all").tolist(),
    "roc_auc": m.roc_auc_score(yes, score),
    "roc_auc_macro": m.roc_auc_score(order, chances, multi_class="ovr", average="macro"),
    "roc_auc_weighted": m.roc_auc_score(order, chances, multi_class="ovr", average="weighted"),
    "mse": m.mean_squared_error(actual.astype(np.float64), predicted.astype(np.float64)),
    "mae": m.mean_absolute_error(actual.astype(np.float64), predicted.astype(np.float64)),
    "r2": m.r2_score(actual.astype(np.float64), predicted.astype(np.float64)),
    "r2_raw": m.r2_score(actual.astype(np.float64), predicted.astype(np.float64), multioutput="raw_values").tolist(),
    "r2_weighted": m.r2_score(
        actual.astype(np.float64), predicted.astype(np.float64), multioutput="variance_weighted"
    ),
    "perplexity": float(np.exp(-likelihood[kept].mean())),
}
for name, function in [("precision", m.precision_score), ("recall", m.recall_score), ("f1", m.f1_score)]:
    expected[f"{name}_binary"] = function(yes, score > 0)
    for average in ["macro", "micro", "weighted"]:
        expected[f"{name}_{average}"] = function(target, decided, average=average, zero_division=0)
    expected[f"{name}_per_class"] = function(
        target, decided, average=None, labels=labels, zero_division=0
    ).tolist()

data = {
    "logits": logits, "target": target, "score": score, "yes": yes, "actual": actual, "predicted": predicted,
    "scores": scores, "tokens": tokens, "ranks": ranks, "order": order,
}
print(json.dumps({
    "samples": {name: {"shape": list(a.shape), "values": [float(v) for v in a.flat]} for name, a in data.items()},
    "expected": {name: value if isinstance(value, list) else float(value) for name, value in expected.items()},
}))
