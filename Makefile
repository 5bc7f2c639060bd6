# Everything a person does with this checkout. `make help` lists it.
# Uses uv where there is one, plain venv and pip where there is not.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help install demo test check bench format clean

help:
	@echo "make demo     start the tuition fleet, send it real work, stay up until Ctrl-C"
	@echo "make test     set up what the suite needs and run all of it"
	@echo "make check    ruff, mypy --strict, import-linter: exactly what CI runs"
	@echo "make bench    measure everything in docs/performance.md again"
	@echo "make install  the virtual environment alone, with every extra"
	@echo "make format   let ruff format the code"
	@echo "make clean    remove what the above made"

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "Skerry needs Python 3.11 or newer; none was found on PATH." >&2; exit 1; }
ifdef UV
	@$(UV) venv --quiet --python $(PYTHON) $(VENV)
else
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (on Debian: apt-get install python3-venv)." >&2; exit 1; }
endif

define install_extra
	@echo "Installing skerry[$(1)] into $(VENV) …"
	@$(if $(UV),$(UV) pip install --quiet --python $(BIN)/python -e '.[$(1)]',$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(1)]')
	@touch $@
endef

# The demo needs less than the suite does, and starts sooner for it.
$(VENV)/.tuition: $(VENV)/pyvenv.cfg pyproject.toml
	$(call install_extra,tuition)

$(VENV)/.dev: $(VENV)/pyvenv.cfg pyproject.toml
	$(call install_extra,dev)
	@touch $(VENV)/.tuition

install: $(VENV)/.dev

demo: $(VENV)/.tuition
	@$(BIN)/python examples/tuition/demo.py

test: $(VENV)/.dev
	@$(BIN)/python -m pytest

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.dev
	@$(BIN)/python -m bench all

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
