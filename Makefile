# Every target installs what it needs; Python 3.11+, make and a package index are required.
PYTHON ?= python3
BIN := .venv/bin
UV := .venvs/uv/bin/uv
PIP := .venvs/uv/bin/python -m pip --disable-pip-version-check
# Install $(2) in the environment $(1).  uv needs a tenth of the time of pip, and gets the index of
# pip's configuration.  pip is used if uv fails, for example because the index needs more options.
install = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(PIP) config get global.index-url \
	2>/dev/null)}}" $(UV) pip install --quiet --python $(1)/bin/python $(2) || \
	$(PIP) --python $(1)/bin/python install --quiet $(2)
# Every downloaded file must match a hash in requirements/.
LOCKED = --require-hashes --only-binary :all: $(1:%=-r requirements/%.txt)
EDITABLE := --no-deps --no-build-isolation --editable .
CLIENTS := 3.3.2 3.0.2 2.10.0 2.7.3 2.3.0
# Programs from PyPI that use Airflow's API; each is a file in requirements/.
TOOLS := airflow-mcp-server apache-airflow-ctl mcp-airflow-api mcp-server-apache-airflow

# These would install packages elsewhere than in .venv, or run other code than it has.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONHOME PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help serve test test-fast test-lowest docs docs-generate screenshots mutants fuzz attack faults bench check dist lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

serve: .venv/serve ## Run the server at http://127.0.0.1:8080; Ctrl-C stops it
	@$(BIN)/xcom-server db upgrade
	@exec $(BIN)/xcom-server serve

test: .venv/test curl chromium $(CLIENTS:%=.venvs/client-%/done) $(TOOLS:%=.venvs/tool-%/done) .venvs/project/done .venvs/typescript/done .venvs/linters/done .venvs/axe/done .venvs/proxies/done ## Run every test, official clients included
	@# Each run has its own data files, so that two runs at once do not combine each other's.
	folder=$$(mktemp -d) && trap 'rm -r "$$folder"' EXIT && COVERAGE_FILE=$$folder/data \
		$(BIN)/python -m pytest --cov --numprocesses auto --dist loadfile --no-loadscope-reorder

test-fast: .venv/test ## Run the tests that start no client, no outage and few processes
	$(BIN)/python -m pytest -m 'not (slow or clients or fuzz or faults)' \
		--numprocesses auto --dist loadfile

# These need the linters, the fuzzer, the clients or the locked versions, or do not test the server.
NOT_LOWEST := bench clients contract/test_fuzz.py contract/test_seed_document.py docs faults mutants \
	system/test_deployment.py system/test_image.py
test-lowest: .venvs/lowest/done ## Run the tests with the lowest versions that setup.cfg allows
	.venvs/lowest/bin/python -m pytest --numprocesses auto --dist loadfile \
		$(addprefix --ignore tests/,$(NOT_LOWEST))

docs: .venv/docs ## Build the documentation site in site/, and fail on a broken link
	$(BIN)/zensical build --strict --clean

screenshots: .venv/test chromium ## Take the screenshots of docs/ again
	SCREENSHOTS=$(CURDIR)/docs/assets $(BIN)/python -m pytest -k screenshot tests/system/test_page.py

docs-generate: .venv/docs ## Update the tables in docs/ that are generated from the code
	$(BIN)/cog -P -r -I tools docs/configuration.md docs/operations.md

KILLS := 50
SEED :=
fuzz: .venv/test ## Send more requests with Schemathesis than make test does; takes minutes
	FUZZ_EXAMPLES=100 $(BIN)/python -m pytest -o timeout=3600 tests/contract/test_fuzz.py

attack: MINUTES := 8
attack: .venv/test ## Attack servers with hostile requests and slow clients; MINUTES=… SEED=…
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m tests.attack.run \
		--minutes $(MINUTES) $(SEED:%=--seed %) $(OPTIONS)

faults: .venv/test ## Kill processes while clients write, 50 times per database; SEED=… repeats a run
	@failed=0; for database in sqlite postgres; do \
		$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m tests.faults.run --minutes 8 \
			--database $$database --kills $(KILLS) $(SEED:%=--seed %) || failed=1; \
	done; exit $$failed

COUNT := 100
MINUTES := 60
PACKAGE :=
mutants: .venv/test ## Mutate 100 random places of the code and list what no test notices
	$(BIN)/python -m tests.mutants.run --count $(COUNT) --minutes $(MINUTES) \
		$(SEED:%=--seed %) $(PACKAGE:%=--package %)

OPTIONS :=
bench: .venv/bench wrk ## Compare the speed with bare stacks (15 minutes, OPTIONS=--quick: 2)
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" -m bench $(OPTIONS)

SCHEMA = $(BIN)/check-jsonschema --builtin-schema
check: .venv/test ## Lint, check the types, the import rules, the spelling, the style and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python -m tests.support.prose
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml

dist: .venvs/release/done ## Build the sdist and the wheel, check them, and run the installed wheel
	rm -rf build dist
	.venvs/release/bin/python -m build --no-isolation
	.venvs/release/bin/twine check --strict dist/*
	.venvs/release/bin/python tests/support/smoke.py dist/*.whl

# The versions that are locked already stay, unless UPGRADE is set.
UPGRADE :=
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-strip-extras --custom-compile-command 'make lock' $(UPGRADE:%=--upgrade)
lock: .venvs/uv/done ## Write requirements/*.txt again; UPGRADE=1 takes the newest versions
	$(LOCK) requirements/uv.in --output-file requirements/uv.txt
	$(LOCK) requirements/build.in --output-file requirements/build.txt
	$(LOCK) setup.cfg --extra release --output-file requirements/release.txt
	$(LOCK) setup.cfg --extra test --extra fuzz --extra lint --extra docs --output-file requirements/test.txt
	$(LOCK) setup.cfg --extra postgres --constraint requirements/test.txt --output-file requirements/serve.txt
	$(LOCK) setup.cfg requirements/project.in --constraint requirements/test.txt --output-file requirements/project.txt
	$(LOCK) setup.cfg --extra docs --constraint requirements/test.txt --output-file requirements/docs.txt
	$(LOCK) setup.cfg --extra bench --constraint requirements/test.txt --output-file requirements/bench.txt
	$(LOCK) setup.cfg --extra test --resolution lowest-direct --output-file requirements/lowest.txt
	for version in $(CLIENTS); do echo "apache-airflow-client==$$version" | \
		$(LOCK) - --output-file requirements/client-$$version.txt || exit; done
	for tool in $(TOOLS); do \
		$(LOCK) requirements/tool-$$tool.in --output-file requirements/tool-$$tool.txt || exit; done

clean: ## Remove the environments and the files of tests and builds, but not xcom.db
	rm -rf .venv .venvs build dist site .cache app/*.egg-info .coverage* .hypothesis .*_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		f"xcom-server needs Python 3.11 or newer, this is {sys.version.split()[0]}: make PYTHON=...")'
	$(PYTHON) -m venv .venv

# serve, test, docs and bench: each is a file in requirements/.
.venv/%: export UV_COMPILE_BYTECODE := 1
.venv/%: .venv/bin/python setup.cfg setup.py pyproject.toml requirements/build.txt requirements/%.txt \
		| .venvs/uv/done
	@echo "Installing requirements/$*.txt; the first time takes up to a minute."
	@$(call install,.venv,$(call LOCKED,build $*))
	@$(call install,.venv,$(EDITABLE))
	@touch $@

.venvs/lowest/done: requirements/lowest.txt setup.cfg | .venvs/uv/done
	$(PYTHON) -m venv --without-pip --clear .venvs/lowest
	@$(call install,.venvs/lowest,$(call LOCKED,lowest))
	@$(call install,.venvs/lowest,$(EDITABLE))
	@touch $@

# release, and an environment for each official client and tool: they need different versions.
.venvs/%/done: requirements/%.txt requirements/build.txt | .venvs/uv/done
	$(PYTHON) -m venv --without-pip --clear .venvs/$*
	@$(call install,.venvs/$*,$(call LOCKED,build $*))
	@touch $@

# uv and pip, which install the packages of the others.
.venvs/uv/done: requirements/uv.txt
	$(PYTHON) -m venv --clear .venvs/uv
	@$(PIP) install --quiet $(call LOCKED,uv) || \
		echo "uv is missing: the packages are installed with pip, which takes longer" >&2
	@touch $@

# The packages of a user's project on Python 3.13, without which tests/system/test_wheel.py skips it.
PYTHON_3_13 = $(firstword $(foreach each,python3.13 $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python), \
	$(shell $(each) -c 'import sys; print(sys.executable)' 2>/dev/null)))
.venvs/project/done: requirements/project.txt | .venvs/uv/done
	@mkdir -p $(@D)
	@if [ -z "$(PYTHON_3_13)" ]; then \
		echo "The tests of a project on Python 3.13 are skipped: python3.13 is missing" >&2; else \
		$(PYTHON_3_13) -m venv --without-pip --clear $(@D) && { $(call install,$(@D),$(call LOCKED,project)); } && \
		touch $@; fi

# The compiler for the TypeScript example in docs/clients.md; without it that test is skipped.
.venvs/typescript/done:
	@mkdir -p $(@D)
	@if npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
		--prefix $(@D) typescript@7.0.2; then touch $@; else \
		echo "The TypeScript example is skipped: npm is missing or failed (Debian: npm)" >&2; fi

# The proxies of docs/proxies.md.  Their packages are unpacked and not installed, so that no service
# starts.  Without them that test is skipped.
PROXIES := nginx haproxy caddy apache2-bin
.venvs/proxies/done:
	@mkdir -p $(@D)/packages/partial
	@if { [ "$$(id -u)" != 0 ] || apt-get update -qq; } && apt-get install --download-only --reinstall \
			--yes -qq --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
			-o Dir::Cache::archives="$(abspath $(@D)/packages)" $(PROXIES) >/dev/null && \
		(for package in $(@D)/packages/*.deb; do dpkg -x $$package $(@D) || exit; done); then \
		rm -r $(@D)/packages && touch $@; else \
		echo "The test of docs/proxies.md is skipped: it needs packages of Debian ($(PROXIES))" >&2; fi

# The linters of the OpenAPI documents; without them their tests are skipped.  Takes 10 s.
.venvs/linters/done:
	@mkdir -p $(@D)
	@if npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
		--prefix $(@D) @redocly/cli@2.77.0 @stoplight/spectral-cli@6.16.3; then touch $@; else \
		echo "The OpenAPI linters are skipped: npm is missing or failed (Debian: npm)" >&2; fi

# The rules of accessibility for the page of the emulator; without them their test is skipped.
.venvs/axe/done:
	@mkdir -p $(@D)
	@if npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
		--prefix $(@D) axe-core@4.14.1; then touch $@; else \
		echo "The rules of axe are skipped: npm is missing or failed (Debian: npm)" >&2; fi

# Without it, the tests of the emulator's page in a browser are skipped.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
		echo "The emulator's page is not tested in a browser: no Chromium (Debian: chromium)" >&2

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
