//! The messages of TensorBoard's table of settings.

use super::Message;
use rushlight_array::fail;
use rushlight_serialize::Value;

/// Tags and contents: what the columns are, the run's settings, and that the run has ended.
#[track_caller]
pub(super) fn messages(
    hparams: &[(&str, Value)],
    metrics: &[(&str, f64)],
    now: f64,
) -> [(&'static str, Message); 3] {
    let mut experiment = Message::default().double(3, now);
    let mut start = Message::default();
    for (name, setting) in hparams {
        let (kind, value) = converted(name, setting);
        experiment = experiment.message(4, &Message::default().text(1, name).int(4, kind));
        // An entry of a map is a message of key and value.
        start = start.message(1, &Message::default().text(1, name).message(2, &value));
    }
    for (name, _) in metrics {
        let metric = Message::default().text(2, name);
        experiment = experiment.message(5, &Message::default().message(1, &metric));
    }
    let start = start.double(5, now);
    // The status 1 is success.
    let end = Message::default().int(1, 1).double(2, now);
    [
        ("_hparams_/experiment", Message::default().message(2, &experiment)),
        ("_hparams_/session_start_info", Message::default().message(3, &start)),
        ("_hparams_/session_end_info", Message::default().message(4, &end)),
    ]
}

/// The kind of a column (1 text, 2 truth value, 3 number), and a `google.protobuf.Value`.
#[track_caller]
fn converted(name: &str, setting: &Value) -> (i64, Message) {
    match setting {
        Value::Text(text) => (1, Message::default().text(3, text)),
        Value::Bool(value) => (2, Message::default().int(4, i64::from(*value))),
        Value::Int(value) => (3, Message::default().double(2, *value as f64)),
        Value::Float(value) => (3, Message::default().double(2, *value)),
        other => fail!("add_hparams: {name} is {other:?}; a setting is a number, a truth value or a text"),
    }
}
