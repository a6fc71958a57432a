"""Opens a recording by MNELAB's own reader and prints its date, rate and samples as one JSON object.

usage: read_mnelab.py FILE.xdf
"""

import json
import sys

import mne
from mnelab.io.xdf import RawXDF
from pyxdf import load_xdf

mne.set_log_level("error")
path = sys.argv[1]
streams, _ = load_xdf(path)
eeg = next(s for s in streams if s["info"]["type"][0] == "EEG")
marked = [int(s["info"]["stream_id"]) for s in streams if s["info"]["type"][0] == "Markers"]
raw = RawXDF(path, [int(eeg["info"]["stream_id"])], marker_ids=marked)
print(json.dumps({
    "measured": str(raw.info["meas_date"]),
    "rate": float(raw.info["sfreq"]),
    "samples": int(raw.n_times),
    "annotations": len(raw.annotations),
    # Those that are words: the task's own have a number each.
    "markers": sorted({str(d) for d in raw.annotations.description if not str(d).startswith("{")}),
}))
