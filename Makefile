# Every target installs what it needs; Python 3.11+, make and a package index are required.
PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL = python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
CLIENTS := 3.3.2 3.0.2 2.10.0 2.7.3 2.3.0

.DEFAULT_GOAL := help
.PHONY: help serve test faults bench check clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

serve: .venv/serve ## Run the server at http://127.0.0.1:8080; Ctrl-C stops it
	@$(BIN)/xcom-server db upgrade
	@exec $(BIN)/xcom-server serve

test: .venv/test curl $(CLIENTS:%=.venvs/client-%/done) ## Run every test, official clients included
	$(BIN)/python -m pytest --cov --numprocesses auto --dist loadfile

KILLS := 50
SEED :=
faults: .venv/test ## Kill processes while clients write, 50 times per database; SEED=… repeats a run
	@failed=0; for database in sqlite postgres; do \
		$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m tests.faults.run --minutes 8 \
			--database $$database --kills $(KILLS) $(SEED:%=--seed %) || failed=1; \
	done; exit $$failed

OPTIONS :=
bench: .venv/bench wrk ## Compare the speed with bare stacks (15 minutes, OPTIONS=--quick: 2)
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m bench $(OPTIONS)

check: .venv/test ## Lint, check the types and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Remove the environments and the files of tests and builds, but not xcom.db
	rm -rf .venv .venvs build dist app/*.egg-info .coverage* .hypothesis .*_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		f"xcom-server needs Python 3.11 or newer, this is {sys.version.split()[0]}: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/serve: .venv/bin/python setup.cfg setup.py constraints.txt
	@echo "Installing the server; the first time takes about a minute."
	$(BIN)/$(PIP_INSTALL) --editable .
	@touch $@

.venv/test: .venv/bin/python setup.cfg setup.py constraints.txt
	@echo "Installing the test requirements; the first time takes about a minute."
	$(BIN)/$(PIP_INSTALL) --editable '.[test]'
	@touch $@

.venv/bench: .venv/bin/python setup.cfg setup.py constraints.txt
	@echo "Installing the benchmark's requirements; the first time takes about a minute."
	$(BIN)/$(PIP_INSTALL) --editable '.[bench]'
	@touch $@

# One environment per official client, because they need different versions of libraries.
.venvs/client-%/done: constraints-clients.txt
	$(PYTHON) -m venv .venvs/client-$*
	.venvs/client-$*/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints-clients.txt apache-airflow-client==$*
	@touch $@

# The tests of the README need curl, and the generated bash client also needs column.
.PHONY: curl
curl:
	@command -v curl >/dev/null && command -v column >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq curl bsdextrautils; } || \
		{ echo "make test needs curl and column (Debian: curl, bsdextrautils)" >&2; exit 1; }

# Without wrk the benchmark skips the measurements that need it, and reports that in its table.
.PHONY: wrk
wrk:
	@command -v wrk >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq wrk; } || \
		echo "make bench needs wrk for requests through gunicorn (Debian: wrk)" >&2
