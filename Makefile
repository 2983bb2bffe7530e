# Every target does its own set-up in .venv; a machine needs only Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-kernels test-lower test-sklearn fuzz bench site lint clean

demo: .venv/.demo
	$(BIN)/evenodds demo --out out

test: lint
	$(BIN)/pytest -n auto

# What knows the most digits, with two of OpenBLAS's kernels: with AVX2 and with SSE3 alone.
test-kernels: .venv/.test
	for kernel in Haswell Prescott; do \
		OPENBLAS_CORETYPE=$$kernel $(BIN)/pytest -q -n auto tests/test_cases.py tests/test_penalty.py tests/test_firth.py || exit 1; \
	done

# With the lowest versions that pyproject.toml allows, in an environment of their own.
test-lower: .venv-lower/.installed
	.venv-lower/bin/python -m pytest -n auto

# scikit-learn's own tests of logistic regression, and of what takes a classifier, with our classes in the place of its own.
SKLEARN_TESTS ?= linear_model.tests.test_logistic \
	$(addprefix ensemble.tests.test_,bagging voting stacking weight_boosting common) \
	$(addprefix tests.test_,calibration multiclass multioutput) \
	$(addprefix feature_selection.tests.test_,rfe from_model) \
	$(addprefix inspection.tests.test_,permutation_importance partial_dependence) \
	inspection._plot.tests.test_boundary_decision_display \
	$(addprefix model_selection.tests.test_,search validation classification_threshold)
test-sklearn: .venv/.test
	$(BIN)/python -m pytest -c sklearn_suite/pytest.ini -n auto $(addprefix sklearn.,$(SKLEARN_TESTS))

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

# The interactive textbook with recorded runs, for any static host.
site: .venv/.demo
	$(BIN)/python -m evenodds.learn.tapes site/learn

clean:
	rm -rf .venv .venv-lower .venv-peers out dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
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

.venv-lower/.installed: pyproject.toml constraints-lower.txt
	$(PYTHON) -m venv .venv-lower
	.venv-lower/bin/python -m pip install --quiet --constraint constraints-lower.txt --editable '.[test]'
	touch $@

.venv-peers/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/peers.txt
	touch $@
