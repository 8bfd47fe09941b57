# Needs Python 3.10 to 3.13 with venv; PYTHON=python3.12 chooses one.
PYTHON ?= python3
VENV ?= .venv
# Processes that share the tests; one that has none left takes half of what another still has.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PARTS = engine convert models benchmarks
# A folder in which the parts are found under their import name, for the type checker.
TYPED = $(VENV)/typed

.PHONY: demo test clean

demo: $(VENV)/demo.stamp
	$(VENV)/bin/fer-run --save demo.mp4 --jsonl demo.jsonl

test: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	MYPYPATH=$(TYPED) $(VENV)/bin/mypy $(PARTS:%=-p fer_edge.%)
	$(VENV)/bin/pytest --numprocesses $(JOBS) --dist worksteal

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

# The demo runs what the checkout holds: installed anew whenever a source is newer.
$(VENV)/demo.stamp: pyproject.toml $(shell find $(PARTS) -type f -not -name '*.pyc') | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet .
	touch $@

$(VENV)/test.stamp: pyproject.toml | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --editable '.[test]'
	mkdir -p $(TYPED)/fer_edge
	for part in $(PARTS); do ln -sfn "$(CURDIR)/$$part" $(TYPED)/fer_edge/$$part; done
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
