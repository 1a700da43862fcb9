"""Rules and leaks: forbidden sources are refused wherever a model or a file comes in, copies are counted and kept out."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import house as houses
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from common import augment, cards, competition, leaks, rules, submission
from common.augment import files, making
from common.augment.files import AugmentedRow
from common.augment.making import Job
from common.augment.settings import settings as defaults
from common.cli import commands
from common.config import override
from common.errors import UserError
from common.files import root, sha256_file
from common.prompts.copies import grams, similarity
from common.recipes import read_recipe
from common.rows import Row, read_split

SOURCES = ("dialogsum_en", "DialogSum")
SECRET = "팥빙수"  # in no message


def forbid(root: Path, *sources: str, near_copy: float = 0.15) -> None:
    path = root / "competitions" / "talk" / "competition.toml"
    head = path.read_text(encoding="utf-8").partition("[rules]")[0]
    listed = json.dumps(list(sources))
    path.write_text(
        f"{head}[rules]\ntext = []\nforbidden_sources = {listed}\nnear_copy = {near_copy}\n", encoding="utf-8"
    )


def with_model(root: Path) -> None:
    """Give exp001 a setting that names a model; it stays as it is otherwise."""
    path = root / "experiments" / "exp001" / "config.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("    seed: int = 1\n", '    seed: int = 1\n    model: str = ""\n'), encoding="utf-8"
    )


def refused(root: Path, stage: str, *words: str) -> str:
    """What a stage of exp001 is refused with."""
    with pytest.raises(SystemExit) as caught:
        houses.stage(root, "exp001", stage, *words)
    assert str(caught.value).startswith("error: ")
    return str(caught.value)


def edit_record(root: Path, run: str, stage: str, **values: Any) -> None:
    path = root / "outputs" / "talk" / run / "run.json"
    stages = json.loads(path.read_text(encoding="utf-8"))
    stages[stage] |= values
    path.write_text(json.dumps(stages), encoding="utf-8")


def submit(root: Path, **options: Any) -> submission.Submitted:
    recipe = read_recipe(root / "submissions" / "talk.toml")
    return submission.submit(recipe, competition.load("talk"), force=True, **options)


def local_model(folder: Path, card: str, **config: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bart", **config}), encoding="utf-8")
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


# --- names


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("someone/bart-large-dialogsum", "DialogSum"),
        ("someone/Dialog_Sum-ko", "DialogSum"),
        ("DIALOG.SUM/bart", "DialogSum"),
        ("/models/kodialogsum2/best", "DialogSum"),
        ("outputs/dialogsum_en/exp003/best", "dialogsum_en"),
        ("C:\\models\\dialog-sum", "DialogSum"),
        ("someone/dialog-summarization", None),
        ("someone/DialogSummarizer", None),
        ("my-dialog/sum-model", None),
        ("digit82/kobart-summarization", None),
        ("competitions/dialogue_summarization/data/train.csv", None),
        ("", None),
    ],
)
def test_a_name_holds_a_source_or_not(name: str, source: str | None) -> None:
    assert rules.source_in(name, SOURCES) == source


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "-", "_", ".", " ", "--"]), st.booleans()), min_size=9, max_size=9
    ),
    st.text("abkoz019-_.", max_size=8),
    st.text("abkoz019-_.", max_size=8),
)
def test_neither_case_nor_punctuation_hides_a_source(
    spelling: list[tuple[str, bool]], before: str, after: str
) -> None:
    letters = zip("dialogsum", spelling, strict=True)
    name = "".join(mark + (letter.upper() if upper else letter) for letter, (mark, upper) in letters)
    assert rules.source_in(f"team/{before}{name}{after}", SOURCES[1:]) == "DialogSum"
    assert rules.source_in(f"team/{before}{name[:-1]}/{name[-1]}{after}", SOURCES[1:]) is None


def test_only_settings_that_name_a_model_are_looked_at() -> None:
    settings = {
        "model": "a/b",
        "base.model": "c/d",
        "llm.model": "e",
        "model.width": 64,
        "x.model": "",
        "name": "f",
    }
    assert rules.models_of(settings) == {"model": "a/b", "base.model": "c/d", "llm.model": "e"}


def test_a_repository_in_a_folder_of_that_name_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "dialogsum-contest"
    houses.build(root)
    monkeypatch.setenv("KDS_ROOT", str(root))
    chosen = replace(competition.load("talk"), forbidden_sources=SOURCES)
    rules.require_allowed(chosen, "here", {"base.model": str(root / "models" / "kobart")}, {})
    with pytest.raises(UserError, match=r"here: --base.model .*talk forbids DialogSum .*forbidden_sources"):
        rules.require_allowed(chosen, "here", {"base.model": str(tmp_path / "dialogsum-kobart")}, {})


# --- experiments


def test_a_forbidden_name_is_refused_before_anything_is_touched(house: Path) -> None:
    forbid(house, *SOURCES)
    with_model(house)
    record = (house / "outputs/talk/exp001/run.json").read_bytes()
    said = refused(house, "train", "--model=someone/bart-dialog-sum", "--restart")
    assert "exp001 on talk: --model someone/bart-dialog-sum, and talk forbids DialogSum" in said
    assert "competitions/talk/competition.toml, [rules] forbidden_sources" in said
    assert (house / "outputs/talk/exp001/run.json").read_bytes() == record
    assert not (house / "outputs/talk/replaced").exists()


@pytest.mark.parametrize(
    ("card", "config", "found"),
    [
        ("---\ndatasets:\n- samsum\n- knkarthick/dialogsum\n---\n# x\n", {}, "knkarthick/dialogsum"),
        ("---\ndatasets: DialogSum\n---\n", {}, "DialogSum"),
        ("---\nbase_model: someone/bart-large-dialogsum\n---\n", {}, "someone/bart-large-dialogsum"),
        ("", {"_name_or_path": "someone/dialogsum-bart"}, "someone/dialogsum-bart"),
    ],
)
def test_a_folder_that_says_it_was_made_from_a_forbidden_source_is_refused(
    house: Path, tmp_path: Path, card: str, config: dict[str, str], found: str
) -> None:
    forbid(house, *SOURCES)
    with_model(house)
    folder = local_model(tmp_path / "quiet", card, **config)
    said = refused(house, "train", f"--model={folder}", "--restart")
    assert f"quiet names {found} in its model card or config.json, and talk forbids DialogSum" in said


def test_a_card_that_cannot_be_read_is_not_taken_for_innocent(house: Path, tmp_path: Path) -> None:
    with_model(house)
    folder = local_model(tmp_path / "torn", "---\ndatasets: [samsum\n---\n")
    said = refused(house, "train", f"--model={folder}", "--restart")
    assert "torn/README.md: the model card's front matter cannot be read" in said


def test_what_a_model_said_is_recorded_and_judged_by_the_rules_of_the_day(
    house: Path, tmp_path: Path
) -> None:
    with_model(house)
    folder = local_model(tmp_path / "kobart", "---\ndatasets: [samsum, news]\nbase_model: a/b\n---\n")
    houses.stage(house, "exp001", "train", f"--model={folder}", "--restart")
    houses.stage(house, "exp001", "infer")
    record = json.loads((house / "outputs/talk/exp001/run.json").read_text(encoding="utf-8"))
    assert record["train"]["sources"] == {str(folder): ["a/b", "news", "samsum"]}
    assert submit(house).path.exists()
    forbid(house, "SAMSum")
    (folder / "README.md").unlink()  # what it said when the run was trained counts
    said = refused(house, "infer")
    assert "outputs/talk/exp001, trained: " in said
    assert "names samsum in its model card or config.json, and talk forbids SAMSum" in said
    with pytest.raises(
        UserError,
        match=r"outputs/talk/exp001, trained: .*names samsum in its model card or config.json, and talk forbids SAMSum",
    ):
        submit(house)


# --- the hub


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A loopback server in the hub's place that knows team/quiet by its card; the paths it was asked for."""
    paths: list[str] = []
    answer = {"id": "team/quiet", "sha": "0" * 40, "siblings": [{"rfilename": "README.md"}],
              "cardData": {"datasets": ["knkarthick/dialogsum"], "base_model": "facebook/bart-large"}}  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            known = self.path.startswith("/api/models/team/quiet")
            body = json.dumps(answer if known else {}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield paths
    server.shutdown()
    server.server_close()


def test_the_hubs_card_is_read_before_any_download(house: Path, asked: list[str]) -> None:
    forbid(house, *SOURCES)
    with_model(house)
    said = refused(house, "train", "--model=team/quiet", "--restart")
    assert "team/quiet names knkarthick/dialogsum in its model card" in said
    about = [path for path in asked if "team/quiet" in path]  # huggingface_hub asks for other things too
    assert about and all(path.startswith("/api/models/team/quiet") for path in about)
    assert cards.declared({"base.model": "team/unknown"}) == {"team/unknown": []}  # `hub.locate` says why
    before = len(asked)
    assert cards.declared({"llm.model": "solar", "base.model": "tiny:bart"}) == {}
    assert len(asked) == before


# --- augmented rows


def job(method: str, *words: str) -> Job:
    config, overrides = override(defaults(method), words)
    return Job(competition.load("talk"), method, method, None, config, overrides)


def test_augmenting_with_a_forbidden_model_is_refused_before_it_is_loaded(house: Path) -> None:
    forbid(house, *SOURCES)
    for method in ("back_translation", "paraphrase"):
        with pytest.raises(
            UserError, match=f"augment by {method} for talk: --method.*model someone/dialogsum-m2m"
        ):
            making.augment(job(method, "--model=someone/dialogsum-m2m"))
    assert not (house / "outputs/talk/augmented").exists()


def made(root: Path, *rows: AugmentedRow, name: str = "swap", **values: Any) -> Path:
    """Rows on disk as make augment leaves them."""
    folder = root / "outputs" / "talk" / "augmented" / name
    files.write(folder / files.ROWS, rows)
    record = {
        "competition": "talk", "method": "speaker_swap", "name": name, "n": None, "overrides": {}, "config": {},
        "sources": {}, "near_copy": 0.15, "files": {files.ROWS: sha256_file(folder / files.ROWS)},
        "data": {"train": {"sha256": read_split(competition.load("talk"), "train").sha256}},
    }  # fmt: skip
    (folder / files.RECORD).write_text(json.dumps(record | values), encoding="utf-8")
    return folder / files.ROWS


def new(dialogue: str, parent: str = "train_0", number: int = 0) -> AugmentedRow:
    return AugmentedRow(
        Row(f"{parent}.x{number}", dialogue, ("요약",), ""), parent, "speaker_swap", "", "", 1, 0, 0.5, 0.5
    )


FAR = f"#Person1#: {SECRET} 먹으러 가자.\n#Person2#: 여름엔 그게 최고야!"


def test_augmented_rows_of_another_competition_model_or_near_copy_are_not_read(house: Path) -> None:
    made(house, new(FAR))
    assert len(augment.read("talk", "swap")) == 1
    made(house, new(FAR), competition="daily_talk")
    with pytest.raises(
        UserError, match="was made for daily_talk, and talk's entries may learn from its own rows"
    ):
        augment.read("talk", "swap")
    made(house, new(FAR), near_copy=0.9)
    with pytest.raises(
        UserError, match=r"made with near_copy 0.9, and talk has 0.15 now. Make it again with: make aug"
    ):
        augment.read("talk", "swap")
    forbid(house, *SOURCES)
    made(house, new(FAR), config={"method.translator.model": "someone/dialogsum-m2m"})
    with pytest.raises(
        UserError, match=r"rows.csv: --method.translator.model someone/dialogsum-m2m, and talk forbids"
    ):
        augment.read("talk", "swap")
    made(house, new(FAR), sources={"someone/m2m": ["DialogSum"]})
    with pytest.raises(UserError, match="someone/m2m names DialogSum in its model card"):
        augment.read("talk", "swap")


# --- submit


def trained_on(root: Path, path: Path) -> None:
    """Let exp001's record say that it was trained on these augmented rows too."""
    record = json.loads((root / "outputs/talk/exp001/run.json").read_text(encoding="utf-8"))["train"]
    key = str(path.relative_to(root))
    data = {**record["data"], key: {"sha256": sha256_file(path), "rows": 1, "warnings": {}}}
    edit_record(root, "exp001", "train", data=data)


def test_submit_refuses_members_that_saw_dev_or_test(house: Path) -> None:
    path = made(house, new(FAR))
    trained_on(house, path)
    assert submit(house).path.exists()
    dev = read_split(competition.load("talk"), "dev").rows[0]
    trained_on(house, made(house, new(FAR), new(dev.dialogue.replace("?", "!"), number=1)))
    with pytest.raises(UserError, match=r'"train_0.x1" is a near-copy of "dev_0" \(similarity 1.00\)'):
        submit(house)
    made(house, new(FAR))  # other rows than it was trained on: they say nothing about it
    with pytest.raises(
        UserError, match=r"outputs/talk/exp001: was trained on .*swap/rows.csv, which is gone or has"
    ):
        submit(house, allow_stale=True)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"competition": "daily_talk"}, "was made for daily_talk, and an entry for talk"),
        (
            {"notes": {"near_copy": 0.9}},
            "was run with near_copy 0.9, and talk now has 0.15",
        ),
        (
            {"config": {"base.model": "someone/dialogsum"}},
            "--base.model someone/dialogsum, and talk forbids DialogSum",
        ),
        ({"sources": {"a/b": ["dialogsum"]}}, "a/b names dialogsum in its model card"),
        (
            {"data": {"competitions/daily_talk/data/train.csv": {"sha256": "0"}}},
            "read competitions/daily_talk/data/tr",
        ),
        (
            {"data": {"outputs/daily_talk/augmented/x/rows.csv": {"sha256": "0"}}},
            "may only use its own rows",
        ),
        (
            {"data": {"extra/dialog-sum.csv": {"sha256": "0"}}},
            "it read extra/dialog-sum.csv, and talk forbids DialogSum",
        ),
    ],
)
@pytest.mark.parametrize("stage", ["train", "infer"])
def test_submit_refuses_members_against_the_rules(
    house: Path, stage: str, values: dict[str, Any], part: str
) -> None:
    forbid(house, *SOURCES)
    edit_record(house, "exp002", stage, **values)
    with pytest.raises(UserError) as caught:
        submit(house, allow_stale=True)
    done = {"train": "trained", "infer": "inferred"}[stage]
    assert str(caught.value).startswith(f"outputs/talk/exp002, {done}: ")
    assert part in str(caught.value)
    assert not (house / "submissions" / "talk.csv").exists()


def test_a_run_of_another_competition_is_not_inferred(house: Path) -> None:
    edit_record(house, "exp001", "train", competition="daily_talk")
    assert "outputs/talk/exp001, trained: was made for daily_talk" in refused(house, "infer")


# --- the report


def invoke(*words: str) -> str:
    result = CliRunner().invoke(commands, ["leaks", "--competition=talk", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_leaks_are_counted_by_id_and_no_text_is_shown(house: Path) -> None:
    dev = read_split(competition.load("talk"), "dev").rows
    train = read_split(competition.load("talk"), "train").rows
    made(
        house,
        new(FAR),
        new(train[0].dialogue, number=1),
        new(train[1].dialogue, number=2),
        new(dev[1].dialogue, number=3),
    )
    found = json.loads(invoke("--json"))
    counts = {
        (one["first"], one["second"]): (one["rows"], one["exact"], one["near"]) for one in found["overlaps"]
    }
    assert counts == {
        ("train", "dev"): (2, 1, 1),  # train_5 is dev_0
        ("train", "test"): (3, 2, 2),
        ("dev", "test"): (3, 1, 1),
        ("dev", "augmented/swap"): (4, 1, 1),
        ("test", "augmented/swap"): (4, 3, 3),
        ("train", "augmented/swap"): (4, 1, 1),  # one is its parent's own telling
    }
    examples = {(one["first"], one["second"]): one["examples"] for one in found["overlaps"]}
    assert examples["train", "dev"] == [["train_5", "dev_0", 1.0]]
    assert examples["dev", "augmented/swap"] == [["dev_2", "train_0.x3", 1.0]]
    assert [(one["name"], one["groups"], one["largest"]) for one in found["groups"]] == [
        ("train", 0, 1),
        ("dev", 0, 1),
    ]
    text = invoke()
    assert "1 of 2 dev dialogues have a near-copy in train" in text
    assert "to do: augmented/swap: near-copies of dev or test" in text
    assert SECRET not in text and "우산" not in text


def test_the_report_goes_by_the_competitions_near_copy(house: Path) -> None:
    test = read_split(competition.load("talk"), "test").rows
    made(house, new(f"{test[0].dialogue} 정말 미안해, 다음에 돌려줄게."))
    for near_copy, near in ((0.15, 1), (1.0, 0)):
        forbid(house, near_copy=near_copy)
        found = json.loads(invoke("--json"))
        counts = {(one["first"], one["second"]): (one["exact"], one["near"]) for one in found["overlaps"]}
        assert found["near_copy"] == near_copy
        assert counts["test", "augmented/swap"] == (0, near)


@given(
    st.lists(st.text("가나다라", min_size=1, max_size=9), min_size=1, max_size=6),
    st.lists(st.text("가나다라", min_size=1, max_size=9), max_size=6),
    st.sampled_from([0.1, 0.3, 0.6, 1.0]),
)
def test_overlaps_are_what_comparing_every_pair_gives(
    first: list[str], second: list[str], near_copy: float
) -> None:
    a = [Row(f"a{n}", f"#Person1#: {text}", (), "") for n, text in enumerate(first)]
    b = [Row(f"b{n}", f"#Person2#: {text}!", (), "") for n, text in enumerate(second)]
    found = leaks.overlap("a", leaks.indexed(a), "b", b, near_copy)
    best = [max(similarity(grams(x.dialogue), grams(y.dialogue)) for x in a) for y in b]
    assert found.near == sum(alike >= near_copy for alike in best)
    assert found.exact == sum(text in first for text in second)
    assert [alike for _, _, alike in found.examples] == sorted(
        (x for x in best if x >= near_copy), reverse=True
    )[:5]
    assert all(re.fullmatch("a[0-9]", x) and re.fullmatch("b[0-9]", y) for x, y, _ in found.examples)


def test_a_model_of_another_competition_is_refused() -> None:
    chosen = competition.load("daily_talk")
    rules.require_allowed(chosen, "here", {"base.model": "outputs/daily_talk/merged/exp010"}, {})
    for name in ("outputs/talk/merged/exp010", str(root() / "outputs" / "talk" / "exp003" / "best")):
        with pytest.raises(
            UserError, match=r"^here: --base\.model .* was trained on rows of talk, and an entry"
        ):
            rules.require_allowed(chosen, "here", {"base.model": name}, {})
