"""Every experiment runs, tiny; stages say what is done already and what comes first."""

import json
import re
from pathlib import Path

import pytest

from common.core import paths
from common.data.competition_file import load_competition
from common.data.rows import read_predictions
from common.runs import experiments
from common.runs.candidates import read as read_candidates
from common.runs.record import read_record, stale_reasons
from tests.support import repository as repositories
from tests.support import tiny

SPLITS = ("dev", "test")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with all experiments and little data, not trained."""
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=40, other_rows=6)


def outputs(root: Path) -> dict[str, bytes]:
    found = (p for p in (root / "outputs").rglob("*") if p.is_file() and p.suffix != ".lock")
    return {str(path): path.read_bytes() for path in found}


def test_every_experiment_smokes(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(copy))
    for name in experiments.experiments():
        for stage in ("train", "infer"):
            code, output = tiny.call(
                copy, f"experiments.{name}.{stage}", "--smoke", "--competition=daily_talk"
            )
            assert code == 0, output
    assert {"exp001", "exp002", "exp011"} <= set(experiments.experiments())
    competition = load_competition("daily_talk")
    begun = set()
    for name in experiments.experiments():
        folder = paths.outputs("daily_talk", smoke=True) / name
        record = read_record(folder)
        assert [record[stage]["status"] for stage in ("train", "infer")] == ["finished", "finished"]
        assert record["train"]["checkpoint"] == record["infer"]["checkpoint"]
        assert f"experiments/{name}/train.py" in record["train"]["code"]
        assert {f"experiments/{name}/infer.py", f"experiments/{name}/config.py"} <= set(
            record["infer"]["code"]
        )
        assert stale_reasons(folder) == []
        pretrained = record["train"]["config"].get("base.model")
        if pretrained:  # adapter or every weight trained: which commit it began with
            nothing_trained = (folder / "best" / "base.json").exists() and "result" not in record["train"]
            base = (
                json.loads((folder / "best" / "base.json").read_text(encoding="utf-8"))["source"]
                if nothing_trained
                else record["train"]["notes"]["base"]
            )
            assert (base["model"], len(base["config_sha256"]), "commit" in base) == (pretrained, 64, True)
            begun.add(name)
        for split in SPLITS:
            ids = [f"{split}_{number}" for number in range(4)]
            found = read_candidates(folder / split / "candidates.jsonl")
            assert list(found) == ids
            assert len({len(group) for group in found.values()}) == 1
            assert list(read_predictions(folder / split / "predictions.csv", competition)) == ids
        assert not [p for p in folder.rglob(".*") if p.suffix != ".lock"]
    assert {"exp003", "exp004", "exp005", "exp007", "exp009", "exp012", "exp014"} <= begun
    # Nothing of a smoke run counts as a run.
    assert [path.name for path in (copy / "outputs").iterdir()] == ["smoke"]


def test_smoke_names_the_experiment_that_fails(tmp_path: Path) -> None:
    root = tiny.repository(tmp_path / "repository", train_rows=4, other_rows=4)
    code, output = tiny.run(root, "common", "smoke", "exp001")
    told = r"exp001: train and infer run, with tiny settings, in \d+ s \(outputs/smoke/daily_talk/exp001\)\nNext: make exp=exp001 train\n"
    assert code == 0 and re.fullmatch(told, output), output
    # What ran is on record, in a process of its own: the rooms' code and the experiment's.
    record = json.loads((root / "outputs/smoke/daily_talk/exp001/run.json").read_text(encoding="utf-8"))
    assert {"experiments/exp001/infer.py", "experiments/exp001/config.py", "common/data/dialogue.py"} <= set(
        record["infer"]["code"]
    )
    file = root / "experiments" / "exp001" / "infer.py"
    broken = file.read_text(encoding="utf-8").replace("def infer(", "def infer_of_another_name(")
    file.write_text(broken, encoding="utf-8")
    code, output = tiny.run(root, "common", "smoke", "exp001")
    assert code == 1
    assert "error: smoke: exp001 infer failed" in output
    assert "name 'infer' is not defined" in output


def test_training_twice_says_so_and_infer_wants_training_first(copy: Path) -> None:
    folder = copy / "outputs" / "daily_talk" / "exp001"
    words = ["--competition=daily_talk"]
    code, output = tiny.call(copy, "experiments.exp001.infer", *words)
    assert code == 1
    assert output.strip() == (
        "error: outputs/daily_talk/exp001 has not been trained; first run: make exp=exp001 train"
    )
    assert not folder.exists()
    assert not folder.with_name(".exp001.lock").exists()

    code, output = tiny.call(copy, "experiments.exp001.train", *words)
    assert code == 0, output
    before = outputs(copy)
    code, output = tiny.call(copy, "experiments.exp001.train", *words)
    assert (code, output.strip()) == (
        0, "outputs/daily_talk/exp001 is already trained; add restart=1 to train it again."
    )  # fmt: skip
    assert outputs(copy) == before

    code, output = tiny.call(copy, "experiments.exp001.infer", *words)
    assert code == 0, output
    assert re.search(r"(?m)^leaderboard [0-9.]+ ± [0-9.]+, [0-9.]+ (above|BELOW) the floor of ", output)
    assert set(read_record(folder)["infer"]["scores"]) == {"korouge", "rouge101", "leaderboard"}


def test_infer_after_an_interrupted_training_is_refused(copy: Path, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    repositories.copy(copy, root)
    repositories.stage(root, "exp001", "train", "--competition=daily_talk", "--run=exp001-cut")
    path = root / "outputs" / "daily_talk" / "exp001-cut" / "run.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"finished"', '"running"'), encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        repositories.stage(root, "exp001", "infer", "--competition=daily_talk", "--run=exp001-cut")
    assert str(end.value.code) == (
        "error: outputs/daily_talk/exp001-cut was interrupted; first run: make exp=exp001 train run=exp001-cut"
    )


def test_only_what_decides_candidates_makes_them_anew(copy: Path, tmp_path: Path) -> None:
    """Post-processing and comments may change without another decoding; decoding, code and weights may not."""
    root = tmp_path / "repository"
    repositories.copy(copy, root)
    folder = root / "outputs" / "daily_talk" / "exp002"
    path = folder / "dev" / "candidates.jsonl"

    def stage(name: str, *words: str) -> None:
        repositories.stage(root, "exp002", name, *words, "--competition=daily_talk")

    def decoded_anew(*words: str) -> bool:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        lines[0]["candidates"][0]["text"] = "표시"
        del lines[0]["check"]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        stage("infer", *words)
        predicted = read_predictions(folder / "dev" / "predictions.csv", load_competition("daily_talk"))
        texts = {name: group[0].text for name, group in read_candidates(path).items()}
        assert (predicted["dev_0"] == "표시") == (texts["dev_0"] == "표시")
        return texts["dev_0"] != "표시"

    short = ["--max-new-tokens=8", "--beams=2", "--candidates=2", "--samples=0"]
    stage("train", *tiny.SETTINGS, "--epochs=1", *short)
    stage("infer")  # with what training was told
    assert {len(group) for group in read_candidates(path).values()} == {2}
    assert not decoded_anew()
    assert not decoded_anew("--max-characters=200")
    file = root / "experiments" / "exp002" / "infer.py"
    original = file.read_text(encoding="utf-8")
    file.write_text(f"# a comment\n{original}", encoding="utf-8")
    assert not decoded_anew()
    file.write_text(f"{original}\nCHANGED = True\n", encoding="utf-8")
    assert decoded_anew()
    assert decoded_anew("--beams=3")
