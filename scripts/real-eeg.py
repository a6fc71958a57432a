#!/usr/bin/env python3
"""What a recording says of the estimator: `make real-eeg [EEG=FOLDER]`.

For every recording in the folder `tras estimate` runs by each method on windows of 4 s that do not overlap, and from the
tables follow, over all channels:
  valid         share of the windows that are valid, in per cent, and why the others are not
  chi2          adjacent windows: mean of (x1 - x2)^2 / (se1^2 + se2^2); 1 where the standard errors are right
  odd/even      correlation over channels of the mean exponent of odd windows with that of even ones
  halves        the same of the first half of the recording and the second
  bent          share of the windows whose minute is for a knee, by whittle
Standard library only.
"""

import csv
import pathlib
import subprocess
import sys
from collections import Counter, defaultdict

KINDS = {".csv", ".edf", ".bdf", ".xdf"}
METHODS = [
    ("specparam", ["--method", "specparam"]),
    ("whittle", ["--method", "whittle"]),
    ("whittle, steer", ["--method", "whittle", "--bent", "steer"]),
    ("whittle, auto", ["--method", "whittle", "--mode", "auto"]),
]


def correlation(pairs):
    n = len(pairs)
    if n < 3:
        return float("nan")
    mx, my = sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n
    xy = sum((x - mx) * (y - my) for x, y in pairs)
    xx, yy = sum((x - mx) ** 2 for x, _ in pairs), sum((y - my) ** 2 for _, y in pairs)
    return xy / (xx * yy) ** 0.5 if xx > 0 and yy > 0 else float("nan")


def mean(values):
    return sum(values) / len(values) if values else float("nan")


def number(text):
    return float(text) if text else float("nan")


def summary(rows):
    channels = defaultdict(list)
    for row in rows:
        channels[row["channel"]].append(row)
    reasons, chi2, parity, halves, bent = Counter(), [], [], [], []
    for windows in channels.values():
        fits = [(number(r["exponent"]), number(r["exponent_se"])) if r["valid"] == "true" else None for r in windows]
        reasons.update(r["reason"] for r in windows if r["valid"] != "true")
        bent += [number(r["bend_evidence"]) > 3 for r in windows if r["bend_evidence"]]
        for first, second in zip(fits, fits[1:]):
            if first and second and first[1] > 0 and second[1] > 0:
                chi2.append((first[0] - second[0]) ** 2 / (first[1] ** 2 + second[1] ** 2))
        even = mean([f[0] for f in fits[::2] if f]), mean([f[0] for f in fits[1::2] if f])
        middle = len(fits) // 2
        half = mean([f[0] for f in fits[:middle] if f]), mean([f[0] for f in fits[middle:] if f])
        parity += [even] if even == even and even[0] == even[0] and even[1] == even[1] else []
        halves += [half] if half[0] == half[0] and half[1] == half[1] else []
    total = len(rows)
    why = ", ".join(f"{reason} {100 * count / total:.1f}" for reason, count in reasons.most_common())
    return (
        f"{100 * (1 - sum(reasons.values()) / total):6.1f}  {mean(chi2):5.2f}  {correlation(parity):8.2f}  "
        f"{correlation(halves):6.2f}  {100 * mean(bent):5.1f}  {why}"
    )


def main():
    tras, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in KINDS) if folder.is_dir() else []
    if not files:
        print(f"skipped: no recordings in {folder}")
        return
    print(f"{'recording, method':48} valid   chi2  odd/even  halves   bent  invalid, %")
    for file in files:
        for name, options in METHODS:
            done = subprocess.run([tras, "estimate", str(file), "--window", "4", *options], capture_output=True, text=True)
            rows = list(csv.DictReader(done.stdout.splitlines()))
            told = summary(rows) if rows else f"left out: {done.stderr.strip().splitlines()[-1:]}"
            print(f"{file.name + ', ' + name:48} {told}", flush=True)


if __name__ == "__main__":
    main()
