# Two commands for a new machine: `make demo` and `make test`. Needs python3 (3.11 or later), pip, git.
# Another Python gets a virtual environment of its own: make test PYTHON=python3.13
PYTHON ?= python3
VENV ?= .venv$(addprefix -,$(filter-out python python3,$(notdir $(PYTHON))))
PORT ?= 8000
BIN := $(VENV)/bin

.PHONY: demo test test-lowest test-machine conformance bench docs clean help
.DEFAULT_GOAL := demo
.NOTPARALLEL:

demo: $(VENV)/.demo  ## serve the FastAPI example from two workers, on port 8000 (PORT=N for another)
	$(BIN)/srvctl run examples.fastapi_hello:app --workers 2 --port $(PORT)

test: $(VENV)/.test  ## everything a change must pass: lint, types, import contracts, all tests
	@./scripts/system-packages
	@PATH="$(abspath $(BIN)):$$PATH" ./scripts/check

test-lowest: $(VENV)-lowest/.lowest  ## the tests, with the lowest versions of what srvctl depends on
	@PATH="$(abspath $(VENV)-lowest/bin):$$PATH" pytest

conformance: $(VENV)/.test  ## HTTP and WebSocket to the letter, with all of the Autobahn test suite; takes a while
	@PYTHON="$(abspath $(BIN))/python" ./scripts/autobahn-environment
	@PATH="$(abspath $(BIN)):$$PATH" SRVCTL_TEST_AUTOBAHN=all pytest tests/conformance tests/system/test_autobahn.py

test-machine: $(VENV)/.test  ## a memory limit in a machine of its own, emulated; takes minutes, as root on Debian
	@./scripts/system-packages
	@PATH="$(abspath $(BIN)):$$PATH" SRVCTL_TEST_MACHINE=1 pytest tests/system/test_memory_limit.py

bench: $(VENV)/.bench  ## compare with uvicorn, granian, gunicorn and hypercorn; needs wrk
	$(BIN)/python -m benchmarks http

docs: $(VENV)/.docs  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## remove the virtual environment and every cache
	rm -rf $(VENV) $(VENV)-lowest site .autobahn .machine .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

# One stamp for each group of dependencies in pyproject.toml.
$(VENV)/.demo $(VENV)/.test $(VENV)/.bench $(VENV)/.docs $(VENV)-lowest/.lowest: pyproject.toml scripts/install
	@./scripts/install $(PYTHON) $(@D) $(subst .,,$(@F))
	@touch $@
