# make book   builds the book       make test   lints and runs every test       make help   lists the rest
# Both set up .venv first. `PYTHON=python3.12 make book` chooses another Python (3.11.5 to 3.13).
# `make venv HASHES=1` installs only files whose hash stands in requirements.hashes, with plain pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.ready
READY := $(VENV)/.kernels
# One thread a process: work runs in parallel over clips and folds, not inside them.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PYTHONHASHSEED := 0

.DEFAULT_GOAL := help
.PHONY: help book test every-test unit lint long notebooks pdf slides published results bench lock venv clean

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# `make venv INSTALL="tools/install.py --pip"` takes plain pip, which is slower.
INSTALL := tools/install.py
ALL := --editable '.[book,teach,test,cluster,bench]'

$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:3]; sys.exit(0 if (3, 11, 5) <= v < (3, 14) else "Python {}.{}.{} found; this project needs 3.11 from 3.11.5 on, 3.12 or 3.13: make PYTHON=python3.12".format(*v))'
	@echo "Installing into $(VENV) (the first time: 7.3 GB with PyTorch's CUDA libraries)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifdef HASHES
	@$(BIN)/python tools/install.py --pip --require-hashes --requirement requirements.hashes
	@$(BIN)/python tools/install.py --pip --no-deps --no-build-isolation --editable .
else
	@$(BIN)/python $(INSTALL) --constraint requirements.lock $(ALL)
endif
	@touch $(INSTALLED)

# Compiled once, so that not every process of the first run compiles them for itself.
$(READY): $(INSTALLED) memaa_lib/_support/kernels.py tools/compile_kernels.py
	@$(BIN)/python tools/compile_kernels.py
	@touch $(READY)

book: $(READY)  ## run what changed and build the book into _build/html
	@$(BIN)/memaa book

test: $(READY)  ## lint, and beside that run every test, the slow ones too
	@$(MAKE) --no-print-directory --jobs 2 lint every-test

every-test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup

unit: $(READY)  ## run the quick tests only
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m 'not slow'

lint: $(READY)  ## style, types and the order of the layers
	@$(BIN)/ruff check . && $(BIN)/ruff check -q --select S,TID251 --ignore S101 notebooks/*.ipynb
	@$(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

long: $(READY)  ## make long CHECK=faults, guard, fuzz, ... : long checks; without CHECK a list of them
	@$(BIN)/python -m tests.long$(addprefix .,$(CHECK))

notebooks: $(READY)  ## write notebooks/*.ipynb anew from notebooks/*.md
	@$(BIN)/jupytext --sync notebooks/*.md

pdf: book  ## print the book into _build/memaa.pdf (needs Chromium)
	@$(BIN)/memaa pdf

slides: book  ## write slides for each lesson into _build/slides
	@$(BIN)/memaa slides

published: book  ## write the tree of a branch that hosts the book into _build/published
	@$(BIN)/memaa published

# page 15 shows twins of other people: chosen on seed 1, tested on seed 2; seed, then difficulty
TWINS = $(foreach set,smic casme2 samm,--root $(set)=build/twins/$(1)/$(set))
REPAIR = $(BIN)/memaa reference repair composite
results: $(READY)  ## make all reference runs of pages 07, 10, 13 and 15 anew, in results/: hours
	@for set in smic casme2 samm; do $(BIN)/memaa reference runs $$set && $(BIN)/memaa reference runs $$set --protocol cross || exit 1; done
	@$(BIN)/memaa reference runs composite --protocol composite
	@$(BIN)/memaa reference starts composite --protocol composite
	@for set in smic casme2 samm; do $(BIN)/memaa reference arms $$set || exit 1; done
	@$(BIN)/memaa reference systems composite --protocol kfold
	@$(BIN)/memaa reference published composite --protocol kfold --profile paper
	@for set in smic casme2 samm; do for of in 1-0.5 2-0 2-0.5 2-1; do \
	    $(BIN)/memaa data twin $$set --seed $${of%-*} --difficulty $${of#*-} --out build/twins/$$of/$$set || exit 1; done; done
	@$(REPAIR) --protocol kfold $(call TWINS,2-0.5)
	@$(REPAIR) --protocol composite $(call TWINS,2-0.5) --out results/repair/composite-loso.json
	@$(REPAIR) --protocol kfold $(call TWINS,1-0.5) --out results/repair/seed-1.json
	@$(REPAIR) --protocol kfold $(call TWINS,2-0) --out results/repair/difficulty-0.json
	@$(REPAIR) --protocol kfold $(call TWINS,2-1) --out results/repair/difficulty-1.json

bench: $(READY)  ## time the method against peers, and as clips get more: benchmarks/results.md, results/growth.json
	@$(BIN)/python benchmarks/bench_method.py && $(BIN)/python benchmarks/growth.py

lock: $(READY)  ## resolve pyproject.toml's versions anew: requirements.lock, environment.yml
	@$(BIN)/python tools/lock.py

venv: $(READY)  ## create .venv and install the pinned versions

clean:  ## remove what was built; `memaa clean` empties the cache, too
	rm -rf _build build book/runs book/pages
