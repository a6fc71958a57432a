"""A task program that talks to tras over LSL: how a PsychoPy script does it.

Markers out: JSON strings, numbered by `n` so that tras can count what never came. Markers in: `tras-markers`, where
`block/3/start` says that the current of block 3 has begun and the task is to follow, `block/3/end` and `block/3/broken` that it is over.

    python task_sender.py --trials 54        # waits for tras, runs until block/N/end of the last block or Ctrl-C
"""

import argparse
import json
import random
import time

import pylsl


class Sender:
    """A marker outlet whose source id the protocol pins."""

    def __init__(self, source_id):
        info = pylsl.StreamInfo("tras-task", "Markers", 1, pylsl.IRREGULAR_RATE, "string", source_id)
        self.outlet, self.n = pylsl.StreamOutlet(info), 0

    def send(self, event, **fields):
        self.n += 1
        self.outlet.push_sample([json.dumps({"n": self.n, "event": event, **fields})])


def trials(sender, inlet, block, count, seconds):
    """Trials until the block is over; gives whether its end came from tras."""
    sender.send("block_start", block=block)
    for trial in range(1, count + 1):
        load = random.randint(3, 6)
        for event, wait_s in (("trial_start", 0.5), ("delay_on", 0.9), ("probe_on", 1.2)):
            sender.send(event, block=block, trial=trial, load=load)
            time.sleep(wait_s * seconds / 5.0)
        sender.send("response", block=block, trial=trial, load=load, deg=random.randint(-180, 179))
        sample, _ = inlet.pull_sample(timeout=2.4 * seconds / 5.0)
        if sample and sample[0].startswith(f"block/{block}/") and not sample[0].endswith("start"):
            return True
    sender.send("block_end", block=block)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source-id", default="tras-task")
    parser.add_argument("--from", dest="stream", default="tras-markers")
    parser.add_argument("--trials", type=int, default=54)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a trial")
    parser.add_argument("--blocks", type=int, default=12)
    options = parser.parse_args()
    sender = Sender(options.source_id)
    found = pylsl.resolve_byprop("name", options.stream, timeout=pylsl.FOREVER)
    inlet, done = pylsl.StreamInlet(found[0]), 0
    # What was sent before an inlet is open never comes: begin the session once this stands here.
    inlet.open_stream()
    print(f"hears {options.stream}", flush=True)
    while done < options.blocks:
        sample, _ = inlet.pull_sample(timeout=1.0)
        if sample and sample[0].endswith("/start"):
            block = int(sample[0].split("/")[1])
            trials(sender, inlet, block, options.trials, options.seconds)
            done += 1
    # A marker leaves by a thread of liblsl's: a program that ends at once takes its last one with it.
    time.sleep(1.0)


if __name__ == "__main__":
    main()
