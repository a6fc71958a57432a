"""Sends 1/f noise whose exponent is exact by construction, by pylsl, until killed.

usage: send_pink.py NAME EXPONENT SEED

Made at once: white Gaussian amplitudes times f^(-EXPONENT/2) from 0.1 Hz up, transformed back; 12 uV RMS in each
of four independent channels at 250 Hz, 600 s, then again.
"""

import sys
import time

import numpy as np
import pylsl

RATE, CHANNELS, SECONDS, CHUNK = 250, 4, 600, 5


def noise(exponent, seed):
    count = RATE * SECONDS
    rng = np.random.default_rng(seed)
    freqs = np.fft.rfftfreq(count, 1 / RATE)
    shape = np.zeros_like(freqs)
    shape[freqs >= 0.1] = freqs[freqs >= 0.1] ** (-exponent / 2)
    white = rng.normal(size=(CHANNELS, len(freqs))) + 1j * rng.normal(size=(CHANNELS, len(freqs)))
    values = np.fft.irfft(white * shape, count, axis=1).T
    return 12 * values / values.std(axis=0)


def main():
    name, exponent, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    values = noise(exponent, seed)
    info = pylsl.StreamInfo(name, "EEG", CHANNELS, RATE, "float32", f"{name}-{seed}")
    channels = info.desc().append_child("channels")
    for label in ("Fz", "Cz", "Pz", "Oz"):
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("unit", "microvolts"), ("type", "EEG")):
            channel.append_child_value(key, value)
    outlet = pylsl.StreamOutlet(info)
    start, sent = pylsl.local_clock(), 0
    while True:
        due = start + (sent + CHUNK) / RATE
        time.sleep(max(0.0, due - pylsl.local_clock()))
        rows = values.take(range(sent, sent + CHUNK), axis=0, mode="wrap")
        outlet.push_chunk(rows.tolist(), start + (sent + CHUNK - 1) / RATE)
        sent += CHUNK


if __name__ == "__main__":
    main()
