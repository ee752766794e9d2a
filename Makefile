.DEFAULT_GOAL := help
SHELL := /bin/sh
# The folder listing is the registry: a new target needs no edit here.
TARGETS := $(patsubst scripts/moorings/targets/%.py,%,$(filter-out %/__init__.py,$(wildcard scripts/moorings/targets/*.py)))

# Short names of settings. An empty one counts as not said.
export MOOR_APP_APP ?= $(APP)
export MOOR_APP_DIR ?= $(APP_DIR)
export MOOR_APP_READY ?= $(READY)
export MOOR_APP_MIGRATE ?= $(MIGRATE)
export MOOR_APP_ENV_FILE ?= $(ENV_FILE)
export MOOR_DEPLOYMENT_ENVIRONMENT ?= $(ENVIRONMENT)
export MOOR_SERVER_PORT ?= $(PORT)
export MOOR_SERVER_SOCKET ?= $(SOCKET)
export MOOR_SERVER_WORKERS ?= $(WORKERS)
export MOOR_SERVER_THREADS ?= $(THREADS)
export MOOR_SERVER_DEADLINE ?= $(DEADLINE)
export MOOR_GATEWAY_KIND ?= $(GATEWAY)
export MOOR_GUNICORN_WORKER ?= $(WORKER)
export MOOR_DOCKER_SERVER ?= $(SERVER)
export MOOR_K8S_SERVER ?= $(SERVER)
export MOOR_DOCKER_LAYERS ?= $(LAYERS)
export MOOR_JAEGER_EXPORTER ?= $(TRACES_EXPORTER)
export MOOR_JAEGER_URL ?= $(JAEGER_URL)
export MOOR_JAEGER_BINARY ?= $(JAEGER_BIN)

PYTEST = .venv/bin/python -m pytest
# What `make test` runs two at a time, as most of a test is waiting. At first all but the unit tests
# wait for Jaeger to be built; Kubernetes is built by what the controls leave of the processors.
# What needs a cluster is one part, for which it starts once.
FIRST = tests/targets/test_gunicorn.py tests/unit tests/controls/test_controls.py
CLUSTER = tests/targets/test_k8s.py tests/controls/test_on_a_cluster.py $(addprefix tests/journeys/test_,by_hand.py deployer.py manifests.py)
REST = $(filter-out $(FIRST) $(CLUSTER),$(wildcard tests/targets/test_*.py tests/journeys/test_*.py))
PARTS = $(FIRST) on-a-cluster $(REST)

##@ Try it
deploy-local:  ## Deploy the app and Jaeger here, walk a tour, show its trace (TARGET=gunicorn)
	@./moor deploy $(TARGET) --local
down:  ## Drain and remove all that deploy-local made; data is kept
	@./moor down $(TARGET)
status:  ## Show what runs, where, as which user
	@./moor status $(TARGET) || [ $$? -eq 3 ]  # 3 is an answer: nothing runs
logs:  ## Print the newest log lines of the app
	@./moor logs $(TARGET)
traces:  ## List the newest traces
	@./moor traces $(TARGET)

secrets:  ## Make the secrets of deploy/docker and deploy/k8s, at first use
	@deploy/docker/secrets.sh
	@deploy/docker/secrets.sh deploy/k8s/overlays/dev/secrets

##@ Operate
$(TARGETS:%=deploy-%): deploy-%:  ## Deploy the app on target %
	@./moor deploy $*
$(TARGETS:%=check-%): check-%:  ## Prove target % by the contract
	@./moor check $*
releases:  ## List the releases: what serves, what is kept, what failed
	@./moor releases $(TARGET)
rollback:  ## Go back to the release before, or to VERSION
	@./moor rollback $(TARGET) $(VERSION)
reload:  ## Take changed settings into the running app, checked first
	@./moor reload $(TARGET)
config:  ## Show every setting and its value
	@./moor config $(TARGET)

##@ Develop
test: environment  ## Lint, unit tests and the contract, two parts at a time, with its own set-up
	@$(MAKE) --no-print-directory lint
	@PYTHONPATH=scripts .venv/bin/python -m moorings.needed
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(PARTS)
$(PARTS):
	@$(PYTEST) --durations=12 --durations-min=20 $(OPTIONS) $(or $(FILES),$@)
tests/unit: OPTIONS = --cov --cov-report=term
on-a-cluster: FILES = $(CLUSTER)
lint: environment  ## Check style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
unit: environment  ## Run the unit tests: no network, seconds
	@$(PYTEST) tests/unit
contract: environment  ## Run the contract on every target that this machine can run
	@$(PYTEST) tests/targets
controls: environment  ## Show that each check turns red, by those too that cost minutes
	@CONTROLS=all $(PYTEST) tests/controls
prove:  ## Prove every column at full size and keep the reports in docs/grid (COLUMN=gunicorn-sync)
	@./moor prove $(COLUMN)
bench:  ## Measure what traces, metrics and log lines cost, against bare Flask and contrib
	@bench/run
bench-deploy:  ## Measure how long a deploy of changed code takes under load, part by part
	@./moor bench $(TARGET)
grid: environment  ## Make the pages of the grid from the reports in docs/grid
	@./moor grid
environment:  ## Make the environment of the tools in .venv
	@MOORINGS_DEV=1 ./moor --only-environment
docs: environment  ## Write the pages of docs/ that are made from the code
	@PYTHONPATH=scripts .venv/bin/python -m moorings.pages
picture: environment  ## Make the picture of the README from a real run
	@.venv/bin/python scripts/picture.py
lock:  ## Write the lock files anew (needs uv)
	@scripts/lock.sh

help:  ## Show this help
	@awk '/^##@/ {print "\n" substr($$0, 5)} \
	  /^[^#\t ].*:.*## / {d = $$0; sub(/^.*## /, "", d); n = $$0; sub(/ *## .*/, "", n); \
	    sub(/:[^:]*$$/, "", n); sub(/^.*: */, "", n); gsub(/%/, "TARGET", n); gsub(/%/, "TARGET", d); \
	    printf "  %-14s %s\n", n, d}' $(firstword $(MAKEFILE_LIST))
	@printf '\nTARGET: $(TARGETS)\n'

.PHONY: deploy-local down status logs traces $(TARGETS:%=deploy-%) $(TARGETS:%=check-%) \
  secrets releases rollback reload config test lint unit contract controls prove grid bench bench-deploy environment docs picture lock help \
  $(PARTS)
