"""Reads an event file with TensorBoard's own reader, and compares with what the tests of `tensorboard` wrote.

    RUSHLIGHT_EVENTS=FILE cargo test -p rushlight-train --lib tensorboard   (writes FILE anew)
    python crates/rushlight-train/tests/tensorboard.py [FILE]               (by default the stored one)

Exit status 77: TensorBoard is not there.
"""

import math
import os
import shutil
import sys
import tempfile

# This file has the name of the package that it is to import.
sys.path.pop(0)

try:
    import numpy as np
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.plugins.hparams import plugin_data_pb2
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

STORED = os.path.join(os.path.dirname(__file__), "data", "events.out.tfevents.1700000000.rushlight")
path = sys.argv[1] if len(sys.argv) > 1 else STORED

# Every record's checksums are right, or the loader would raise.
assert len(list(RawEventFileLoader(path).Load())) == 13

folder = tempfile.mkdtemp()
shutil.copy(path, os.path.join(folder, "events.out.tfevents.1700000000.rushlight"))
events = EventAccumulator(folder, size_guidance={"tensors": 0, "scalars": 0, "histograms": 0, "images": 0})
events.Reload()
tags = events.Tags()
print(tags)


def scalars(tag):
    if tag in tags["scalars"]:
        return [(event.step, event.value) for event in events.Scalars(tag)]
    return [(event.step, float(event.tensor_proto.float_val[0])) for event in events.Tensors(tag)]


loss = scalars("loss/train")
assert loss[:3] == [(0, 2.5), (1, 1.25), (2, 0.625)], loss
assert loss[3][0] == 3 and math.isnan(loss[3][1]), loss
assert scalars("accuracy") == [(3_000_000_000, 0.875)]
assert scalars("hparam/accuracy") == [(0, 0.875)]

(event,) = events.Histograms("fc.weight")
histogram = event.histogram_value
assert (event.step, event.wall_time) == (7, 1_700_000_000.25)
assert (histogram.min, histogram.max, histogram.num) == (-2.0, 1.0, 6.0)
assert (histogram.sum, histogram.sum_squares) == (-0.5, 4 + 3 * 0.25 + 1)
limits, counts = list(histogram.bucket_limit), list(histogram.bucket)
assert len(limits) == len(counts) and sum(counts) == 6 and counts[0] == 0 and counts[-1] == 1
values = [-2.0, -0.5, 0.0, 0.5, 0.5, 1.0]
for i in range(1, len(limits)):
    assert counts[i] == sum(limits[i - 1] < v <= limits[i] for v in values), (limits[i - 1], limits[i])

(event,) = events.Images("sample")
assert (event.step, event.width, event.height) == (1, 2, 2)
picture = os.path.join(folder, "sample.png")
with open(picture, "wb") as file:
    file.write(event.encoded_image_string)
pixels = np.asarray(Image.open(picture)).tolist()
assert pixels == [[[0, 255, 0], [255, 0, 0]], [[128, 128, 128], [64, 64, 255]]], pixels

(event,) = events.Tensors("notes")
assert event.tensor_proto.string_val[0].decode() == "the *first* run: é <b>"
assert events.SummaryMetadata("notes").plugin_data.plugin_name == "text"

hparams = events.PluginTagToContent("hparams")
experiment = plugin_data_pb2.HParamsPluginData.FromString(hparams["_hparams_/experiment"]).experiment
kinds = {info.name: info.type for info in experiment.hparam_infos}
assert kinds == {"lr": 3, "optimizer": 1, "nesterov": 2, "batch": 3}, kinds
assert [info.name.tag for info in experiment.metric_infos] == ["hparam/accuracy"]
start = plugin_data_pb2.HParamsPluginData.FromString(hparams["_hparams_/session_start_info"]).session_start_info
settings = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
assert settings == {"lr": 0.1, "optimizer": "sgd", "nesterov": True, "batch": 32.0}, settings
end = plugin_data_pb2.HParamsPluginData.FromString(hparams["_hparams_/session_end_info"]).session_end_info
assert end.status == 1
print(f"TensorBoard reads {path}")
