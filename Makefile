# Heed's commands. `make quickstart` on a fresh clone needs nothing before it.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/heed-ready$(if $(VLLM),-vllm)

# Where this is set, every start would compile the libraries anew, for some 10 s.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup check format test test-slow test-vllm model quickstart tiny lock clean
.DEFAULT_GOAL := help

help:  ## Show the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(READY)  ## Create .venv with everything Heed needs, and vLLM with VLLM=1

$(READY): pyproject.toml requirements.lock launch/install.py
	HEED_VENV=$(VENV) $(PYTHON) launch/install.py $(if $(VLLM),--vllm)

check: setup  ## Lint, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: setup  ## Let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: setup model  ## Run the tests (the slow ones too when CI is set)
	$(BIN)/python -m pytest

test-vllm: setup  ## Run the tests of the real vLLM, in an environment that has it (VLLM=1)
	$(BIN)/python -m pytest -m vllm

test-slow: setup model  ## Run the tests, the slow ones too
	$(BIN)/python -m pytest --slow

model: setup  ## Fetch and convert the built-in model, once
	$(BIN)/python -m rl.models.builtin

quickstart: setup model  ## Train, measure and export an adapter in minutes
	run=runs/quickstart-$$(date +%Y%m%d-%H%M%S) && \
		$(BIN)/heed train quickstart run.folder=$$run && $(BIN)/heed export $$run

tiny: setup  ## The same path with a random two-layer model, in a minute
	$(BIN)/heed train tiny

# Without torch and what only its CUDA build needs: launch/install.py chooses the build.
lock: setup  ## Resolve pyproject.toml again into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --upgrade --extra dev --extra gateway \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-emit-package torch \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.resolved
	grep -Ev '^(nvidia-|cuda-|triton==)' requirements.resolved > requirements.lock
	rm requirements.resolved

clean:  ## Remove the environment and every cache inside the checkout
	rm -rf .venv .venv-vllm build *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
