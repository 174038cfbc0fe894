# make demo   set everything up and run the main job
# make test   set everything up and run the whole suite
# make check  formatting, lint and types
# make docs   the documentation with the reference, as pages in build/docs
# make bench  what a step costs, beside PyPI's CGDs and torch-cgd (BENCH=--twice: two runs, one verdict)

PYTHON ?= python3
VENV ?= .venv
BENCH_VENV ?= $(VENV)-bench
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet -c constraints.txt

.PHONY: demo test check docs bench clean

demo: $(VENV)/.demo
	$(BIN)/gamedyn demo $(DEMO)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 $(TESTS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs
	@echo "wrote build/docs/index.html"

bench: $(BENCH_VENV)/.bench
	$(BENCH_VENV)/bin/python benchmarks/step_cost.py $(BENCH)
	$(BENCH_VENV)/bin/python benchmarks/scaling.py $(SCALING)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gamedyn needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing gamedyn into $(VENV) (PyTorch is about 200 MB; this takes a few minutes once)"
	$(INSTALL) -e ".[demo]"
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing gamedyn and its test tools into $(VENV) (a few minutes once)"
	$(INSTALL) -e ".[dev]"
	@touch $@

$(VENV)/.docs: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing gamedyn and Sphinx into $(VENV) (a few minutes once)"
	$(INSTALL) -e ".[docs]"
	@touch $@

$(BENCH_VENV)/.bench: pyproject.toml constraints.txt benchmarks/requirements.txt
	@echo "Installing gamedyn and what it is measured against into $(BENCH_VENV) (a few minutes once)"
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet -c constraints.txt -e . -r benchmarks/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
