# make demo     the closed loop on a simulated participant
# make test     every test
# make help     the rest

CARGO ?= cargo
VENV := .venv
# Tests against Python peers look here for an interpreter; without it they say `skipped` by name.
export TRAS_PYTHON ?= $(wildcard $(CURDIR)/$(VENV)/bin/python)
PEERS := tests/peers/requirements.txt
RECORDS_VENV := .venv-records
export TRAS_RECORDS_PYTHON ?= $(wildcard $(CURDIR)/$(RECORDS_VENV)/bin/python)
# fooof and specparam, timed beside ours.
BENCH_VENV := .venv-bench
# Simulated sessions in each row of the table of errors, 60 windows each.
DRAWS ?= 25
# Spectra of each cell that fooof and specparam are timed on (ours: 1,000).
SPECTRA ?= 100
# Seconds and channel counts of each row of `make compare`.
SECONDS ?= 60
CHANNELS ?= 1,8,64
# Recordings that `make real-eeg` looks at.
EEG ?= ../shared/data
BENCH ?= $(CARGO) bench --locked

.PHONY: help demo test test-bare setup browser peers records-peers lint bench bench-noise compare bench-estimator bench-accuracy bench-through-current bench-self-confirming hostile real-eeg parity session-demo blinding-test blinding-live kill-campaign snapshots fuzz clean

help:
	@echo 'make demo       the closed loop on a simulated participant, in the dashboard'
	@echo 'make test       every test, Python peers included where Python is'
	@echo 'make test-bare  both of them in a bare Debian 12 (as root, with debootstrap)'
	@echo 'make lint       format and clippy, as .ci/run does'
	@echo 'make bench      latency of the loop, cost of many channels (60 s a row; ARGS=300)'
	@echo 'make compare    from the push of a sample to the estimate in another program, beside a loop in Python (SECONDS=60, CHANNELS=1,8,64)'
	@echo 'make bench-noise  samples of noise a second'
	@echo 'make bench-estimator  speed of the fits, beside fooof 1.1.1 and specparam 2 (SPECTRA=100 of theirs a cell)'
	@echo 'make bench-accuracy   errors, bias, coverage and validity on simulated signals (DRAWS=5 for a quick look)'
	@echo 'make real-eeg   validity, scatter and repeatability of both methods on the recordings in a folder (EEG=../shared/data)'
	@echo 'make bench-link  the link to the emulated board and the audio output, about an hour (LINK_SECONDS=60 for a look)'
	@echo 'make bench-through-current  estimates under current against those without, over paths of real heads'
	@echo 'make bench-self-confirming  loops that would steer on their own current: 200 seeds (SEEDS=n), fails where one is not seen'
	@echo 'make snapshots  what --help and check print, written anew for tests/pure/snapshots after a change that is meant'
	@echo 'make fuzz       each fuzz target for FUZZ_SECONDS=30, on its corpus and on what comes of it'
	@echo 'make parity     specparam against what fooof 1.1.1 found in 600 spectra'
	@echo 'make firmware   the firmware for its board: size and stack use'
	@echo 'make hil        one fault after another under tras run, on the emulated board and the audio path (FAULT=, PORT=)'
	@echo 'make hostile    stalled disks, liars, impostors, stops; then ten minutes of hostile packets while blocks play (as root)'
	@echo 'make blinding-test  whether anything that an operator has tells a condition: a classifier on 300 simulated blocks'
	@echo 'make blinding-live  the same on live sessions: screen, outlets, keys, files, processor time (SESSIONS=12, BLOCKS=9, JOBS=4)'
	@echo 'make kill-campaign  kill -9 at random moments of live sessions, and what is left of them (KILLS=200)'
	@echo 'make records-peers  mne, mnelab and the BIDS validator, for the tests that open what a session leaves behind'
	@echo 'make setup      what the build needs from the system (by apt where it may)'

demo: setup
	$(CARGO) build --release --locked --bin tras
	target/release/tras demo $(ARGS)

# A browser for the tests of the task's page.
browser:
	@scripts/browser.sh

# PART=core for the two pure crates alone, PART=rest for all but them.
test: setup peers browser
	@TRAS_PYTHON="$(or $(TRAS_PYTHON),$(wildcard $(CURDIR)/$(VENV)/bin/python))" scripts/test.sh $(CARGO) $(PART)

# The README's two commands in a bare Debian 12; named and passed over without root or debootstrap.
test-bare:
	@scripts/test-bare.sh

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --workspace --test surroundings --locked -- -D warnings

setup:
	@scripts/setup.sh

peers:
	@scripts/peers.sh $(VENV) $(PEERS)

# mne, mnelab and the BIDS validator, for the tests of what a session leaves behind: some 500 MB.
records-peers:
	@scripts/peers.sh $(RECORDS_VENV) tests/peers/records-requirements.txt
	@if [ -x $(RECORDS_VENV)/bin/pip ] && [ ! -e $(RECORDS_VENV)/bin/mnelab ]; then \
		$(RECORDS_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps mnelab==1.4.0; fi

# Two short blocks live with the task's own page in a headless Chromium; then both working-memory sessions in virtual time,
# verified, opened, exported. The last line is the folder of session 2.
session-demo: setup peers browser
	$(CARGO) build --locked --bin tras
	@scripts/session-live.sh $(CURDIR)/target/debug/tras
	@scripts/session-demo.sh $(CURDIR)/target/debug/tras "$(TRAS_PYTHON)" "$(TRAS_RECORDS_PYTHON)"

# Whether anything that an operator has tells a block's condition: a classifier on 300 simulated blocks, without a leak and with
# each of three. Some ten minutes.
BLINDING ?= --sessions 25 --blocks 12
blinding-test: setup peers
	$(CARGO) build --locked --bin tras
	rm -rf target/blinding-test
	@if [ -x "$(TRAS_PYTHON)" ]; then \
		"$(TRAS_PYTHON)" tests/peers/blinding_test.py target/debug/tras target/blinding-test $(BLINDING) $(ARGS); \
	else echo 'blinding-test: skipped, no Python with numpy and pyxdf here'; fi

# The same on live sessions, on their dashboards, side by side. Some half an hour; four of them are what two processors bear.
SESSIONS ?= 12
BLOCKS ?= 9
JOBS ?= 4
blinding-live: setup peers
	$(CARGO) build --locked --bin tras
	rm -rf target/blinding-live
	@if [ -x "$(TRAS_PYTHON)" ]; then \
		"$(TRAS_PYTHON)" tests/peers/blinding_live.py target/debug/tras target/blinding-live --sessions $(SESSIONS) --blocks $(BLOCKS) \
			--jobs $(JOBS) $(ARGS); \
	else echo 'blinding-live: skipped, no Python with numpy, pylsl and pyxdf here'; fi

# kill -9 at random moments of live sessions, and what is left of each; some 25 s a kill.
KILLS ?= 200
kill-campaign: setup peers
	$(CARGO) build --locked --bin tras
	rm -rf target/kill-campaign
	@if [ -x "$(TRAS_PYTHON)" ]; then \
		"$(TRAS_PYTHON)" tests/peers/kill_campaign.py target/debug/tras target/kill-campaign --kills $(KILLS) $(ARGS); \
	else echo 'kill-campaign: skipped, no Python with pylsl and pyxdf here'; fi

# How long the packets come, in s.
HOSTILE_SECONDS ?= 600
hostile: setup
	$(CARGO) build --locked --bin tras
	HOSTILE_SECONDS=$(HOSTILE_SECONDS) $(CARGO) test --locked --test surroundings -- --include-ignored --nocapture --test-threads 1

bench: setup
	$(CARGO) bench --locked --bench pipeline -- $(ARGS)

bench-noise: setup
	$(CARGO) bench --locked --bench noise

# The same stream into this program and into the loop of a Python user, in one run; ends with an error where a goal is missed:
# p50 0.6 ms, p99 1.5 ms, and a p99 ten times better than the script's.
compare: setup
	@scripts/peers.sh $(BENCH_VENV) benches/requirements.txt
	$(CARGO) build --release --locked --bin tras
	@if [ -x $(BENCH_VENV)/bin/python ]; then \
		$(BENCH_VENV)/bin/python benches/compare.py target/release/tras --seconds $(SECONDS) --channels $(CHANNELS) --goals 0.6,1.5,10; \
	else echo 'compare: skipped, no Python with pylsl and specparam here'; fi

bench-estimator: setup
	@scripts/peers.sh $(BENCH_VENV) benches/requirements.txt
	@mkdir -p target/bench
	$(BENCH) -p tras-estimator --bench speed -- --write $(CURDIR)/target/bench/spectra.csv
	if [ -x $(BENCH_VENV)/bin/python ]; then \
		$(BENCH_VENV)/bin/python benches/estimator_reference.py target/bench/spectra.csv target/bench/times.csv $(SPECTRA) && \
		$(BENCH) -p tras-estimator --bench speed -- --reference $(CURDIR)/target/bench/times.csv; \
	else $(BENCH) -p tras-estimator --bench speed; fi

bench-accuracy: setup
	$(BENCH) -p tras-estimator --bench accuracy -- --draws $(DRAWS) --specparam

real-eeg: setup
	$(CARGO) build --locked --bin tras
	python3 scripts/real-eeg.py target/debug/tras $(EEG)

bench-through-current:
	$(BENCH) -p tras-estimator --bench through_current

bench-self-confirming:
	$(BENCH) -p tras-stimulation --bench self_confirming -- $(SEEDS)

# FUZZ=toml for one target; FUZZ_ARGS are libFuzzer's own.
FUZZ ?= decode toml xdf edf csv
FUZZ_SECONDS ?= 30
FUZZ_ARGS ?=
fuzz: setup
	@scripts/fuzz.sh $(FUZZ_SECONDS) "$(FUZZ)" $(FUZZ_ARGS)

snapshots: setup
	INSTA_UPDATE=always $(CARGO) test --locked --test pure -- said screens

parity: setup
	$(CARGO) test --locked -p tras-estimator --test parity -- --nocapture --test-threads 1

include firmware/Makefile
include hil/Makefile

clean:
	$(CARGO) clean
	rm -rf $(VENV) $(BENCH_VENV) $(RECORDS_VENV)
