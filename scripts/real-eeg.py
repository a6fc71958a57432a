#!/usr/bin/env python3
"""What a recording says of the estimator: `make real-eeg [EEG=FOLDER]`.

For every recording in the folder `tras estimate` runs by each method on windows of 4 s that do not overlap, and from the
tables follow, over all channels:
  valid         share of the windows that are valid, in per cent, and why the others are not
  chi2          adjacent windows: mean of (x1 - x2)^2 / (se1^2 + se2^2); 1 where the standard errors are right
  odd/even      correlation over channels of the mean exponent of odd windows with that of even ones
  halves        the same of the first half of the recording and the second
  bent          share of the windows whose minute is for a knee, by whittle
and which of the rules for a default method a row breaks: at least 85 % valid, chi2 at most 1.3, odd/even and halves at
least those of specparam (which gives fooof's answer). Recordings of fewer than 3 channels or 8 windows say nothing of
this and are counted only. Standard library only.
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
    ("whittle, steer, no floor", ["--method", "whittle", "--bent", "steer", "--floor", "none"]),
    ("whittle, steer, no memory", ["--method", "whittle", "--bent", "steer", "--memory", "0"]),
]
LEAST_VALID, MOST_CHI2 = 85.0, 1.3
LEAST_CHANNELS, LEAST_WINDOWS = 3, 8


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
    return {
        "channels": len(channels),
        "windows": max(map(len, channels.values())),
        "valid": 100 * (1 - sum(reasons.values()) / total),
        "chi2": mean(chi2),
        "odd/even": correlation(parity),
        "halves": correlation(halves),
        "bent": 100 * mean(bent),
        "why": ", ".join(f"{reason} {100 * count / total:.1f}" for reason, count in reasons.most_common()),
    }


def broken(own, reference):
    """The rules that a row does not keep, beside specparam's."""
    rules = []
    if not own["valid"] >= LEAST_VALID:
        rules.append("valid")
    if not own["chi2"] <= MOST_CHI2:
        rules.append("chi2")
    return rules + [name for name in ("odd/even", "halves") if not own[name] >= reference[name]]


def main():
    tras, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in KINDS) if folder.is_dir() else []
    if not files:
        print(f"skipped: no recordings in {folder}")
        return
    print(f"{'recording, method':48} valid   chi2  odd/even  halves   bent  breaks; invalid, %")
    short = unread = 0
    for file in files:
        reference = None
        for name, options in METHODS:
            done = subprocess.run([tras, "estimate", str(file), "--window", "4", *options], capture_output=True, text=True)
            rows = list(csv.DictReader(done.stdout.splitlines()))
            if not rows:
                unread += 1
                break
            told = summary(rows)
            if told["channels"] < LEAST_CHANNELS or told["windows"] < LEAST_WINDOWS:
                short += 1
                break
            reference = reference or told
            rules = "" if told is reference else ", ".join(broken(told, reference)) or "none"
            print(
                f"{file.name + ', ' + name:48} {told['valid']:5.1f}  {told['chi2']:5.2f}  {told['odd/even']:8.2f}  "
                f"{told['halves']:6.2f}  {told['bent']:5.1f}  {rules}; {told['why']}",
                flush=True,
            )
    print(f"{len(files)} files: {short} of too few channels or windows, {unread} without a table")


if __name__ == "__main__":
    main()
