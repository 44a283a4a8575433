# Everything runs in .venv, made with the Python named here (3.10 or newer) and pip alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# with more packages than the tests have, so that these start as their users' programs do
BENCH := .venv-bench
BENCH_READY := $(BENCH)/.ready
# with the lowest version of each dependency that pyproject.toml names
LOWEST := build/lowest

# where it is set, as in many container images, each process of the tests would compile the code anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo browser pooler mysql test test-all test-pythons test-lowest test-install check explore soak guard bench pace docs requirements clean
.DEFAULT_GOAL := help

help:  ## Show these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## Watch 10,000 customers go through the whole story.
	@$(BIN)/dlt-bunce demo

test: $(READY) browser pooler mysql  ## Run every test with each value of its parameters, with a real Postgres, S3 stand-in, and emulator.
	@$(BIN)/python -m pytest -n 5 --dist worksteal

test-all: $(READY) browser pooler mysql  ## Run every test with every combination of its parameters.
	@$(BIN)/python -m pytest -n 5 --dist worksteal --all-combinations

test-pythons:  ## Install and load with each claimed Python that this machine has.
	@tests/pythons/run.sh

test-lowest: $(LOWEST)/.ready browser pooler mysql  ## Run the tests with the lowest claimed versions, without orchestrators.
	@$(LOWEST)/bin/python -m pytest -n 5 --dist worksteal --ignore=tests/pipelines --ignore=tests/docs/test_site.py \
		-W default::DeprecationWarning -W default::PendingDeprecationWarning

test-install: $(READY)  ## Build the distributions; install the wheel with each extra alone.
	@$(BIN)/python tests/install/installs.py

# the workbench is tested in a real browser, which pip does not bring; the one without windows of
# its own takes a fifth less CPU
browser:
	@command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome || { \
		echo "Installing Chromium ..." && apt-get update -qq && export DEBIAN_FRONTEND=noninteractive && { \
		apt-get install -qq --yes --no-install-recommends chromium-headless-shell || \
		apt-get install -qq --yes --no-install-recommends chromium; }; \
	} >/dev/null || { echo "The tests need a Chromium: apt-get install chromium" >&2; exit 1; }

# nor the pooler that a store must not be behind
pooler:
	@PATH="$$PATH:/usr/sbin" command -v pgbouncer || { \
		echo "Installing PgBouncer ..." && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends pgbouncer; \
	} >/dev/null || { echo "The tests need PgBouncer: apt-get install pgbouncer" >&2; exit 1; }

# a source that is no package of Python's
mysql:
	@PATH="$$PATH:/usr/sbin" command -v mariadbd || { \
		echo "Installing MariaDB ..." && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends mariadb-server; \
	} >/dev/null || { echo "The tests need MariaDB: apt-get install mariadb-server" >&2; exit 1; }

explore: $(READY)  ## Settle against every reading of the API for ten minutes more.
	@DLT_BUNCE_TEST_EXPLORE_SECONDS=600 $(BIN)/python -m pytest -s tests/invariants/test_resolver.py tests/invariants/test_bad_days.py \
		tests/invariants/test_matrix.py

soak: $(READY)  ## Kill 200 loads at random moments, and reconcile after each history.
	@DLT_BUNCE_TEST_SOAK_KILLS=200 $(BIN)/python -m pytest -s tests/invariants/test_soak.py

guard: $(READY)  ## Fail when a row costs clearly more CPU time than it did.
	@$(BIN)/python -m tests.benchmarks.guard

bench: $(BENCH_READY)  ## Measure speed and memory side by side with other ways (hours).
	@$(BENCH)/bin/python -m tests.benchmarks

pace: $(READY)  ## Show that 1, 2, and 4 processes keep to 500 requests a minute (half an hour).
	@$(BIN)/python -m tests.benchmarks.pacing

check: $(READY)  ## Lint, format, types, and generated pages.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/python -m docs.generate --check

docs: $(READY)  ## Build the documents as a site, in build/docs.
	@$(BIN)/python -m sphinx -W -n --keep-going -q docs build/docs

requirements: $(READY)  ## Pin the newest versions that fit pyproject.toml.
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.10 --no-header \
		--no-annotate --all-extras --group dev --upgrade --output-file requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.10 --no-header \
		--no-annotate --all-extras --group dev --group bench --constraint requirements.txt \
		--upgrade --output-file tests/benchmarks/requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.13 --no-header \
		--no-annotate --extra postgres --extra s3 --group image --constraint requirements.txt \
		--generate-hashes --upgrade --output-file pipelines/deploy/requirements.txt

# users' versions first: what the tests need must not raise them; and pip, which uv's environments lack
$(LOWEST)/.ready: pyproject.toml $(READY)
	@echo "Installing into $(LOWEST) ..."
	@$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(LOWEST)
	@$(BIN)/uv pip compile pyproject.toml --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		--all-extras --group image --no-header --no-annotate --output-file $(LOWEST)/users.txt
	@$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		--constraint $(LOWEST)/users.txt --requirements pyproject.toml --all-extras --group test 'pip>=23.2' --editable .
	@touch $@

clean:  ## Remove what these commands have made.
	@rm -rf $(VENV) $(BENCH) demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

define install
	@$(PYTHON) -c 'import sys; sys.exit("dlt-bunce needs Python 3.10 or newer; set PYTHON=…" if sys.version_info < (3, 10) else 0)'
	@echo "Installing into $(1) ..."
	@$(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(2)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(1)/bin/python -m compileall -q connector  # Python may be told to keep no bytecode
	@touch $@
endef

$(READY): requirements.txt pyproject.toml
	$(call install,$(VENV),requirements.txt)

$(BENCH_READY): tests/benchmarks/requirements.txt pyproject.toml
	$(call install,$(BENCH),tests/benchmarks/requirements.txt)
