"""Times fooof 1.1.1 and specparam 2 on the spectra that `cargo bench -p tras-estimator --bench speed -- --write` wrote.

    python estimator_reference.py spectra.csv times.csv [spectra of each cell, default 100]

One thread, its CPU time. Writes the medians in microseconds: mode,peaks,noise,fooof_us,specparam_us (nan where not installed).
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import itertools
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
SETTINGS = dict(peak_width_limits=(1, 8), max_n_peaks=12, min_peak_height=0.05, peak_threshold=2.0, verbose=False)
FREQS_HZ = np.arange(4, 71) * 0.5


def model(package):
    try:
        # fooof asks to be replaced by specparam, whatever the filter.
        with warnings.catch_warnings(record=True):
            if package == "fooof":
                from fooof import FOOOF as Model
            else:
                from specparam import SpectralModel as Model
    except ImportError:
        return None
    return Model


def median_us(Model, mode, spectra):
    if Model is None:
        return float("nan")
    times = []
    for log_power in spectra:
        fm = Model(aperiodic_mode=mode, **SETTINGS)
        power = 10**log_power
        start = time.thread_time()
        fm.fit(FREQS_HZ, power)
        times.append(time.thread_time() - start)
    return 1e6 * float(np.median(times))


def main():
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    cells = {}
    for line in open(sys.argv[1]):
        peaks, noise, values = line.split(",", 2)
        rows = cells.setdefault((peaks, noise), [])
        if len(rows) < count:
            rows.append(np.array(values.split(","), float))
    fooof, specparam = model("fooof"), model("specparam")
    with open(sys.argv[2], "w") as out:
        out.write("mode,peaks,noise,fooof_us,specparam_us\n")
        for mode, (key, spectra) in itertools.product(("fixed", "knee"), cells.items()):
            row = [median_us(fooof, mode, spectra), median_us(specparam, mode, spectra)]
            out.write(",".join([mode, *key, *(f"{t:.1f}" for t in row)]) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
