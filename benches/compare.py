"""How late an exponent is, from a sender's push to its arrival in another program: `tras` beside a loop in Python.

    python compare.py path/to/tras [--seconds 60] [--channels 1,8,64]

One sender (pylsl), and the same stream into both at the same time: `tras run`, and the loop that a careful Python user
would write (`script` below: pylsl, Welch's spectrum, specparam). A third program reads each one's estimates by pylsl.
Every latency is counted from the push of the very sample that the estimate's stamp names, on one clock. Prints a table;
with --goals p50,p99,times (ms, ms, factor) ends with 1 where a row misses one.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "peers"))
from campaign import LSL  # noqa: E402

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

RATE_HZ = 250
HOP_S, WINDOW_S, RANGE_HZ = 0.1, 4.0, (2, 35)
CONFIG = f"""[stream]
name = "compare"
[estimator]
window_s = {WINDOW_S}
hop_s = {HOP_S}
range_hz = [{RANGE_HZ[0]}, {RANGE_HZ[1]}]
[stimulation]
enabled = false
[stimulator]
kind = "none"
[outlets]
prefix = "compare"
"""


def inlet(name):
    import pylsl

    found = pylsl.resolve_byprop("name", name, minimum=1, timeout=30)
    if not found:
        sys.exit(f"no stream {name}")
    stream = pylsl.StreamInlet(found[0])
    stream.open_stream(timeout=10)
    return stream


def outlet(name, channels, rate_hz, kind):
    import pylsl

    info = pylsl.StreamInfo(name, kind, channels, rate_hz, "float32" if kind == "EEG" else "double64", name)
    if kind == "EEG":
        listed = info.desc().append_child("channels")
        for number in range(channels):
            channel = listed.append_child("channel")
            for key, value in (("label", f"E{number + 1}"), ("unit", "microvolts"), ("type", "EEG")):
                channel.append_child_value(key, value)
    return pylsl.StreamOutlet(info)


def send(channels, seconds, into):
    """Noise with a slope, one push a sample, each stamped when it is pushed."""
    import numpy as np
    import pylsl

    rng = np.random.default_rng(1)
    length = 1 << 14
    frequency = np.fft.rfftfreq(length, 1 / RATE_HZ)
    shape = np.where(frequency > 0, np.maximum(frequency, 0.5) ** -0.7, 0)
    white = np.fft.rfft(rng.normal(size=(channels, length)))
    eeg = (60 * np.fft.irfft(white * shape)).T.astype(np.float32).tolist()
    out = outlet("compare", channels, RATE_HZ, "EEG")
    print("ready", flush=True)
    stamps, start = [], pylsl.local_clock()
    for number in range(int(seconds * RATE_HZ)):
        late = start + number / RATE_HZ - pylsl.local_clock()
        if late > 0:
            time.sleep(late)
        now = pylsl.local_clock()
        out.push_sample(eeg[number % length], now)
        stamps.append(now)
    Path(into).write_text(json.dumps(stamps))
    time.sleep(1)


def script(channels):
    """The loop in Python: it waits for each sample, and estimates at every hop."""
    import warnings

    import numpy as np
    from scipy.signal import welch

    warnings.simplefilter("ignore")
    from specparam import SpectralModel

    window, hop = round(WINDOW_S * RATE_HZ), round(HOP_S * RATE_HZ)
    stream, out = inlet("compare"), outlet("script-estimates", 1, 0, "Aperiodic")
    ring, seen = np.zeros((window, channels)), 0
    model = SpectralModel(peak_width_limits=(1, 8), max_n_peaks=12, min_peak_height=0.05, verbose=False)
    while True:
        sample, stamp = stream.pull_sample(timeout=1)
        if sample is None:
            if seen:
                return
            continue
        ring[seen % window] = sample
        seen += 1
        if seen < window or seen % hop:
            continue
        newest = np.roll(ring, -(seen % window), axis=0)
        frequency, power = welch(newest, RATE_HZ, nperseg=RATE_HZ, axis=0)
        model.fit(frequency, power.mean(axis=1), RANGE_HZ)
        out.push_sample([-float(model.get_params("aperiodic", "exponent"))], stamp)


def read(name, into):
    """When each estimate arrives, and of which time it is."""
    import pylsl

    stream, rows, last = inlet(name), [], None
    while last is None or time.monotonic() - last < 3:
        sample, stamp = stream.pull_sample(timeout=1)
        arrived = pylsl.local_clock()
        if sample is not None:
            rows.append((stamp, arrived, sample[0]))
            last = time.monotonic()
    Path(into).write_text(json.dumps(rows))


def latencies_ms(pushed, rows):
    """From the push of the sample whose stamp each estimate carries to the estimate's arrival."""
    import numpy as np

    pushed = np.array(pushed)
    stamps, arrived, _ = np.array(rows).T
    # Our stamps are smoothed: the sample they name is the nearest one.
    nearest = np.abs(pushed[None, :] - stamps[:, None]).argmin(axis=1)
    ms = 1e3 * (arrived - pushed[nearest])
    return ms[len(ms) // 10 :], len(ms)


def row(tras, channels, seconds, folder):
    env = dict(os.environ)
    settings = folder / "lsl_api.cfg"
    settings.write_text(LSL % f"compare-{os.getpid()}-{channels}")
    env["LSLAPICFG"] = str(settings)
    config = folder / "compare.toml"
    config.write_text(CONFIG)
    started = []

    def start(*args, **more):
        started.append(subprocess.Popen(args, env=env, **more))
        return started[-1]

    me = [sys.executable, __file__, "--role"]
    try:
        # Connecting takes both a few seconds, a window four more.
        pushed, ours, theirs = (folder / f"{what}.json" for what in ("pushed", "ours", "theirs"))
        sender = start(*me, "send", str(channels), str(seconds + 15), str(pushed), stdout=subprocess.PIPE)
        sender.stdout.readline()
        start(*me, "script", str(channels))
        run = start(
            tras, "run", "-c", str(config), "--headless", "--no-record", "--json", "--seconds", str(seconds + 8),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        readers = [start(*me, "read", "compare-estimates", str(ours)), start(*me, "read", "script-estimates", str(theirs))]
        summary = json.loads(run.communicate(timeout=seconds + 90)[0].splitlines()[-1])
        for reader in readers:
            reader.wait(timeout=60)
        sender.wait(timeout=60)
        pushed = json.loads(pushed.read_text())
        return summary, *(latencies_ms(pushed, json.loads(path.read_text())) for path in (ours, theirs))
    finally:
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


def main():
    if sys.argv[1:2] == ["--role"]:
        role, *rest = sys.argv[2:]
        if role == "send":
            send(int(rest[0]), float(rest[1]), rest[2])
        elif role == "script":
            script(int(rest[0]))
        else:
            read(*rest)
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tras")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--channels", default="1,8,64")
    parser.add_argument("--goals", default="")
    args = parser.parse_args()
    import numpy as np

    goals = [float(x) for x in args.goals.split(",")] if args.goals else [np.inf, np.inf, 0]
    print(f"{args.seconds:.0f} s a row; from the sender's push to the estimate's arrival in another program, ms")
    print("| channels | tras p50 | p99 | max | estimates | script p50 | p99 | max | estimates | p99 better by |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    missed = False
    for channels in (int(x) for x in args.channels.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            summary, (ours, count), (theirs, their_count) = row(args.tras, channels, args.seconds, Path(folder))
        (a50, a99), (b50, b99) = (np.percentile(ms, [50, 99]) for ms in (ours, theirs))
        print(
            f"| {channels} | {a50:.2f} | {a99:.2f} | {ours.max():.2f} | {count} "
            f"| {b50:.2f} | {b99:.2f} | {theirs.max():.2f} | {their_count} | {b99 / a99:.1f} |",
            flush=True,
        )
        stage = summary["stamp_latency_us"]
        print(f"  stamp to decision p50 {stage['p50']:.0f}, p99 {stage['p99']:.0f} us", file=sys.stderr)
        missed |= a50 > goals[0] or a99 > goals[1] or b99 / a99 < goals[2]
    if missed:
        sys.exit("a row misses a goal")


if __name__ == "__main__":
    main()
