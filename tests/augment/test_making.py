"""`make augment` from the command line to the files: provenance, guards, refusals, and real rows."""

import csv
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from common import augment
from common.augment import augmented_rows, making
from common.augment.__main__ import report
from common.augment.augmented_rows import AugmentedRow
from common.augment.settings import AUGMENT_METHODS
from common.augment.settings import settings as defaults
from common.core.config import plain
from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.dialogue import clean, parse, tags
from common.data.folds import folds
from common.data.rows import Row, read_split
from common.models.tiny import tiny as tiny_folder
from tests.cli.test_commands import failed, make
from tests.support import REAL_DATA, REPOSITORY
from tests.support.augmenting import job, polite, record, table

REAL = REAL_DATA / "dialogue_summarization"


def test_new_rows_carry_where_they_come_from(talk: Path) -> None:
    made = making.augment(job("back_translation", n=40), translator=polite)
    rows = table(made.folder / "rows.csv")
    rejected = table(made.folder / "rejected.csv")
    train = read_split(load_competition("daily_talk"), "train").rows
    fold_of, parents = folds(train, 5, 0.999), {row.id: row for row in train}
    assert made.folder == talk / "outputs" / "daily_talk" / "augmented" / "back_translation"
    assert (made.kept, len(rejected)) == (len(rows), 40 - len(rows))
    assert 5 < len(rows) < 40
    assert list(rejected[0]) == [*rows[0], "reason"]
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        parent = parents[row["parent"]]
        assert row["id"] == f"{parent.id}.back_translation"
        assert (row["method"], row["model"], row["seed"]) == ("back_translation", "a function", "42")
        assert int(row["fold"]) == fold_of[parent.id]
        assert row["dialogue"] != clean(parent.dialogue)
        assert Counter(tags(row["dialogue"])) == Counter(tags(clean(parent.dialogue)))
        assert (row["summary"], row["topic"]) == (parent.summaries[0], parent.topic)
        assert 0.05 <= float(row["similarity"]) <= 0.95
    assert all(row["reason"] for row in rejected)
    told = record(made)
    assert (
        told["rejected"] == dict(made.reasons) == dict(Counter(r["reason"].split(":")[0] for r in rejected))
    )
    assert (told["parents"], told["kept"], told["n"], told["seed"]) == (40, made.kept, 40, 42)
    assert told["near_copy"] == 0.999
    assert {"train", "dev", "test"} == set(told["data"])
    assert told["packages"]["python"]
    assert f"{made.kept}" in report(made)
    assert all(reason in report(made) for reason in made.reasons)


def test_csv_survives_pandas(talk: Path) -> None:
    odd = Row("train_1.x", '#Person1#: "NA", null\n#Person2#: 쉼표, 따옴표"', ("None",), "NA")
    path = talk / "rows.csv"
    one = AugmentedRow(odd, "train_1", "turn_drop", "", "", 1, 2, 0.1 + 0.2, 1.0)
    augmented_rows.write(
        path, [one, replace(one, row=Row("train_2.x", "#Person1#: 네", ("가", "나"), ""))], ["a: b", "c"]
    )
    frame = pandas.read_csv(path, keep_default_na=False, dtype=str)
    assert list(frame["dialogue"]) == [odd.dialogue, "#Person1#: 네"]
    assert list(frame["summary1"]) == ["None", "가"]
    assert list(frame["summary2"]) == ["", "나"]
    assert list(frame["reason"]) == ["a: b", "c"]
    assert float(frame["similarity"][0]) == 0.1 + 0.2


def test_the_seed_decides_and_more_parents_add_to_fewer(talk: Path) -> None:
    small = making.augment(job("turn_drop", n=20))
    before = {row["id"]: row for row in table(small.folder / "rows.csv")}
    again = making.augment(job("turn_drop", n=20), restart=True)
    assert {row["id"]: row for row in table(again.folder / "rows.csv")} == before
    more = making.augment(job("turn_drop", n=40))
    after = {row["id"]: row for row in table(more.folder / "rows.csv")}
    assert before.items() <= after.items()
    assert len(after) > len(before)
    other = making.augment(job("turn_drop", "--seed=7", n=20, name="other"))
    assert {row["parent"] for row in table(other.folder / "rejected.csv")} != {
        row["parent"] for row in table(again.folder / "rejected.csv")
    }


def test_other_guards_judge_again_and_other_settings_want_a_word(talk: Path) -> None:
    asked: list[int] = []

    def counting(texts: Sequence[str], source: str, target: str) -> list[str]:
        asked.append(len(texts))
        return polite(texts, source, target)

    first = making.augment(job("back_translation", n=30), translator=counting)
    calls = len(asked)
    strict = making.augment(job("back_translation", "--highest-similarity=0.5", n=30), translator=counting)
    assert len(asked) == calls
    assert strict.kept < first.kept
    with pytest.raises(UserError, match=r"--method.summaries was False, is True.*restart=1.*another name="):
        making.augment(job("back_translation", "--summaries=true", n=30), translator=counting)
    assert augment.read("daily_talk", "back_translation")  # nothing was lost
    making.augment(job("back_translation", "--summaries=true", n=30), restart=True, translator=counting)
    assert len(asked) > calls


def test_near_copies_of_dev_and_test_are_never_used(talk: Path) -> None:
    chosen = load_competition("daily_talk")
    train = read_split(chosen, "train").rows
    path = chosen.path("dev")
    rows = table(path)
    rows[0]["dialogue"] = train[0].dialogue
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sent: list[str] = []

    def spying(texts: Sequence[str], source: str, target: str) -> list[str]:
        sent.extend(texts)
        return polite(texts, source, target)

    made = making.augment(job("back_translation"), translator=spying)
    same = {row.id for row in train if row.dialogue == train[0].dialogue}
    why = {row["parent"]: row["reason"] for row in table(made.folder / "rejected.csv")}
    assert all(why[name].startswith("parent_near_dev_or_test: similarity 1.000") for name in same)
    assert sent

    # A product that comes near one though its parent was not.
    target = train[next(i for i, row in enumerate(train) if len(parse(row.dialogue)) == 5)]
    rows[0]["dialogue"] = "\n".join(
        f"{t.speaker}: {polite([t.text], 'en', 'ko')[0]}" for t in parse(target.dialogue)
    )
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    made = making.augment(job("back_translation"), translator=polite)
    why = {row["parent"]: row["reason"] for row in table(made.folder / "rejected.csv")}
    assert "near_dev_or_test: similarity" in why[target.id] or why[target.id].startswith("broken")


def test_mistakes_get_one_message(talk: Path) -> None:
    assert sorted(AUGMENT_METHODS) == sorted(
        ["paraphrase", "back_translation", "speaker_swap", "turn_drop", "sentence_drop"]
    )
    for words, parts in (
        (["method=swap"], ["method 'swap' is not one of paraphrase, back_translation, speaker_swap, turn_drop", "method=?"]),
        (["method=sent"], ["Did you mean sentence_drop?"]),
        (["method=turn_drop", "n=0"], ["n=0: wanted 1 to 60"]),
        (["method=turn_drop", "split=dev"], ["make augment: takes no split="]),
        (["method=turn_drop", "args=--split dev"], ["split 'dev' cannot be augmented", "leak"]),
        (["method=turn_drop", "comp=dialogue_summarization"], ["not there", "make data comp=dialogue_summarization"]),
        (["method=turn_drop", "name=../x"], ["name '../x'"]),
        (["method=turn_drop", "args=--shar 0.1"], ["--shar: no such setting. Did you mean --share", "make settings method=turn_drop"]),
        ([], ["method= is missing (one of paraphrase, back_translation, speaker_swap, turn_drop, sentence_drop); for"]),
    ):  # fmt: skip
        if any(word.startswith("comp=dialogue") for word in words):
            other = talk / "competitions" / "dialogue_summarization"
            other.mkdir()
            shutil.copy(REPOSITORY / "competitions" / other.name / "competition.toml", other)
        failed(make(talk, "augment", *words), *parts, code=2)
    for config, part in (
        (job("turn_drop", n=61), "n=61: wanted 1 to 60"),
        (job("back_translation", "--model=nowhere/at-all-really!"), "neither an existing folder nor a hub id"),
        (job("back_translation", "--model=tiny:m2m999"), "tiny:m2m999"),
        (job("back_translation", "--model=facebook/nllb-200-distilled-600M"), "CC-BY-NC-4.0.*--accept-noncommercial-licence"),
        (job("back_translation", "--model=tiny:nllb", name="b"), "CC-BY-NC-4.0"),
        (job("back_translation", "--model=tiny:bart", name="c"), "choose one of tiny:m2m100"),
        (job("back_translation", f"--model={tiny_folder('tiny:bart')}", name="c"), "no language tokens for Korean and English"),
        (job("back_translation", f"--model={tiny_folder('tiny:qwen2')}", name="d"), "decoder-only language model"),
        (job("paraphrase", name="f"), "no model is set"),
        (replace(job("turn_drop"), config=replace(defaults("turn_drop"), folds=999)), "groups for 999 folds"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=part):
            making.augment(config)
    for method, word, part in (
        ("turn_drop", "--share=0", "--share: found 0.0, wanted a number above 0 and at most 1"),
        ("back_translation", "--pivot=ko", "--pivot: found 'ko', wanted en"),
        (
            "paraphrase",
            "--lowest-similarity=1",
            "--guards.lowest-similarity 1.0 is above --guards.highest-similarity",
        ),
    ):
        with pytest.raises(UserError, match=part):
            job(method, word)


def test_make_augment_prints_the_counts(talk: Path) -> None:
    ended = make(
        talk,
        "augment",
        "method=speaker_swap",
        "comp=daily_talk",
        "n=10",
        "args=--duplicate 1",
        "name=swap-1",
    )
    assert ended.returncode == 0, ended.stderr
    assert "outputs/daily_talk/augmented/swap-1" in ended.stdout
    assert "kept" in ended.stdout
    assert all(row.row.id.endswith(".swap-1") for row in augment.read("daily_talk", "swap-1"))
    dry = make(talk, "augment", "method=paraphrase", "n=5", "args=--model m --dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "5 of 5 parents" in dry.stdout
    assert "10 calls to make" in dry.stdout
    assert not (talk / "outputs" / "daily_talk" / "augmented" / "paraphrase").exists()


@pytest.mark.slow
@pytest.mark.skipif(not (REAL / "train.csv").exists(), reason="needs the organisers' files in ../shared/data")
def test_two_hundred_real_rows_through_every_method(workspace: Path) -> None:
    data = workspace / "competitions" / "dialogue_summarization" / "data"
    data.mkdir()
    for path in REAL.glob("*.csv"):
        shutil.copyfile(path, data / path.name)
    some = table(data / "train.csv")[:400]
    with (data / "train.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(some[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(some)

    def endings(texts: Sequence[str], source: str, target: str) -> list[str]:
        return [t.replace("요.", "습니다.").replace("네,", "예,") if target == "ko" else t for t in texts]

    comp = "dialogue_summarization"
    train = {row.id: row for row in read_split(load_competition(comp), "train").rows}
    closed = [row for name in ("dev", "test") for row in read_split(load_competition(comp), name).rows]  # type: ignore[arg-type]
    for method in ("speaker_swap", "turn_drop", "back_translation"):
        own = [] if method != "back_translation" else ["--highest-similarity=1"]
        made = making.augment(job(method, *own, n=200, comp=comp), translator=endings)
        assert made.kept + sum(made.reasons.values()) == 200
        assert made.kept >= 40
        assert set(made.reasons) <= {
            "parent_near_dev_or_test",
            "not_applicable",
            "copy",
            "other_fold",
            "near_dev_or_test",
            "duplicate",
        }
        for one in augment.read(comp, method, closed if method == "turn_drop" else ()):
            before, after = train[one.parent], one.row
            assert len(parse(after.dialogue)) <= len(parse(clean(before.dialogue)))
            assert set(tags(after.summaries[0])) <= {
                *tags(clean(before.summaries[0])),
                "#Person1#",
                "#Person2#",
            }
    model = ["--model=tiny:m2m100", "--beams=1", "--max-new-tokens=4", "--rows-at-once=100"]
    random_model = making.augment(job("back_translation", *model, n=200, comp=comp, name="random"))
    assert random_model.kept == 0  # it says nothing that means anything
    assert sum(random_model.reasons.values()) == 200
    assert plain(job("turn_drop").config)["seed"] == 42


def test_a_question_mark_lists_the_methods(repository: Path) -> None:
    ended = make(repository, "augment", "method=?")
    assert (ended.returncode, ended.stderr) == (0, "")
    for name in AUGMENT_METHODS:
        assert re.search(rf"(?m)^{name} ", ended.stdout)


def test_make_knows_the_methods_without_importing_them() -> None:
    from common.cli.targets import TARGETS

    assert TARGETS["augment"].choices == ", ".join(AUGMENT_METHODS)


def test_the_rows_know_every_method() -> None:
    assert augmented_rows.METHODS == AUGMENT_METHODS
