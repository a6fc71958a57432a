"""Reads the three outlets PREFIX-estimates, PREFIX-current and PREFIX-events by mne-lsl for SECONDS.

usage: read_outlets_mne_lsl.py PREFIX SECONDS
Prints `ready` once all inlets are open, then one line of JSON.
"""
import json
import math
import sys
import time

from mne_lsl.lsl import StreamInlet, resolve_streams

prefix, seconds = sys.argv[1], float(sys.argv[2])
inlets, out = {}, {}
for what in ("estimates", "current", "events"):
    found = resolve_streams(timeout=20, name=f"{prefix}-{what}", minimum=1)
    if not found:
        sys.exit(f"no stream {prefix}-{what}")
    inlet = StreamInlet(found[0], max_buffered=60)
    inlet.open_stream(timeout=10)
    sinfo = inlet.get_sinfo(timeout=10)
    inlets[what] = inlet
    out[what] = {
        "type": sinfo.stype, "rate": sinfo.sfreq, "dtype": str(sinfo.dtype), "source_id": sinfo.source_id,
        "names": sinfo.get_channel_names(), "units": sinfo.get_channel_units(), "types": sinfo.get_channel_types(),
        "values": [], "stamps": [],
    }
print("ready", flush=True)
until = time.monotonic() + seconds
while time.monotonic() < until:
    for what, inlet in inlets.items():
        data, stamps = inlet.pull_chunk(timeout=0.0)
        rows = data if isinstance(data, list) else data.tolist()
        out[what]["values"] += [[None if isinstance(x, float) and math.isnan(x) else x for x in row] for row in rows]
        out[what]["stamps"] += [float(stamp) for stamp in stamps]
    time.sleep(0.02)
print(json.dumps(out))
