# TukuPay SMS. `make` lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up sbom audit-dependencies test faults lifecycle-test failover-test restore-test upgrade-test image image-test release lint format protos protos-baseline settings-table access-table dashboards chart chart-tools bench locks hooks clean

PYTHON ?= python3
# Half of the tests' time is waiting for processes, so four are not too many for two cores.
TEST_PROCESSES ?= 4
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(RUNTIME) ## run the whole system on this machine, until Ctrl-C
	@exec $(BIN)/tukupay-sms up

# Each process of the tests would compile all of them anew, which takes it 10 s, if it could not write what it compiled.
test: $(DEV) ## run all tests
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

faults: $(DEV) ## run the long campaigns of faults and money (hours), and write faults-report.md
	$(BIN)/python -m tests.faults.campaigns $(FAULTS)

# The release before the one that is made here: a tag or a commit.
PREVIOUS ?= 9296b866
PREVIOUS_FOLDER := .previous/$(PREVIOUS)

$(PREVIOUS_FOLDER)/.venv/.runtime-installed:
	git worktree add --force --detach $(PREVIOUS_FOLDER) $(PREVIOUS)
	$(MAKE) -C $(PREVIOUS_FOLDER) .venv/.runtime-installed

lifecycle-test: $(DEV) $(PREVIOUS_FOLDER)/.venv/.runtime-installed ## replace, kill, scale and mix versions of processes under load (half an hour)
	TUKUPAY_LONG=1 TUKUPAY_PREVIOUS_RELEASE=$(abspath $(PREVIOUS_FOLDER)) $(BIN)/pytest -q -s tests/lifecycle $(LIFECYCLE)

failover-test: $(DEV) ## change the primary under load, by Patroni with etcd (minutes; skipped where these are not installed)
	$(BIN)/pytest -q -s -rs --timeout 3600 tests/operations/test_failover.py

restore-test: $(DEV) ## lose both databases under load, and restore them to one moment (a minute)
	$(BIN)/pytest -q -s --timeout 600 tests/operations/test_restore.py

upgrade-test: $(DEV) $(PREVIOUS_FOLDER)/.venv/.runtime-installed ## migrate a million messages while the release before serves (half an hour)
	TUKUPAY_PREVIOUS_RELEASE=$(abspath $(PREVIOUS_FOLDER)) $(BIN)/pytest -q -s --timeout 3600 tests/operations/test_upgrade.py

lint: $(DEV) ## check style, types, import rules, protos and stubs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against protos/baseline.binpb
	$(BIN)/python protos/generate.py --check
	$(BIN)/python docs/settings_table.py --check
	$(BIN)/python docs/access_table.py --check
	$(BIN)/python -m deploy.dashboards.generate --check
	$(BIN)/python -m deploy.tools.make_chart --check

format: $(DEV) ## put the code into its canonical form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format --write

protos: $(DEV) ## regenerate the stubs from the protos
	$(BIN)/python protos/generate.py

settings-table: $(DEV) ## write the tables of settings in docs/operations.md, and the values of the chart
	$(BIN)/python docs/settings_table.py
	$(BIN)/python -m deploy.tools.make_chart

access-table: $(DEV) ## write the tables of scopes and methods in docs/guides/access.md
	$(BIN)/python docs/access_table.py

dashboards: chart-tools ## write the dashboards for Grafana, and their copies in the chart and the kustomize base
	$(BIN)/python -m deploy.dashboards.generate
	$(BIN)/python -m deploy.tools.make_chart
	$(BIN)/python -m deploy.tools.make_kustomize

chart: chart-tools ## write what the chart and the kustomize base are made of
	$(BIN)/python -m deploy.tools.make_chart
	$(BIN)/python -m deploy.tools.make_kustomize

chart-tools: $(DEV) ## fetch helm, kubectl and the schemas of Kubernetes, which the tests of the chart need
	$(BIN)/python -m deploy.tools.chart_tools

protos-baseline: $(DEV) ## declare the protos released: later changes must not break them
	$(BIN)/buf build --as-file-descriptor-set --exclude-source-info -o protos/baseline.binpb

bench: $(DEV) ## measure sending over HTTP on a system of its own (some minutes)
	$(BIN)/python benchmarks/send.py

SBOM ?= sbom.json
SERVICE_SBOM ?= sbom-service.json
CYCLONEDX = $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --short-PURLs \
	--output-reproducible --spec-version 1.6 --output-format JSON --validate

sbom: $(DEV) ## write every dependency with its hashes (CycloneDX): sbom.json of all, sbom-service.json of the services
	$(CYCLONEDX) --output-file $(SBOM) requirements/runtime.txt 2> /dev/null
	$(CYCLONEDX) --output-file $(SERVICE_SBOM) requirements/service.txt 2> /dev/null

image: $(DEV) ## build the image with docker, podman or buildah (UNPINNED=1: on a base without a digest)
	$(BIN)/python deploy/image/build_image.py $(if $(UNPINNED),--unpinned) $(if $(IMAGE),--tag $(IMAGE))

image-test: $(DEV) ## build the image without a registry, and run the whole system in containers (as root; minutes)
	TUKUPAY_TEST_IMAGE=1 $(BIN)/pytest -s -p no:cacheprovider --timeout 1800 tests/image

DIST := dist
RELEASE = $(DIST)/tukupay-sms-$$($(BIN)/python -m hatchling version)

release: $(DEV) ## build the wheel, the sources, SBOMs, locks and checksums in dist/, and install them elsewhere
	rm -rf $(DIST)
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build --directory $(DIST)
	$(MAKE) --no-print-directory sbom SBOM=$(RELEASE)-server.cdx.json SERVICE_SBOM=$(RELEASE)-service.cdx.json
	cp requirements/runtime.txt $(RELEASE)-server-lock.txt
	cp requirements/service.txt $(RELEASE)-service-lock.txt
	cd $(DIST) && sha256sum * > SHA256SUMS
	TUKUPAY_TEST_RELEASE=$(DIST) $(BIN)/pytest -p no:cacheprovider --timeout 600 tests/release

audit-dependencies: $(DEV) ## ask whether dependencies are known to be vulnerable, where that can be asked
	$(BIN)/python requirements/audit_dependencies.py

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make locks"

locks: $(DEV) ## resolve the pinned dependencies anew
	$(UV_COMPILE) --extra server --output-file requirements/runtime.txt pyproject.toml
	$(UV_COMPILE) --extra service --constraints requirements/runtime.txt --output-file requirements/service.txt pyproject.toml
	$(UV_COMPILE) --extra dev --constraints requirements/runtime.txt --output-file requirements/dev.txt pyproject.toml
	$(UV_COMPILE) --constraints requirements/dev.txt --output-file requirements/build.txt requirements/build.in

hooks: $(DEV) ## run the quick checks before each commit
	$(BIN)/pre-commit install

clean: ## remove the environment, caches and the data of `make up`
	rm -rf $(VENV) .tukupay .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("TukuPay SMS needs Python 3.11 or newer; set PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# The development environment holds all of the runtime, at the same versions.
$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@test -e $(DEV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@test -e $(DEV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(RUNTIME)
