"""Streams whose names, labels and markers are terminal escapes, markup and bytes that are no text, by pylsl."""

import argparse
import random
import time

import pylsl

ESCAPE = "\x1b"
EVIL = ESCAPE + "[2J" + ESCAPE + "]0;owned\x07" + "\nFAULT none\r" + "\"quote' ]]> </name> & \u202e\u200b" + ESCAPE + "[31m"
RATE = 250


def outlet(name, labels, source_id):
    info = pylsl.StreamInfo(name, "EEG", len(labels), RATE, "float32", source_id)
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("unit", "microvolts"), ("type", "EEG")):
            channel.append_child_value(key, value)
    return pylsl.StreamOutlet(info)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1e9)
    args = parser.parse_args()
    labels = ["Fz" + ESCAPE + "[2J", "C\nz", "P]]>z", '=O"z']
    eeg = [outlet(EVIL, labels, "evil" + ESCAPE + "[7m"), outlet("L" * 5000, ["A", "B"], "long")]
    info = pylsl.StreamInfo("task", "Markers", 1, pylsl.IRREGULAR_RATE, "string", "task-1")
    markers, start, k, told = pylsl.StreamOutlet(info), pylsl.local_clock(), 0, 0
    print("ready", flush=True)
    while (elapsed := pylsl.local_clock() - start) < args.seconds:
        while k < elapsed * RATE:
            for out, width in zip(eeg, (4, 2)):
                out.push_sample([random.gauss(0, 10) for _ in range(width)])
            k += 1
        if elapsed > 0.5 * told:
            told += 1
            markers.push_sample([EVIL + " marker " + "X" * random.choice([10, 100_000])])
            markers.push_sample([b"\xff\xfe\x80 no text ".decode("latin1")])
        time.sleep(0.01)


if __name__ == "__main__":
    main()
