# `make` lists the targets. The prerequisites of a target are made first, if they are out of date.
# Plain enough for the GNU make 3.81 of macOS: no .SHELLFLAGS, so recipes chain with &&.

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# The project's own environment is used, not that of the caller's shell.
# Compiled modules are kept, as each start of a server would take twice as long without them.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

venv := .venv
python := $(venv)/bin/python
pip := $(python) -m pip --disable-pip-version-check --quiet
npm := scripts/with-node npm --prefix web
client := hubbub/gateway/static/index.html
# Folders are listed too, as their time changes when a file in them is removed.
client_sources := $(wildcard web/*.html web/*.json web/*.ts web/*.js) \
	$(shell find $(wildcard web/src web/public web/build))

# Only `make run HOST=…` counts, as shells and hosting services export HOST and PORT for themselves.
given = $(if $(filter command,$(origin $(1))),$(2) '$($(1))')

# The tests with more tries in `make soak` (tests/support/soak.py).
chance = $(shell grep -rl 'support.soak import' tests --include='test_*.py')

.PHONY: help venv run test soak lint bench bench-web web dist screenshots lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: $(venv)/.run $(client) ## start a chat on http://localhost:8080 (HOST=0.0.0.0 PORT=9000)
	@exec $(venv)/bin/hubbub make-run $(call given,HOST,--host) $(call given,PORT,--port)

test: $(venv)/.dev $(client) ## check and test everything, as CI does
	@HUBBUB_CHROMIUM="$$(scripts/find-browser)" && export HUBBUB_CHROMIUM && \
		HUBBUB_NGINX="$$(scripts/find-nginx)" && export HUBBUB_NGINX && \
		exec $(python) scripts/checks.py

soak: $(venv)/.dev web/node_modules/.made ## run randomised tests many times (about 30 minutes)
	@export HUBBUB_SOAK=1 && $(npm) run --silent test -- tests/markdown/bounds.test.ts tests/views/composer/format.test.ts && \
		exec $(python) -m pytest -q -s $(chance)

lint: $(venv)/.dev ## check style, types and import layers
	@exec $(python) scripts/checks.py style format types layers

bench: $(venv)/.run ## measure (compare: BASE=COMMIT, PEER=/path/to/binary; ARGS="--quick")
	@exec $(python) -m bench $(if $(BASE),--base '$(BASE)') $(if $(PEER),--peer '$(PEER)') $(ARGS)

bench-web: $(venv)/.run $(client) ## measure the web client in Chromium
	@HUBBUB_CHROMIUM="$$(scripts/find-browser)" && export HUBBUB_CHROMIUM && \
		$(npm) run bench

venv: $(venv)/.dev ## make .venv with everything for development

web: $(client) ## build the web client

dist: $(venv)/.run $(client) ## build a wheel with the web client inside
	@rm -rf dist && $(python) -m hatchling build --target wheel

screenshots: $(venv)/.run $(client) ## take pictures of the web client
	@HUBBUB_CHROMIUM="$$(scripts/find-browser)" && export HUBBUB_CHROMIUM && \
		$(npm) run screenshots

lock: ## compile requirements/*.txt from pyproject.toml (UPGRADE=1 for the newest)
	@command -v uv >/dev/null || { echo "make lock needs uv; pip install uv" >&2; exit 1; }
	@scripts/lock $(if $(UPGRADE),--upgrade)

clean: ## remove everything that was built, but no chat's data
	rm -rf $(venv) build dist $(dir $(client)) web/node_modules web/test-results
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find bench hubbub scripts tests -name __pycache__ -prune -exec rm -rf {} +

# --- the Python environment ---------------------------------------------------------------------

$(venv)/.made:
	@python="$$(scripts/find-python)" && \
		echo "Making a virtual environment with $$("$$python" --version)" && \
		"$$python" -m venv --clear $(venv) && touch $@

# Editable, without dependencies and without an isolated build: it needs no network, and puts the
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

# --- the web client -----------------------------------------------------------------------------

# Install scripts of packages are not run; --include=dev, as NODE_ENV may exclude them. If this
# machine has no suitable Node.js, one is installed into the Python environment.
web/node_modules/.made: web/package.json web/package-lock.json | $(venv)/.made
	@echo "Installing what the web client is built with" && \
		$(npm) ci --ignore-scripts --include=dev --no-audit --no-fund --loglevel=error && touch $@

$(client): web/node_modules/.made $(client_sources)
	@echo "Building the web client" && $(npm) run --silent build && touch $@
