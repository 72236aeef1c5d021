# Each target does all its own set-up, from a fresh clone on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Test processes at a time; many tests wait for a daemon of their own, of about 1 GB.
TESTS_AT_ONCE ?= 2

.PHONY: run once test lint types check bench clean

## run: start the daemon on the folders of settings.toml (inbox/, output/, ...)
run: $(VENV)/.run
	@exec $(BIN)/zssr-daemon run --settings settings.toml $(ARGS)

## once: work off what is in inbox/, then exit
once: $(VENV)/.run
	@exec $(BIN)/zssr-daemon run --once --settings settings.toml $(ARGS)

## test: the whole test suite
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses $(TESTS_AT_ONCE) --dist worksteal $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

## bench: quality and speed in about two minutes, with the picture that comes along
bench: $(VENV)/.dev
	$(BIN)/python bench/quality.py --preset fast --no-write --pair tests/data/butterfly_hr.png tests/data/butterfly_lr.png
	$(BIN)/python bench/speed.py --short --no-write

## check: lint + types + tests
check: lint types test

## clean: remove the virtual environment and caches (never your pictures)
clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@
