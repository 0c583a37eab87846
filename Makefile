# make demo   synthesise campaigns with known truth (3 stations; 60 as a campaign), reduce them, compare
# make test   the whole gate: ruff, mypy, import-linter, pytest
# make bench  measure against photutils, astroalign, scikit-image, sep and OpenCV; writes bench/results
# make vti    20 recordings of 500 frames with a burnt-in time, read and compared with their truth
# make fuzz   100,000 mutated inputs for each parser; what came of them goes to bench/results/fuzz.log
# make faults  100 campaigns of which something is killed, cut off or filled up; what came of them goes to
#             bench/results/faults.json; and 200 kills of the service while it takes uploads (upload-kills.json)
# make gpu    on a machine with a CUDA device: its tests, then its bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench vti fuzz faults gpu clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m gpu_kernels.beforehand
	touch $@

# the S3 server of the tests: its dependencies do not fit ours
$(VENV)/s3/.ready: tests/s3-requirements.txt $(VENV)/.ready
	$(PYTHON) -m venv $(VENV)/s3
	$(VENV)/s3/bin/pip install --quiet --requirement tests/s3-requirements.txt
	touch $@

demo: $(VENV)/.ready
	$(BIN)/umbra demo --out demo --overwrite
	$(BIN)/umbra demo --stations 60 --out demo-campaign --overwrite

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# tus-js-client of the tests, where npm is there
$(VENV)/.tus: tests/api/uploads/js/package-lock.json $(VENV)/.ready
	! command -v npm >/dev/null || npm ci --ignore-scripts --prefix tests/api/uploads/js
	touch $@

test: lint $(VENV)/s3/.ready $(VENV)/.tus
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.ready
	$(BIN)/python -m bench

vti: $(VENV)/.ready
	$(BIN)/python -m bench vti

fuzz: $(VENV)/.ready
	rm -f bench/results/fuzz.log
	UMBRA_FUZZ=100000 UMBRA_FUZZ_LOG=bench/results/fuzz.log $(BIN)/pytest -k mutated

faults: $(VENV)/.ready $(VENV)/s3/.ready
	UMBRA_FAULTS=100 UMBRA_FAULTS_OUT=bench/results/faults.json $(BIN)/pytest tests/cluster/campaign/test_faults.py
	UMBRA_UPLOAD_KILLS=200 UMBRA_UPLOAD_KILLS_OUT=bench/results/upload-kills.json \
		$(BIN)/pytest tests/api/uploads/test_kills.py -k random

gpu: $(VENV)/.ready
	$(BIN)/pytest -m gpu
	$(BIN)/python -m bench gpu

clean:
	rm -rf $(VENV) demo demo-campaign
