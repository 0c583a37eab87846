# make demo   synthesise campaigns with known truth (3 stations; 60 as a campaign), reduce them, compare
# make test   the whole gate: ruff, mypy, import-linter, pytest
# make bench  measure against photutils, astroalign, scikit-image, sep and OpenCV; writes bench/results
# make vti    20 recordings of 500 frames with a burnt-in time, read and compared with their truth
# make fuzz   100,000 mutated inputs for each parser; what came of them goes to bench/results/fuzz.log
# make faults  100 campaigns of which something is killed, cut off or filled up; what came of them goes to
#             bench/results/faults.json; 200 kills of the service while it takes uploads (upload-kills.json);
#             50 of an upload node and its service (node-kills.json); 20 of backups and restores (backup-kills.json)
# make shots  screenshots of every page of the portal, on a desktop and a phone, light and dark, into shots/
# make gpu    on a machine with a CUDA device: its tests, then its bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# the suite starts hundreds of processes: what is compiled once is kept, whatever the environment says
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint most-tests fault-tests bench vti fuzz faults gpu shots clean

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

# what maps, plots and uploads of the portal are made with, where npm is there; without, its pages are plain
$(VENV)/.islands: api/web/islands/package-lock.json $(VENV)/.ready
	! command -v npm >/dev/null || npm ci --ignore-scripts --prefix api/web/islands \
		|| echo "the portal's islands are not installed; it works plain"
	touch $@

demo: $(VENV)/.ready $(VENV)/.islands
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

# axe of the portal's tests, where npm is there
$(VENV)/.axe: tests/api/web/js/package-lock.json $(VENV)/.ready
	! command -v npm >/dev/null || npm ci --ignore-scripts --prefix tests/api/web/js
	touch $@

test: $(VENV)/.ready $(VENV)/s3/.ready $(VENV)/.tus $(VENV)/.islands $(VENV)/.axe
	$(MAKE) --no-print-directory -j 3 lint most-tests fault-tests

# one test file: in most of its time it waits for what was taken away to come back
FAULTS := tests/cluster/campaign/test_faults.py

most-tests: $(VENV)/.ready
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore $(FAULTS)

fault-tests: $(VENV)/.ready
	$(BIN)/pytest -n 2 --dist worksteal $(FAULTS) >$(VENV)/faults.log 2>&1; code=$$?; cat $(VENV)/faults.log; exit $$code

bench: $(VENV)/.ready
	$(BIN)/python -m bench

vti: $(VENV)/.ready
	$(BIN)/python -m bench vti

fuzz: $(VENV)/.ready
	rm -f bench/results/fuzz.log
	UMBRA_FUZZ=100000 UMBRA_FUZZ_LOG=bench/results/fuzz.log $(BIN)/pytest -k mutated

faults: $(VENV)/.ready $(VENV)/s3/.ready
	UMBRA_FAULTS=100 UMBRA_FAULTS_OUT=bench/results/faults.json \
		$(BIN)/pytest -n 4 --dist worksteal $(FAULTS)
	UMBRA_UPLOAD_KILLS=200 UMBRA_UPLOAD_KILLS_OUT=bench/results/upload-kills.json \
		$(BIN)/pytest tests/api/uploads/test_kills.py -k random
	UMBRA_NODE_KILLS=50 UMBRA_NODE_KILLS_OUT=bench/results/node-kills.json \
		$(BIN)/pytest tests/api/nodes/test_node_kills.py -k random
	UMBRA_BACKUP_KILLS=20 UMBRA_BACKUP_KILLS_OUT=bench/results/backup-kills.json \
		$(BIN)/pytest tests/api/backup/test_kills.py -k random

gpu: $(VENV)/.ready
	$(BIN)/pytest -m gpu
	$(BIN)/python -m bench gpu

shots: $(VENV)/.ready $(VENV)/.islands
	$(BIN)/python -m tests.api.web.shots shots

clean:
	rm -rf $(VENV) demo demo-campaign shots
