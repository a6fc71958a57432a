#!/bin/sh
# Two short blocks live: the task's own page in a headless Chromium with a scripted participant, a simulated stream, the
# operator's lines typed by this script; then verified, recomputed and scored. Skipped by name without a Chromium or Python.
# A block that a busy machine breaks (EEG older than 0.5 s) is told, and is no fault of the script's.
set -eu
tras=${1:?usage: session-live.sh TRAS [PYTHON]}
python=${2:-$(command -v python3 || true)}
root=$(pwd)
out=${OUT:-$root/target/session-live}
browser=
for program in "${TRAS_CHROMIUM:-}" chromium-headless-shell chromium google-chrome; do
	if [ -n "$program" ] && command -v "$program" >/dev/null; then browser=$program && break; fi
done
if [ -z "$browser" ] || [ ! -x "${python:-}" ]; then
	echo "live blocks with the task's page: skipped (no Chromium: make browser; or no Python)"
	exit 0
fi
rm -rf "$out"
mkdir -p "$out"
TRAS_KEYS=$out/keys
export TRAS_KEYS
# A session of LSL's own: what else runs on this machine is not heard.
LSLAPICFG=$out/lsl.cfg
export LSLAPICFG
printf '[multicast]\nResolveScope = machine\n[lab]\nSessionID = session-live-%s\n' $$ >"$LSLAPICFG"
cd "$out"
cat >live.toml <<'TOML'
[stream]
predicate = "name='tras-sim'"
[estimator]
method = "specparam"
range_hz = [2, 35]
window_s = 4
hop_s = 0.5
[stimulation]
enabled = true
peak_ma = 0.5
exponent = 2.0
ramp_up_s = 5
ramp_down_s = 5
electrode_area_cm2 = 35
[limits]
peak_ma = 0.5
[stimulator]
kind = "simulated"
[task]
loads = [2, 4]
blocks = 2
trials_per_block = 6
practice = 0
fullscreen = false
[protocol]
study = "live"
session = "2"
allocation = "live.allocation.json"
conditions = [
  { name = "steep", profile = "steep", exponent = 2.0, peak_ma = 0.5 },
  { name = "sham", profile = "sham", exponent = 2.0, peak_ma = 0.5 },
]
phases = [
  { kind = "impedance" },
  { kind = "rest_eyes_open", duration_s = 12, needs_stream_s = 1 },
  { repeat = 2, phases = [
    { kind = "task", duration_s = 40, lead_s = 6, condition = "allocated" },
    { kind = "rest_eyes_open", duration_s = 31 },
  ] },
  { kind = "end" },
]
TOML
"$tras" allocate --study live --participants 1 --session 2 --blocks 2 --conditions steep,sham \
	--new-emergency-key emergency.key --out live.allocation.json >/dev/null
"$tras" simulate >simulate.txt 2>&1 &
sender=$!
participant=
session=
# What this script has started ends with it.
trap 'for child in $participant $session $sender; do kill "$child" 2>/dev/null || true; done' EXIT
mkfifo typed
"$tras" run -c live.toml --participant P01 --session 2 --headless --wait 60 --record recordings <typed >said.txt 2>complaints.txt &
session=$!
exec 3>typed
url=
for _ in $(seq 600); do
	url=$(sed -n 's/.*\(http:\/\/127\.0\.0\.1:[^ ]*\).*/\1/p' said.txt complaints.txt | head -n 1)
	[ -n "$url" ] && break
	kill -0 "$session" 2>/dev/null || { cat said.txt complaints.txt; exit 1; }
	sleep 0.1
done
folder=$(ls -d recordings/sub-P01_ses-2_*)
"$python" "$root/tests/peers/task_participant.py" "$url" "$folder/task-plan.csv" 240 >participant.txt 2>&1 &
participant=$!
# The operator: electrodes, on, both keys.
for line in "kohm 4.8 5.5" next arm go; do
	sleep 0.7
	echo "$line" >&3
done
code=0
wait "$session" || code=$?
session=
exec 3>&-
wait "$participant" || true
participant=
grep -E 'begins|broken' said.txt || true
cat participant.txt
tail -n 7 said.txt
[ "$code" = 0 ] || { cat complaints.txt; exit "$code"; }
"$tras" verify "$folder" --recompute
for block in 1 2; do
	"$tras" unblind "$folder" --block $block --reason "live demo: both blocks are opened at the end" >>unblind.txt
done
"$tras" verify "$folder" --recompute | grep recomputed
"$python" - "$folder" <<'PY'
import collections, csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1] + "/trials.csv", newline="")))
for block in sorted({row["block"] for row in rows}):
    told = collections.Counter(row["status"] for row in rows if row["block"] == block)
    print(f"block {block} on the page:", ", ".join(f"{count} {status}" for status, count in sorted(told.items())))
entries = map(json.loads, open(sys.argv[1] + "/audit.jsonl"))
task = next(entry["data"] for entry in entries if entry["kind"] == "task")
median, high, most = task["trip_ms"]
print(f"round trips to the page: median {median:.2f} ms, 99 % {high:.2f}, largest {most:.2f}; "
      f"{task['frames_dropped']} frames dropped and flagged")
PY
echo "live: $out/$folder"
