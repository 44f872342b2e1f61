# CrewPay. `make demo` and `make test` work on a fresh Debian 12, as root or with sudo; both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo graph test test-long prepare lint format pgtap pytest bench docs stop clean
MAKEFLAGS += --no-print-directory
BIN := .venv/bin

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Packages, Python environment, private cluster, deploy
	@.dev/setup

prepare:
	@.dev/setup --no-deploy

demo: setup ## Set up, then run the demonstration
	@$(BIN)/crewpay demo

graph: setup ## Neo4j with the rule graph in it, and the questions it answers
	@.dev/graph

test: prepare ## All checks: lint, pgTAP, pytest
	@$(MAKE) lint
	@$(MAKE) pgtap
	@$(MAKE) pytest

test-long: prepare ## The same with the slow tests and 500 examples a property
	@$(MAKE) lint
	@$(MAKE) pgtap
	@CREWPAY_TEST_LONG=1 $(MAKE) pytest

lint: ## ruff, mypy, plpgsql_check, pgspot, secrets
	@.dev/lint

format: ## Format the Python code
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

pgtap: ## Database tests
	@.dev/pgtap

pytest: ## Python and integration tests
	@$(BIN)/pytest

bench: setup ## Measure beside what was promised; ARGS="--size 10000" for more
	@$(BIN)/python -m tests.bench $(ARGS)

docs: setup ## Generate the SQL reference, and what the guides show
	@$(BIN)/crewpay docs sql --write
	@CREWPAY_WRITE_GUIDES=1 $(BIN)/pytest tests/integration/test_guides.py tests/integration/test_tutorial.py \
	  tests/integration/test_back_pay_guide.py tests/integration/test_avelo_guide.py

stop: ## Stop the private cluster, Neo4j and its daemon
	@.dev/sync stop
	@.dev/neo4j stop
	@.dev/neo4j stop bench
	@.dev/neo4j stop test
	@.dev/cluster stop

clean: ## Remove the private cluster, Neo4j and the Python environment
	@.dev/sync clean
	@.dev/neo4j clean
	@.dev/cluster clean
	@.dev/venv clean
