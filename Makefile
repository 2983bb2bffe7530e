# Every target does its own set-up in .venv; a machine needs only Python 3.11+ and make (a C compiler is used
# if there is one).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-kernels test-lower test-sklearn sanitize wheels fuzz bench site lint clean

demo: .venv/.demo
	$(BIN)/evenodds demo --out out

# The tests of Spark need its extra, `make .venv/.spark`, and Java; they share one process, as one session serves them.
test: lint
	$(BIN)/pytest -n auto --dist loadgroup

# What knows the most digits, with two of OpenBLAS's kernels: with AVX2 and with SSE3 alone.
test-kernels: .venv/.test
	for kernel in Haswell Prescott; do \
		OPENBLAS_CORETYPE=$$kernel $(BIN)/pytest -q -n auto tests/fit/test_cases.py tests/paths/test_penalty.py tests/fit/test_firth.py || exit 1; \
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

# The loops in C with every address and every operation looked at.
sanitize: .venv/.test
	rm -rf build/sanitized
	CC="cc -g -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
		$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/sanitized .
	$(BIN)/python -m zipfile -e build/sanitized/*.whl build/sanitized
	PYTHONPATH=build/sanitized LD_PRELOAD=$$(cc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
		$(BIN)/pytest -q -p no:cacheprovider tests/kernels/test_kernels.py

# Wheels for all platforms, by Zig; that of this machine is installed and tested in an environment of its own.
PLATFORMS := manylinux_2_17_x86_64 manylinux_2_17_aarch64 musllinux_1_2_x86_64 musllinux_1_2_aarch64 \
	macosx_11_0_x86_64 macosx_11_0_arm64 win_amd64 win_arm64
wheels: .venv/.created
	rm -rf dist .venv-wheel
	for platform in $(PLATFORMS); do \
		EVENODDS_PLATFORM=$$platform $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist . || exit 1; \
	done
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist/host .
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --constraint constraints.txt "$$(ls dist/host/*.whl)[test]"
	.venv-wheel/bin/pytest -q -p no:cacheprovider tests/kernels/test_kernels.py tests/fit/test_cases.py

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
	rm -rf .venv .venv-peers .venv-wheel .venv-lower out build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f src/evenodds/kernels/_kernels.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evenodds needs Python 3.11 or newer: make PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	touch $@

# What the installed package is built of; Python files are read where they lie.
BUILT_OF := .venv/.created pyproject.toml constraints.txt build_kernels.py $(wildcard src/evenodds/kernels/*.[ch] \
	src/evenodds/kernels/*.inc)

.venv/.demo: $(BUILT_OF)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.%: $(BUILT_OF)
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
