# Every target sets up what it needs on a machine with Python 3.11+, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL = python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
CLIENTS := 3.3.2 3.0.2 2.10.0 2.7.3 2.3.0

.DEFAULT_GOAL := help
.PHONY: help serve test faults bench check clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

serve: .venv/serve ## Run the server on http://127.0.0.1:8080 (stop it with Ctrl-C)
	@$(BIN)/xcom-server db upgrade
	@exec $(BIN)/xcom-server serve

test: .venv/test curl $(CLIENTS:%=.venvs/client-%/done) ## Run every test, official clients included
	$(BIN)/python -m pytest --cov --numprocesses auto --dist loadfile

KILLS := 50
SEED :=
faults: .venv/test ## Kill processes 50 times on each database while clients write; SEED=… repeats it
	@failed=0; for database in sqlite postgres; do \
		$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m tests.faults.run --minutes 8 \
			--database $$database --kills $(KILLS) $(SEED:%=--seed %) || failed=1; \
	done; exit $$failed

OPTIONS :=
bench: .venv/bench wrk ## Measure the server beside bare stacks, 15 minutes; OPTIONS=--quick: 2
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m bench $(OPTIONS)

check: .venv/test ## Lint, check types and the rules between rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Remove the environments and what tests left (xcom.db stays)
	rm -rf .venv .venvs build dist app/*.egg-info .coverage* .hypothesis .*_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		f"xcom-server needs Python 3.11 or newer, this is {sys.version.split()[0]}: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/serve: .venv/bin/python setup.cfg setup.py constraints.txt
	@echo "Installing, for the first time about a minute."
	$(BIN)/$(PIP_INSTALL) --editable .
	@touch $@

.venv/test: .venv/bin/python setup.cfg setup.py constraints.txt
	@echo "Installing what the tests need, for the first time about a minute."
	$(BIN)/$(PIP_INSTALL) --editable '.[test]'
	@touch $@

.venv/bench: .venv/bin/python setup.cfg setup.py constraints.txt
	@echo "Installing what the benchmark needs, for the first time about a minute."
	$(BIN)/$(PIP_INSTALL) --editable '.[bench]'
	@touch $@

# An environment for each official client: they need libraries of different ages.
.venvs/client-%/done: constraints-clients.txt
	$(PYTHON) -m venv .venvs/client-$*
	.venvs/client-$*/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints-clients.txt apache-airflow-client==$*
	@touch $@

# The README's first calls are made with curl, and the generated bash client needs column too.
.PHONY: curl
curl:
	@command -v curl >/dev/null && command -v column >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq curl bsdextrautils; } || \
		{ echo "make test needs curl and column (Debian: curl, bsdextrautils)" >&2; exit 1; }

# Without it the benchmark measures the rest, and its table says what is missing.
.PHONY: wrk
wrk:
	@command -v wrk >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq wrk; } || \
		echo "make bench needs wrk for requests through gunicorn (Debian: wrk)" >&2
