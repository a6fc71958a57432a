"""Reads a BIDS tree as others do, and says how it compares with the session that it was made from.

usage: read_bids.py TREE SESSION.xdf

Prints one JSON object: the validator's exit code and output, MNE's channels, rate and annotations, whether MNE's samples
are to the bit those that pyxdf reads from the session, and the date that MNELAB reads.
"""

import json
import pathlib
import subprocess
import sys

import mne
import numpy as np
import pyxdf
from mnelab.io.xdf import RawXDF

mne.set_log_level("error")


def main(tree, session):
    header = next(pathlib.Path(tree).glob("sub-*/**/eeg/*_eeg.vhdr"))
    validator = pathlib.Path(sys.executable).parent / "bids-validator-deno"
    checked = subprocess.run([validator, "--json", tree], capture_output=True, text=True)
    raw = mne.io.read_raw_brainvision(header, preload=True)
    streams, _ = pyxdf.load_xdf(session, synchronize_clocks=False, dejitter_timestamps=False)
    eeg = next(s for s in streams if s["info"]["type"][0] == "EEG")
    microvolts = np.asarray(eeg["time_series"], dtype="<f4")
    stored = np.fromfile(header.with_suffix(".eeg"), dtype="<f4").reshape(-1, len(raw.ch_names))
    mnelab = RawXDF(session, [int(eeg["info"]["stream_id"])])
    print(json.dumps({
        "validator": checked.returncode,
        "said": json.loads(checked.stdout) if checked.stdout.strip().startswith("{") else checked.stdout + checked.stderr,
        "channels": raw.ch_names,
        "rate": float(raw.info["sfreq"]),
        "samples": int(raw.n_times),
        "stored_equals_session": bool(np.array_equal(stored, microvolts)),
        "mne_equals_session": bool(np.array_equal(raw.get_data(), (microvolts.astype(float) * 1e-6).T)),
        "annotations": sorted({str(d) for d in raw.annotations.description}),
        "measured": str(raw.info["meas_date"]),
        "mnelab_measured": str(mnelab.info["meas_date"]),
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])
