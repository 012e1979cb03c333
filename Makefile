# Two commands are all a newcomer needs: `make demo` and `make test`. Needs Python 3.11+ and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup apt demo test quick check bench chaos fuzz recordings screenshots soak clean

help:            ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@echo "== Setting up $(VENV) (once; a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) -V). Set PYTHON=/path/to/python3.11 and run make again."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

setup: $(STAMP)  ## make the virtual environment and install everything into it

apt:
	@sh scripts/apt.sh

demo: $(STAMP)   ## three simulated sensors, a live page, a report: the whole system in two minutes
	@$(BIN)/latemiles --home out/demo demo

test: $(STAMP) apt  ## every test that belongs to a change
	@echo "== Tests: compiled kernels, real recordings, real browser"
	@LATEMILES_DATA=$${LATEMILES_DATA:-../shared/data} $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile
	@echo "== Tests of the kernels as plain Python (NUMBA_DISABLE_JIT=1)"
	@NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q -m interpreted
	@echo "== Tests of the kernels with bounds checks (NUMBA_BOUNDSCHECK=1)"
	@NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest -q -m interpreted
	@sh scripts/firmware_check.sh $(BIN)
	@echo "All tests passed. What to look at: 'make demo' for the system at work, docs/ for how it works."

quick: $(STAMP)  ## the tests that take less than a minute
	@$(BIN)/python -m pytest -q -m 'not slow and not browser'

check: $(STAMP)  ## format, lint, types, layers, docstrings, generated files
	@sh scripts/check.sh $(BIN)

bench: $(STAMP)  ## accuracy and speed, printed as tables and written to benchmarks/results.md
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python benchmarks/run.py

chaos: $(STAMP)  ## two hundred runs in which anything may happen to the radio, some of it at once: half an hour
	@LATEMILES_CHAOS=100 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 tests/integration/test_radio_chaos.py tests/firmware/test_firmware_chaos.py

fuzz: $(STAMP)   ## bytes into every reader of the radio for a minute, guided by coverage where atheris can be had
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]' || echo "atheris is not to be had here: by chance instead"
	@$(BIN)/python scripts/fuzz_drivers.py 60

recordings: $(STAMP) ## make the committed recordings again, with their expected events
	@$(BIN)/python scripts/make_recordings.py

screenshots: $(STAMP) ## make the pictures of docs/images again, from a simulated half-marathon: a quarter of an hour
	@$(BIN)/python scripts/make_screenshots.py

soak: $(STAMP)   ## the live pages at ten looks a second for five minutes: does anything grow
	@$(BIN)/python scripts/soak_live_page.py 5

clean:           ## remove the virtual environment and every output
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
