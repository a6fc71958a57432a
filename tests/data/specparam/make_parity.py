"""Fits 600 spectra with fooof 1.1.1 and writes what it found, for src/estimator/tests/parity.rs.

    pip install fooof==1.1.1 numpy scipy && python make_parity.py [FILE SEED SPECTRA_A_STUDY]

Writes `spectra.csv` beside itself (or FILE): for each spectrum one line of settings and results, one of log10 power. Spectra are
Welch estimates of simulated Gaussian signals (so that their scatter is a real spectrum's) and, for a third, noisy
models as fooof simulates them. Studies and their settings: facts in the comments of STUDIES. Seeded.
"""

import pathlib
import sys

import numpy as np
from fooof import FOOOF
from fooof.core.funcs import gaussian_function
from scipy.signal import welch

# name: range Hz, resolution Hz, max peaks, widths Hz, min height, threshold
STUDIES = {
    "tras_rest": ((2, 35), 0.5, 12, (1, 8), 0.05, 2.0),  # 5 s windows of rest, tRAS working memory
    "tras_1s": ((2, 35), 1.0, 12, (1, 8), 0.05, 2.0),  # the same on 1 s segments
    "rett": ((1, 14), 0.5, 5, (1, 12), 0.0, 2.0),
    "sertraline": ((0.5, 55), 0.5, 6, (1, 8), 0.05, 2.0),
    "sprint": ((1, 40), 1.0, 3, (1.5, 6), 0.6, 2.0),
    "default": ((1, 40), 0.5, np.inf, (0.5, 12), 0.0, 2.0),  # fooof's own settings
}
KNEE_RANGE = (1, 80)  # a knee needs range
PER_STUDY = 100  # 70 % fixed, 30 % knee
RATE_HZ = 250


def truth(rng, knee, low, high):
    """Aperiodic parameters and up to three peaks (centre, height, sigma)."""
    aperiodic = [rng.uniform(-0.5, 1.5), rng.uniform(0.5, 2.2)]
    if knee:
        exponent = rng.uniform(1.0, 2.5)
        aperiodic = [rng.uniform(0.5, 2.5), rng.uniform(4, 15) ** exponent, exponent]
    bands = [(5, 7), (8.5, 12), (16, 28)]
    peaks = [
        (rng.uniform(*band), rng.uniform(0.2, 1.2), rng.uniform(0.6, 2.5))
        for band in bands
        if rng.random() < 0.5 and low < band[0] and band[1] < high
    ]
    return aperiodic, peaks


def model(freqs, aperiodic, peaks):
    if len(aperiodic) == 2:
        line = aperiodic[0] - aperiodic[1] * np.log10(freqs)
    else:
        line = aperiodic[0] - np.log10(aperiodic[1] + freqs ** aperiodic[2])
    return line + gaussian_function(freqs, *np.ravel(peaks)) if peaks else line


def welch_of_a_signal(rng, aperiodic, peaks, resolution_hz):
    """Power of a Gaussian signal whose density is the model, 4 to 60 s long."""
    segment = int(RATE_HZ / resolution_hz)
    samples = int(rng.choice([4, 8, 16, 60]) * RATE_HZ)
    freqs = np.fft.rfftfreq(2 * samples, 1 / RATE_HZ)
    density = np.zeros_like(freqs)
    density[1:] = 10 ** model(freqs[1:], aperiodic, peaks)
    density[freqs < 0.1] = 0
    noise = rng.standard_normal(len(freqs)) + 1j * rng.standard_normal(len(freqs))
    signal = np.fft.irfft(noise * np.sqrt(density * RATE_HZ * samples / 2))[:samples]
    return welch(signal, RATE_HZ, "hann", segment, segment // 2)


def main(path=pathlib.Path(__file__).parent / "spectra.csv", seed=20261120, per_study=PER_STUDY):
    rng = np.random.default_rng(int(seed))
    per_study = int(per_study)
    lines = []
    for study, (range_hz, resolution_hz, max_peaks, widths, min_height, threshold) in STUDIES.items():
        for index in range(per_study):
            knee = index >= 0.7 * per_study
            low, high = KNEE_RANGE if knee else range_hz
            aperiodic, peaks = truth(rng, knee, low, high)
            if index % 3 == 0:
                freqs = np.arange(1, 200) * resolution_hz
                noise = rng.choice([0.01, 0.03, 0.1])
                log_power = model(freqs, aperiodic, peaks) + noise * rng.standard_normal(len(freqs))
            else:
                freqs, power = welch_of_a_signal(rng, aperiodic, peaks, resolution_hz)
                log_power = np.log10(np.maximum(power, 1e-12))
            keep = (freqs >= low) & (freqs <= high) & (freqs > 0)
            freqs = freqs[keep]
            log_power = np.round(log_power[keep], 6)
            fm = FOOOF(widths, max_peaks, min_height, threshold, "knee" if knee else "fixed", verbose=False)
            fm.fit(freqs, 10**log_power)
            found = fm.aperiodic_params_ if len(fm.aperiodic_params_) == 3 else np.insert(fm.aperiodic_params_, 1, 0)
            cells = [study, "knee" if knee else "fixed", low, high, *widths]
            cells += [0 if np.isinf(max_peaks) else max_peaks, min_height, threshold, freqs[0], resolution_hz]
            cells += [f"{v:.9g}" for v in (*found, fm.r_squared_, fm.error_)]
            cells += [f"{v:.7g}" for v in np.ravel(fm.peak_params_)]
            lines.append(",".join(map(str, cells)))
            lines.append(",".join(f"{v:.6f}" for v in log_power))
    text = "\n".join(lines) + "\n"
    pathlib.Path(path).write_text(text)
    print(f"{len(lines) // 2} spectra, {len(text) / 1e6:.2f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
