"""exp008: what is mixed in is what was made, filtered as asked, and part of the record."""

import json
from pathlib import Path

import pytest

from common import augment
from common.augment import augment_in_memory
from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.rows import read_split
from common.runs.record import read_record, stale_training
from tests.support import tiny

RUN = "outputs/daily_talk/exp008"
TRAIN = ["--competition=daily_talk", "--model=tiny:bart", "--dev-rows=2", "--epochs=1"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=40, other_rows=6)


def notes(root: Path, run: str = "exp008") -> dict[str, int]:
    found: dict[str, int] = read_record(root / "outputs" / "daily_talk" / run)["train"]["notes"]["rows"]
    return found


def test_augmented_rows_are_made_mixed_and_recorded(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(copy))
    code, output = tiny.call(copy, "common", "train", "exp008", *TRAIN, "--made=speaker_swap")
    assert code == 1
    assert "make augment method=speaker_swap comp=daily_talk" in output
    code, output = tiny.call(copy, "common", "augment", "--method=speaker_swap", "--competition=daily_talk")
    assert code == 0, output
    competition = load_competition("daily_talk")
    others = [*read_split(competition, "dev").rows, *read_split(competition, "test").rows]
    made = augment.read(competition, "speaker_swap", others)
    assert len(made) > 10

    code, output = tiny.call(copy, "common", "train", "exp008", *TRAIN, "--made=speaker_swap")
    assert code == 0, output
    assert notes(copy) == {"original": 40, "augmented": len(made), "offered": len(made)}
    record = read_record(copy / RUN)["train"]
    assert record["data"]["outputs/daily_talk/augmented/speaker_swap/rows.csv"]["rows"] == len(made)
    assert stale_training(copy / RUN) == []

    less = ["--made=speaker_swap", "--ratio=0.1", "--run=exp008-less"]
    assert tiny.call(copy, "common", "train", "exp008", *TRAIN, *less)[0] == 0
    assert notes(copy, "exp008-less") == {"original": 40, "augmented": 4, "offered": len(made)}

    # Other rows under the same name: the run says that it is no longer what would be made.
    code, output = tiny.call(copy, "common", "augment", "--method=speaker_swap", "--competition=daily_talk",
                            "--parents=12", "--restart")  # fmt: skip
    assert code == 0, output
    assert stale_training(copy / RUN) == [
        "data outputs/daily_talk/augmented/speaker_swap/rows.csv has changed"
    ]


def test_rows_made_on_the_spot_are_those_of_make_augment(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(copy))
    competition = load_competition("daily_talk")
    train = read_split(competition, "train").rows
    others = [*read_split(competition, "dev").rows, *read_split(competition, "test").rows]
    for method in ("speaker_swap", "turn_drop", "sentence_drop"):
        words = [f"--method={method}", "--competition=daily_talk", f"--name={method}-now", "--seed=7"]
        code, output = tiny.call(copy, "common", "augment", *words)
        spot = augment_in_memory(method, competition, train, others, competition.near_copy, 7)
        if code:  # nothing passed the guards, which is said and is an error there
            assert "no row passed the guards" in output
            assert spot == ()
            continue
        made = augment.read(competition, f"{method}-now", others)
        assert [(one.row.dialogue, one.parent, one.fold) for one in spot] == [
            (one.row.dialogue, one.parent, one.fold) for one in made
        ]
    with pytest.raises(UserError, match="method 'paraphrase' cannot run in memory"):
        augment_in_memory("paraphrase", competition, train, others, competition.near_copy, 7)
    assert (
        json.loads((copy / "outputs/daily_talk/augmented/speaker_swap-now/run.json").read_text())["kept"] > 0
    )
