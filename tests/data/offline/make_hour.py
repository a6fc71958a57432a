"""Writes an hour of 64 channels at 250 Hz as EDF (115 MB): `python make_hour.py OUT.edf [HOURS]`.

Noise of exponent 0.5 to 2 by channel with an alpha rhythm, in microvolts; the figures of `tras estimate` are taken on it.
"""

import sys

import numpy as np

path, hours = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
channels, rate = 64, 250
seconds = int(3600 * hours)
rng = np.random.default_rng(64)
freqs = np.fft.rfftfreq(seconds * rate, 1 / rate)
data = np.empty((seconds, channels, rate), "<i2")
for channel in range(channels):
    shape = np.zeros(len(freqs), np.complex64)
    power = freqs[1:] ** -(0.5 + 1.5 * channel / 63) * (1 + 6 * np.exp(-0.5 * ((freqs[1:] - 10) / 1.2) ** 2))
    shape[1:] = np.sqrt(np.where(freqs[1:] > 0.3, power, 0)) * (
        rng.standard_normal(len(freqs) - 1, np.float32) + 1j * rng.standard_normal(len(freqs) - 1, np.float32)
    )
    wave = np.fft.irfft(shape, seconds * rate)
    data[:, channel] = np.clip(wave * (15 / wave.std()) * 10, -32767, 32767).reshape(seconds, rate)

def text(value, width):
    return str(value).ljust(width)[:width].encode()

def each(values, width):
    return b"".join(text(value, width) for value in values)

with open(path, "wb") as out:
    out.write(text("0", 8) + text("X X X X", 80) + text("Startdate X X X X", 80) + b"01.01.2600.00.00")
    out.write(text(256 * (channels + 1), 8) + text("", 44) + text(seconds, 8) + text(1, 8) + text(channels, 4))
    out.write(each([f"EEG {channel + 1}" for channel in range(channels)], 16) + each([""] * channels, 80))
    out.write(each(["uV"] * channels, 8) + each([-3276.8] * channels, 8) + each([3276.7] * channels, 8))
    out.write(each([-32768] * channels, 8) + each([32767] * channels, 8) + each([""] * channels, 80))
    out.write(each([rate] * channels, 8) + each([""] * channels, 32))
    data.tofile(out)
