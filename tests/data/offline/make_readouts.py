"""Numbers of fooof and numpy for tests/pure/offline_tables.rs: `python make_readouts.py` writes readouts.json beside itself.

    pip install fooof==1.1.1 numpy scipy

* bands: two Welch spectra fitted by fooof 1.1.1 (fixed and knee); mean of the log10 spectrum less fooof's own aperiodic
  part (gen_aperiodic) over the bins that fooof's trim_spectrum keeps of each band.
* timescale: an autoregressive series, its autocorrelation by numpy's correlate in full, the crossing by interp.
* tracking: a random walk seen with errors; the expected value and variance of the last state given all measurements,
  from the joint normal distribution (no recursion).
"""

import json
import pathlib

import numpy as np
from fooof import FOOOF
from fooof.sim.gen import gen_aperiodic
from fooof.utils import trim_spectrum
from scipy.signal import lfilter, welch

rng = np.random.default_rng(20261120)
BANDS = {"delta": (2, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "mu": (9.25, 12.5)}


def bands():
    cases = []
    for mode in ["fixed", "knee"]:
        noise = lfilter([1], [1, -0.9], rng.normal(size=250 * 60)) * 5
        time = np.arange(len(noise)) / 250
        signal = noise + 8 * np.sin(2 * np.pi * (10.3 * time + 0.4 * np.sin(time))) + 3 * np.sin(40 * time)
        freqs, power = welch(signal, 250, "hann", 500, 250)
        freqs, power = freqs[:80], np.array([float(f"{p:.9g}") for p in power[:80]])
        model = FOOOF([1, 8], 12, 0.05, 2.0, mode, verbose=False)
        model.fit(freqs, power, [2, 35])
        line = gen_aperiodic(freqs[1:], model.aperiodic_params_, mode)
        flat = np.log10(power[1:]) - line
        means = {name: float(trim_spectrum(freqs[1:], flat, band)[1].mean()) for name, band in BANDS.items()}
        cases.append(
            {"mode": mode, "aperiodic": list(model.aperiodic_params_), "power": power.tolist(), "step_hz": 0.5}
            | {"bands": BANDS, "means": means}
        )
    return cases


def timescale():
    rate = 250.0
    channels, curves = [], []
    for pole in [0.97, 0.9]:
        x = np.round(lfilter([1], [1, -pole], rng.normal(size=1000)) * 10 + 4000, 2)
        centred = x - x.mean()
        full = np.correlate(centred, centred, "full")[len(x) - 1 :]
        channels.append(x.tolist())
        curves.append(full / full[0])
    def crossing(curve):
        after = int(np.argmax(curve <= 0.5))
        return float(np.interp(0.5, [curve[after], curve[after - 1]], [after, after - 1]) / rate)
    return {
        "rate_hz": rate,
        "channels": channels,
        "acf50_s": [crossing(curve) for curve in curves],
        "both_s": crossing(np.mean(curves, axis=0)),
    }


def tracking():
    drift, share = 0.03, 0.25
    times = np.cumsum(rng.choice([1.0, 1.0, 1.0, 9.0], size=40))
    errors = rng.uniform(0.05, 0.3, size=40)
    seen = rng.random(40) < 0.8
    seen[0] = True
    truth = 1 + np.cumsum(rng.normal(size=40) * drift * np.sqrt(np.diff(times, prepend=times[0])))
    measured = truth + rng.normal(size=40) * errors
    # The first window is the prior: state(t0) ~ N(first, error^2). Then state(t) = state(t0) + walk.
    prior_mean, prior_variance = measured[0], errors[0] ** 2
    found = []
    for last in range(40):
        used = [i for i in range(1, last + 1) if seen[i]]
        walk = lambda a, b: prior_variance + drift**2 * (min(a, b) - times[0])
        state = times[last]
        if used:
            noise = np.diag([errors[i] ** 2 / share for i in used])
            covariance = np.array([[walk(times[i], times[j]) for j in used] for i in used]) + noise
            cross = np.array([walk(times[i], state) for i in used])
            weights = np.linalg.solve(covariance, cross)
            mean = prior_mean + weights @ (measured[used] - prior_mean)
            variance = walk(state, state) - weights @ cross
        else:
            mean, variance = prior_mean, walk(state, state)
        found.append([float(mean), float(np.sqrt(variance))])
    return {
        "drift": drift,
        "new_share": share,
        "times": times.tolist(),
        "measured": [[float(m), float(e)] if s else None for m, e, s in zip(measured, errors, seen)],
        "found": found,
    }


out = {"bands": bands(), "timescale": timescale(), "tracking": tracking()}
pathlib.Path(__file__).with_name("readouts.json").write_text(json.dumps(out) + "\n")
