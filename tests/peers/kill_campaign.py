"""kill -9 at random moments of a blind live session, and what is left of it.

Each kill: `tras run` of a protocol with sealed blocks on a simulated stream, markers of this script beside it ten times a
second, SIGKILL at a random moment after its recording began. Then, from the folder alone:

  opens      pyxdf opens the recording as it is
  verify     `tras verify` ends with 5 (the session was never closed), and with 0 once `tras run --resume` has closed it
  EEG lost   from the last sample that is kept, open or sealed, to the kill
  current    the same for the current of a block that the kill fell into
  markers    the first that is missing, as its age at the kill; none may be older than a second
  events     in such a block: the events of the current that came more than a second before the kill are all there

    python kill_campaign.py TRAS FOLDER --kills 200 --jobs 2

Prints a row a kill and a table at the end; ends with 1 where anything is not as it must be. pylsl and pyxdf.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

from campaign import LSL, SETTINGS

# At most so much may be lost, in s.
MOST_S = 1.0
# Kills fall into so many s after the recording began: impedance, rest, a block of 30 s, rest.
WITHIN_S = 45.0
PROTOCOL = """
[stream]
predicate = "name='tras-sim'"
""" + SETTINGS + """[markers]
streams = ["kill-markers"]
[protocol]
study = "kills"
session = "2"
allocation = "kills.allocation.json"
conditions = [
  { name = "steep", profile = "steep", exponent = 2.0, peak_ma = 0.5 },
  { name = "flat", profile = "flat", exponent = 0.5, peak_ma = 0.5 },
]
phases = [
  { kind = "impedance" },
  { kind = "rest_eyes_open", duration_s = 6 },
  { repeat = 2, phases = [
    { kind = "task", duration_s = 30, lead_s = 2, condition = "allocated" },
    { kind = "rest_eyes_open", duration_s = 30 },
  ] },
  { kind = "end" },
]
"""


class Markers(threading.Thread):
    """Numbered markers, and when each was sent."""

    def __init__(self):
        super().__init__(daemon=True)
        import pylsl
        info = pylsl.StreamInfo("kill-markers", "Markers", 1, pylsl.IRREGULAR_RATE, "string", "kill-campaign")
        self.clock, self.outlet, self.sent, self.ends = pylsl.local_clock, pylsl.StreamOutlet(info), {}, False

    def run(self):
        n = 0
        while not self.ends:
            n += 1
            at = self.clock()
            self.sent[n] = at
            self.outlet.push_sample([f"m{n}"], at)
            time.sleep(0.1)


def load(path):
    import pyxdf
    streams, _ = pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False, verbose=False)
    return {stream["info"]["name"][0]: stream for stream in streams}


def tras(options, *words, **more):
    return subprocess.run([options.tras, *words], cwd=options.folder, capture_output=True, text=True, **more)


def one(options, participant, markers, rng):
    """One kill; gives its row."""
    before = set((options.folder / "recordings").glob(f"sub-{participant}_*"))
    run = subprocess.Popen(
        [options.tras, "run", "-c", "kills.toml", "--participant", participant, "--session", "2", "--headless",
         "--record", "recordings"],
        cwd=options.folder, stdin=subprocess.PIPE, stdout=open(options.folder / f"said-{participant}", "w"), stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    folder = None
    while folder is None:
        made = set((options.folder / "recordings").glob(f"sub-{participant}_*")) - before
        folder = next((path for path in made if (path / "session.xdf").exists() and (path / "audit.sig").exists()), None)
        if time.monotonic() > until or run.poll() is not None:
            run.kill()
            return {"bad": [f"no recording within 60 s: {run.stderr.read()[-300:]}"]}
        time.sleep(0.02)
    began = time.monotonic()
    after_s = rng.uniform(0.0, WITHIN_S)
    # The operator: electrodes, on, both keys.
    try:
        for at, line in ((1.0, "kohm 4.8 5.5"), (1.3, "next"), (2.0, "arm"), (2.5, "go")):
            time.sleep(max(0.0, min(at, after_s) - (time.monotonic() - began)))
            if at <= after_s:
                run.stdin.write(line + "\n")
                run.stdin.flush()
    except BrokenPipeError:
        pass
    time.sleep(max(0.0, after_s - (time.monotonic() - began)))
    alive = run.poll() is None
    run.send_signal(signal.SIGKILL)
    killed = markers.clock()
    run.wait()
    sent = {n: at for n, at in list(markers.sent.items()) if at < killed}
    row = {"after_s": round(after_s, 2), "bad": [] if alive else ["it had ended by itself"]}
    bad = row["bad"]
    opened = load(folder / "session.xdf")
    kinds = [json.loads(line) for line in open(folder / "audit.jsonl") if line.endswith("\n")]
    phases = [entry["data"] for entry in kinds if entry["kind"] == "phase"]
    row["in"] = phases[-1]["kind"] if phases else "before the first phase"
    if tras(options, "verify", str(folder)).returncode != 5:
        bad.append("verify did not say that the session was never closed")
    resumed = tras(options, "run", "--resume", str(folder), "--headless", "--seconds", "3", timeout=120)
    if resumed.returncode:
        bad.append(f"resume: {resumed.stderr[-300:]}")
    verified = tras(options, "verify", str(folder))
    if verified.returncode:
        bad.append(f"verify: {verified.stderr.strip()[-300:]}")
    ends = {name: stream["time_stamps"] for name, stream in opened.items()}
    eeg = [ends["tras-sim"][-1]] if len(ends["tras-sim"]) else []
    if list((folder / "sealed").glob("block-01*.sealed")):
        unblinded = tras(options, "unblind", str(folder), "--block", "1", "--reason", "kill campaign")
        if unblinded.returncode:
            bad.append(f"unblind: {unblinded.stderr.strip()[-300:]}")
        path = folder / "unblinded" / "block-01.xdf"
        sealed = load(path) if path.exists() and path.stat().st_size > 4 else {}
        if sealed and len(sealed["tras-sim"]["time_stamps"]):
            eeg.append(sealed["tras-sim"]["time_stamps"][-1])
            current = sealed["current"]["time_stamps"]
            states = [(at, json.loads(text[0])) for at, text in zip(sealed["events"]["time_stamps"], sealed["events"]["time_series"])]
            played = [(at, event["state"]) for at, event in states if event["event"] == "current"]
            if row["in"] == "task":
                begun = next(entry["run_s"] for entry in kinds if entry["kind"] == "phase" and entry["data"]["block"] == 1)
                # A current needs some tenths of a second to come back from the device, on a busy machine more.
                if killed - begun > MOST_S + 3.0:
                    row["current_s"] = round(killed - current[-1], 2) if len(current) else None
                    if row["current_s"] is None or row["current_s"] > MOST_S:
                        bad.append(f"current to {row['current_s']} s before the kill")
                    for wanted, from_s in (("ramp up", 0.0), ("stimulating", 5.0), ("ramp down", 25.0)):
                        if killed - begun > from_s + MOST_S + 3.0 and wanted not in [state.lower().replace("_", " ") for _, state in played]:
                            bad.append(f"the event {wanted} is missing: {played}")
    row["eeg_s"] = round(killed - max(eeg), 2) if eeg else None
    if (row["eeg_s"] is None or row["eeg_s"] > MOST_S) and after_s > 2.0:
        bad.append(f"EEG to {row['eeg_s']} s before the kill")
    kept = {text[0] for stream in opened.values() for text in stream["time_series"]
            if stream["info"]["type"][0] == "Markers" and str(text[0]).startswith("m")}
    first = min((int(text[1:]) for text in kept if text[1:].isdigit()), default=None)
    lost = [at for n, at in sent.items() if first is not None and n >= first and f"m{n}" not in kept]
    row["markers_s"] = round(killed - min(lost), 2) if lost else 0.0
    row["markers"] = len(kept)
    if row["markers_s"] > MOST_S or (first is None and after_s > 3.0):
        bad.append(f"a marker {row['markers_s']} s before the kill is missing, {len(kept)} kept")
    if bad:
        row["told"] = [line.strip() for line in (options.folder / f"said-{participant}").read_text().splitlines()][-12:]
    if not (options.keep or bad):
        shutil.rmtree(folder)
    return row


def worker(options):
    path = options.folder / f"lsl-{options.worker}.cfg"
    path.write_text(LSL % f"tras-kills-{os.getpid()}-{options.worker}")
    os.environ["LSLAPICFG"] = str(path)
    rng = random.Random(1000 * options.seed + options.worker)
    with open(options.folder / f"simulate-{options.worker}.log", "w") as log:
        sender = subprocess.Popen([options.tras, "simulate"], stdout=log, stderr=log)
    markers = Markers()
    markers.start()
    try:
        for n in range(options.worker, options.kills, options.jobs):
            print(json.dumps({"kill": n, **one(options, f"P{n + 1:0{max(2, len(str(options.kills)))}}", markers, rng)}), flush=True)
    finally:
        markers.ends = True
        sender.kill()
        sender.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tras")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="the folders of all kills")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.tras, options.folder = str(pathlib.Path(options.tras).resolve()), options.folder.resolve()
    os.environ |= {"TRAS_KEYS": str(options.folder / "keys"), "XDG_STATE_HOME": str(options.folder / "state")}
    if options.worker is not None:
        return worker(options)
    (options.folder / "recordings").mkdir(parents=True)
    (options.folder / "kills.toml").write_text(PROTOCOL)
    made = tras(options, "allocate", "--study", "kills", "--participants", str(options.kills), "--session", "2", "--blocks", "2",
                "--conditions", "steep,flat", "--new-emergency-key", "emergency.key", "--out", "kills.allocation.json")
    if made.returncode:
        sys.exit(made.stderr)
    again = [sys.executable, __file__, options.tras, str(options.folder), "--kills", str(options.kills), "--jobs",
             str(options.jobs), "--seed", str(options.seed), *["--keep"] * options.keep]
    workers = [subprocess.Popen([*again, "--worker", str(n)], stdout=subprocess.PIPE, text=True) for n in range(options.jobs)]
    rows, lock = [], threading.Lock()

    def read(stream):
        for line in stream:
            with lock:
                rows.append(json.loads(line))
                print(line, end="", flush=True)

    readers = [threading.Thread(target=read, args=(child.stdout,)) for child in workers]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    codes = [child.wait() for child in workers]
    bad = [row for row in rows if row["bad"]]
    print(f"\n| killed in | kills | EEG lost, s, median and most | current lost, most | oldest marker lost, s | not as it must be |")
    print("|---|---|---|---|---|---|")
    for where in sorted({row.get("in", "-") for row in rows}):
        own = [row for row in rows if row.get("in", "-") == where]
        numbers = lambda key: sorted(row[key] for row in own if row.get(key) is not None)
        eeg, current, marks = numbers("eeg_s"), numbers("current_s"), numbers("markers_s")
        most = lambda values: f"{values[-1]:.2f}" if values else "-"
        print(f"| {where} | {len(own)} | {f'{eeg[len(eeg) // 2]:.2f}, ' if eeg else ''}{most(eeg)} | {most(current)} | {most(marks)} "
              f"| {sum(bool(row['bad']) for row in own)} |")
    if bad or any(codes) or len(rows) != options.kills:
        sys.exit(f"kill campaign: {len(bad)} of {len(rows)} kills (of {options.kills} asked for) are not as they must be")


if __name__ == "__main__":
    main()
