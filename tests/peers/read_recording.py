"""Reads recordings by the programs that everyone trusts: pyedflib and mne for EDF and BDF, pyxdf for XDF.

usage: read_recording.py FILE...

Prints one line of JSON for each file and reader: {"file", "reader", "signals": [{"label", "unit", "values"}]}, values in
the unit that the file states, mne's in microvolts; or {"file", "reader", "skipped": why}. Streams of text are left out.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")


def by_pyedflib(path):
    import pyedflib

    with pyedflib.EdfReader(path) as edf:
        for index in range(edf.signals_in_file):
            yield edf.getLabel(index), edf.getPhysicalDimension(index), edf.readSignal(index)


def by_mne(path):
    import mne

    raw = mne.io.read_raw(path, preload=True, verbose="error")
    for label, values in zip(raw.ch_names, raw.get_data() * 1e6):
        yield label, "uV", values


def by_pyxdf(path):
    import pyxdf

    streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    for stream in streams:
        info = stream["info"]
        if info["channel_format"][0] == "string" or not len(stream["time_stamps"]):
            continue
        listed = ((info["desc"][0] or {}).get("channels") or [{}])[0].get("channel") or []
        for index, column in enumerate(stream["time_series"].T):
            channel = listed[index] if index < len(listed) else {}
            yield (channel.get("label") or [str(index + 1)])[0], (channel.get("unit") or [""])[0], column


def main(paths):
    for path in paths:
        readers = [("pyxdf", by_pyxdf)] if path.endswith(".xdf") else [("pyedflib", by_pyedflib), ("mne", by_mne)]
        for name, reader in readers:
            said = {"file": path, "reader": name}
            try:
                said["signals"] = [
                    {"label": label.strip(), "unit": unit.strip(), "values": [float(x) for x in values]}
                    for label, unit, values in reader(path)
                ]
            except Exception as error:  # whatever a reader refuses with
                said["skipped"] = f"{type(error).__name__}: {error}"
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
