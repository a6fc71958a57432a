"""Sends EEG that is wrong in one way, by pylsl: what a broken or hostile sender can do within the protocol.

Prints "ready" when the outlet stands. For the first --good seconds everything is as it should be, so that a test sees
the difference.
"""

import argparse
import math
import random
import time

import numpy as np
import pylsl

WAYS = ["nothing", "nan", "huge", "stamps", "jumpy", "backwards", "constant", "slow", "fast", "ahead", "flood"]
LABELS = ["Fz", "Cz", "Pz", "Oz"]
RATE = 250.0
NUMBERS = [math.nan, math.inf, -math.inf, 3.4e38, 1e-45]
STAMPS = [math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, -1.0, 5e-324]


def outlet(way):
    nominal = {"slow": 10 * RATE, "fast": RATE / 10}.get(way, RATE)
    info = pylsl.StreamInfo("sim", "EEG", len(LABELS), nominal, "double64" if way == "huge" else "float32", "wrong-1")
    channels = info.desc().append_child("channels")
    for label in LABELS:
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("unit", "microvolts"), ("type", "EEG")):
            channel.append_child_value(key, value)
    return pylsl.StreamOutlet(info)


class Wrong:
    """Bends samples and stamps."""

    def __init__(self, way, start):
        self.way, self.start, self.dice = way, start, random.Random(3)

    def values(self, row):
        if self.way == "nan" and self.dice.random() < 0.3:
            row[self.dice.randrange(len(row))] = self.dice.choice(NUMBERS)
        return [value * 1e300 for value in row] if self.way == "huge" else row

    def stamp(self, k, right):
        if self.way == "stamps" and self.dice.random() < 0.01:
            return self.dice.choice(STAMPS + [right - 1e6, right + 1e6])
        if self.way == "jumpy" and (k // 500) % 2:
            return right + self.dice.choice([0.0, -3.0, 3.0])
        return {"backwards": self.start - k / RATE, "constant": self.start, "ahead": right + 5.0}.get(self.way, right)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--good", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=1e9)
    args = parser.parse_args()
    out, start = outlet(args.way), pylsl.local_clock()
    wrong, noise, state, k = Wrong(args.way, start), np.random.default_rng(1), np.zeros(len(LABELS)), 0
    print("ready", flush=True)
    while (elapsed := pylsl.local_clock() - start) < args.seconds:
        bad = elapsed >= args.good
        if bad and args.way == "flood":
            out.push_chunk(noise.normal(0, 10, (4000, len(LABELS))).astype("float32"), pylsl.local_clock())
            continue
        while k < elapsed * RATE:
            state = 0.98 * state + noise.normal(0, 2, len(LABELS))
            row, stamp = state.tolist(), start + k / RATE
            out.push_sample(wrong.values(row) if bad else row, wrong.stamp(k, stamp) if bad else stamp)
            k += 1
        time.sleep(0.004)


if __name__ == "__main__":
    main()
