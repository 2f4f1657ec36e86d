# demo, test, bench: each creates or completes .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo train ablation test lint docs bench bench-dedup bench-filter bench-embed bench-mine bench-train clean

demo: $(VENV)/.base
	$(BIN)/cmtp build --source sample_data/raw --out shards/
	@echo
	@echo "The tables are in shards/. Look inside:"
	@echo "  $(BIN)/cmtp inspect shards -n 5                    # pairs to read"
	@echo "  $(BIN)/cmtp inspect shards --stage filter -n 5     # what the filter rejected, and why"
	@echo "  $(BIN)/cmtp verify shards                          # checksums, ids, ledger"
	@echo "  less shards/README.md                              # the dataset card"

# all three stages on the shards of `make demo`, in minutes on two cores; killed, it goes on where it was
train: $(VENV)/.train
	@test -f shards/manifest.json || $(MAKE) demo
	$(BIN)/cmtp train shards/ --out model/ --preset nano

# RAW: a folder of raw text, large enough that the arms can differ
ablation: $(VENV)/.train
	$(BIN)/python -m cmtp.evaluate.ablation pipelines/ablation.yaml $(if $(RAW),--raw $(RAW)) --out ablation/

test: $(VENV)/.test lint
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy cmtp
	$(BIN)/lint-imports --no-cache

# write what commands print now, and the settings of today, into README.md and docs/
docs: $(VENV)/.test
	$(BIN)/python -m tests.settings_table
	WRITE_PAGES=1 $(BIN)/python -m pytest tests/test_docs.py -k the_commands_of -n auto

# RAW: a folder of raw text; PAGES: a folder of HTML pages
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.build $(RAW)
	$(BIN)/python -m benchmarks.extract $(RAW) $(PAGES)

PAIRS ?= shards/.work/extract-*/kept/*.parquet

# about 40 minutes; PAIRS: Parquet files with pairs of a real build; ONLY="quality stage": some of the parts
bench-dedup: $(VENV)/.bench
	$(BIN)/python -m benchmarks.dedup '$(PAIRS)' $(if $(ONLY),--only $(ONLY),--write benchmarks/dedup.md --chart benchmarks/dedup-scaling.svg)

# UNFILTERED: Parquet files with pairs that no filter has seen; DATA_JUICER: a Python that has data-juicer
UNFILTERED ?= $(wildcard shards/.work/dedup-*/kept/*.parquet)

bench-filter: $(VENV)/.bench
	$(BIN)/python -m benchmarks.filters $(UNFILTERED) --peers $(if $(DATA_JUICER),--data-juicer $(DATA_JUICER)) --write benchmarks/filters.md

# UNCUT: a folder of pairs that no similarity stage has cut
UNCUT ?= $(wildcard shards/.work/filter-*/kept)

bench-embed: $(VENV)/.bench
	$(BIN)/python -m benchmarks.encoders_static $(UNCUT)
	$(BIN)/python -m benchmarks.similarity $(UNCUT)
	$(BIN)/python -m benchmarks.similarity $(UNCUT) --second e5-small

bench-mine: $(VENV)/.bench
	$(BIN)/python -m benchmarks.mining speed
	$(BIN)/python -m benchmarks.mining planted $(UNCUT)

# FLAGEMBEDDING: a Python that has FlagEmbedding, in a virtual environment of its own
bench-train: $(VENV)/.train
	@test -f shards/manifest.json || $(MAKE) demo
	$(BIN)/python -m benchmarks.train shards/ $(if $(FLAGEMBEDDING),--flagembedding $(FLAGEMBEDDING)) --write benchmarks/train.md

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[test,e5,eval]'
	@touch $(VENV)/.base $@

$(VENV)/.train: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[train]'
	@touch $(VENV)/.base $@

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[test,e5,bench]'
	@touch $(VENV)/.base $(VENV)/.test $@

clean:
	rm -rf $(VENV) shards model ablation
