# Two commands for a newcomer: `make demo` and `make test`. Each begins by making its own house: a
# virtual environment in .venv, and there the distribution, compiled if a C compiler is at hand.

PYTHON ?= python3
WORKERS ?= 2
SECONDS ?= 60

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/pytest --quiet --numprocesses $(WORKERS) --dist loadgroup $(ARGS)
EXTRAS := stack model prove dev
PYTCP := PyTCP==3.0.9 PyTCP-net_addr==3.0.9 PyTCP-net_proto==3.0.9

# The packages come from .venv or from pytest's own path, never from what the caller's shell had in mind.
unexport PYTHONPATH
export MYPY_CACHE_DIR := build/mypy

.PHONY: help demo test ladder prove fuzz lint bench peers docs install clean distclean
.DELETE_ON_ERROR:

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

demo: install ## move a file over Multipath TCP, in a simulated network and to this kernel, and draw it
	@$(BIN)/mptcp demo $(ARGS)

test: install ## run the test suite on both builds (ARGS="-k word" picks some)
	@status=0; \
	if [ "$$($(BIN)/python -c 'import mptcp; print(mptcp.build())')" = compiled ]; then \
	    echo "==> the tests on the compiled build"; \
	    MPTCP_EXPECT_BUILD=compiled $(PYTEST) -o pythonpath= || status=1; \
	else \
	    echo "==> no compiled build is installed: its tests are not run"; \
	fi; \
	echo "==> the tests on the interpreted build"; \
	MPTCP_EXPECT_BUILD=interpreted $(PYTEST) || status=1; \
	exit $$status

ladder: install ## try the stack against this kernel, rung by rung (ARGS="tcp --rung loss" picks some)
	@$(BIN)/mptcp lab --ladder $(ARGS)

prove: install ## prove the theorems about the sources, each with its mutants (ARGS="T12 serial" picks some)
	@$(BIN)/mptcp prove $(ARGS)

fuzz: .venv/tools ## look for packets that break the parser or a host, for SECONDS=60 in all
	@$(PIP) install $$($(BIN)/python .ci/requirements.py fuzz) || { \
	    echo "mptcp: atheris cannot be installed here, so nothing is fuzzed"; exit 1; }
	@set -e; for kind in packets scripts; do \
	    echo "==> $$kind, for $$(($(SECONDS) / 2)) seconds"; \
	    $(BIN)/python tests/fuzz/fuzz.py $$kind $$(($(SECONDS) / 2)); \
	done

lint: .venv/tools ## ruff and mypy --strict
	@echo "==> ruff check"; $(BIN)/ruff check --quiet
	@echo "==> ruff format --check"; $(BIN)/ruff format --check --quiet
	@echo "==> mypy --strict"; $(BIN)/mypy --no-error-summary spec model proofs

bench: install ## print how fast it is, beside others in the same run (ARGS="tun idle --json FILE" picks some)
	@$(BIN)/python tests/bench $(ARGS)

peers: .venv/tools ## fetch what `make bench` is compared with, as far as it can be had
	@$(PIP) install $$($(BIN)/python .ci/requirements.py bench) || echo "mptcp: no aioquic"
	@$(PIP) install --target build/peers/pytcp --upgrade --no-compile --no-deps --ignore-requires-python \
	    $(PYTCP) || echo "mptcp: no PyTCP"
	@command -v slirp4netns >/dev/null || echo "mptcp: no slirp4netns (Debian: apt install slirp4netns)"

docs: .venv/tools ## write the pages to build/docs
	@$(PIP) install $$($(BIN)/python .ci/requirements.py docs)
	@$(BIN)/sphinx-build --quiet --fail-on-warning -b html docs build/docs
	@echo "==> build/docs/index.html"

install: .venv/tools ## build the distribution and install it in .venv, if anything changed
	@sh .ci/install

clean: ## remove what was built
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .venv/installed
	@find spec model proofs tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environment, too
	@rm -rf .venv

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "mptcp: $(PYTHON) is missing or older than 3.11; say make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "mptcp: $(PYTHON) cannot make virtual environments (Debian: apt install python3-venv)"; exit 1; }
	@echo "==> creating .venv"
	@$(PYTHON) -m venv .venv

.venv/tools: pyproject.toml | .venv/pyvenv.cfg
	@echo "==> installing what the extras need: $(EXTRAS)"
	@$(PIP) install $$($(BIN)/python .ci/requirements.py build run $(EXTRAS))
	@touch $@
