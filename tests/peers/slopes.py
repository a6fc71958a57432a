"""Aperiodic slopes of a CSV recording, channel by channel, by numpy alone: another way to the same numbers.

usage: slopes.py CSV FROM TO SPOILT...

Samples FROM..TO; each sample in SPOILT is replaced by the mean of its neighbours. Welch's method with Hann segments
of 2 s and half overlap, then ordinary least squares of log power on log frequency over 2..35 Hz. Prints one JSON
object: label -> exponent (positive).
"""

import csv
import json
import sys

import numpy as np

RATE = 128


def slope(values):
    length = 2 * RATE
    window = np.hanning(length + 1)[:-1]
    starts = range(0, len(values) - length + 1, length // 2)
    segments = np.array([values[s:s + length] - values[s:s + length].mean() for s in starts])
    power = (np.abs(np.fft.rfft(segments * window, axis=1)) ** 2).mean(axis=0)
    freqs = np.fft.rfftfreq(length, 1 / RATE)
    within = (freqs >= 2) & (freqs <= 35)
    return -np.polyfit(np.log10(freqs[within]), np.log10(power[within]), 1)[0]


def main():
    path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    spoilt = [int(text) for text in sys.argv[4:]]
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [label for label in rows[0] if label not in ("time", "time_s", "t", "eyes_closed")]
    out = {}
    for label in labels:
        values = np.array([float(row[label]) for row in rows])
        for sample in spoilt:
            values[sample] = (values[sample - 1] + values[sample + 1]) / 2
        out[label] = slope(values[first:last])
    print(json.dumps(out))


if __name__ == "__main__":
    main()
