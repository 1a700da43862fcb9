# The front door. `make` prints this list; the work is in `python -m common` (common/cli).
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
COMMON := $(VENV)/bin/python -m common
# What the command line sets reaches the shell as environment variables, never as text of the recipe; taking
# the literal value keeps make from expanding $(shell …) in it.
SETTINGS := exp comp from pred a b split id public private run args restart smoke missing stale jobs blend gpus nodes track folder mode texts q lib fresh method n name force runs
$(foreach setting,$(SETTINGS),$(eval override $(setting) := $$(value $(setting))))
export $(SETTINGS)
on = $(filter-out 0 no false,$($1))
OPTIONS = $(if $(call on,restart),--restart) $(if $(call on,smoke),--smoke) $${comp:+--competition "$$comp"} $${run:+--run "$$run"} $${track:+--track "$$track"}
SEVERAL = $${gpus:+--gpus "$$gpus"} $${nodes:+--nodes "$$nodes"}
# Stops with one line when a setting is missing; the second argument shows a call that works.
need = $(if $($1),,$(error $1= is missing; for example: make $@ $2))

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready ## create .venv and install everything pinned in constraints.txt
$(VENV)/ready: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name one with: make PYTHON=python3.12")'
	@echo "setting up .venv: a few minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]' 2> >(grep -v 'is ignored: it is neither a file' >&2)
	@$(VENV)/bin/python -c 'from common.rouge import engine; engine.warm_up()'
	@touch $@

demo: setup ## train three small models on the embedded sample, blend, validate, print the leaderboard (9 to 16 min)
	@$(COMMON) submit --competition daily_talk --missing train --jobs 2
	@echo
	@$(COMMON) leaderboard --competition daily_talk

data: setup ## comp=NAME from=PATH: check and copy the organisers' files, make the competition active
	@$(call need,comp,comp=dialogue_summarization from=PATH)$(call need,from,comp=dialogue_summarization from=PATH)$(COMMON) data --competition "$$comp" --from "$$from"

leaks: setup ## [comp=NAME]: copies and near-copies between train, dev, test and augmented rows, and what is done about each
	@$(COMMON) leaks $${comp:+--competition "$$comp"}

use: setup ## comp=NAME: make a competition the active one
	@$(call need,comp,comp=daily_talk)$(COMMON) use --competition "$$comp"

list: setup ## every experiment: title, model, needs, last dev score
	@$(COMMON) list

train: setup ## exp=expNNN [run=expNNN-NAME] [gpus=N] [track=off|online] [restart=1] [smoke=1] [args="--learning-rate 3e-5"]: train or resume
	@$(call need,exp,exp=exp002)read -ra words <<< "$$args"; $(COMMON) train $(SEVERAL) "$$exp" $(OPTIONS) "$${words[@]}"

infer: setup ## exp=expNNN [run=expNNN-NAME] [gpus=N] [smoke=1] [args=…]: predict dev and test, score dev
	@$(call need,exp,exp=exp002)read -ra words <<< "$$args"; $(COMMON) infer $(SEVERAL) "$$exp" $(OPTIONS) "$${words[@]}"

soup: setup ## runs="expNNN expNNN-b" run=expNNN-soup [method=uniform|greedy] [comp=NAME] [restart=1] [args="--dev-rows 200"]: average trained runs
	@$(call need,runs,runs="exp003 exp003-b" run=exp003-soup)$(call need,run,runs="exp003 exp003-b" run=exp003-soup)read -ra words <<< "$$args"; $(COMMON) soup --runs "$$runs" --run "$$run" $${method:+--method "$$method"} $${comp:+--competition "$$comp"} $(if $(call on,restart),--restart) "$${words[@]}"

merge: setup ## run=expNNN [comp=NAME]: a run's adapters merged into its model: one to train on from (--model FOLDER), or to serve
	@$(call need,run,run=exp010)$(COMMON) merge "$$run" $${comp:+--competition "$$comp"}

augment: setup ## method=NAME [comp=NAME] [n=ROWS] [name=NAME] [restart=1] [args="--setting value"]: new training rows (method=? lists)
	@$(call need,method,method=turn_drop n=200)read -ra words <<< "$$args"; $(COMMON) augment --method "$$method" $${comp:+--competition "$$comp"} $${n:+--parents "$$n"} $${name:+--name "$$name"} $${split:+--split "$$split"} $(if $(call on,restart),--restart) "$${words[@]}"

smoke: setup ## [exp=expNNN]: every experiment's train and infer, tiny, in seconds
	@$(COMMON) smoke $${exp:+"$$exp"}

new: setup ## exp=expNNN from=expNNN: start an experiment as a copy of another
	@$(call need,exp,exp=exp014 from=exp002)$(call need,from,exp=exp014 from=exp002)$(COMMON) new "$$exp" --from "$$from"

track: setup ## folder=outputs/COMP/RUN [mode=offline] [texts=1]: show a run folder in W&B
	@$(call need,folder,folder=outputs/daily_talk/exp002)$(COMMON) track "$$folder" $${mode:+--mode "$$mode"} $(if $(call on,texts),--texts)

docs: setup ## q="QUESTION" [lib=/OWNER/NAME] [fresh=1]: newest documentation of a library or model, from Context7
	@$(call need,q,q="Qwen2.5 generation config")$(COMMON) docs --query="$$q" $${lib:+--library="$$lib"} $(if $(call on,fresh),--fresh)

score: setup ## pred=FILE [split=dev|test] [comp=NAME]: score predictions beside the floor
	@$(call need,pred,pred=FILE split=dev)$(COMMON) score --predictions "$$pred" --split "$${split:-dev}" $${comp:+--competition "$$comp"}

compare: setup ## a=FILE b=FILE [split=dev|test] [comp=NAME]: is b better? paired bootstrap and permutation test
	@$(call need,a,a=FILE b=FILE)$(call need,b,a=FILE b=FILE)$(COMMON) compare --a "$$a" --b "$$b" --split "$${split:-dev}" $${comp:+--competition "$$comp"}

submit: setup ## [blend=NAME] [missing=train [jobs=2]] [stale=ok] [force=1]: submissions/NAME.toml → validated CSV + ledger entry
	@$(COMMON) submit $${blend:+--blend "$$blend"} $${missing:+--missing "$$missing"} $${jobs:+--jobs "$$jobs"} $${stale:+--stale "$$stale"} $(if $(call on,force),--force)

blend-report: setup ## [blend=NAME] [args="--candidates 4"]: what each way of blending is worth on dev, with intervals
	@read -ra words <<< "$$args"; $(COMMON) blend-report $${comp:+--competition "$$comp"} $${blend:+--blend "$$blend"} "$${words[@]}"

postprocess: setup ## run=expNNN[-NAME] [comp=NAME]: what each rule and a fitted length are worth on dev
	@$(call need,run,run=exp002)$(COMMON) postprocess --run "$$run" $${comp:+--competition "$$comp"}

leaderboard: setup ## every submission with dev, local test and leaderboard scores, goals marked
	@$(COMMON) leaderboard

lb: setup ## id=ID public=SCORE [private=SCORE]: type in what the site's leaderboard said
	@$(call need,id,id=ID public=71.5)$(COMMON) lb --id "$$id" $${public:+--public "$$public"} $${private:+--private "$$private"}

test: setup ## the fast tests, in every room (3 to 4 min on two cores)
	@$(VENV)/bin/python -m pytest -m "not slow"

check: setup ## format, lint, types, import rules and all tests, the slow ones too: what CI runs
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/python -m pytest

format: setup ## mend format and lint where a tool can
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

# A target that does not exist.
.DEFAULT:
	$(error there is no target $@; make alone lists them)

.PHONY: help setup demo data leaks use list train infer soup merge augment smoke new track docs score compare submit blend-report postprocess leaderboard lb test check format
