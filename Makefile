# `make` lists what there is. Everything a target needs is made first, and only when it is stale.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

venv := .venv
python := $(venv)/bin/python
pip := $(python) -m pip --disable-pip-version-check --quiet
# Whatever environment or module path the caller's shell has, this one is meant.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# --- the Python environment ---------------------------------------------------------------------

.PHONY: venv
venv: $(venv)/.dev ## make .venv with everything for development

$(venv)/.made:
	@python=$$(scripts/find-python); \
	echo "Making the virtual environment with $$($$python --version)"; \
	$$python -m venv --clear $(venv)
	@touch $@

# Editable, without dependencies and without an isolated build: needs no network and puts the
# `hubbub` command into the environment.
$(venv)/.run: $(venv)/.made requirements/run.txt requirements/build.txt pyproject.toml
	@echo "Installing what Hubbub needs"
	@$(pip) install --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(pip) install --no-deps --no-build-isolation --editable .
	@touch $@

$(venv)/.dev: $(venv)/.run requirements/dev.txt
	@echo "Installing what development needs"
	@$(pip) install --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: lock
lock: ## compile requirements/*.txt from pyproject.toml (UPGRADE=1: newest versions)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	scripts/lock $(if $(UPGRADE),--upgrade)
