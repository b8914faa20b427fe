# `make` alone lists the commands.

PYTHON ?= python3
BIN := .venv/bin
# npm writes it when everything of package-lock.json is there.
NODE := node_modules/.package-lock.json
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
BABEL := $(BIN)/pybabel -q
# Every version of Python and every system that we support gets the same versions of packages.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make requirements"
# Test files at once. More than processors, because tests mostly wait; TESTERS=0 runs them one after another.
TESTERS ?= 7
# Each of them would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check doctor css js vendor messages requirements documents reliability soak fuzz bench bench-peers lighthouse screenshots packages compiled

help: ## list the commands
	@grep -hE '^[a-z-]+:.* ## ' $(MAKEFILE_LIST) | sed -E 's/:.* ## /\t/' | expand -t 12

run: .venv/runs ## set up and serve on HOST:PORT (127.0.0.1:8000); the demo when nothing is configured
	@exec $(BIN)/gunicorn app:app

test: .venv/bin/python ## set up what tests need, check everything, run all tests
	@$(MAKE) --no-print-directory -j3 packages check compiled
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile -rfEs
	@if command -v node >/dev/null; then node --test tests/js/; \
	elif [ "$$CI" = true ]; then echo "tests/js needs Node.js" >&2; exit 1; \
	else echo "SKIPPED tests/js: needs Node.js"; fi

check: .venv/tests ## lint, types, format, generated files, rules of the house: what a commit must pass
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.documents --check
	$(BIN)/python -m tools.check

compiled: .venv/tests # pytest rewrites the asserts of all test files; done here, not by each tester
	@$(BIN)/python -m pytest --collect-only -qq >.venv/collected.txt || \
	  { cat .venv/collected.txt; exit 1; }

doctor: .venv/runs ## look at settings, disk and platforms, and say what to do about each
	@$(BIN)/flask doctor

css: $(NODE) ## compile the style sheets of static/css (needs Node.js)
	npm run --silent css

js: $(NODE) ## compile static/js into static/compiled (needs Node.js)
	npm run --silent js

vendor: $(NODE) ## put highlight.js and the maths font into static/vendor (needs Node.js)
	npm run --silent vendor

messages: .venv/tests ## gather the sentences for translation, and compile the catalogues
	$(BABEL) extract -F babel.cfg --no-location --sort-output -o .venv/messages.pot .
	$(BABEL) update -i .venv/messages.pot -d chat/translations --no-fuzzy-matching --ignore-obsolete --no-wrap \
	  --ignore-pot-creation-date
	$(BABEL) compile -d chat/translations

requirements: .venv/bin/uv ## pin all packages with their hashes, from requirements.in and requirements-dev.in
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

documents: .venv/tests ## write config.example.env and the tables of the documents anew
	$(BIN)/python -m tools.documents

reliability: .venv/tests ## ask every fault of the running site, and write docs/reliability.md's table anew
	$(BIN)/python -m tests.faults

soak: .venv/tests ## 200 visitors for SOAK_S seconds (180) while the site is killed under them, then count
	$(BIN)/python -m tests.soak

fuzz: .venv/tests ## random bytes against the readers of streams and Markdown, with atheris (pip install atheris)
	$(BIN)/python -m tests.fuzz

bench: .venv/tests ## measure against the targets, beside the naive page; writes bench/RESULTS.md
	$(BIN)/python -m bench

bench-peers: .venv/tests ## install LiteLLM in an environment of its own, and measure the site beside it
	test -x .venv-peers/bin/litellm || { $(PYTHON) -m venv .venv-peers && \
	  .venv-peers/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.108.0'; }
	$(BIN)/python -m bench.peers

lighthouse: .venv/tests packages $(NODE) ## score a conversation with Lighthouse; below 100 fails (needs Node.js)
	$(BIN)/python -m bench.lighthouse

screenshots: .venv/tests packages ## pictures of every state of the page, in screenshots/index.html
	$(BIN)/python -m tests.browser.screenshots

$(NODE): package-lock.json
	npm ci --no-audit --no-fund --silent
	@touch $@

packages: # Debian's Chromium, Redis, PostgreSQL, nginx and Caddy, for the tests that need them
	@missing=""; \
	command -v chromium-headless-shell >/dev/null || missing="chromium-headless-shell fonts-noto-cjk"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  missing="$$missing postgresql"; \
	[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing="$$missing nginx"; \
	command -v caddy >/dev/null || missing="$$missing caddy"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; \
	else echo "Tests that need these will be skipped: apt-get install $$missing"; fi

.venv/runs: requirements.txt | .venv/bin/python .venv/dotenv
	$(PIP) --require-hashes -r requirements.txt
	@touch $@

# uv takes seconds where pip takes a minute, but knows nothing of pip's own settings: mirrors, certificates.
.venv/tests: requirements-dev.txt | .venv/bin/uv .venv/dotenv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode \
	  --require-hashes -r requirements-dev.txt || $(PIP) --require-hashes -r requirements-dev.txt
	@touch $@ .venv/runs

# Flask's command line would read .env before us, and ends where it is not UTF-8. Python runs this line at each start.
.venv/dotenv: | .venv/bin/python
	@echo 'import os; os.environ.setdefault("FLASK_SKIP_DOTENV", "1")' \
	  > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zhiye_dotenv.pth"
	@touch $@

.venv/bin/uv: requirements-dev.txt | .venv/bin/python
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt >.venv/uv.txt
	$(PIP) --require-hashes -r .venv/uv.txt
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; \
	  else echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; fi
	$(PYTHON) -m venv .venv
