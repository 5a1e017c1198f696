# `make help` lists the targets. Python 3.11 or newer and make are all that `run`, `demo` and `test` need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
KAFKA := .homeward/kafka/.fetched
SOURCES := chassis contracts participation services gateway cli tests benchmarks .ci
ARGS ?=

.DEFAULT_GOAL := help
CHECKS := format lint types imports dependencies contracts advisories
.PHONY: help install run demo test test-kafka check $(CHECKS:%=check-%) fmt contracts kafka kafka-jars migration lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one with make PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python has no venv here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

install: $(INSTALLED) ## Make .venv and install the pinned dependencies

run: $(INSTALLED) ## Run the whole platform on this machine; Ctrl-C stops it
	@exec $(BIN)/homeward up

demo: $(INSTALLED) ## Lead referrals through the running platform and print a timeline
	@exec $(BIN)/homeward demo $(ARGS)

test: $(INSTALLED) ## Run the tests; ARGS='-n 2' for two at a time
	$(BIN)/python -m pytest $(ARGS)

test-kafka: $(INSTALLED) $(KAFKA) ## Run the tests of the event path on a real Apache Kafka
	HOMEWARD_TEST_KAFKA=apache $(BIN)/python -m pytest -m kafka $(ARGS)

check: $(CHECKS:%=check-%) ## Format, lint, types, import rules, dependencies, contracts, advisories

check-format: $(INSTALLED)
	$(BIN)/ruff format --check $(SOURCES)

check-lint: $(INSTALLED)
	$(BIN)/ruff check $(SOURCES)

check-types: $(INSTALLED)
	$(BIN)/mypy

check-imports: $(INSTALLED)
	$(BIN)/lint-imports

check-dependencies: $(INSTALLED)
	$(BIN)/deptry .

check-contracts: $(INSTALLED)
	$(BIN)/python -m cli.contracts --check

check-advisories: $(INSTALLED)
	$(BIN)/python .ci/advisories.py

fmt: $(INSTALLED) ## Format the code and put right what ruff can
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

contracts: $(INSTALLED) ## Generate OpenAPI, AsyncAPI and the JSON Schemas
	$(BIN)/python -m cli.contracts

$(KAFKA): deploy/kafka/pom.xml
	@command -v java mvn >/dev/null || { echo "Java 17 and Maven are needed for Apache Kafka."; exit 1; }
	rm -rf .homeward/kafka/libs
	mvn --quiet --batch-mode --file deploy/kafka/pom.xml dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory=$(CURDIR)/.homeward/kafka/libs
	@touch $@

kafka-jars: $(KAFKA) ## Fetch Apache Kafka from Maven Central

kafka: $(KAFKA) $(INSTALLED) ## Fetch Apache Kafka and run it; `make run` uses it if HOMEWARD_KAFKA_BOOTSTRAP says so
	@exec $(BIN)/homeward kafka

migration: $(INSTALLED) ## Draft a revision: make migration ROLE=cases M="what it does"
	$(BIN)/homeward migration $(ROLE) "$(M)"

LOCK := .homeward/lock/bin/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --no-annotate \
	--no-emit-package pip

lock: ## Pin what pyproject.toml asks for, for every system, with hashes; ARGS=--upgrade for the newest of everything
	rm -rf .homeward/lock
	$(PYTHON) -m venv .homeward/lock
	.homeward/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) $(ARGS) --extra dev --output-file requirements.lock pyproject.toml
	$(LOCK) --constraint requirements.lock --output-file deploy/requirements.lock pyproject.toml
	rm -rf .homeward/lock

clean: ## Remove .venv and caches; the data in .homeward stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build homeward.egg-info
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
