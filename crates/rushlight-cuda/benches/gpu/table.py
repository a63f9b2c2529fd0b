"""Lines of JSON as a Markdown table with ratios to PyTorch: python3 table.py FILE .."""

import json
import statistics
import sys

values = {}
for path in sys.argv[1:]:
    for line in open(path):
        if line.startswith("{"):
            row = json.loads(line)
            values.setdefault((row["workload"], row["metric"]), {}).setdefault(row["peer"], []).append(row["value"])
peers = ["torch", "torch.compile", "rushlight", "rushlight.graph"]
print("| workload | metric | " + " | ".join(peers) + " | best of rushlight / best of PyTorch |")
print("|---|---|" + "---:|" * (len(peers) + 1))
for (workload, metric), by in values.items():
    medians = {peer: statistics.median(by[peer]) for peer in by}
    cells = [f"{medians[peer]:.4g}" if peer in medians else "" for peer in peers]
    ours = [medians[peer] for peer in peers[2:] if peer in medians]
    theirs = [medians[peer] for peer in peers[:2] if peer in medians]
    ratio = f"{max(ours) / max(theirs):.2f}" if ours and theirs else ""
    print(f"| {workload} | {metric} | " + " | ".join(cells) + f" | {ratio} |")
