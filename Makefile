# `make` alone lists the commands.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run test check css messages settings bench clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/.runs ## set up and serve on HOST:PORT (127.0.0.1:8000); the demo when nothing is configured
	@exec $(BIN)/gunicorn app:app

test: .venv/.tests .browser ## set up what tests need and run everything
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest
	@if command -v node >/dev/null; then node --test tests/js/*.mjs; else echo "SKIPPED: tests/js needs Node.js"; fi

check: .venv/.tests ## lint, types, formatting, generated files: what CI refuses
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
