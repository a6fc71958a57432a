"""Opens XDF files by pyxdf, the reference importer, and says what it found.

usage: read_xdf.py [--dump FOLDER] FILE...

Prints one JSON object a file: {"streams": [{"name", "type", "format", "samples", "labels", "units",
"clock_offsets", "footer", "first", "last"}]}. With --dump the stamps and values of each stream of numbers go to
FOLDER/<name>.stamps and .values as little-endian doubles, texts to FOLDER/<name>.json.
"""

import json
import pathlib
import sys

import numpy as np
import pyxdf


def describe(stream):
    info = stream["info"]
    desc = info["desc"][0] or {}
    channels = desc["channels"][0]["channel"] if "channels" in desc else []
    stamps = stream["time_stamps"]
    return {
        "name": info["name"][0],
        "type": info["type"][0],
        "format": info["channel_format"][0],
        "samples": len(stamps),
        "labels": [channel["label"][0] for channel in channels],
        "units": [channel["unit"][0] for channel in channels],
        "clock_offsets": len(stream["clock_times"]),
        "footer": "footer" in stream,
        "first": float(stamps[0]) if len(stamps) else None,
        "last": float(stamps[-1]) if len(stamps) else None,
    }


def dump(stream, folder):
    name = stream["info"]["name"][0]
    np.asarray(stream["time_stamps"], dtype="<f8").tofile(folder / f"{name}.stamps")
    if stream["info"]["channel_format"][0] == "string":
        (folder / f"{name}.json").write_text(json.dumps(stream["time_series"]))
    else:
        np.asarray(stream["time_series"], dtype="<f8").tofile(folder / f"{name}.values")


def main(arguments):
    folder = None
    if arguments[:1] == ["--dump"]:
        folder, arguments = pathlib.Path(arguments[1]), arguments[2:]
    for path in arguments:
        streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
        print(json.dumps({"streams": [describe(stream) for stream in streams]}), flush=True)
        if folder is not None:
            for stream in streams:
                dump(stream, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
