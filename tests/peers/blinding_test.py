"""Can anything that an operator has tell a block's condition? A random forest tries, on blocks of simulated sessions.

Sessions of three conditions are run blind and in virtual time. Features of a block are all that the operator's side holds
of it: terminal lines, rows of the tables (what the LSL outlets say is made by the same functions), entries of the audit
log, samples of the open recording, questionnaires, and sizes and chunks of sealed files; each by its number, its length as
text and its times since the block began. The conditions come from `tras unblind`, afterwards. Folds are whole sessions.

Then the same with one leak opened on purpose, from what was sealed: the true dose on a bar in per cent, the length of the
block's file without its padding, the length of its packets of events. Each must be found.

Not in it: when files were written, because in virtual time that tells how fast this machine reckons; `--cpu` prints what
those times tell. The simulated participant does not respond to current: a true after-effect in the EEG between blocks is no leak of the program's.

    python blinding_test.py TRAS FOLDER --sessions 25 --blocks 12

Ends with 1 where the closed features beat chance, or a leak is not found. numpy and pyxdf.
"""

import argparse
import collections
import csv
import json
import math
import pathlib
import subprocess
import sys

import numpy as np

import campaign

CONDITIONS = ("steep", "flat", "sham")
LEAKS = ("dose bar", "file size", "packet size")
PROTOCOL = "\n" + campaign.SETTINGS + """[simulation]
channels = 4
response_gain = 0
[protocol]
study = "blinding"
session = "2"
allocation = "blinding.allocation.json"
""" + campaign.CONDITIONS + """phases = [
  { kind = "impedance" },
  { kind = "rest_eyes_open", duration_s = 20 },
  { repeat = BLOCKS, phases = [
    { kind = "task", duration_s = 70, lead_s = 5, condition = "allocated" },
    { kind = "questionnaire" },
    { kind = "rest_eyes_open", duration_s = 40 },
  ] },
  { kind = "end" },
]
"""


def run(tras, folder, *words):
    done = subprocess.run([tras, *words], cwd=folder, capture_output=True, text=True, env={
        "TRAS_KEYS": str(folder / "keys"), "PATH": "/usr/bin:/bin", "HOME": str(folder)})
    if done.returncode:
        sys.exit(f"tras {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


class Session:
    """A folder, and everything in it that has a time."""

    def __init__(self, folder, said):
        import pyxdf
        self.folder = folder
        self.entries = [json.loads(line) for line in open(folder / "audit.jsonl")]
        phases = [(e["run_s"], e["data"]["block"]) for e in self.entries if e["kind"] == "phase"]
        begun = [(at, block) for at, block in phases if block]
        ends = [at for at, _ in begun[1:]] + [phases[-1][0]]
        self.spans = {block: (at, end) for (at, block), end in zip(begun, ends)}
        start = self.entries[2]["run_s"]
        # What happened: when, what kind of thing, how long as text, and the numbers in it that are no times.
        self.items = []
        for n, line in enumerate(open(folder / "audit.jsonl")):
            entry = self.entries[n]
            self.items.append((entry["run_s"], f"log {entry['kind']}", len(line) - len(str(n)), []))
        for line in said.splitlines():
            at, mark, text = line.strip().partition(" s ")
            if mark and at.replace(".", "").isdigit():
                self.items.append((start + float(at), "terminal", len(text), [sum(map(ord, text)) % 9973]))
        for row in csv.DictReader(open(folder / "events.csv", newline="")):
            text = row["value"] if "value" in row else list(row.values())[-1]
            kind = row.get("kind") or "event"
            if text.startswith("{"):
                event = json.loads(text)
                kind = f"{event.get('event')} {event.get('phase') or event.get('state') or ''}"
            self.items.append((float(row["time_s"]), f"event {kind}", len(text), []))
        for row in csv.DictReader(open(folder / "estimates.csv", newline="")):
            values = [float(row[name] or "nan") for name in ("exponent", "exponent_se", "offset", "r_squared", "n_peaks")]
            kind = f"estimate {row['contamination']} {row['reason']}"
            self.items.append((float(row["time_s"]), kind, sum(map(len, row.values())), values))
        questionnaires = folder / "questionnaires.jsonl"
        if questionnaires.exists():
            for line in open(questionnaires):
                self.items.append((json.loads(line)["run_s"], "questionnaire", len(line), []))
        streams, _ = pyxdf.load_xdf(
            str(folder / "session.xdf"), synchronize_clocks=False, dejitter_timestamps=False, verbose=False)
        self.samples = {stream["info"]["name"][0]: np.asarray(stream["time_stamps"]) for stream in streams}

    def features(self, block):
        begin, end = self.spans[block]
        found = {"lasts": end - begin}
        of = collections.defaultdict(list)
        for at, kind, length, values in self.items:
            if begin - 0.5 <= at < end:
                of[kind].append((at - begin, length, values))
        for kind, items in of.items():
            times, lengths = [i[0] for i in items], [i[1] for i in items]
            found |= {
                f"{kind}: count": len(items), f"{kind}: first": min(times), f"{kind}: last": max(times),
                f"{kind}: longest pause": float(np.max(np.diff(times), initial=0.0)), f"{kind}: length": sum(lengths),
                f"{kind}: longest": max(lengths)}
            for n in range(len(items[0][2])):
                column = np.asarray([i[2][n] for i in items])
                column = column[np.isfinite(column)]
                if len(column):
                    found |= {f"{kind}: mean {n}": column.mean(), f"{kind}: first {n}": column[0]}
        for name, stamps in self.samples.items():
            own = stamps[(stamps >= begin) & (stamps < end)] - begin
            pauses = np.diff(own)
            found |= {f"xdf {name}: samples": len(own), f"xdf {name}: pause": float(np.max(pauses, initial=0.0))}
        sealed = self.folder / "sealed" / f"block-{block:02}.sealed"
        stat = sealed.stat()
        found |= {"sealed: size": stat.st_size, "sealed: blocks on disk": stat.st_blocks, "sealed: mode": stat.st_mode}
        return found

    def written_s(self, block):
        """How long the machine reckoned at a block, as the files' times tell."""
        of = lambda n: (self.folder / "sealed" / f"block-{n:02}.sealed").stat().st_mtime_ns * 1e-9
        return of(block) - of(block - 1) if block > 1 else math.nan

    def leaks(self, block):
        """What was sealed of a block, once it is unblinded."""
        import pyxdf
        path = self.folder / "unblinded" / f"block-{block:02}.xdf"
        wanted = [{"name": "current"}, {"name": "events"}]
        streams, _ = pyxdf.load_xdf(str(path), wanted, synchronize_clocks=False, dejitter_timestamps=False, verbose=False)
        of = {stream["info"]["name"][0]: stream for stream in streams}
        current = np.asarray(of["current"]["time_series"], dtype=float) if "current" in of else np.zeros(0)
        texts = [row[0] for row in of["events"]["time_series"]]
        charge_c = np.abs(current).sum() / 2000.0 * 1e-3
        return dict(zip(LEAKS, (round(100.0 * charge_c / 2.4, 1), path.stat().st_size, sum(map(len, texts)))))


class Tree:
    """Gini splits over a random choice of columns at each node."""

    def __init__(self, x, y, rng, depth=6, least=3):
        self.share = np.bincount(y, minlength=3) / len(y)
        self.column = None
        if depth == 0 or self.share.max() == 1.0 or len(y) < 2 * least:
            return
        best = 1e-9
        tried = rng.choice(x.shape[1], min(x.shape[1], int(math.sqrt(x.shape[1])) * 2), replace=False)
        one = np.eye(3)[y]
        impurity = len(y) * (1.0 - (self.share**2).sum())
        for column in tried:
            order = np.argsort(x[:, column], kind="stable")
            values = x[order, column]
            left = np.cumsum(one[order], axis=0)[:-1]
            right = one.sum(axis=0) - left
            n = np.arange(1, len(y))
            gain = impurity - (n - (left**2).sum(1) / n) - ((len(y) - n) - (right**2).sum(1) / (len(y) - n))
            gain[(np.diff(values) <= 0) | (n < least) | (len(y) - n < least)] = -1.0
            at = int(np.argmax(gain))
            if gain[at] > best:
                best, self.column, self.limit = gain[at], column, 0.5 * (values[at] + values[at + 1])
        if self.column is not None:
            below = x[:, self.column] <= self.limit
            self.below = Tree(x[below], y[below], rng, depth - 1, least)
            self.above = Tree(x[~below], y[~below], rng, depth - 1, least)

    def say(self, row):
        node = self
        while node.column is not None:
            node = node.below if row[node.column] <= node.limit else node.above
        return node.share


def held_out(x, y, groups, rng, trees=150, folds=5):
    """How many blocks of sessions that the forest has not seen it tells right."""
    x = np.where(np.isfinite(x), x, -1e9)
    x = x[:, np.ptp(x, axis=0) > 0]
    if x.shape[1] == 0:
        return None
    order = rng.permutation(np.unique(groups))
    right = 0
    for fold in np.array_split(order, min(folds, len(order))):
        test = np.isin(groups, fold)
        votes = np.zeros((test.sum(), 3))
        for _ in range(trees):
            drawn = rng.choice(np.flatnonzero(~test), (~test).sum())
            tree = Tree(x[drawn], y[drawn], rng)
            votes += [tree.say(row) for row in x[test]]
        right += int((votes.argmax(1) == y[test]).sum())
    return right


def interval(n, chance, outside):
    """Least and most right answers of chance with `outside` in both tails together."""
    p = [math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(n + 1)]
    below = np.cumsum(p)
    return int(np.searchsorted(below, outside / 2)), int(np.searchsorted(below, 1 - outside / 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tras")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sessions", type=int, default=25)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outside", type=float, default=0.05, help="probability outside of chance's interval")
    parser.add_argument("--cpu", action="store_true", help="also what the time of reckoning tells")
    options = parser.parse_args()
    tras, folder = str(pathlib.Path(options.tras).resolve()), options.folder.resolve()
    folder.mkdir(parents=True)
    (folder / "blinding.toml").write_text(PROTOCOL.replace("BLOCKS", str(options.blocks)))
    run(tras, folder, "allocate", "--study", "blinding", "--participants", str(options.sessions), "--session", "2",
        "--blocks", str(options.blocks), "--conditions", ",".join(CONDITIONS), "--new-emergency-key", "emergency.key",
        "--out", "blinding.allocation.json")
    names, rows, leaks, labels, groups, times = [], [], [], [], [], []
    for n in range(1, options.sessions + 1):
        said = run(tras, folder, "run", "-c", "blinding.toml", "--participant", f"P{n:02}", "--session", "2", "--virtual",
                   "--headless", "--seed", str(1000 * options.seed + n), "--record", "recordings")
        session = Session(next((folder / "recordings").glob(f"sub-P{n:02}_*")), said)
        own = [session.features(block) for block in session.spans]
        times += [session.written_s(block) for block in session.spans]
        for block, features in zip(session.spans, own):
            run(tras, folder, "unblind", str(session.folder), "--block", str(block), "--reason", "blinding test")
            opened = json.loads((session.folder / "unblinded" / f"block-{block:02}.json").read_text())
            labels.append(CONDITIONS.index(opened["condition"]))
            leaks.append(session.leaks(block))
            rows.append(features)
            groups.append(n)
            names += [name for name in features if name not in set(names)]
        # Gigabytes otherwise.
        for path in [*session.folder.glob("sealed/*"), *session.folder.glob("unblinded/*"), *session.folder.glob("*.xdf")]:
            path.unlink()
    table = np.asarray([[row.get(name, math.nan) for name in names] for row in rows])
    labels, groups = np.asarray(labels), np.asarray(groups)
    varies = int((np.ptp(np.where(np.isfinite(table), table, -1e9), axis=0) > 0).sum())
    low, high = interval(len(labels), 1 / 3, options.outside)
    print(f"{len(labels)} blocks of {options.sessions} sessions; {len(names)} features, {varies} of them not the same for all")
    print(f"chance: {low} to {high} of {len(labels)} right in {100 * (1 - options.outside):g} % of cases")
    bad = []
    sets = [("nothing opened", table)] + [(leak, np.column_stack([table, [row[leak] for row in leaks]])) for leak in LEAKS]
    if options.cpu:
        sets.append(("time of reckoning", np.asarray(times)[:, None]))
    for name, x in sets:
        right = held_out(x, labels, groups, np.random.default_rng(options.seed))
        within = right is None or right <= high
        told = "no feature varies" if right is None else f"{right} right ({100 * right / len(labels):.1f} %)"
        print(f"{name:<18} {told:<22} {'within chance' if within else 'tells the condition'}")
        if name != "time of reckoning" and within != (name == "nothing opened"):
            bad.append(name)
    if bad:
        sys.exit(f"blinding test: not as it must be: {', '.join(bad)}")


if __name__ == "__main__":
    main()
