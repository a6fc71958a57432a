"""Reads one LSL stream by pylsl until it has ended for 1.5 s; prints what it found as one line of JSON.

usage: read_pylsl.py NAME [MARKERS_NAME]
"""
import json
import sys
import time

import pylsl


def resolve(name):
    found = pylsl.resolve_byprop("name", name, minimum=1, timeout=20)
    if not found:
        sys.exit(f"no stream {name}")
    return pylsl.StreamInlet(found[0], max_buflen=3600)


def channels(info):
    out, element = [], info.desc().child("channels").child("channel")
    while not element.empty():
        out.append([element.child_value(key) for key in ("label", "unit", "type")])
        element = element.next_sibling("channel")
    return out


inlet = resolve(sys.argv[1])
info = inlet.info(timeout=10)
markers = resolve(sys.argv[2]) if len(sys.argv) > 2 else None
for one in (inlet, markers):
    if one is not None:
        one.open_stream(timeout=10)
values, stamps, received, labels, label_stamps = [], [], [], [], []
last = time.monotonic() + 8
while time.monotonic() - last < 1.5:
    chunk, times = inlet.pull_chunk(timeout=0.2, max_samples=4096)
    if times:
        last = time.monotonic()
        values += chunk
        stamps += times
        received += [pylsl.local_clock()] * len(times)
    if markers is not None:
        chunk, times = markers.pull_chunk(timeout=0.0)
        labels += [row[0] for row in chunk]
        label_stamps += times
print(json.dumps({
    "type": info.type(), "rate": info.nominal_srate(), "format": info.channel_format(),
    "source_id": info.source_id(), "manufacturer": info.desc().child_value("manufacturer"),
    "reference": info.desc().child_value("reference"), "channels": channels(info),
    "values": values, "stamps": stamps, "received": received,
    "labels": labels, "label_stamps": label_stamps,
}))
