#!/bin/sh
# session-peers.sh ROOT SESSION BIDS [PYTHON] [RECORDS_PYTHON]: other programs open what a session left behind; those
# that are not there are named and passed over.
set -eu
root=$1
session=$2
bids=$3
python=${4:-}
records=${5:-}
if [ -x "$python" ]; then
	"$python" -c "
import pyxdf, sys
streams, _ = pyxdf.load_xdf(sys.argv[1], verbose=False)
print('pyxdf:', ', '.join(f\"{s['info']['name'][0]} {len(s['time_stamps'])}\" for s in streams))
" "$session/session.xdf"
else
	echo "pyxdf: skipped (make peers)"
fi
if [ -x "$records" ]; then
	"$(dirname "$records")/bids-validator-deno" --ignoreWarnings "$bids"
	"$records" "$root/tests/peers/read_bids_tree.py" "$bids"
	printf 'mnelab: '
	"$records" "$root/tests/peers/read_mnelab.py" "$session/session.xdf"
else
	echo "bids-validator-deno, MNE, mnelab: skipped (make records-peers)"
fi
