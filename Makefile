# Needs only make and Python 3.11, 3.12 or 3.13: neither pip nor venv's ensurepip.
#   make setup PYTHON=python3.12    take another Python than python3
#   make test ARGS="-k mask"        pass options on (run, test, test-all, bench, mutants)

PYTHON   ?= python3
VENV     := .venv
BIN      := $(VENV)/bin
PACKAGES := $(VENV)/.packages-done
STAMP    := $(VENV)/.setup-done

PIP_WHEEL  := assets/bootstrap/pip-26.3-py3-none-any.whl
PIP_SHA256 := f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13
PIP        := PYTHONUNBUFFERED=1 $(BIN)/python $(PIP_WHEEL)/pip --disable-pip-version-check

# All pages anew, since some are made from the code; every warning is an error.
SPHINX := $(BIN)/python -m sphinx -E -W --keep-going -d docs/_build/doctrees
DOCS   := docs docs/_build/html

# Of tests: one a core, four at most, for each starts TensorFlow. A file's tests stay together, as they share what they train.
WORKERS := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

UV    := uv==0.13.9
TORCH := torch==2.13.0

COSMIC_RAY := cosmic-ray==8.7.0 coverage==7.17.5

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run gui screenshots test test-all lint docs bench mutants hooks lock clean FORCE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Make .venv with everything in requirements.lock
	@echo "Ready: $(BIN)/tfticket --help"

run: $(STAMP) ## Run the quickstart experiment
	$(BIN)/tfticket run quickstart $(ARGS)

gui: $(STAMP) ## Open the window on ./workspace
	$(BIN)/tfticket gui $(ARGS)

screenshots: $(STAMP) ## Take pictures of the window's tabs (after make run)
	$(BIN)/python -m experiments.screenshots $(ARGS)

test: $(STAMP) ## Run the tests, without the slow ones
	$(BIN)/python -m pytest $(WORKERS) -m "not slow" $(ARGS)

test-all: $(STAMP) ## Run all the tests
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

lint: $(STAMP) ## Check style, types, the layering of imports and the documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy tfticket experiments
	$(BIN)/lint-imports
	$(SPHINX) -q $(DOCS)

docs: $(STAMP) ## Build the documentation in docs/_build/html
	$(SPHINX) $(DOCS)

bench: $(STAMP) ## Run the benchmarks (the first time, install PyTorch for them)
	@$(BIN)/python -c 'from importlib.metadata import version; import torch_blue; \
	    assert "torch==" + version("torch").split("+")[0] == "$(TORCH)"' 2>/dev/null \
	    || { echo "Installing $(TORCH) and torch-blue"; $(PIP) install $(TORCH) torch-blue; }
	$(BIN)/python -m experiments.benchmarks $(ARGS)

mutants: $(STAMP) ## Mutate the core and count what the tests catch (slow; the first time, install Cosmic Ray)
	@$(BIN)/python -c 'import cosmic_ray, coverage' 2>/dev/null \
	    || { echo "Installing $(COSMIC_RAY)"; $(PIP) install $(COSMIC_RAY); }
	$(BIN)/python -m tests.mutants $(ARGS)

hooks: $(STAMP) ## Install the git pre-commit hooks
	$(BIN)/pre-commit install

lock: ## Renew requirements.lock from pyproject.toml
	@test -x $(BIN)/python || { $(check-bootstrap) $(PYTHON) -m venv --without-pip $(VENV); }
	@$(PIP) install --quiet $(UV)
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes -p 3.11 \
	    --no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements.lock

clean: ## Remove .venv, caches and build output (workspace/ stays)
	rm -rf $(VENV) build dist docs/_build *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find tfticket experiments tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Refuses a Python that won't do and a pip wheel that isn't the one meant.
define check-bootstrap
v=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
case "$$v" in \
    3.11|3.12|3.13) ;; \
    *) echo "tfticket needs Python 3.11, 3.12 or 3.13, but '$(PYTHON)' is $${v:-missing}." \
            "Install one of these and name it: make setup PYTHON=python3.12" >&2; exit 1 ;; \
esac; \
$(PYTHON) -c 'import hashlib; \
    assert hashlib.sha256(open("$(PIP_WHEEL)", "rb").read()).hexdigest() == "$(PIP_SHA256)"' 2>/dev/null \
    || { echo "$(PIP_WHEEL) is missing or damaged: restore it with git checkout." >&2; exit 1; };
endef

# A PYTHON given on the command line replaces a .venv made with another version.
ifeq ($(origin PYTHON),command line)
ifneq ($(shell $(PYTHON) -V 2>/dev/null),$(shell $(BIN)/python -V 2>/dev/null))
OTHER_PYTHON := yes
$(PACKAGES): FORCE
endif
endif

# What requirements.lock names. The stamp is written last: a .venv without it was cut short,
# so it is made anew. One with an outdated stamp is only brought up to date.
$(PACKAGES): requirements.lock Makefile
	@$(check-bootstrap) \
	if test -e $@ && test -z "$(OTHER_PYTHON)" && $(BIN)/python -c "" 2>/dev/null; then \
	    echo "Updating $(VENV)"; rm -f $@; \
	else \
	    echo "Making $(VENV) with Python $$v: about 750 MB to download, 2.5 GB on disk"; \
	    rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV); \
	fi
	@$(PIP) install --quiet --no-index --no-deps $(PIP_WHEEL)
	@echo "Installing the packages of requirements.lock"
	@{ $(PIP) install --progress-bar off --require-hashes -r requirements.lock && touch $@.tmp; } \
	| while read -r verb file; do case "$$verb $$file" in \
	    Downloading*MB*) echo "  $${file%%-*} ($${file##*(}" ;; \
	    Installing*) echo "  unpacking" ;; \
	  esac; done; test -e $@.tmp
	@mv $@.tmp $@

# The project itself, editable.
$(STAMP): $(PACKAGES) pyproject.toml
	@echo "Installing tfticket itself"
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@
