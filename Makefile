# Every command of this repository. `make` lists them; the code is in common/cli (`python -m common`).
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
COMMON := $(VENV)/bin/python -m common
# Settings reach the shell as environment variables and are never inserted into a recipe. The literal value is
# used, so that make does not expand a $(shell …) in it.
SETTINGS := exp comp from pred a b split id public private run args restart smoke missing stale jobs blend gpus nodes track folder mode texts q lib fresh method n name force markdown
$(foreach setting,$(SETTINGS),$(eval override $(setting) := $$(value $(setting))))
export $(SETTINGS)
on = $(filter-out 0 no false,$($1))
OPTIONS = $(if $(call on,restart),--restart) $(if $(call on,smoke),--smoke) $${comp:+--competition "$$comp"} $${run:+--run "$$run"} $${track:+--track "$$track"}
SEVERAL = $${gpus:+--gpus "$$gpus"} $${nodes:+--nodes "$$nodes"}
# Stop with a one-line error when a setting is missing; the second argument is an example of valid settings.
need = $(if $($1),,$(error $1= is missing; for example: make $@ $2))

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready ## create .venv and install everything pinned in constraints.txt
$(VENV)/ready: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; choose another one with: make PYTHON=python3.12")'
	@echo "setting up .venv: this takes a few minutes, but only once"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]' 2> >(grep -v 'is ignored: it is neither a file' >&2)
	@$(VENV)/bin/python -c 'from common.rouge import compiled; compiled.warm_up()'
	@touch $@

demo: setup ## train three small models on the embedded sample, blend, validate, print the leaderboard (9 to 16 min)
	@$(COMMON) submit --competition daily_talk --missing train --jobs 2
	@echo
	@$(COMMON) leaderboard --competition daily_talk

data: setup ## comp=NAME from=PATH: check and copy the organisers' files, make the competition active
	@$(call need,comp,comp=dialogue_summarization from=PATH)$(call need,from,comp=dialogue_summarization from=PATH)$(COMMON) data --competition "$$comp" --from "$$from"

leaks: setup ## [comp=NAME]: show copies and near-copies between train, dev, test and augmented rows
	@$(COMMON) leaks $${comp:+--competition "$$comp"}

use: setup ## comp=NAME: make this competition the active one
	@$(call need,comp,comp=daily_talk)$(COMMON) use --competition "$$comp"

list: setup ## list every experiment: title, model, needs, last dev score
	@$(COMMON) list

results: setup ## [comp=NAME] [markdown=1]: list the results of all runs in results/, best dev score first
	@$(COMMON) results $${comp:+--competition "$$comp"} $(if $(call on,markdown),--markdown)

train: setup ## exp=expNNN [run=expNNN-NAME] [gpus=N] [track=off|online] [restart=1] [smoke=1] [args="--learning-rate 3e-5"]: train or resume
	@$(call need,exp,exp=exp002)read -ra arguments <<< "$$args"; $(COMMON) train $(SEVERAL) "$$exp" $(OPTIONS) "$${arguments[@]}"

infer: setup ## exp=expNNN [run=expNNN-NAME] [gpus=N] [smoke=1] [args=…]: predict dev and test, score dev
	@$(call need,exp,exp=exp002)read -ra arguments <<< "$$args"; $(COMMON) infer $(SEVERAL) "$$exp" $(OPTIONS) "$${arguments[@]}"

merge: setup ## run=expNNN [comp=NAME]: merge a run's adapters into its model, to serve it or to train it further (--model FOLDER)
	@$(call need,run,run=exp010)$(COMMON) merge "$$run" $${comp:+--competition "$$comp"}

augment: setup ## method=NAME [comp=NAME] [n=ROWS] [name=NAME] [restart=1] [args="--setting value"]: make new training rows (method=? lists the methods)
	@$(call need,method,method=turn_drop n=200)read -ra arguments <<< "$$args"; $(COMMON) augment --method "$$method" $${comp:+--competition "$$comp"} $${n:+--parents "$$n"} $${name:+--name "$$name"} $${split:+--split "$$split"} $(if $(call on,restart),--restart) "$${arguments[@]}"

smoke: setup ## [exp=expNNN]: run train and infer of every experiment with tiny settings, in seconds
	@$(COMMON) smoke $${exp:+"$$exp"}

new: setup ## exp=expNNN from=expNNN: create an experiment as a copy of another
	@$(call need,exp,exp=exp014 from=exp002)$(call need,from,exp=exp014 from=exp002)$(COMMON) new "$$exp" --from "$$from"

track: setup ## folder=outputs/COMP/RUN [mode=offline] [texts=1]: show a run folder in W&B
	@$(call need,folder,folder=outputs/daily_talk/exp002)$(COMMON) track "$$folder" $${mode:+--mode "$$mode"} $(if $(call on,texts),--texts)

docs: setup ## q="QUESTION" [lib=/OWNER/NAME] [fresh=1]: show the newest documentation of a library or model from Context7
	@$(call need,q,q="Qwen2.5 generation config")$(COMMON) docs --query="$$q" $${lib:+--library="$$lib"} $(if $(call on,fresh),--fresh)

score: setup ## pred=FILE [split=dev|test] [comp=NAME]: score predictions and compare them with the floor
	@$(call need,pred,pred=FILE split=dev)$(COMMON) score --predictions "$$pred" --split "$${split:-dev}" $${comp:+--competition "$$comp"}

compare: setup ## a=FILE b=FILE [split=dev|test] [comp=NAME]: test whether b is better, with a paired bootstrap and permutation test
	@$(call need,a,a=FILE b=FILE)$(call need,b,a=FILE b=FILE)$(COMMON) compare --a "$$a" --b "$$b" --split "$${split:-dev}" $${comp:+--competition "$$comp"}

submit: setup ## [blend=NAME] [missing=train [jobs=2]] [stale=ok] [force=1]: submissions/NAME.toml → validated CSV + ledger entry
	@$(COMMON) submit $${blend:+--blend "$$blend"} $${missing:+--missing "$$missing"} $${jobs:+--jobs "$$jobs"} $${stale:+--stale "$$stale"} $(if $(call on,force),--force)

blend-report: setup ## [blend=NAME] [args="--candidates 4"]: compare the ways of blending on dev, with confidence intervals
	@read -ra arguments <<< "$$args"; $(COMMON) blend-report $${comp:+--competition "$$comp"} $${blend:+--blend "$$blend"} "$${arguments[@]}"

postprocess: setup ## run=expNNN[-NAME] [comp=NAME]: measure the effect of each rule and of a fitted length on dev
	@$(call need,run,run=exp002)$(COMMON) postprocess --run "$$run" $${comp:+--competition "$$comp"}

leaderboard: setup ## show every submission with its dev, local test and leaderboard scores and the goals it meets
	@$(COMMON) leaderboard

lb: setup ## id=ID public=SCORE [private=SCORE]: record the scores from the site's leaderboard
	@$(call need,id,id=ID public=71.5)$(COMMON) lb --id "$$id" $${public:+--public "$$public"} $${private:+--private "$$private"}

test: setup ## run the fast tests, which cover every room (under 4 min on two idle cores)
	@$(VENV)/bin/python -m pytest -m "not slow"

faults: setup ## [args="short jobs=2 FAMILY"]: kill, damage and misuse every command, seeded and resumable, write docs/durability.md (an hour or two)
	@read -ra words <<< "$$args"; $(VENV)/bin/python -m tests.faults "$${words[@]}"

audit: setup ## look for weaknesses: bandit, zizmor, pip-audit, and secrets in all of git (needs network)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[audit]' && bash .ci/audit

check: setup ## check format, lint, types and import rules, and run all tests, as CI does
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/python -m pytest

format: setup ## fix format and lint errors automatically where possible
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

# Runs for a target that does not exist.
.DEFAULT:
	$(error there is no target $@; run make to list all targets)

.PHONY: help setup demo data leaks use list results train infer merge augment smoke new track docs score compare submit blend-report postprocess leaderboard lb test faults audit check format
