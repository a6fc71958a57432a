#!/bin/sh
# Both sessions of the working-memory study in virtual time, with a scripted operator and task; then everything that
# can be checked of them. The last line is the folder of session 2.
set -eu
tras=${1:?usage: session-demo.sh TRAS [PYTHON]}
python=${2:-}
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
	echo "== verify $folder"
	"$tras" verify "$folder"
done
second=$(ls -d "$out"/recordings/sub-P01_ses-2_*)
for block in 1 2 3 4 5 6 7 8 9 10 11 12; do
	"$tras" unblind "$second" --block $block --reason "session demo: all blocks are opened at the end" >>unblind.txt
done
echo "== verify after unblinding"
"$tras" verify "$second"
"$tras" blinding "$second"
"$tras" export-bids recordings/sub-* --out bids
if [ -n "$python" ]; then
	"$python" -c "
import pyxdf, sys
streams, _ = pyxdf.load_xdf(sys.argv[1], verbose=False)
print('pyxdf:', ', '.join(f\"{s['info']['name'][0]} {len(s['time_stamps'])}\" for s in streams))
" "$second/session.xdf"
fi
echo "$second"
