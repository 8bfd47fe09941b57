# Needs Python 3.10 to 3.13 with venv; PYTHON=python3.12 chooses one.
PYTHON ?= python3
VENV ?= .venv

.PHONY: demo test check clean

demo: $(VENV)/demo.stamp
	$(VENV)/bin/fer-run --save demo.mp4 --jsonl demo.jsonl

test: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet .
	touch $@

$(VENV)/test.stamp: pyproject.toml | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --editable '.[test]' --config-settings editable_mode=strict
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
