# `make demo` and `make test` set up everything they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

ARGS ?=

.PHONY: demo test test-tensorflow test-jax test-torch check lint docs wheel clean

demo: $(VENV)/ready
	$(BIN)/threefold fit cnn --epochs 10 --run runs/demo-$$(date +%s) --json > build/demo.json
	$(BIN)/threefold evaluate $$($(BIN)/python -c 'import json; print(json.load(open("build/demo.json"))["run"])')
	$(BIN)/python -c 'from threefold.datasets.bundled.digits import read_digits; from PIL import Image; \
	  [Image.fromarray(i[..., 0]).save(f"build/digit-{n}.png") for n, i in enumerate(read_digits()[0][:3])]'
	$(BIN)/threefold predict $$($(BIN)/python -c 'import json; print(json.load(open("build/demo.json"))["run"])') build/digit-*.png

# All tests, part by part; `make test ARGS="-k gan"` for some of them.
test: $(VENV)/ready
	$(BIN)/python tests/run.py $(ARGS)

test-tensorflow test-jax test-torch: test-%: $(VENV)/ready
	$(BIN)/python tests/run.py --only $* $(ARGS)

# Style, and all tests that need no backend.
check: lint
	$(BIN)/python tests/run.py --only plain $(ARGS)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The manual as a site; a broken link ends it.
docs: $(VENV)/ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

# Build the wheel, install it where the checkout is not on the path, and run the main job from it.
wheel: $(VENV)/ready
	rm -rf build/wheel dist
	$(BIN)/python -m build --wheel --outdir dist .
	$(PYTHON) -m venv build/wheel
	# The packages that it needs are those of the first environment, but not its link to the checkout.
	echo "$(CURDIR)/$$(echo $(VENV)/lib/python3*/site-packages)" > "$$(echo build/wheel/lib/python3*/site-packages)/needs.pth"
	build/wheel/bin/pip install --no-deps --quiet dist/*.whl
	cd build/wheel && bin/python -c 'import threefold.cli as c; assert "build/wheel" in c.__file__, c.__file__'
	cd build/wheel && bin/threefold fit cnn --epochs 2 --run run && bin/threefold evaluate run && \
	  bin/threefold fit dnn --epochs 2 --json && bin/threefold list

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV) || { apt-get update && apt-get install -y python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	mkdir -p build
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
