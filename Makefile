# Every target installs what it needs; only Python 3.11 or newer has to be there.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/ready
# Each of the processes that demo and tests start would compile all modules again: three times the work of its start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test check browser bench faults soak pictures vendor fuzz clean
help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## install everything into .venv

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## run the whole job on a real Kafka and PostgreSQL; KEEP=1 leaves it running, ARGS="--events 1000" changes it
	$(RUN) -m console demo $(if $(filter-out 0,$(KEEP)),--keep) $(ARGS)

test: $(READY) ## run all tests
	$(RUN) -m pytest -n 2 --dist worksteal --durations=10 --ignore=tests/browser

check: $(READY) ## lint, types and import direction
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

bench: $(READY) ## measure against plain loops on the same machine; prints ratios
	$(RUN) -m tests.bench.run

faults: $(READY) ## break workers and brokers on purpose, for about half an hour
	FAULTS=full $(RUN) -m pytest -n 2 tests/faults tests/e2e/test_faults.py tests/e2e/test_codes.py \
		tests/e2e/test_recorder.py

soak: $(READY) ## an hour of load on everything: nothing lost, memory flat; SOAK_MINUTES=5 for less
	SOAK_MINUTES=$${SOAK_MINUTES:-60} $(RUN) -m pytest -s tests/faults/test_soak.py

pictures: $(VENV)/browser ## take the pictures of the README and of the reference (needs Chromium)
	$(RUN) -m tests.pictures.run $(ARGS)
	BROWSER_PICTURES=deploy/reference/pages $(RUN) -m pytest -rs -n 0 tests/browser/test_demo.py

vendor: $(READY) ## fetch the scripts of others that pages load again, byte for byte (needs npm)
	$(RUN) -m tests.vendored.run

$(VENV)/browser: $(READY) tests/browser/requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/browser/requirements.lock
	@touch $(VENV)/browser

browser: $(VENV)/browser ## look at every page in Chromium, with axe; BROWSER_PICTURES=FOLDER keeps a picture of each
	$(RUN) -m pytest -rs -n 2 --dist worksteal tests/browser

fuzz: $(READY) ## fuzz the codec, fetched batches and the condition parser, a minute each (Linux); FUZZ_SECONDS=600 for more
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/fuzz/requirements.lock
	$(RUN) -m tests.fuzz.run codec $${FUZZ_SECONDS:-60}
	$(RUN) -m tests.fuzz.run fetched $${FUZZ_SECONDS:-60}
	$(RUN) -m tests.fuzz.run conditions $${FUZZ_SECONDS:-60}

clean: ## remove what was installed and made here
	rm -rf $(VENV) var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
