"""Sends a made-up EEG stream by pylsl: an independent sender for the tests of acquisition.

Each channel is a sine of its own frequency on a large offset plus a little seeded noise, so that nothing
repeats. Prints "ready" when the outlet stands, then sends until killed or for --seconds.
"""

import argparse
import random
import time

import numpy as np
import pylsl

FORMATS = ["float32", "double64", "int32", "int16", "int8", "int64", "string"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--type", default="EEG")
    parser.add_argument("--source-id", default="")
    parser.add_argument("--rate", type=float, default=250.0)
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--labels", default="", help="separated by commas")
    parser.add_argument("--unit", default="microvolts", help="empty for none")
    parser.add_argument("--format", choices=FORMATS, default="float32")
    parser.add_argument("--chunk", default="1", help="samples pushed at once: N, or LOW-HIGH at random")
    parser.add_argument("--one-stamp", action="store_true", help="all samples of a chunk carry its last stamp")
    parser.add_argument("--jump", default="", help="AT:BY: after AT s the stamps jump by BY s")
    parser.add_argument("--drop", default="", help="AT:SAMPLES: after AT s so many samples are never sent")
    parser.add_argument("--nominal", type=float, default=0.0, help="the rate that the stream says of itself, if another")
    parser.add_argument("--lose", default="", help="LOST:OF: of every OF samples the last LOST are never sent")
    parser.add_argument("--slope", type=float, default=0.0, help="noise of this exponent in place of sines")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def outlet(args):
    info = pylsl.StreamInfo(args.name, args.type, args.channels, args.nominal or args.rate, args.format, args.source_id)
    labels = args.labels.split(",") if args.labels else [f"E{c + 1}" for c in range(args.channels)]
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("type", args.type)
        if args.unit:
            channel.append_child_value("unit", args.unit)
    return pylsl.StreamOutlet(info)


def pair(text):
    at, _, by = text.partition(":")
    return (float(at), float(by)) if text else (float("inf"), 0.0)


def sloped(args, seconds=60):
    """Noise whose spectrum falls with the exponent, for the given time, end to end without a step in its statistics."""
    count = int(seconds * args.rate)
    frequency = np.fft.rfftfreq(count, 1 / args.rate)
    shape = np.where(frequency > 0.3, np.maximum(frequency, 0.3) ** (-args.slope / 2), 0)
    white = np.fft.rfft(np.random.default_rng(args.seed).normal(size=(args.channels, count)))
    noise = np.fft.irfft(white * shape, count)
    return (20 * noise / noise.std(axis=1, keepdims=True)).T


def main():
    args = arguments()
    out = outlet(args)
    low, _, high = args.chunk.partition("-")
    low, high = int(low), int(high or low)
    chance, noise = random.Random(args.seed), np.random.default_rng(args.seed)
    jump_at, jump_by = pair(args.jump)
    drop_at, drop_count = pair(args.drop)
    amplitude, offset = (40.0, 10.0) if args.format == "int8" else (50.0, 4000.0)
    noise_of_slope = sloped(args) if args.slope else None
    lost, of = (int(x) for x in (args.lose or "0:1").split(":"))
    print("ready", flush=True)
    start, made, dropped = pylsl.local_clock(), 0, 0
    while made < args.seconds * args.rate:
        chunk = chance.randint(low, high)
        t = (made + np.arange(chunk)) / args.rate
        made += chunk
        late = start + made / args.rate - pylsl.local_clock()
        if late > 0:
            time.sleep(late)
        if not dropped and made / args.rate > drop_at:
            dropped = int(drop_count)
            made += dropped - chunk
            continue
        frequency = 7.0 + 1.7 * np.arange(args.channels)
        values = offset + amplitude * np.sin(2 * np.pi * t[:, None] * frequency) + noise.normal(0, 2, (chunk, args.channels))
        if noise_of_slope is not None:
            values = noise_of_slope[np.arange(made - chunk, made) % len(noise_of_slope)]
        stamps = start + t + (jump_by if made / args.rate > jump_at else 0.0)
        if args.one_stamp:
            stamps[:] = stamps[-1]
        if args.format == "string":
            values = [[f"{v:.3f}" for v in row] for row in values]
        elif args.format not in ("float32", "double64"):
            values = np.rint(values).astype(int).tolist()
        else:
            values = values.tolist()
        for number, row, stamp in zip(range(made - chunk, made), values, stamps):
            if number % of >= of - lost:
                continue
            out.push_sample(row, float(stamp), pushthrough=False if row is not values[-1] else True)


if __name__ == "__main__":
    main()
