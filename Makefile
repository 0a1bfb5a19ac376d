# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
KITH   := $(BIN)/kith

.PHONY: demo test lint types bench docs clean models

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[dev]'
	touch $@

models: $(VENV)/.installed
	$(KITH) model fetch

demo: models
	$(KITH) demo

test: models
	$(BIN)/python -m pytest

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The repository's root is the package kithnet; mypy finds it under that name by a link.
types: $(VENV)/.installed
	mkdir -p $(VENV)/types && ln -sfn ../.. $(VENV)/types/kithnet
	cd $(VENV) && MYPYPATH=types bin/mypy --config-file ../pyproject.toml -p kithnet

bench: models
	$(KITH) bench headline

docs: $(VENV)/.installed
	$(BIN)/python -m kithnet.app.cli.reference docs/commands.md

clean:
	rm -rf $(VENV) build dist *.egg-info
