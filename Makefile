# convscope. `make help` lists the targets.
PYTHON ?= python3
GPU ?=
DEVICE := $(if $(GPU),gpu,cpu)
OTHER := $(if $(GPU),cpu,gpu)
UV_VERSION := 0.13.8
BIN := .venv/bin
UV := VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv --quiet pip
COMPILE := $(BIN)/uv --quiet pip compile --universal --fork-strategy fewest --no-header --upgrade
DEMO := outputs/demo
# one process per core, four at most: each takes up to 2 GB of memory; tests of a file share their fixtures
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo launchers results figures notebook docs test test-all lint format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.$(DEVICE) ## install into .venv from the lock file (GPU=1: with CUDA)

demo: setup ## run the three stages on the built-in data set, and print the path of the page
	$(BIN)/python create_train_val_test.py dataset=procedural
	$(BIN)/python train.py experiment=demo overwrite=true hydra.run.dir=$(DEMO)/train
	$(BIN)/python visualize.py checkpoint=$(DEMO)/train overwrite=true hydra.run.dir=$(DEMO)/visualize
	@echo $(DEMO)/visualize/index.html

launchers: .venv/.launchers ## install the launchers of sweeps: joblib, Ray, SLURM (285 MB)

results: setup ## run rows of docs/results.csv again: RUN=flowers_head, and for one seed SEED=0
	$(BIN)/python docs/results.py --run "$(RUN)" $(if $(SEED),--seed $(SEED))

figures: setup ## draw the pictures of README.md and docs/ again
	$(BIN)/python docs/figures.py

notebook: .venv/.dev ## write docs/tour.ipynb from docs/tour.md
	$(BIN)/python docs/notebook.py

docs: .venv/.docs ## write the documentation as a site to site/; broken links fail
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo site/index.html

test: .venv/.dev ## run the tests, without the slow ones (about 7 minutes on 2 cores)
	$(PYTEST) -m "not slow"

test-all: .venv/.dev ## run all tests
	$(PYTEST)

lint: .venv/.dev ## check the code with ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/.dev ## format the code, and fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: .venv/.uv ## update the lock files from pyproject.toml
	$(COMPILE) --extra video --extra tensorboard pyproject.toml requirements/cpu.in --override requirements/cpu-overrides.txt -o requirements/cpu.txt
	$(COMPILE) --extra video --extra tensorboard pyproject.toml requirements/gpu.in -c requirements/cpu.txt -o requirements/gpu.txt
	$(COMPILE) --group dev -c requirements/cpu.txt -o requirements/dev.txt
	$(COMPILE) --group docs -c requirements/cpu.txt -c requirements/dev.txt -o requirements/docs.txt
	$(COMPILE) --group launchers -c requirements/cpu.txt -c requirements/dev.txt --override requirements/launchers-overrides.txt -o requirements/launchers.txt

clean: ## remove .venv and the caches of the tools, but not data/ and outputs/
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.uv:
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "error: this is Python %s, expected CPython 3.11 to 3.13: run make setup PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip --disable-pip-version-check install --quiet uv==$(UV_VERSION)
	@touch $@

.venv/.$(DEVICE): .venv/.uv requirements/$(DEVICE).txt pyproject.toml
	@if [ -e .venv/.$(OTHER) ]; then echo "error: .venv contains the $(OTHER) build, expected the $(DEVICE) build or no .venv: run 'make clean' first" >&2; exit 1; fi
	$(UV) install --compile-bytecode -r requirements/$(DEVICE).txt
	$(UV) install --no-deps --editable .
	@touch $@

# --no-deps: the lock file is complete, and the launcher for Ray asks for packages that it does not need here
.venv/.launchers: .venv/.$(DEVICE) requirements/launchers.txt
	$(UV) install --no-deps --compile-bytecode -r requirements/launchers.txt
	@touch $@

.venv/.dev: .venv/.$(DEVICE) requirements/dev.txt
	$(UV) install --compile-bytecode -r requirements/dev.txt
	@touch $@

.venv/.docs: .venv/.uv requirements/docs.txt
	$(UV) install -r requirements/docs.txt
	@touch $@
