"""What specparam 2.0.0rc7 finds in 60 spectra of two exponents and a knee.

    pip install specparam==2.0.0rc7 numpy==2.4.6 scipy==1.17.1
    python make_doublexp.py > doublexp.csv

A line a spectrum: peaks,offset,exponent0,knee,exponent1,error, then log10 power at 1..60 Hz in steps of 0.5 Hz. `peaks`
is how many it found, `error` its mean absolute error.
"""

import numpy as np
from specparam import SpectralModel

FREQS_HZ = np.arange(2, 121) * 0.5
SETTINGS = dict(peak_width_limits=(2, 8), max_n_peaks=4, min_peak_height=0.15, verbose=False)


def main():
    rng = np.random.default_rng(11)
    print("peaks,offset,exponent0,knee,exponent1,error," + ",".join(f"{f:g}" for f in FREQS_HZ))
    for number in range(60):
        before, after, knee_hz = rng.uniform(0, 1), rng.uniform(1, 3), rng.uniform(5, 30)
        power = rng.uniform(1, 4) - np.log10(FREQS_HZ**before * (knee_hz**after + FREQS_HZ**after))
        for centre_hz in (10, 22)[: number % 3]:
            power += rng.uniform(0.4, 0.9) * np.exp(-0.5 * ((FREQS_HZ - centre_hz) / 1.5) ** 2)
        power = np.round(power + rng.normal(0, 0.03, len(FREQS_HZ)), 5)
        model = SpectralModel(aperiodic_mode="doublexp", **SETTINGS)
        model.fit(FREQS_HZ, 10**power)
        found = model.results.params.aperiodic.params
        peaks = len(model.results.params.periodic.params)
        error = float(model.results.metrics.results["error_mae"])
        cells = [str(peaks)] + [f"{v:.8g}" for v in (*found, error)] + [f"{p:.5f}" for p in power]
        print(",".join(cells))


if __name__ == "__main__":
    main()
