# Every target does its own set-up in .venv; a machine needs only Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test fuzz bench lint clean

demo: .venv/.demo
	$(BIN)/evenodds demo --out out

test: lint
	$(BIN)/pytest -n auto

# Fresh members of the families of tests/families for so many minutes.
MINUTES ?= 30
fuzz: .venv/.test
	cd tests && ../$(BIN)/python -m families --minutes $(MINUTES)

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Peers that need another NumPy have an environment of their own. Where it cannot be made, the tables say "skipped".
bench: .venv/.bench
	-$(MAKE) .venv-peers/.installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv .venv-peers out dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evenodds needs Python 3.11 or newer: make PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/.demo: .venv/.created pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.%: .venv/.created pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$*]'
	touch $@

.venv-peers/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/peers.txt
	touch $@
