# `make help` lists what there is. Everything is installed into .venv, and only once: the stamps below
# remember which state of the requirement files they were made from.

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
STORE ?= stepscope.db
EPOCHS ?=
CHECK ?=
CRASH_KILLS ?= 200
CRASH_SEED ?= $(shell date +%s)
ARGS ?=
COVERAGE_FLOOR := 95
# Two files of tests side by side; a file stays in one process, so that a framework is imported once or twice.
# Each computes on one core: threads of OpenMP that wait for one another would take the cores from the others.
WORKERS ?= 2

# The first interpreter that runs and that every dependency has wheels for. Run, not just found: a
# version manager's shim may exist for a version that is not installed.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)

REQUIREMENTS := pyproject.toml constraints.txt build-constraints.txt
# A person sees what is downloaded; a log does not.
QUIET := $(shell test -t 2 || echo --quiet)
# setuptools warns at each editable install that a folder named like the package would be found first.
PIP_INSTALL := PYTHONWARNINGS="ignore:Editable installation" $(BIN)/python -m pip install $(QUIET) --disable-pip-version-check \
	--constraint constraints.txt --build-constraint build-constraints.txt
EXTRAS := torch,tensorflow,tensorboard,visdom,gpu,postgres,video

.DEFAULT_GOAL := help
.PHONY: help demo test crash test-all bench check format screenshot clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile
	@echo "Settings: PORT=$(PORT) STORE=$(STORE) EPOCHS= PYTHON=$(PYTHON); ARGS= is passed on to pytest, or to the benchmarks"

demo: $(VENV)/.stamp-demo ## Train in PyTorch and in Keras with the dashboard open (CHECK=1: then stop and report)
	@$(BIN)/stepscope demo --port $(PORT) --store $(STORE) $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(CHECK),--check)

test: $(VENV)/.stamp-test check ## Install what the tests need, check the code, run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not long" --numprocesses $(WORKERS) --dist loadfile $(ARGS)

crash: $(VENV)/.stamp-test ## Kill trainings, recoveries and commands at hundreds of random moments (CRASH_SEED= for the same again)
	@CRASH_KILLS=$(CRASH_KILLS) CRASH_SEED=$(CRASH_SEED) $(BIN)/python -m pytest -m crash $(ARGS)

test-all: $(VENV)/.stamp-test check ## All tests, those of a minute too, with branch coverage, which must reach its floor
	@$(BIN)/python -m pytest --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report --include="storage/*" --fail-under=$(COVERAGE_FLOOR)
	@$(BIN)/coverage report --include="trackers/*" --fail-under=$(COVERAGE_FLOOR)

bench: $(VENV)/.stamp-test ## Measure Stepscope beside other trackers (ARGS="--quick --only log_call")
	@$(BIN)/python benchmarks/bench.py $(ARGS)

check: $(VENV)/.stamp-test ## Formatting, lint, types and the layers
	@$(BIN)/ruff format --check --quiet . || { echo "Run: make format"; exit 1; }
	@$(BIN)/ruff check .
	@mkdir -p .make && ln -sfn .. .make/stepscope
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports --no-logo --cache-dir .make/import_linter

format: $(VENV)/.stamp-test ## Format the code and apply the safe fixes of the linter
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

screenshot: $(VENV)/.stamp-test ## Take the pictures in the README again
	@$(BIN)/python tools/screenshot.py

clean: ## Remove what was installed and built here; stores (*.db) stay
	rm -rf $(VENV) .bench .make build dist stepscope.egg-info htmlcov .coverage* .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(or $(PYTHON),false) -c '$(SUPPORTED)' 2>/dev/null || { \
		echo "Stepscope needs Python 3.11, 3.12 or 3.13, and $(or $(PYTHON),what was found) is none of them." \
			"Name another: make PYTHON=/path/to/python3.12"; \
		exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# pip 25.3 is the first that knows --build-constraint.
$(VENV)/.stamp-pip: | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.3"
	@touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-pip $(REQUIREMENTS)
	@echo "Installing Stepscope with PyTorch and TensorFlow (some minutes the first time)"
	@$(PIP_INSTALL) --group samples --editable ".[$(EXTRAS)]"
	@$(BIN)/python tools/visdom_assets.py || true
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-demo tools/ensure_chromium.py tools/ensure_postgres.py tools/visdom_assets.py
	@echo "Installing what the tests need"
	@$(PIP_INSTALL) --group test --group check
	@$(BIN)/python tools/ensure_chromium.py
	@$(BIN)/python tools/ensure_postgres.py
	@$(BIN)/python tools/visdom_assets.py
	@touch $@
