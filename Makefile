# What a person types here. `make help` lists it; the rest is in scripts/.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Set-up is done again only when what it installs from has changed.
WANTED := $(shell cat pyproject.toml constraints.txt tests/tutorials.txt | cksum | cut -d ' ' -f 1)
READY := $(VENV)/.ready-$(WANTED)
STORE := build/demo

# Without compiled bytecode every start of Python compiles what it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test fast format docs bench clean
.DEFAULT_GOAL := help

help: ## list what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 14

$(READY):
	@sh scripts/setup.sh "$(PYTHON)" "$(VENV)" "$@"

setup: $(READY) ## make .venv and install everything a developer needs
	@echo "ready: $(BIN)/python"

demo: $(READY) ## run examples/flights.py on 336,776 flights and make its report
	@$(BIN)/python scripts/demo.py "$(STORE)"

test: $(READY) ## format, lint, types, floors and all tests, as continuous integration does
	@$(BIN)/python scripts/check.py

fast: $(READY) ## the same without end-to-end tests
	@$(BIN)/python scripts/check.py format lint types floors unit

format: $(READY) ## put the code into its format and mend what lint can mend
	@$(BIN)/ruff format -q src tests scripts examples bench
	@$(BIN)/ruff check -q --fix src tests scripts examples bench

docs: $(READY) ## write docs/reference from the commands and settings
	@$(BIN)/python scripts/reference.py

bench: $(READY) ## compare with other systems; writes bench/RESULTS.md (BENCH="hello foreach" picks some)
	@$(BIN)/python bench/run.py $(BENCH)

clean: ## remove environments, caches and what was built
	@rm -rf $(VENV) build dist bench/.peers .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
