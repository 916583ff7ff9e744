# Every target does its own set-up from nothing but a clone and Python 3.11 or later.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
WORKERS ?= 2
PORT ?= 5000

.PHONY: setup demo test coverage lint types bench lock clean

setup: $(VENV)/.run

demo: setup
	@$(BIN)/demijohn demo --port $(PORT)

test: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

# Before Python 3.12 this doubles the time that the tests take.
coverage: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=95

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# The first five exit with 1 where a target is missed; the comparisons are made all the same.
bench: $(BENCH)/.run
	-$(BENCH)/bin/python benchmarks/stages.py
	-$(BENCH)/bin/python benchmarks/start.py
	-$(BENCH)/bin/python benchmarks/rows.py
	-$(BENCH)/bin/python benchmarks/accounts.py
	-$(BENCH)/bin/python benchmarks/books.py
	$(BENCH)/bin/python benchmarks/run.py
	$(BENCH)/bin/python benchmarks/resources.py

# The locks carry versions and hashes; `make lock` renews them.
lock: $(VENV)/.dev
	$(BIN)/uv pip compile pyproject.toml --group build --group demo --all-extras $(LOCK) -o requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --group dev --all-extras $(LOCK) -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --group build --all-extras benchmarks/requirements.in $(LOCK) -c requirements/run.txt \
		-o benchmarks/requirements.txt

LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --quiet

$(VENV)/pyvenv.cfg:
	@tools/venv "$(PYTHON)" $(VENV)

$(BENCH)/pyvenv.cfg:
	@tools/venv "$(PYTHON)" $(BENCH)

$(VENV)/.run: $(VENV)/pyvenv.cfg requirements/run.txt pyproject.toml
	@tools/install $(VENV) requirements/run.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@tools/install $(VENV) requirements/dev.txt
	@touch $@

$(BENCH)/.run: $(BENCH)/pyvenv.cfg benchmarks/requirements.txt pyproject.toml
	@tools/install $(BENCH) benchmarks/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH) .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
