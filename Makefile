# make demo    try it: everything on this machine, nothing to set up
# make test    the gates and the tests, as CI runs them
# make test-peers  our requests before Twilio's own description: BELLTOWER_TWILIO_MOCK=URL of a mock made from it
# make bench   the figures, each beside its floor
# make soak    the long runs
# make setup   .venv with the product and its development tools

SHELL := /bin/bash
BIN := .venv/bin
# What the tests speak to for real; the product itself needs none of it.
SYSTEM := gammu kamailio kamailio-tls-modules sip-tester mosquitto mosquitto-clients direwolf libhamlib-utils espeak-ng ffmpeg baresip-core socat chromium fonts-dejavu-core postgresql gcc libc6-dev
# What `make test` tries of the 200 simulated days and of the 20 seeds at each point of death; `make soak` tries all.
SOME := SIM_SEEDS=20 BELLTOWER_KILL_SEEDS=2
# Files or options for pytest: make test TESTS=tests/gateway. Whole files go to whoever is free.
TESTS := tests
# pytest exits with 5 when none of the tests asked for bears the mark.
NONE = [ $$? -eq 5 ]

# Hundreds of processes start in the tests: each would compile the whole product where Python may not keep what it compiled.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test test-peers gates collected bench soak clean
.DEFAULT_GOAL := help

help:
	@sed -n '/^# make/s/^# //p' Makefile

setup: .venv/.installed

.venv/.installed: pyproject.toml tools/make-venv
	@tools/make-venv

demo: setup
	@$(BIN)/belltower demo

gates: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/belltower check --config config.example.toml --without-secrets

# Beside the gates, so that each of pytest's processes finds the tests compiled. What is wrong with them the run itself says.
collected: setup
	@$(BIN)/python -m pytest --collect-only -qq $(TESTS) > /dev/null 2>&1 || true

test: setup
	@tools/system-packages $(SYSTEM)
	@$(MAKE) --no-print-directory -j 2 gates collected
	$(SOME) $(BIN)/python -m pytest -n 4 --dist loadscope --no-loadscope-reorder -m "not soak" $(TESTS)

test-peers: setup
	$(BIN)/python -m pytest -m peers tests/notify

bench: setup
	@$(BIN)/belltower bench

soak: setup
	@tools/system-packages $(SYSTEM)
	$(BIN)/python -m pytest -m soak $(TESTS) || $(NONE)
	$(BIN)/python -m pytest -n 2 tests/sim tests/stories/test_kill_anywhere.py

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
