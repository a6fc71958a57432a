# make demo     the closed loop on a simulated participant
# make test     every test
# make help     the rest

CARGO ?= cargo
VENV := .venv
# Tests against Python peers look here for an interpreter; without it they say `skipped` by name.
export TRAS_PYTHON ?= $(wildcard $(CURDIR)/$(VENV)/bin/python)
PEERS := tests/peers/requirements.txt

.PHONY: help demo test setup peers lint bench bench-noise clean

help:
	@echo 'make demo       the closed loop on a simulated participant, in the dashboard'
	@echo 'make test       every test, Python peers included where Python is'
	@echo 'make lint       format and clippy, as .ci/run does'
	@echo 'make bench      latency of the loop, cost of many channels (60 s a row; ARGS=300)'
	@echo 'make bench-noise  samples of noise a second'
	@echo 'make firmware   the firmware for its board: size and stack use'
	@echo 'make setup      what the build needs from the system (by apt where it may)'

demo: setup
	$(CARGO) build --release --locked --bin tras
	target/release/tras demo $(ARGS)

test: setup peers
	TRAS_PYTHON="$(or $(TRAS_PYTHON),$(wildcard $(CURDIR)/$(VENV)/bin/python))" \
		$(CARGO) test --workspace --locked

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

setup:
	@scripts/setup.sh

peers:
	@scripts/peers.sh $(VENV) $(PEERS)

bench: setup
	$(CARGO) bench --locked --bench pipeline -- $(ARGS)

bench-noise: setup
	$(CARGO) bench --locked --bench noise -- fill

include firmware/Makefile

clean:
	$(CARGO) clean
	rm -rf $(VENV)
