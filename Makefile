# Two commands for a new machine: `make demo` and `make test`. Needs python3 (3.11 or later), pip, git.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check bench clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.demo  ## install into $(VENV) and serve the bundled FastAPI example from two workers
	$(BIN)/srvctl run examples.fastapi_hello:app --workers 2 --port 8000

test: $(VENV)/.test  ## everything: lint, types, import contracts, unit, property, process, system, docs
	PATH="$(abspath $(BIN)):$$PATH" ./scripts/check

bench: $(VENV)/.bench  ## compare with the installed peers; needs wrk
	$(BIN)/python -m benchmarks http

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Debian's python3 has venv but not always ensurepip (python3-venv); its pip can install into the venv.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  rm -rf $(VENV) && $(PYTHON) -m venv --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; }
	$(INSTALL) --upgrade 'pip>=25.1'

$(VENV)/.%: pyproject.toml | $(BIN)/python
	$(INSTALL) --editable . --group $*
	touch $@
