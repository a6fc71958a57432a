#!/bin/sh
# Both sessions of the working-memory study in virtual time, with a scripted operator and task; then everything that
# can be checked of them. The last line is the folder of session 2.
set -eu
tras=${1:?usage: session-demo.sh TRAS [PYTHON] [RECORDS_PYTHON]}
python=${2:-}
records_python=${3:-}
root=$(pwd)
out=${OUT:-$root/target/session-demo}
rm -rf "$out"
mkdir -p "$out"
TRAS_KEYS=$out/keys
export TRAS_KEYS
cd "$out"
"$tras" allocate --study wm --participants 2 --new-emergency-key "$out/emergency.key" --out "$out/wm.allocation.json"
for session in 1 2; do
	cp "$root/configs/wm-session-$session.toml" "$out/"
	"$tras" check "wm-session-$session.toml" >"check-$session.txt"
	echo "== session $session"
	"$tras" run -c "wm-session-$session.toml" --participant P01 --session $session --virtual --headless --seed 7 \
		--record recordings >"session-$session.txt"
	tail -n 6 "session-$session.txt"
done
for folder in recordings/sub-*; do
	echo "== verify and recompute $folder"
	"$tras" verify "$folder" --recompute
done
second=$(ls -d "$out"/recordings/sub-P01_ses-2_*)
for block in 1 2 3 4 5 6 7 8 9 10 11 12; do
	"$tras" unblind "$second" --block $block --reason "session demo: all blocks are opened at the end" >>unblind.txt
done
echo "== verify and recompute after unblinding"
"$tras" verify "$second" --recompute
echo "== blinding"
"$tras" blinding "$second"
echo "== BIDS"
"$tras" export-bids recordings/sub-* --out bids
"$root/scripts/session-peers.sh" "$root" "$second" bids "$python" "$records_python"
echo "$second"
