"""Opens every recording of a BIDS tree by MNE, whole, and prints a line for each. Ends with 1 where a file is shorter or
longer than its header says: neither MNE nor the validator notices that.

usage: read_bids_tree.py TREE
"""

import pathlib
import sys

import mne

mne.set_log_level("error")
wrong = 0
for header in sorted(pathlib.Path(sys.argv[1]).glob("sub-*/**/eeg/*_eeg.vhdr")):
    raw = mne.io.read_raw_brainvision(header, preload=True)
    size = header.with_suffix(".eeg").stat().st_size
    whole = size == raw.n_times * len(raw.ch_names) * 4
    wrong += not whole
    print(f"MNE: {header.name}: {len(raw.ch_names)} channels, {raw.info['sfreq']:g} Hz, {raw.n_times} samples, "
          f"{len(raw.annotations)} annotations{'' if whole else ', LENGTH DOES NOT FIT'}")
sys.exit(wrong > 0)
