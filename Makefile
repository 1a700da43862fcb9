# Every command of this repository. `make` lists them; the code is in common/cli (`python -m common`).
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
COMMON := $(VENV)/bin/python -m common
# common/cli/targets.py declares which settings each target takes; common/cli/make.py turns them into a command line. Only the command line
# of make sets them: a variable of the environment never counts. They reach that file as environment variables and are
# never inserted into a recipe; the literal value is used, so that make does not expand a $(shell …) in it.
SETTINGS := exp comp from from-trial to weights base as pred a b split id public private run args restart smoke missing stale jobs blend gpus nodes track folder mode texts q lib fresh method n name force markdown stemmer all text per-example note uploaded off shell html count storage top dev
override KDS_GIVEN := $(foreach variable,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(variable)))),$(variable)))
override KDS_GOALS := $(value MAKECMDGOALS)
$(foreach setting,$(filter $(SETTINGS),$(KDS_GIVEN)),$(eval override $(setting) := $$(value $(setting))))
unexport $(filter-out $(SETTINGS),$(KDS_GIVEN))
export KDS_GIVEN KDS_GOALS $(filter $(SETTINGS),$(KDS_GIVEN))
SCRIPT := $(dir $(lastword $(MAKEFILE_LIST)))common/cli/make.py

# `make help train` explains train and runs nothing: all other goals only say what is asked.
ifneq ($(filter help,$(or $(value MAKECMDGOALS),$(.DEFAULT_GOAL))),)
.PHONY: help .explained
MAKEFLAGS += --silent  # else `make help help` ends in "Nothing to be done"
help: .explained ## list every target, or show the settings of the TARGET that follows, as in make help train
	@:
%: .explained
	@:
.explained:
	@$(or $(wildcard $(VENV)/bin/python),$(PYTHON)) $(SCRIPT)
$(MAKEFILE_LIST): ;
else

# Refuses unknown settings before anything is installed or run.
.settings:
	@$(or $(wildcard $(VENV)/bin/python),$(PYTHON)) $(SCRIPT)

setup: .settings $(VENV)/ready ## create .venv and install everything pinned in constraints.txt
$(VENV)/ready: setup.cfg pyproject.toml constraints.txt | .settings
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; choose another one with: make PYTHON=python3.12")'
	@echo "setting up .venv: this takes a few minutes, but only once"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[train,dev]' 2> >(grep -v 'is ignored: it is neither a file' >&2)
# pip compiles on one core. Some packages have files for another Python, which fail here as in pip.
	@$(VENV)/bin/python -m compileall -qq -j 0 $(VENV)/lib || true
	@$(VENV)/bin/python -c 'from common.rouge import compiled; compiled.warm_up()'
	@touch $@

# Without setup, because it says what setup would have to fix.
doctor: .settings ## [comp=NAME]: check Python, GPU, memory, disk, hub, keys, extras, data and git, and name the command that fixes each
	@exec $(or $(wildcard $(VENV)/bin/python),$(PYTHON)) $(SCRIPT) $@

completion: .settings ## [shell=bash|zsh]: print a script that makes the Tab key complete targets, settings and their values
	@exec $(or $(wildcard $(VENV)/bin/python),$(PYTHON)) $(SCRIPT) $@

demo: setup ## train three small models on the embedded sample, blend, validate, print the leaderboard (5 to 9 min)
	@$(COMMON) submit --competition daily_talk --missing train --jobs 2
	@echo
	@$(COMMON) leaderboard --competition daily_talk

data: setup ## comp=NAME from=PATH: check and copy the organisers' files, make the competition active
leaks: setup ## [comp=NAME]: show copies and near-copies between train, dev, test and augmented rows
stats: setup ## [comp=NAME]: show what the data looks like: lengths, speakers, topics, tags, copies, shifts, token limits, and a chart
use: setup ## comp=NAME: make this competition the active one
list: setup ## [comp=NAME]: list every experiment: title, model, needs, last dev score
settings: setup ## [exp=expNNN] [run=expNNN[-NAME] [comp=NAME]] [method=NAME]: list every setting of an experiment, a run or a method: value, range, meaning, what a run changed
results: setup ## [comp=NAME] [all=1] [markdown=1]: list the results of all runs in results/, best dev score first
runs: setup ## [comp=NAME]: list every run on this machine: status, dev score, changed settings, note, disk use
note: setup ## run=expNNN[-NAME] text="TEXT" [comp=NAME]: write a note about a run, which make runs shows
archive: setup ## run=expNNN[-NAME] [comp=NAME]: move a run out of the way, whole and verified; its result stays listed
restore: setup ## run=expNNN[-NAME] [comp=NAME]: move an archived run back
export: setup ## run=expNNN[-NAME] [to=FILE] [weights=1] [comp=NAME]: write a run into one file for a team-mate: record, candidates, predictions
import: setup ## from=FILE [as=expNNN-NAME] [comp=NAME]: add a team-mate's run of make export to those of this machine
train: setup ## exp=expNNN [run=expNNN-NAME] [comp=NAME] [gpus=N] [nodes="--nnodes=2 …"] [track=off|online] [restart=1] [smoke=1] [args="--epochs 2 --model 'my models/kobart'"]: train or resume
infer: setup ## exp=expNNN [run=expNNN-NAME] [comp=NAME] [gpus=N] [nodes=…] [track=off|online] [restart=1] [smoke=1] [args=…]: predict dev and test, score dev
watch: setup ## exp=expNNN [run=expNNN-NAME] [comp=NAME]: show the curves of a training in the terminal while it runs
predict: setup ## run=expNNN[-NAME] [from=FILE to=FILE] [text="DIALOGUE"] [comp=NAME] [force=1] [all=1] [gpus=N] [args=…]: summarize any dialogues with a trained run
merge: setup ## run=expNNN [comp=NAME]: merge a run's adapters into its model, to serve it or to train it further (--model FOLDER)
import-adapter: setup ## from=FOLDER base=OWNER/NAME|FOLDER as=expNNN-NAME [comp=NAME] [args="--max-source-tokens 2048"]: make a run of an adapter that was trained elsewhere
augment: setup ## method=NAME [comp=NAME] [n=ROWS] [name=NAME] [restart=1] [args="--setting value"]: make new training rows (method=? lists the methods)
sweep: setup ## exp=expNNN [count=N] [jobs=N] [gpus=N] [storage=postgresql://HOST/DB] [name=NAME] [from=FILE] [track=…] [stale=ok] [comp=NAME]: search for the best settings by experiments/expNNN/sweep.yaml
sweep-report: setup ## exp=expNNN [name=NAME] [top=N] [from=FILE] [storage=…] [comp=NAME]: show the best trials of a sweep, which settings matter, and how far to trust the best one
smoke: setup ## [exp=expNNN]: run train and infer of every experiment with tiny settings, in minutes; of one in seconds
new: setup ## exp=expNNN [from=expNNN] [from-trial=expNNN-NAME] [comp=NAME]: create an experiment as a copy of another, or with the settings of a trial
track: setup ## folder=outputs/COMP/RUN [mode=offline] [texts=1]: show a run folder in W&B
docs: setup ## q="QUESTION" [lib=/OWNER/NAME] [fresh=1]: show the newest documentation of a library or model from Context7
score: setup ## pred=RUN|FILE [split=dev|test] [comp=NAME] [all=1] [stemmer=1] [per-example=FILE]: score predictions and compare them with the floor
compare: setup ## a=RUN|FILE b=RUN|FILE [split=dev|test] [comp=NAME] [all=1] [stemmer=1]: test whether b is better, and show which settings differ
submit: setup ## [blend=NAME] [comp=NAME] [missing=train [jobs=2]] [stale=ok] [force=1] [note=TEXT] [all=1]: submissions/NAME.toml → validated CSV + ledger entry
blend-report: setup ## [blend=NAME] [comp=NAME] [args="--candidates 4"]: compare the ways of blending on dev, with confidence intervals
postprocess: setup ## run=expNNN[-NAME] [comp=NAME] [all=1]: measure the effect of each rule and of a fitted length on dev
leaderboard: setup ## [comp=NAME] [all=1] [html=1]: show every submission with its dev, local test and leaderboard scores and the goals it meets
report: setup ## exp=expNNN [run=expNNN-NAME] [comp=NAME]: write an HTML page about one run: scores, settings, curves, examples
upload: setup ## [id=ID] [comp=NAME]: upload a submission to the site by its API (Kaggle), once, and record its scores
lb: setup ## id=ID [public=SCORE] [private=SCORE] [uploaded=today] [comp=NAME]: record an upload, and the scores that the site shows for it
pick: setup ## [id=ID] [off=1] [comp=NAME]: mark a final pick; without id, list the picks and recommend some by dev
validate: setup ## pred=FILE [comp=NAME]: check whether a CSV is a valid submission, without writing anything
register: setup ## pred=FILE name=NAME [public=SCORE] [private=SCORE] [dev=FILE|SCORE] [note=TEXT] [comp=NAME]: enter a CSV made elsewhere into the ledger
reproduce: setup ## id=ID [comp=NAME]: rebuild the CSV of a ledger entry, and say "identical" or which input differs

# With exec, the command gets the SIGTERM that make sends to its shell.
data leaks stats use list settings results runs note archive restore export import train infer watch predict merge import-adapter augment sweep sweep-report smoke new track docs score compare submit blend-report postprocess leaderboard report upload lb pick validate register reproduce:
	@exec $(VENV)/bin/python $(SCRIPT) $@

test: setup ## run the fast tests, which cover every room
	@$(VENV)/bin/python -m pytest -m "not slow"

faults: setup ## [args="short jobs=2 FAMILY"]: kill, damage and misuse every command, seeded and resumable, write docs/durability.md (an hour or two)
	@exec $(VENV)/bin/python $(SCRIPT) $@

gpu-check: setup ## [args="--minutes 4 --only decoding"]: measure speed, memory and sameness on one GPU in at most 8 minutes (args=--tiny tries it on a CPU)
	@exec $(VENV)/bin/python $(SCRIPT) $@

bench: setup ## [args="--only rouge --rounds 3"]: measure speed against peers, resumable, and write docs/performance.md (half an hour, idle machine)
	@exec $(VENV)/bin/python $(SCRIPT) $@

audit: setup ## look for weaknesses: bandit, zizmor, pip-audit, and secrets in all of git (needs network)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[audit]' && bash .ci/audit

check: setup ## check format, lint, types and import rules, and run all tests, as CI does
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/python -m pytest

messages: setup ## collect the messages of the source into common/locale, and list those without a translation
	@$(VENV)/bin/python -m common.cli.messages

format: setup ## fix format and lint errors automatically where possible
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

# Runs for a target that does not exist.
.DEFAULT:
	@$(or $(wildcard $(VENV)/bin/python),$(PYTHON)) $(SCRIPT) '$(subst ','\'',$@)'

.PHONY: help setup doctor demo data leaks stats use list settings results runs note archive restore export import train infer watch predict merge import-adapter augment sweep sweep-report smoke new track docs score compare submit blend-report postprocess leaderboard report upload lb pick validate register reproduce test faults gpu-check bench audit check messages format completion
endif
