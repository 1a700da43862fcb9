import base64
import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.rows import read_predictions, read_references
from common.page import examples
from common.page.document import document
from common.page.example_blocks import CUT, INVENTED, MISSING, ODD, Block, block_of
from common.page.example_runs import Written
from common.page.examples import ROOM, Examples, gather
from common.page.gather import gather as gather_content
from common.runs import candidates
from common.runs.candidates import Candidate
from common.runs.scoring import example_scores
from tests.support import page_texts
from tests.support.page_texts import Talk

TALK = Talk(
    "dev_0", "#Person1#: 우산 가져왔어?\n#Person2#: 아니, 두고 왔어.", "#Person2#는 우산을 두고 왔다.", "날씨"
)


@pytest.fixture
def competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Competition:
    """The competition "talk" with two runs and twelve dialogues."""
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 2)
    return load_competition("talk")


def _folders(root: Path) -> list[Path]:
    return sorted((root / "outputs" / "talk").glob("exp*"))


def _read(found: Examples, block: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(found.blocks[block])))


def _one(
    root: Path, monkeypatch: pytest.MonkeyPatch, prediction: str, group: list[Candidate] | None = None
) -> Any:
    """Return the block of a run whose prediction of TALK is the given text."""
    monkeypatch.setenv("KDS_ROOT", str(root))
    [folder] = page_texts.build(root, 1, [TALK], texts={("exp001", "dev_0"): prediction})
    if group:
        candidates.write(folder / "dev" / "candidates.jsonl", {"dev_0": group})
    found = gather(load_competition("talk"), [folder])
    return _read(found, found.index["splits"]["dev"]["runs"]["exp001"]["block"])


def test_scores_are_those_of_make_score(competition: Competition, tmp_path: Path) -> None:
    found = gather(competition, _folders(tmp_path))
    rows = _read(found, "texts-dev")
    references = read_references(competition, "dev")
    for folder in _folders(tmp_path):
        entry = found.index["splits"]["dev"]["runs"][folder.name]
        block = _read(found, entry["block"])
        predictions = read_predictions(folder / "dev" / "predictions.csv", competition)
        column = 0
        for metric in found.index["metrics"]:
            wanted = example_scores(predictions, references, metric["profile"])
            assert entry["means"][metric["profile"]] == pytest.approx(wanted.headline)
            for key, decimals in zip(metric["keys"], metric["digits"], strict=True):
                shown = [units / 10**decimals for units in block["scores"][column]]
                assert shown == pytest.approx(wanted.per_example[key], abs=0.501 / 10**decimals)
                column += 1
        assert [text.replace(block["mark"], "") for text in block["predictions"]] == [
            predictions[name] for name in rows["ids"]
        ]
    assert found.index["gaps"] == []


def test_dialogues_have_turns_topics_and_references(competition: Competition, tmp_path: Path) -> None:
    rows = _read(gather(competition, _folders(tmp_path)), "texts-dev")
    for place, talk in enumerate(page_texts.talks(12)):
        assert "\n".join(f"{speaker}: {text}" for speaker, text in rows["turns"][place]) == talk.dialogue
        assert rows["topics"][place] == talk.topic
        assert [text.replace(rows["mark"], "") for text in rows["references"][place]] == [talk.summary]


@pytest.mark.parametrize(
    ("prediction", "flags"),
    [
        ("#Person2#는 우산을 두고 왔다.", 0),
        ("#Person2#와 #Person3#는 우산을 두고 왔다.", INVENTED),
        ("#Person1#은 우산을 두고 왔다.", MISSING),
        ("# Person2 #는 우산을 두고 왔다.", MISSING + ODD),
        ("#Person7#은 왔다.", INVENTED + MISSING),
        ("", MISSING),
    ],
)
def test_tag_errors_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prediction: str, flags: int
) -> None:
    group = [Candidate(prediction or "x", None, 1), Candidate("다른 글", None, 1)]
    assert _one(tmp_path, monkeypatch, prediction, group)["flags"] == [flags]


def test_a_text_that_was_cut_off_is_marked_and_candidates_stand_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "#Person2#는 우산을"
    group = [Candidate(text, None, 1, cut=True), Candidate("나", None, 1, cut=True), Candidate("나", None, 2),
             Candidate(" ", None, 1), Candidate("#Person2#는 우산을 두고 왔다.", None, 1), Candidate(text, None, 1)]  # fmt: skip
    block = _one(tmp_path, monkeypatch, text, group)
    assert block["flags"] == [CUT]
    [[first, second]] = block["candidates"]
    assert (first[0], first[1]) == ("나", 1)
    assert second[1:] == [0, 10_000, 30_000, 10_000]  # the reference itself


def test_several_references_count_as_the_competition_says(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    competition = load_competition("talk")
    found = gather(competition, [repository / "outputs" / "talk" / name for name in ("exp001", "exp002")])
    assert list(found.index["splits"]) == ["dev", "test"]
    rows = _read(found, "texts-test")
    assert rows["ids"] == ["test_0", "test_2", "test_10"]
    assert [len(texts) for texts in rows["references"]] == [2, 2, 2]
    entry = found.index["splits"]["test"]["runs"]["exp002"]
    predictions = read_predictions(repository / "outputs/talk/exp002/test/predictions.csv", competition)
    wanted = example_scores(predictions, read_references(competition, "test"), "leaderboard", "mean")
    assert entry["means"]["leaderboard"] == pytest.approx(wanted.headline)


def test_what_cannot_be_read_is_a_gap_and_the_rest_is_there(competition: Competition, tmp_path: Path) -> None:
    first, second = _folders(tmp_path)
    (tmp_path / "outputs/talk/exp003").mkdir()
    other = tmp_path / "outputs/talk/exp004/dev"
    other.mkdir(parents=True)
    (other / "predictions.csv").write_text("fname,summary\ndev_0,가\nelse,나\n", encoding="utf-8")
    lines = (second / "dev" / "candidates.jsonl").read_text(encoding="utf-8").replace('"text"', '"txt"', 1)
    (second / "dev" / "candidates.jsonl").write_text(lines, encoding="utf-8")
    found = gather(competition, [first, second, other.parents[1] / "exp003", other.parent])
    assert list(found.index["splits"]["dev"]["runs"]) == ["exp001"]
    gaps = {gap["run"]: (gap["why"], gap.get("message", {}).get("en", "")) for gap in found.index["gaps"]}
    assert gaps["exp003"] == ("no predictions", "")
    assert gaps["exp002"][0] == "unreadable"
    assert "candidates.jsonl:1" in gaps["exp002"][1]
    assert "11 ids are missing and 1 are unknown, for example 'dev_1'" in gaps["exp004"][1]


def test_a_damaged_table_leaves_a_gap_and_no_split(competition: Competition, tmp_path: Path) -> None:
    (tmp_path / "competitions/talk/data/dev.csv").write_text("nonsense\n", encoding="utf-8")
    found = gather(competition, _folders(tmp_path))
    assert found.index["splits"] == {}
    assert found.blocks == {}
    assert [gap["why"] for gap in found.index["gaps"]] == ["unreadable"]


def test_no_run_at_all(competition: Competition) -> None:
    found = gather(competition, [])
    assert found.index["splits"]["dev"]["runs"] == {}
    assert found.index["gaps"] == []


def test_without_room_candidates_go_first_and_then_whole_runs(
    competition: Competition, tmp_path: Path
) -> None:
    whole = gather(competition, _folders(tmp_path))
    sizes = [len(block) for block in whole.blocks.values()]
    tight = gather(competition, _folders(tmp_path), room=sum(sizes) - 1)
    assert sum(map(len, tight.blocks.values())) < sum(sizes)
    assert [(gap["run"], gap["why"]) for gap in tight.index["gaps"]] == [("exp002", "candidates")]
    block = tight.index["splits"]["dev"]["runs"]["exp002"]["block"]
    assert _read(tight, block)["candidates"] == []
    tighter = gather(competition, _folders(tmp_path), room=sizes[0] + sizes[1] + 10)
    assert [(gap["run"], gap["why"]) for gap in tighter.index["gaps"]] == [("exp002", "room")]
    assert list(tighter.index["splits"]["dev"]["runs"]) == ["exp001"]


def test_the_same_files_give_the_same_blocks(competition: Competition, tmp_path: Path) -> None:
    assert gather(competition, _folders(tmp_path)) == gather(competition, _folders(tmp_path))


def test_a_lone_surrogate_does_not_stop_the_page(competition: Competition, tmp_path: Path) -> None:
    [first, _] = _folders(tmp_path)
    path = first / "dev" / "candidates.jsonl"
    found = candidates.read(path)
    found["dev_0"] = [Candidate("가\ud800나", None, 1)]
    path.write_text("".join(json.dumps({"id": name, "candidates": [
        {"text": one.text, "logprob": one.logprob, "tokens": one.tokens} for one in group]}) + "\n"
        for name, group in found.items()), encoding="utf-8")  # fmt: skip
    made = gather(competition, [first])
    assert made.index["gaps"] == []
    assert "exp001" in made.index["splits"]["dev"]["runs"]


def test_predictions_with_a_quote_and_a_comma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a,\"b\",'c'=1+2"
    block = _one(tmp_path, monkeypatch, text)
    assert block["predictions"][0].replace(block["mark"], "") == text
    with (tmp_path / "outputs/talk/exp001/dev/predictions.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1][1] == text


def test_blocks_are_kept_until_something_changes(
    competition: Competition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(competition: Competition, one: Written, *rest: Any) -> Block:
        made.append(one.name)
        return block_of(competition, one, *rest)

    monkeypatch.setattr(examples, "block_of", counted)
    first = gather(competition, _folders(tmp_path))
    assert made == ["exp001", "exp002"]
    assert gather(competition, _folders(tmp_path)) == first
    assert made == ["exp001", "exp002"]
    for path in (tmp_path / ".cache" / "page").iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace("H4s", "H4x", 1), encoding="utf-8")
    assert gather(competition, _folders(tmp_path)) == first  # a damaged file is made again
    assert made == ["exp001", "exp002"] * 2
    path = tmp_path / "outputs/talk/exp002/dev/predictions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("#Person1#", "#Person2#", 1), encoding="utf-8")
    again = gather(competition, _folders(tmp_path))
    assert made == ["exp001", "exp002"] * 2 + ["exp002"]
    assert again.blocks["texts-dev-0"] == first.blocks["texts-dev-0"]
    assert again.blocks["texts-dev-1"] != first.blocks["texts-dev-1"]


@pytest.mark.slow
def test_20_runs_with_499_dialogues_and_8_candidates_stay_below_8_megabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    # Of runs that are changed by chance, the later ones compress worst; three are enough to know twenty.
    folders = page_texts.build(tmp_path, 20, page_texts.talks(499))[-3:]
    competition = load_competition("talk")
    found = gather(competition, folders)
    assert found.index["gaps"] == []
    without = len(document(gather_content(competition), {}).encode())
    largest = max(len(block) for name, block in found.blocks.items() if name != "texts-dev")
    texts = len(found.blocks["texts-dev"]) + 20 * largest
    assert texts < ROOM
    assert without + ROOM < 8_000_000
