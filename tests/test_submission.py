"""From recipe to CSV: exactly what the competition declares, or one error and nothing changed."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import house as houses
import numpy as np
import pytest

from common import competition as competitions
from common import files, ledger, runs, submission, submission_csv
from common.competition import Competition
from common.errors import UserError
from common.recipes import Recipe, read_recipe
from common.rouge import pairwise
from common.submission import Submitted

RUN = "outputs/talk/exp001"


@pytest.fixture
def talk(house: Path) -> Competition:
    return competitions.load("talk")


def recipe(house: Path, text: str | None = None) -> Recipe:
    path = house / "submissions" / "talk.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def submit(
    house: Path,
    *,
    missing: str = "stop",
    allow_stale: bool = False,
    text: str | None = None,
    force: bool = True,  # two dev rows show nothing
) -> Submitted:
    return submission.submit(
        recipe(house, text), competitions.load("talk"), missing, allow_stale=allow_stale, force=force
    )


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def state(house: Path) -> dict[str, bytes]:
    """Everything in submissions/ that counts."""
    folder = house / "submissions"
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix != ".lock"}


def refused(house: Path, *parts: str, **options: object) -> str:
    """The message of a submit that is refused and changes nothing."""
    before = state(house)
    with pytest.raises(UserError) as caught:
        submit(house, **options)  # type: ignore[arg-type]
    for part in parts:
        assert part in str(caught.value)
    assert state(house) == before
    return str(caught.value)


def solo(method: str = "vote", more: str = "") -> str:
    return f'competition = "talk"\nmethod = "{method}"\n{more}\nmembers = [{{ run = "exp001" }}]\n'


# What dev does not support


def test_a_blend_that_may_be_chance_is_refused_unless_forced(house: Path) -> None:
    worse = houses.RECIPE.replace("2.0", "0.5")  # the vote is then exp001's, and exp002 is better
    recipe(house, worse)
    message = refused(
        house,
        "submissions/talk.toml: on dev the blend is ",
        "95 % interval",
        "that may be chance. Nothing was written. Send exp00",
        "make blend-report blend=talk, or insist with force=1.",
        force=False,
    )
    made = submit(house)
    judged = made.entry["verdict"]
    assert not judged["supported"]
    assert f"{judged['difference']:+.2f} leaderboard over {judged['best']} alone" in message
    assert judged["low"] <= judged["difference"] <= judged["high"]
    assert judged["low"] <= 0
    assert ledger.entries()[-1]["verdict"] == judged


def test_one_member_as_it_is_needs_no_support(house: Path) -> None:
    made = submit(house, text=solo(), force=False)
    assert made.entry["verdict"] == {
        "best": "exp001", "difference": 0.0, "low": 0.0, "high": 0.0, "supported": True
    }  # fmt: skip


def test_a_method_that_learns_wants_more_than_two_dialogues(house: Path) -> None:
    text = 'competition = "talk"\nmethod = "stack"\nmembers = [{ run = "exp001" }, { run = "exp002" }]\n'
    recipe(house, text)
    refused(house, "fall into", "5 folds cannot all have rows")


# What is made


def test_the_csv_is_exactly_as_declared(house: Path) -> None:
    made = submit(house)
    assert made.path == house / "submissions" / "talk.csv"
    content = made.path.read_bytes().decode("utf-8")
    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0] == ["", "fname", "summary"]
    assert [row[:2] for row in rows[1:]] == [["0", "test_2"], ["1", "test_10"], ["2", "test_0"]]
    expected = {
        r[0]: r[1]
        for r in csv.reader((house / "outputs/talk/exp002/test/predictions.csv").open(encoding="utf-8"))
    }
    assert {row[1]: row[2] for row in rows[1:]} == {k: v for k, v in expected.items() if k != "fname"}
    assert content.startswith('"","fname","summary"\n"0","test_2","')
    assert content.endswith('"\n')
    assert "\r" not in content
    assert "\ufeff" not in content
    assert made.path.stat().st_mode & 0o777 == 0o644


def test_columns_follow_the_competition(house: Path) -> None:
    toml = house / "competitions/talk/competition.toml"
    text = toml.read_text(encoding="utf-8")
    text = text.replace(
        'columns = ["", "fname", "summary"]\n[files.sol', 'columns = ["summary", "fname"]\n[files.sol'
    )
    text = text.replace('columns = ["", "fname", "summary"]\nindex = ""', 'columns = ["summary", "fname"]')
    toml.write_text(text, encoding="utf-8")
    sample = "summary,fname\n" + "".join(f",{name}\n" for name in houses.SAMPLE)
    (house / "competitions/talk/data/sample_submission.csv").write_text(sample, encoding="utf-8")
    lines = submit(house).path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"summary","fname"'
    assert lines[1].endswith(',"test_2"')


def test_the_ledger_entry_says_what_was_made_of_what(house: Path, talk: Competition) -> None:
    made = submit(house)
    [entry] = ledger.entries()
    assert entry == made.entry
    sha = files.sha256_file(made.path)
    assert (entry["id"], entry["csv_sha256"]) == (sha[:10], sha)
    assert [(m["run"], m["weight"]) for m in entry["members"]] == [("exp001", 1.0), ("exp002", 2.0)]
    assert entry["members"][0]["run_sha256"] == files.sha256_file(house / RUN / "run.json")
    assert entry["data"] == {kind: files.sha256_file(talk.path(kind)) for kind in talk.files}
    assert entry["stale"] == {}
    assert entry["git"] == {"commit": None, "dirty": None}
    for split in ("dev", "test"):
        assert set(entry[split]) == {"exp001", "exp002", "blend", "floor"}
        assert set(entry[split]["blend"]) == {"leaderboard", "rouge101", "korouge"}
    assert entry["dev"]["blend"] == entry["dev"]["exp002"]
    assert entry["choice"] == {"tied": 0.0, "all_alike": 0.0, "all_different": 1.0}


def test_the_same_again_is_the_same_file(house: Path) -> None:
    first, second = submit(house), submit(house)
    assert first.entry["csv_sha256"] == second.entry["csv_sha256"]
    assert len(files.read_lines(house / "submissions/ledger.jsonl")) == 2


@pytest.mark.parametrize(
    ("more", "mix"),
    [("", (1, 1, 1)), ("mix = { rouge2 = 3, rougeL = 1 }", (0, 3, 1)), ("length = 0.5", (1, 1, 1))],
)
def test_mbr_chooses_by_the_definition(house: Path, more: str, mix: tuple[int, ...]) -> None:
    text = houses.RECIPE.replace('"vote"', f'"mbr"\ncandidates = 2\n{more}')
    made, asked = submit(house, text=text), recipe(house)
    members = submission.member_candidates(asked, competitions.load("talk"), "test")
    picked = {r[1]: r[2] for r in csv.reader(made.path.open(encoding="utf-8"))}
    for name in houses.SAMPLE:
        group = [c.text for run in ("exp001", "exp002") for c in members[run][name]]
        assert [len(members[run][name]) for run in members] == [2, 2]
        weights = np.array([0.5, 0.5, 1.0, 1.0])
        matrix = pairwise([group], "leaderboard")[0]
        utility = np.average([matrix[k] for k in ("rouge1", "rouge2", "rougeL")], axis=0, weights=mix) / 100
        scores = [np.average(np.delete(utility[i], i), weights=np.delete(weights, i)) for i in range(4)]
        lengths = np.log([len(t) for t in group])
        scores += asked.length * (lengths - np.median(lengths))
        assert picked[name] == group[int(np.argmax(scores))]


def test_a_member_may_only_tell_how_good_others_are(house: Path) -> None:
    text = houses.RECIPE.replace('"vote"', '"mbr"').replace("weight = 2.0", "weight = 2.0, choose = false")
    made = submit(house, text=text)
    assert made.entry["dev"]["blend"] == made.entry["dev"]["exp001"]
    recipe_path = house / "submissions" / "talk.toml"
    recipe_path.write_text(text.replace("weight = 1.0", "choose = false"), encoding="utf-8")
    refused(house, "every member has choose = false")


def test_a_tied_vote_falls_to_consensus_and_says_so(house: Path) -> None:
    made = submit(house, text=houses.RECIPE.replace("2.0", "1.0"))
    assert made.entry["choice"]["tied"] == 1.0


def test_members_of_two_versions_of_the_data_are_never_blended(house: Path) -> None:
    record = house / RUN / "run.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    for name, entry in content["infer"]["data"].items():
        if name.endswith("dev.csv"):
            entry["sha256"] = "0" * 64
    record.write_text(json.dumps(content), encoding="utf-8")
    refused(house, "exp002 and exp001 were inferred on different versions of", "dev.csv", allow_stale=True)


# Texts that no site takes


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("비가 온다.\n우산이 없다.", "more than one line"),
        ("비가 온다.\n", "line break"),
        ("비가 온다.\r우산이 없다.", "more than one line"),
        ("비가\u2028온다.", "more than one line"),
        ("\u1107\u1175가 온다.", "not in Unicode NFC"),
        ("비" * 61, "has 61 characters, at most 60"),
    ],
)
def test_a_bad_text_is_refused_and_the_old_csv_stays(house: Path, text: str, fault: str) -> None:
    submit(house)
    houses.infer_texts(house, "exp002", {"test_10": text})
    message = refused(house, "submissions/talk.csv: the summary of 'test_10'", fault)
    assert "submissions/.talk.csv" not in message


@pytest.mark.parametrize("text", ["", "  \u3000"])
def test_a_member_without_a_text_is_named(house: Path, text: str) -> None:
    submit(house)
    houses.infer_texts(house, "exp002", {"test_10": text})
    refused(house, "exp002 has no text for 'test_10'; run infer for it again")


def test_the_longest_and_oddest_texts_that_are_allowed_pass(house: Path) -> None:
    odd = {"test_0": "비" * 60, "test_2": 'NA, "None", \\', "test_10": "=1+1; #Person1#은"}
    houses.infer_texts(house, "exp001", odd)
    made = submit(house, text=solo())
    assert {r[1]: r[2] for r in csv.reader(made.path.open(encoding="utf-8"))} == {"fname": "summary", **odd}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "columns are []"),
        (b'"fname","summary"\n', "columns are"),
        (b'"","fname","summary"\n"0","test_2","a"\n', "1 rows, wanted 3"),
        (b'"","fname","summary"\n0,test_2,a\n1,test_0,a\n2,test_10,a\n', "row 1 is 'test_0'"),
        (b'"","fname","summary"\n0,test_2,a\n2,test_10,a\n1,test_0,a\n', "index '2' in row 1"),
        (b'"","fname","summary"\n0,test_2,a,b\n1,test_10,a\n2,test_0,a\n', "row 0 has 4 cells"),
        (b'"","fname","summary"\n0,test_2,"a"b\n', "not a valid CSV"),
        (b"\xef\xbb\xbf" + b'"","fname","summary"\n', "columns are"),
        (b'"","fname","summary"\n0,test_2,\xff\n', "not valid UTF-8"),
    ],
)
def test_validation_names_what_is_wrong(house: Path, talk: Competition, content: bytes, part: str) -> None:
    (house / "mine.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        submission_csv.validate(talk, house / "mine.csv")
    assert str(caught.value).startswith("mine.csv: ")
    assert part in str(caught.value)


# Members that are absent or no longer what they were


def test_a_missing_member_stops_with_the_command(house: Path) -> None:
    shutil.rmtree(house / RUN)
    command = "run: make exp=exp001 train && make exp=exp001 infer"
    message = refused(house, "1 of 2 members", "exp001: train has not finished", command, "missing=train")
    assert "stale=ok" not in message
    refused(house, command, allow_stale=True)


def test_a_member_cut_off_between_stages(house: Path) -> None:
    record = runs.record(house / RUN)
    record["infer"]["status"] = "running"
    (house / RUN / "run.json").write_text(json.dumps(record), encoding="utf-8")
    message = refused(house, "exp001: infer has not finished", "run: make exp=exp001 infer")
    assert "train &&" not in message
    edit(house / "experiments/exp001/train.py", "rows = len", "rows = 0 * len")
    # Training is finished but stale: without restart=1 it would be refused.
    refused(house, "run: make exp=exp001 train restart=1 && make exp=exp001 infer")


BOTH = "run: make exp=exp001 train restart=1 && make exp=exp001 infer\n"
INFER = "run: make exp=exp001 infer\n"


@pytest.mark.parametrize(
    ("change", "reason", "command"),
    [
        (lambda h: edit(h / "experiments/exp001/infer.py", "turn + 1", "turn + 2"), "code experiments/exp001/infer.py has changed", INFER),
        (lambda h: edit(h / "experiments/exp001/train.py", "rows = len", "rows = 0 * len"), "code experiments/exp001/train.py has changed", BOTH),
        (lambda h: edit(h / "experiments/exp001/config.py", "turn: int = 0", "turn: int = 1"), "code experiments/exp001/config.py has changed",
         INFER + "    or, if a training setting was changed: make exp=exp001 train restart=1 && make exp=exp001 infer\n"),
        (lambda h: edit(h / "competitions/talk/data/train.csv", "일상", "하루"), "data competitions/talk/data/train.csv has changed", BOTH),
        (lambda h: edit(h / RUN / "best/m.json", "0", "1"), "outputs/talk/exp001/best cannot be used: outputs/talk/exp001/best/m.json has changed since it was saved", BOTH),
        (lambda h: shutil.rmtree(h / RUN / "best"), "outputs/talk/exp001/best cannot be used", BOTH),
        (lambda h: edit(h / RUN / "test/predictions.csv", "#Person1#", "#Person2#"), f"result {RUN}/test/predictions.csv has changed", INFER),
    ],
    ids=["infer code", "train code", "config.py", "data", "checkpoint", "checkpoint gone", "predictions"],
)  # fmt: skip
def test_a_stale_member_stops_with_the_command(
    house: Path, change: Callable[[Path], None], reason: str, command: str
) -> None:
    submit(house)
    change(house)
    message = refused(
        house, "submissions/talk.toml: ", f"exp001: {reason}", command, "missing=train", "stale=ok"
    )
    assert message.count(reason) == (2 if "data" in reason else 1)  # exp002 read that data too


def test_stale_members_can_be_accepted_and_that_is_recorded(house: Path) -> None:
    edit(house / "experiments/exp001/infer.py", "turn + 1", "turn + 2")
    made = submit(house, allow_stale=True)
    assert made.entry["stale"] == {"exp001": ["code experiments/exp001/infer.py has changed"]}
    assert ledger.entries()[0]["stale"] == made.entry["stale"]


def test_a_variant_is_named_with_its_settings(house: Path) -> None:
    houses.stage(house, "exp001", "train", "--run", "exp001-second", "--turn", "1")
    houses.stage(house, "exp001", "infer", "--run", "exp001-second")
    text = solo().replace('"exp001"', '"exp001-second"')
    assert submit(house, text=text).entry["members"][0]["run"] == "exp001-second"
    edit(house / "experiments/exp001/train.py", "rows = len", "rows = 0 * len")
    refused(
        house,
        'make exp=exp001 train run=exp001-second args="--turn=1" restart=1 && make exp=exp001 infer run=exp001-second',
    )
    # Trained anew by submit itself, it stays the variant that it was.
    again = submit(house, missing="train")
    assert runs.record(house / "outputs/talk/exp001-second")["train"]["config"]["turn"] == 1
    assert again.entry["stale"] == {}


def test_a_member_is_made_again_in_as_many_processes_as_it_was(house: Path) -> None:
    """In fewer, the same settings would make smaller steps, and nothing would say so."""
    record = runs.record(house / RUN)
    record["train"]["processes"] = 2
    (house / RUN / "run.json").write_text(json.dumps(record), encoding="utf-8")
    # The checkpoint is the first process's to write, and stale in any case.
    save = "checkpoints.save(run.folder"
    edit(house / "experiments/exp001/train.py", save, f"processes.rank() or {save}")
    edit(house / "experiments/exp001/train.py", "import checkpoints, ", "import checkpoints, processes, ")
    refused(house, "run: make exp=exp001 train gpus=2 restart=1 && make exp=exp001 infer\n")
    assert submit(house, text=solo(), missing="train").entry["stale"] == {}
    made = runs.record(house / RUN)
    assert (made["train"]["processes"], made["infer"]["processes"]) == (2, 1)


def test_a_variant_nobody_recorded_is_not_made_up(house: Path) -> None:
    (house / "submissions/talk.toml").write_text(
        solo().replace('"exp001"', '"exp001-third"'), encoding="utf-8"
    )
    refused(house, "exp001-third", "train it yourself", 'run=exp001-third args="…"', missing="train")


def test_missing_train_makes_what_is_absent_or_outdated(house: Path) -> None:
    shutil.rmtree(house / "outputs/talk/exp002")
    edit(house / "experiments/exp001/config.py", "turn: int = 0", "turn: int = 1")  # a training setting
    made = submit(house, missing="train")
    assert made.entry["stale"] == {}
    assert runs.record(house / RUN)["train"]["config"]["turn"] == 1
    assert runs.stale_reasons(house / RUN) == runs.stale_reasons(house / "outputs/talk/exp002") == []


def test_a_member_that_cannot_be_trained_stops_the_submit(
    house: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    edit(house / "experiments/exp001/train.py", "    run.finish()", "    raise UserError('no')")
    edit(
        house / "experiments/exp001/train.py",
        "import write_json",
        "import write_json\nfrom common.errors import UserError",
    )
    refused(house, "exp001: train failed (see above)", missing="train")
    assert "error: no" in capfd.readouterr().err


def test_ids_are_joined_never_positions(house: Path) -> None:
    path = house / RUN / "test/predictions.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    before = submit(house, text=solo(), allow_stale=True).entry["csv_sha256"]
    path.write_text("".join(lines), encoding="utf-8")
    assert submit(house).entry["csv_sha256"] == before
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    refused(
        house,
        "1 ids of test are missing and 0 are unknown",
        "'test_10'",
        "infer exp001 again",
        allow_stale=True,
    )


# Recipes


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('"vote"', '"vot"', "method 'vot' is unknown"),
        ('"vote"', '"vote', "not valid TOML"),
        ("method", "methods", "unknown key 'methods'"),
        ("weight = 1.0", "weight = -1", "weight of exp001 is -1"),
        ("weight = 1.0", "weight = true", "weight of exp001 is True"),
        ("weight = 1.0", "weight = nan", "weight of exp001 is nan"),
        ("weight = 1.0", "wieght = 1", "wanted { run ="),
        ('"exp002"', '"exp001"', "listed twice"),
        ("1.0", "0", ""),
        ('"vote"', '"vote"\ncandidates = 3', "an exact vote uses one text per member"),
        ('"vote"', '"mbr"\ncandidates = 0', "candidates is 0"),
        ('"vote"', '"mbr"\nutility = "bleu"', "utility 'bleu'"),
        ('"vote"', '"mbr"\nmix = { bleu = 1 }', "mix {'bleu': 1}; wanted shares of rouge1"),
        ('"vote"', '"mbr"\nmix = { chrf = -1 }', "mix.chrf is -1"),
        ('"vote"', '"mbr"\nlength = "long"', "length is 'long'"),
        ('"vote"', '"stack"', "stack learns on dev how to choose; remove weight"),
        ("weight = 1.0", 'choose = "no"', "wanted { run ="),
        ('competition = "talk"\n', "", '"competition" is missing'),
        ('"talk"', '"daily_talk"', "is for daily_talk"),
        ('"exp001"', '"../exp001"', "run '../exp001'"),
        ('"exp001"', '"exp009"', "exp009"),
    ],
)
def test_a_wrong_recipe_is_named(house: Path, old: str, new: str, part: str) -> None:
    text = houses.RECIPE.replace(old, new)
    if part:
        (house / "submissions/talk.toml").write_text(text, encoding="utf-8")
        refused(house, part)
    else:  # one zero weight is allowed, all of them are not
        assert submit(house, text=text).entry["members"][0]["weight"] == 0
        (house / "submissions/talk.toml").write_text(text.replace("2.0", "0"), encoding="utf-8")
        refused(house, "all weights are 0")


def test_an_absent_recipe_lists_the_others(house: Path) -> None:
    with pytest.raises(UserError, match=r"submissions/none\.toml: file not found; recipes here: talk"):
        read_recipe(house / "submissions" / "none.toml")


# Faults


def test_two_at_once(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first blends, a second process gets one clear error and changes nothing."""
    ended: list[subprocess.CompletedProcess[str]] = []
    original = submission.require_fresh

    def meanwhile(*args: object, **options: object) -> object:
        command = [sys.executable, "-m", "common", "submit"]
        ended.append(subprocess.run(command, capture_output=True, text=True, check=False))
        return original(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(submission, "require_fresh", meanwhile)
    submit(house)
    [second] = ended
    assert second.returncode == 1
    assert second.stdout == ""
    assert (
        second.stderr == "error: another make submit is writing submissions/talk.csv; wait for it to end.\n"
    )
    assert len(ledger.entries()) == 1
    assert sorted(p.name for p in (house / "submissions").iterdir() if p.suffix != ".lock") == [
        "ledger.jsonl",
        "talk.csv",
        "talk.toml",
    ]


def test_a_csv_that_cannot_be_put_in_place(house: Path) -> None:
    asked = recipe(house)
    shutil.rmtree(house / "submissions")
    (house / "submissions").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"submissions/talk\.csv: cannot be written"):
        submission.submit(asked, competitions.load("talk"))
    assert (house / "submissions").read_text() == "a file where the folder should be"


def test_a_ledger_that_cannot_be_written_leaves_the_old_csv(house: Path) -> None:
    submit(house)
    houses.infer_texts(house, "exp002", {"test_0": "다른 글."})
    (house / "submissions/ledger.jsonl").unlink()
    (house / "submissions/ledger.jsonl").mkdir()
    refused(house, "submissions/ledger.jsonl: cannot be written")


def test_a_full_disk_leaves_the_old_csv(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(house)
    houses.infer_texts(house, "exp002", {"test_0": "다른 글."})

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        refused(house, "submissions/talk.csv: writing failed (No space left on device)")
