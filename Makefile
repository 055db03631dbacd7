# What people run. Everything is installed by `make .venv/installed`, from the lock file with hashes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
SPANS_PER_DAY ?= 50000
DAYS ?= 3
SCHEDULES ?= 200
WORLDS ?= 20
MONTH ?= 30

IMAGE ?= attribution-pipeline:0.1.0
BASE ?=

.PHONY: s3 s3-server s3-month postgres image licenses audit sbom install demo ui test check bench truth lock clean browser schedules reliability java conformance docs fuzz judges readme

# the lock file is the whole closure, so nothing is resolved: --no-deps
$(VENV)/installed: requirements.lock pyproject.toml $(wildcard attribution_pipeline/sources/otlp/native/*)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing (about a minute when nothing is cached)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(VENV)/installed  ## the environment, from the lock file

demo: $(VENV)/installed  ## a made-up company, three days, tied out
	@PATH="$(CURDIR)/$(BIN):$$PATH" ./scripts/demo.sh "$(DEMO)" "$(DAYS)" "$(SPANS_PER_DAY)"

ui: $(VENV)/installed  ## the dashboard and Dagster on the demo (or on $$ATTRIBUTION_CONFIG)
	@PATH="$(CURDIR)/$(BIN):$$PATH" exec ./scripts/ui.sh "$(DEMO)"

check: $(VENV)/installed  ## style, types, layer boundaries
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check browser java postgres s3-server build/validators/installed  ## everything; fast tests first
	$(BIN)/python -m pytest -n 3 -m "not heavy and not browser"
	$(BIN)/python -m pytest -n 4 --dist loadfile -m "heavy or browser"

java:
	@command -v java >/dev/null || { apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless >/dev/null; }

conformance: $(VENV)/installed java  ## Spark beside DuckDB, digest by digest: on a cluster and by Spark Connect, random worlds, the demo month
	CONFORMANCE=1 $(BIN)/python -m pytest attribution_pipeline_tests/engines/test_conformance.py
	$(BIN)/python -m attribution_pipeline_tests.engines.run --worlds $(WORLDS) --days $(MONTH)

# a server for tests on loopback; the cluster that Debian's package starts by itself is not used
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; }

# a real S3 for tests on loopback: Ceph's gateway, in memory, gone with who started it
s3-server:
	@./scripts/s3.sh install

s3: $(VENV)/installed s3-server  ## everything that CI has a slice of, on S3: store, landing, recording, a fault at every fifth request, a kill at every point; an hour
	S3=all $(BIN)/python -m pytest -n 2 --dist loadfile --timeout 3600 attribution_pipeline_tests/lake attribution_pipeline_tests/buckets

s3-month: $(VENV)/installed s3-server  ## a month on S3: two backfills at once and a killed writer, the books of local files. MONTH=10: fewer days
	$(BIN)/python -m attribution_pipeline_tests.buckets.month --days $(MONTH)

browser:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }

# unalloc in an environment of its own: a peer is no part of the product
build/peers/installed: bench/peers/requirements.txt
	@mkdir -p build && $(PYTHON) -m venv build/peers
	@build/peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

# the outside judges of a FOCUS export; no part of the product either
build/validators/installed: scripts/validators.sh $(wildcard attribution_pipeline_tests/export/validators/*.txt)
	@echo "installing focus-validator and focus-data-toolkit"
	@PYTHON=$(PYTHON) ./scripts/validators.sh
	@touch $@

truth: $(VENV)/installed build/peers/installed  ## the ledger and two peers where the truth is known: each fault, all, every pair; fills in docs/truth.md. QUICK=1: small, few pairs
	$(BIN)/attribution truth --out build/truth.json $(if $(QUICK),--days 2 --spans-per-day 3000 --pairs 5,--pairs all --page docs/truth.md) \
	  --peer "by hand=$(BIN)/python bench/peers/by_hand.py" \
	  --peer "unalloc=$(BIN)/python bench/peers/unalloc_run.py build/peers/bin/python"

bench: $(VENV)/installed  ## ratios to floors, to DuckDB and pandas by hand, to whole days; hours. QUICK=1: that it works. WORKS="day": some
	$(BIN)/python bench/run.py --out build/bench.json $(if $(QUICK),--quick --out build/quick.json,--data build/bench-data) $(WORKS)
	$(if $(QUICK),,$(BIN)/python bench/plot.py build/bench.json docs/growth.svg)
	$(if $(QUICK),,$(BIN)/python bench/page.py build/bench.json docs/performance.md)

schedules: $(VENV)/installed  ## random orders of a late month against the on-time books; writes docs/reliability.md
	$(BIN)/python -m attribution_pipeline_tests.schedules.run --schedules $(SCHEDULES) --docs

reliability: $(VENV)/installed  ## kills, faults, full disks, flipped bits, crowds, all of them; writes docs/reliability.md. QUICK=1: CI's slice
	$(BIN)/python -m attribution_pipeline_tests.reliability.run $(if $(QUICK),--short,--docs)

judges: $(VENV)/installed build/validators/installed  ## a month's FOCUS export before two outside validators
	$(BIN)/python -m attribution_pipeline_tests.export.run --days $(MONTH)

# coverage-guided; no part of the lock, which is for every platform
build/atheris/installed: attribution_pipeline_tests/hostile/atheris.txt $(VENV)/installed
	@mkdir -p build && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target build/atheris -r $<
	@touch $@

fuzz: $(VENV)/installed $(if $(filter atheris,$(ENGINE)),build/atheris/installed)  ## 100,000 damaged objects for every parser of outside bytes; an hour. INPUTS=1000: fewer. ENGINE=atheris: guided by coverage
	PYTHONPATH=build/atheris $(BIN)/python -m attribution_pipeline_tests.hostile.fuzz --inputs $(or $(INPUTS),100000) --engine $(or $(ENGINE),mutations) $(addprefix --target ,$(TARGETS))

readme: $(VENV)/installed  ## the figures on README's first screen, from the demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/readme_figures.py

docs: $(VENV)/installed  ## the documentation site, plain files in build/site
	$(BIN)/python scripts/write_reference.py
	$(BIN)/zensical build --clean --strict

# BASE names the base image by digest; there is no default, because a digest that nobody looked up is no pin
image: requirements-image.lock  ## the container image: make image BASE=docker.io/library/python:3.11-slim-bookworm@sha256:...
	@case "$(BASE)" in *@sha256:*) ;; *) echo "BASE must name the base image by digest; look one up with: docker buildx imagetools inspect docker.io/library/python:3.11-slim-bookworm" >&2; exit 2;; esac
	docker build --pull --build-arg BASE=$(BASE) --tag $(IMAGE) .

# reports on what the image installs, by tools that stand beside the product; they ask the internet
build/supply/installed: scripts/supply.txt
	@mkdir -p build && $(PYTHON) -m venv build/supply
	@build/supply/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

licenses: build/supply/installed $(VENV)/installed  ## every package's license, as it says itself
	build/supply/bin/pip-licenses --python=$(BIN)/python --format=markdown --order=license --with-urls --output-file=build/licenses.md

audit: build/supply/installed  ## known vulnerabilities of what is locked; asks PyPI's advisories
	build/supply/bin/pip-audit --strict --require-hashes --disable-pip -r requirements-image.lock
	build/supply/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

sbom: build/supply/installed  ## what the image installs, as CycloneDX
	build/supply/bin/cyclonedx-py requirements requirements-image.lock --pyproject pyproject.toml --output-reproducible --output-format JSON --output-file build/sbom.json

lock: ## pin again what pyproject.toml asks for
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --extra pipeline --extra envelope --extra dev --no-header --quiet pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --extra pipeline --extra envelope --extra production --extra spark --constraint requirements.lock --no-header --quiet pyproject.toml -o requirements-image.lock

clean:
	rm -rf build $(DEMO)
