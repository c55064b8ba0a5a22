# Everything runs in one virtual environment, made on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
CONSTRAINTS ?= constraints.txt
INPUTS ?= 100000
KILLS ?= 200

.PHONY: setup demo test test-all lint bench fuzz chaos docs clean

setup: $(READY)

$(READY): pyproject.toml $(CONSTRAINTS)
	@echo "Setting up $(VENV): torch (the CPU build is 200 MB to fetch), scikit-learn, matplotlib and the tools for tests; about 1.3 GB on disk, a minute or two."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".[dev]"
	touch $(READY)

demo: $(READY)  ## a network recovered, a table as a formula, a torch model made small: one page in demo/
	$(BIN)/sparsefit demo --out demo

test: $(READY)  ## the quick suite
	$(BIN)/python -m pytest -q -m "not slow" -n $(WORKERS) --dist worksteal

test-all: $(READY)  ## the slow tests too
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## speed against a plain loop and against the bare matrix products, memory, start-up, masks
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/mask_cost.py

fuzz: $(READY)  ## every reader, with damaged files
	$(BIN)/python -m benchmarks.fuzz --inputs $(INPUTS)

chaos: $(READY)  ## kills at random moments, and faults of disks, clocks and hosts
	$(BIN)/python -m benchmarks.chaos --kills $(KILLS) --faults

docs: $(READY)  ## the documentation, in build/docs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".[docs]"
	rm -rf docs/reference/generated docs/gallery
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/docs
	@echo "the documentation is in build/docs/index.html"

clean:
	rm -rf build demo docs/gallery docs/reference/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
