"""Can anything that an operator of a live session has tell a block's condition? As blinding_test.py, for what only a live
session has: what is drawn on the screen, the outlets' bytes as another program gets them, when files grow, how long a key
takes to be answered, and the processor time of each thread.

Sessions of three conditions are run blind, on their dashboards in pseudo terminals, some side by side; blocks are short.
The conditions come from `tras unblind`, afterwards. Folds are whole sessions. Then the same with the true dose on a bar,
which must be found.

    python blinding_live.py TRAS FOLDER --sessions 12 --blocks 9 --jobs 4

Ends with 1 where the closed features beat chance, or the dose bar does not. numpy, pylsl and pyxdf.
"""

import argparse
import collections
import fcntl
import json
import math
import os
import pathlib
import pickle
import re
import select
import struct
import subprocess
import sys
import termios
import time

import numpy as np

import blinding_test
import campaign
from blinding_test import CONDITIONS, Session, held_out, interval

PROTOCOL = """[stream]
predicate = "name='tras-sim'"
""" + campaign.SETTINGS + """[protocol]
study = "blinding"
session = "2"
allocation = "blinding.allocation.json"
""" + campaign.CONDITIONS + """phases = [
  { kind = "impedance" },
  { kind = "rest_eyes_open", duration_s = 12 },
  { repeat = BLOCKS, phases = [
    { kind = "task", duration_s = 30, lead_s = 3, condition = "allocated" },
    { kind = "rest_eyes_open", duration_s = 31 },
  ] },
  { kind = "end" },
]
"""
# Between two looks at files, threads and outlets, s.
LOOK_S = 0.5
# From a block's beginning to the note that is typed in it, s.
NOTE_S = 12.0
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")


class Terminal:
    """A run on its dashboard, 100x30."""

    def __init__(self, command, folder):
        self.ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.child = subprocess.Popen(
            command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"})
        os.close(theirs)

    def drawn(self, within_s):
        """What was drawn within so many seconds, at once; empty where nothing was, `None` at its end."""
        if not select.select([self.ours], [], [], within_s)[0]:
            return b""
        try:
            return os.read(self.ours, 1 << 16) or None
        except OSError:
            return None

    def press(self, keys):
        os.write(self.ours, keys.encode())


def threads(pid):
    """Each thread: its number, its name, the processor time that it has had, ns, and how often it was put on one."""
    for thread in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            ran, _, times = (int(word) for word in (thread / "schedstat").read_text().split())
            yield thread.name, (thread / "comm").read_text().strip(), ran, times
        except (OSError, ValueError):
            pass


def family(pid):
    """The process and those that it has started."""
    return [pid, *(int(child) for task in pathlib.Path(f"/proc/{pid}/task").glob("*")
                   for child in (task / "children").read_text().split())]


def work(options, n):
    """One session; everything that was seen of it, with its time, as a pickle."""
    import pylsl
    found = pylsl.ContinuousResolver()
    simulated = subprocess.Popen([options.tras, "simulate", "--seed", str(n)], cwd=options.folder, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
    seen, inlets, looked, typed, notes, screen = [], {}, 0.0, None, set(), None
    processor = collections.defaultdict(list)
    try:
        screen = Terminal([options.tras, "run", "-c", "blinding.toml", "--participant", f"P{n:02}", "--session", "2", "--wait", "60",
                           "--record", "recordings", "--seed", str(n)], options.folder)
        folder, sizes, begun = None, {}, []
        keys = [(1.0, ":kohm 4.8 5.5\r"), (1.6, "n"), (2.4, "a"), (3.2, "g")]
        while (drawn := screen.drawn(0.02)) is not None:
            now = time.monotonic()
            if drawn:
                text = ESCAPES.sub(b"", drawn)
                seen.append((now, "screen", len(drawn), [float(len(text)), float(sum(text))]))
                if typed:
                    seen.append((now, "answer to a key", round(1e3 * (now - typed)), [now - typed]))
                    typed = None
            if folder is None:
                made = sorted((options.folder / "recordings").glob(f"sub-P{n:02}_*"))
                folder, since = (made[0], now) if made and (made[0] / "audit.sig").exists() else (None, 0.0)
                continue
            if keys and now - since > keys[0][0]:
                screen.press(keys.pop(0)[1])
            if begun and begun[-1] not in notes and now - begun[-1] > NOTE_S:
                notes.add(begun[-1])
                screen.press(":note_n\r")
                typed = now
            if now - looked < LOOK_S:
                continue
            looked = now
            for pid in family(screen.child.pid):
                for number, name, ran, times in threads(pid):
                    processor[number, f"{name}, {'run' if pid == screen.child.pid else 'child'}"].append((now, ran, times))
            for path in folder.rglob("*"):
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    # What is written beside its file and renamed.
                    continue
                was = sizes.get(path)
                sizes[path] = stat.st_size
                if stat.st_size != was and path.is_file():
                    # The block's own number is its place.
                    name = re.sub(r"\d+", "N", str(path.relative_to(folder)))
                    seen.append((stat.st_mtime_ns * 1e-9 - time.time() + now, f"file {name}", stat.st_size - (was or 0), []))
            begun = [entry["run_s"] for entry in read(folder) if entry["kind"] == "phase" and entry["data"]["block"]]
            # Looking for streams is what costs most: of every program that is looked for, too.
            if found and now - since > 15:
                for info in found.results():
                    if info.name() != "tras-sim":
                        inlets[info.uid()] = (info.name(), pylsl.StreamInlet(info))
                found = None
            for name, inlet in inlets.values():
                samples, stamps = inlet.pull_chunk(0.0)
                for row, stamp in zip(samples, stamps):
                    numbers = [float(value) for value in row if not isinstance(value, str)]
                    seen.append((stamp, f"outlet {name}", len(str(row)), [float(np.nanmean(numbers))] if numbers else []))
                    seen.append((now, f"arrival of {name}", 1, []))
        code = screen.child.wait(30)
    finally:
        simulated.kill()
        if screen and screen.child.poll() is None:
            screen.child.kill()
    for (_, name), rows in processor.items():
        for (_, ran, times), (now, ran_then, times_then) in zip(rows, rows[1:]):
            seen.append((now, f"processor {name}", times_then - times, [float(ran_then - ran)]))
    (options.folder / f"seen-{n}").write_bytes(pickle.dumps((code, str(folder), seen, sorted(name for name, _ in inlets.values()))))


def read(folder):
    return [json.loads(line) for line in open(folder / "audit.jsonl") if line.endswith("\n")]


def features(session, seen, block):
    """What was seen of a block: by kind its number, pauses, lengths, and the means of its figures."""
    begin, end = session.spans[block]
    of = collections.defaultdict(list)
    for at, kind, length, values in seen:
        if begin <= at < end:
            of[kind].append((at - begin, length, values))
    found = {}
    for kind, items in of.items():
        lengths = [item[1] for item in items]
        pauses = np.diff([item[0] for item in items])
        found |= {f"{kind}: count": len(items), f"{kind}: longest pause": float(np.max(pauses, initial=0.0)),
                  f"{kind}: first": items[0][0], f"{kind}: last": items[-1][0],
                  f"{kind}: length": sum(lengths), f"{kind}: longest": max(lengths)}
        for n in range(len(items[0][2])):
            column = np.asarray([item[2][n] for item in items])
            found |= {f"{kind}: mean {n}": float(np.nanmean(column)), f"{kind}: most {n}": float(np.nanmax(column))}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tras", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--one", type=int, help="only this session, for a process of its own")
    options = parser.parse_args()
    options.tras, options.folder = str(options.tras.resolve()), options.folder.resolve()
    if options.one:
        return work(options, options.one)
    options.folder.mkdir(parents=True)
    (options.folder / "blinding.toml").write_text(PROTOCOL.replace("BLOCKS", str(options.blocks)))
    os.environ["TRAS_KEYS"] = str(options.folder / "keys")
    blinding_test.run(options.tras, options.folder, "allocate", "--study", "blinding", "--participants", str(options.sessions),
                      "--session", "2", "--blocks", str(options.blocks), "--conditions", ",".join(CONDITIONS),
                      "--new-emergency-key", "emergency.key", "--out", "blinding.allocation.json")
    waiting, running = list(range(1, options.sessions + 1)), []
    while waiting or running:
        running = [child for child in running if child.poll() is None]
        while waiting and len(running) < options.jobs:
            n = waiting.pop(0)
            configuration = options.folder / f"lsl-{n}.cfg"
            configuration.write_text(campaign.LSL % f"tras-blinding-{os.getpid()}-{n}")
            running.append(subprocess.Popen(
                [sys.executable, __file__, options.tras, str(options.folder), "--one", str(n)],
                env={**os.environ, "LSLAPICFG": str(configuration)}, stderr=open(options.folder / f"worker-{n}.txt", "w")))
        print(f"\r{options.sessions - len(waiting) - len(running)} of {options.sessions} sessions", end="", file=sys.stderr, flush=True)
        time.sleep(1.0)
    print(file=sys.stderr)
    judge(options)


def judge(options):
    rows, leaks, labels, groups, recomputed, heard = [], [], [], [], [], set()
    for n in range(1, options.sessions + 1):
        if not (options.folder / f"seen-{n}").exists():
            sys.exit(f"session {n} was not seen to its end: {options.folder / f'worker-{n}.txt'}")
        code, folder, seen, outlets = pickle.loads((options.folder / f"seen-{n}").read_bytes())
        if code:
            # A machine that stands still ends a session's current, whatever its condition.
            print(f"session {n} is left out: it ended with {code}, see {folder}/summary.json")
            continue
        heard |= set(outlets)
        seen.sort(key=lambda item: item[0])
        session = Session(pathlib.Path(folder), "")
        broken = {entry["data"].get("block") for entry in session.entries if entry["kind"] == "broken"}
        own = {block: {**session.features(block), **features(session, seen, block)} for block in session.spans if block not in broken}
        for block, found in own.items():
            blinding_test.run(options.tras, options.folder, "unblind", folder, "--block", str(block), "--reason", "blinding test")
            opened = json.loads((session.folder / "unblinded" / f"block-{block:02}.json").read_text())
            labels.append(CONDITIONS.index(opened["condition"]))
            leaks.append(session.leaks(block)["dose bar"])
            rows.append(found)
            groups.append(n)
        # Live, and every estimate and decision once more from the recording.
        told = blinding_test.run(options.tras, options.folder, "verify", folder, "--recompute")
        recomputed += [line for line in told.splitlines() if line.startswith("recomputed")]
    if len(set(groups)) < 2:
        sys.exit("blinding test: too few sessions")
    names = sorted({name for row in rows for name in row})
    table = np.asarray([[row.get(name, math.nan) for name in names] for row in rows])
    labels, groups = np.asarray(labels), np.asarray(groups)
    np.savez(options.folder / "features.npz", names=names, table=table, labels=labels, groups=groups)
    low, high = interval(len(labels), 1 / 3, 0.05)
    varies = int((np.ptp(np.where(np.isfinite(table), table, -1e9), axis=0) > 0).sum())
    print(f"{len(labels)} live blocks of {len(set(groups))} sessions; {len(names)} features, {varies} of them not the same for all")
    equal = sum(line.endswith("are equal bit for bit") for line in recomputed)
    estimates = sum(int(line.split()[1]) for line in recomputed)
    print(f"verified and recomputed: {len(recomputed)} sessions, {equal} of them whole; {estimates} estimates equal bit for bit")
    print(f"outlets heard: {', '.join(sorted(heard))}")
    print(f"chance: {low} to {high} of {len(labels)} right in 95 % of cases")
    only = np.asarray([name.startswith("processor") for name in names])
    sets = [("nothing opened", table, True), ("processor time alone", table[:, only], True),
            ("dose bar", np.column_stack([table, leaks]), False)]
    bad = []
    for name, x, closed in sets:
        right = held_out(x, labels, groups, np.random.default_rng(1)) or 0
        within = right <= high
        print(f"{name:<22} {right} right ({100 * right / len(labels):.1f} %) {'within chance' if within else 'tells the condition'}")
        if within != closed:
            bad.append(name)
    if bad:
        sys.exit(f"blinding test: not as it must be: {', '.join(bad)}")


if __name__ == "__main__":
    main()
