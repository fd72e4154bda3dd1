# Every target is one word; `make help` lists them. CI calls these targets only.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# Processes that tests start share compiled modules, also where the environment says otherwise: half of the time.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup tools fmt lint test test-fast fuzz bench verify docs demo kind-up deploy clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(VENV)/.installed-dev ## Make the virtual environment with everything that development needs

tools: setup ## Find or build the control plane and install the browser that the tests need
	@command -v etcd >/dev/null || { echo 'installing etcd'; $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq etcd-server >/dev/null; }
	@command -v chromium >/dev/null || { echo 'installing chromium'; $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
	@command -v promtool >/dev/null || { echo 'installing prometheus'; $(SUDO) apt-get update -qq && $(SUDO) env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends prometheus >/dev/null; }
	$(BIN)/riverwatch lab build

fmt: setup ## Format the code
	$(BIN)/ruff format operator tests
	$(BIN)/ruff check --fix --quiet operator tests

lint: setup ## Check style, layers and types
	$(BIN)/ruff format --check --quiet operator tests
	$(BIN)/ruff check --quiet operator tests
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

verify: setup ## Fail when a generated file differs from what it is generated from
	$(BIN)/python -m riverwatch.api.render --check
	$(BIN)/python -m riverwatch.control.manifests --check
	$(BIN)/python -m riverwatch.control.dashboard --check
	$(BIN)/python -m riverwatch.control.pages --check
	$(BIN)/python -m riverwatch.features.pages --check
	$(BIN)/python -m riverwatch.models.pages --check
	$(BIN)/riverwatch rules docs --check
	$(BIN)/python -m riverwatch.lab.attacks.reference --check

test-fast: setup ## Run every test that needs no control plane, no browser and no figures that take long
	$(BIN)/python tests/parts.py -m "not e2e and not slow"

test: lint verify tools test-fast ## Run all tests, the real control plane included
	$(BIN)/pytest -m "e2e or slow"

SECONDS_EACH ?= 60
fuzz: setup ## Damage inputs of every parser for SECONDS_EACH seconds (60), or of one: make fuzz PARSER=rule SECONDS_EACH=600
	nice -n 15 $(BIN)/python tests/fuzz/run.py --seconds $(SECONDS_EACH) $(if $(PARSER),--parser $(PARSER))

bench: setup ## Measure speed, memory and start as ratios in one run, and kill a hundred times (wants a quiet machine)
	$(BIN)/pytest tests/perf
	$(BIN)/riverwatch bench
	RIVERWATCH_TEST_KILLS=100 $(BIN)/pytest tests/e2e/test_killed.py

demo: $(VENV)/.installed ## Install, replay a recorded break-in, print and write what was found
	@$(BIN)/python -m riverwatch.demo

docs: setup ## Write every generated file: custom resources, RBAC, reference pages
	$(BIN)/python -m riverwatch.api.render
	$(BIN)/python -m riverwatch.control.manifests
	$(BIN)/python -m riverwatch.control.dashboard
	$(BIN)/python -m riverwatch.control.pages
	$(BIN)/riverwatch rules docs
	$(BIN)/python -m riverwatch.features.pages
	$(BIN)/python -m riverwatch.models.pages
	$(BIN)/riverwatch rules docs
	$(BIN)/python -m riverwatch.lab.attacks.reference

kind-up: ## Start a kind cluster whose audit records go to riverwatch (needs Docker and kind)
	test -d .riverwatch/audit || manifests/audit-credentials.sh .riverwatch/audit
	kind create cluster --name riverwatch --config kind-config.yaml
	docker build --file operator/Dockerfile --tag riverwatch:0.1.0 .
	kind load docker-image riverwatch:0.1.0 --name riverwatch

deploy: ## Install the custom resources and the operator into the current cluster
	kubectl apply --server-side -f crds/
	kubectl apply --server-side -f manifests/namespace.yaml
	kubectl --namespace riverwatch-system create secret generic riverwatch-audit --dry-run=client --output yaml \
		--from-file=.riverwatch/audit/tls.crt --from-file=.riverwatch/audit/tls.key --from-file=.riverwatch/audit/token \
		| kubectl apply --server-side -f -
	kubectl apply --server-side -k manifests/

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis demo-report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
