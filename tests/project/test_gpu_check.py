"""benchmarks/gpu.py: every section measures something with tiny models, a section that fails costs no other, goals are judged."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import page
from tests.support import REPOSITORY

SPEED = {"tokens_per_second", "steps", "tokens"}
DECODED = {"rows", "tokens", "tokens_per_second", "prompt_seconds", "ms_a_step", "limit_ms", "times_limit"}
FIELDS: dict[str, dict[str, set[str]]] = {
    "environment": {"machine": {"torch", "bitsandbytes", "gpu", "capability", "driver"},
                    "speed": {"bf16_tflops", "gigabytes_per_second"}},
    "sameness": {"loss and gradients, qwen2": {"loss_gap", "gradient_gap", "same"}, "loss and gradients, bart": {"same"},
                 "loss of own scores": {"loss_gap", "loss_gap_in_bf16", "same"}, "greedy tokens, qwen2": {"equal_texts", "same"},
                 "greedy tokens, bart": {"same"}, "resume": {"repeat_gap", "resume_gap", "bit_equal", "same"}},
    "decoding": {"hf_decoder, 2 rows": DECODED, "hf_decoder, 4 rows": DECODED, "hf_decoder, 6 rows": DECODED,
                 "hf_decoder, 4 rows, samples": DECODED, "generate in file order, 8 rows": DECODED,
                 "generate_batch, 4 rows": DECODED, "generate_batch, 6 rows": DECODED},
    "kobart": {"fit": SPEED, "fit, R-Drop": SPEED, "Seq2SeqTrainer": SPEED},
    "trl": {"fit": SPEED, "fit, Liger": set(), "SFTTrainer": set(), "SFTTrainer, Liger": set()},
    "card24": {"load qwen3-14b from disk, 2 layers": {"seconds", "resident_gib"},
               **{f"{shape}: {case}": wanted for shape in ("qwen3-14b", "qwen2.5-14b")
                  for case, wanted in (("train, 2048 tokens", SPEED), ("train, also on prompts, 2048 tokens", SPEED),
                                       ("decode, 24 rows", {"rows", "tokens", "tokens_per_second"}))}},
    "qlora": {"make and quantize the model": {"seconds", "resident_gib"},
              **{f"{budget} tokens, {how} checkpointing": SPEED for budget in (2048, 4096) for how in ("with", "without")}},
    "compiled": {"first batch, with compiling": {"seconds"},
                 **{f"hf_decoder, compiled, {size} rows": DECODED | {"equal_texts"} for size in (2, 4)}},
}  # fmt: skip


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "benchmarks/gpu.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_section_runs_with_tiny_models(tmp_path: Path) -> None:
    results, written = tmp_path / "run" / "results.jsonl", tmp_path / "page.md"
    ended = run("--tiny", "--results", str(results))
    log = results.with_name("log.txt").read_text(encoding="utf-8")
    assert ended.returncode == 0, ended.stdout + log[-4000:]
    lines = {line["section"]: line for line in map(json.loads, results.read_text("utf-8").splitlines())}
    assert list(lines) == list(gpu.SECTIONS) and set(lines) == set(FIELDS)
    for section, cases in FIELDS.items():
        line = lines[section]
        assert line["status"] == "done" and line["seconds"] > 0 and line["tiny"] is True, line
        assert set(line["cases"]) == set(cases), section
        for name, wanted in cases.items():
            found = line["cases"][name]
            assert {*wanted, "peak_gib", "reserved_gib"} <= set(found), (section, name, found)
            if not found.get("skipped"):
                assert found.get("tokens_per_second", 1) > 0 and "failed" not in found, (section, name, found)
    # The device is the CPU: it computes what the CPU computes, and a resumed training ends with the same bits.
    assert all(found["same"] for found in lines["sameness"]["cases"].values())
    assert lines["sameness"]["cases"]["resume"]["bit_equal"]
    # Equal work: the same tokens in as many steps.
    kobart = lines["kobart"]["cases"]
    assert len({(found["tokens"], found["steps"]) for found in kobart.values()}) == 1, kobart
    assert "--trl FOLDER" in lines["trl"]["cases"]["SFTTrainer"]["skipped"]
    assert "| not measured |" in ended.stdout
    assert (
        run("--results", str(results), "--page", str(written)).stdout == f"{written}: no GPU was measured\n"
    )
    assert written.read_text("utf-8") == page.text([])


@pytest.mark.slow
def test_a_section_that_hangs_or_fails_costs_no_other(tmp_path: Path) -> None:
    options = gpu.options(["--tiny"])
    with (tmp_path / "log.txt").open("w") as log:
        worker = gpu.Worker(options, log)
        stopped = worker.measure("sameness", 0.01)
        assert (stopped["status"], stopped["why"]) == ("stopped", "stopped after 0 s")
        worker.process.kill()
        killed = worker.measure("environment", 60)
        assert (killed["status"], killed["why"]) == ("failed", "its process ended with -9")
        worker = gpu.Worker(options, log)
        failed = worker.measure("no such section", 60)
        assert (failed["status"], failed["why"]) == ("failed", "KeyError: 'no such section'")
        worker = gpu.Worker(options, log)
        done = worker.measure("environment", 60)
        assert done["status"] == "done" and done["cases"]["machine"]["torch"]
        worker.process.kill()


@pytest.mark.slow
def test_cases_that_were_measured_survive_the_end_of_the_run(tmp_path: Path) -> None:
    """A machine that is lent for some minutes ends the run without asking."""
    results = tmp_path / "results.jsonl"
    command = [sys.executable, str(REPOSITORY / "benchmarks/gpu.py"), "--tiny", "--only", "sameness"]
    process = subprocess.Popen([*command, "--results", str(results)], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while not results.exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.kill()
    process.wait()
    (line,) = map(json.loads, results.read_text("utf-8").splitlines())
    assert (line["section"], line["status"], line["tiny"]) == ("sameness", "stopped", True)
    assert next(iter(line["cases"].values()))["same"]
    assert gpu.read(results) == [line]
    assert "## `sameness`" in page.text([*measured()[:1], {**line, "tiny": False}])


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_refused_and_an_earlier_run_stays(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text("{}\n", "utf-8")
    ended = run("--results", str(results))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: torch sees no GPU here: ") and ended.stderr.count("\n") == 1
    assert "args=--tiny" in ended.stderr
    assert results.read_text("utf-8") == "{}\n"


def test_sections_are_skipped_aloud_when_time_is_short(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    ended = run("--minutes", "0.1", "--results", str(results))
    assert ended.returncode == 0, ended
    lines = list(map(json.loads, results.read_text("utf-8").splitlines()))
    assert [line["section"] for line in lines] == list(gpu.SECTIONS)
    assert {line["status"] for line in lines} == {"skipped"}
    assert lines[0]["why"] == "6 s left, at least 15 s wanted; give more time with --minutes"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--nonsense=1"], "'--nonsense=1' is no option"),
        (["--only", "decode"], "--only 'decode': there is no such section; wanted one of environment, sameness"),
        (["--minutes", "0"], "--minutes: found 0, wanted a number above 0"),
        (["--minutes", "nan"], "--minutes: found nan, wanted a number above 0"),
        (["--minutes", "many"], "argument --minutes: invalid float value: 'many'"),
        (["--trl", "/nowhere"], "--trl '/nowhere': has no folder trl; install it with: pip install"),
        (["--page", "/"], "--page '/': is a folder; wanted a file such as docs/benchmarks-gpu.md"),
        (["--page", "/nowhere/page.md"], "--page '/nowhere/page.md': its folder does not exist"),
        (["\x1b[31mno", "such/thing"], "'\\x1b[31mno' is no option"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        gpu.options(arguments)
    shown = capsys.readouterr()
    assert stopped.value.code == 2 and shown.out == ""
    assert part in shown.err and shown.err.startswith("error: ") and shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("{}\nnot json", "not JSON lines"),
        ("[1]", "not the lines of a run"),
        ('{"section": "kobart"}', "not the lines of a run"),
        ('{"section": "kobart", "status": "done", "seconds": 1, "cases": [1]}', "not the lines of a run"),
        (
            '{"section": "kobart", "status": "done", "seconds": 1, "cases": {"fit": 1}}',
            "not the lines of a run",
        ),
    ],
)
def test_a_page_needs_results(
    tmp_path: Path, content: str | None, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.jsonl"
    if content is not None:
        results.write_text(content, "utf-8")
    with pytest.raises(SystemExit):
        gpu.read(results)
    shown = capsys.readouterr()
    assert why in shown.err and "make gpu-check" in shown.err and shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("place", "why"),
    [(".", "is a folder"), ("file/run/results.jsonl", "its folder cannot be made (Not a directory)")],
)
def test_results_need_a_place_before_anything_is_measured(tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    ended = run("--tiny", "--results", str(tmp_path / place))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert (
        ended.stderr.startswith("error: --results ") and why in ended.stderr and ended.stderr.count("\n") == 1
    )


def test_trying_the_script_keeps_what_a_gpu_has_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    places = []
    monkeypatch.setattr(gpu, "run", lambda _, results: places.append(results) or [])
    for arguments in (["--tiny"], []):
        monkeypatch.setattr(sys, "argv", ["gpu.py", *arguments])
        with pytest.raises(SystemExit):
            gpu.main()
    assert places == [tmp_path / "outputs/gpu-check" / name for name in ("tiny.jsonl", "results.jsonl")]


def test_a_section_is_measured_once() -> None:
    assert gpu.options(["--only", "qlora", "kobart", "qlora"]).only == ["qlora", "kobart"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: lines[1:], "does not say which GPU was measured, because its section environment did not end"),
        (lambda _: measured({"decoding/hf_decoder, 192 rows": {"tokens_per_second": "fast"}}), "TypeError"),
    ],
)  # fmt: skip
def test_a_page_is_not_written_from_half_a_run(
    tmp_path: Path, change: Any, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results, written = tmp_path / "results.jsonl", tmp_path / "page.md"
    results.write_text("".join(json.dumps(line) + "\n" for line in change(measured())), "utf-8")
    with pytest.raises(SystemExit):
        gpu.write_page(written, results)
    shown = capsys.readouterr()
    assert why in shown.err and shown.err.count("\n") == 1
    assert not written.exists()


def measured(changes: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The lines of a run on a GPU that met every goal; `changes`: "section/case" → fields, or None for no such case."""
    memory = {"peak_gib": 9.5, "reserved_gib": 10.0}
    cases: dict[str, dict[str, Any]] = {
        "environment/machine": {"gpu": "NVIDIA Test", "memory_gib": 24.0, "capability": "8.6", "driver": "580", "cuda": "13",
                                "torch": "2.13.0"},
        "environment/speed": {"bf16_tflops": 71.5, "gigabytes_per_second": 936},
        "sameness/resume": {"resume_gap": 0.0, "same": True},
        "kobart/fit": {"tokens_per_second": 3000}, "kobart/fit, R-Drop": {"tokens_per_second": 10},
        "kobart/Seq2SeqTrainer": {"tokens_per_second": 2000, "peak_gib": 12.0},
        "trl/fit": {"tokens_per_second": 1600},
        "trl/SFTTrainer": {"tokens_per_second": 1000, "peak_gib": 20.0},
        "trl/SFTTrainer, Liger": {"skipped": "liger_kernel cannot be imported"},
        "decoding/hf_decoder, 192 rows": {"tokens_per_second": 5000, "times_limit": 2.5},
        "decoding/generate in file order, 8 rows": {"tokens_per_second": 1000, "times_limit": 4.0},
        "card24/qwen3-14b: train, 4096 tokens": {"tokens_per_second": 400, "reserved_gib": 18.25},
        "card24/qwen3-14b: decode, 24 rows": {"tokens_per_second": 300, "reserved_gib": 11.0},
        **(changes or {}),
    }  # fmt: skip
    lines: dict[str, dict[str, Any]] = {
        name: {"section": name, "status": "done", "seconds": 1.5, "cases": {}, "tiny": False}
        for name in gpu.SECTIONS
    }
    for name, found in cases.items():
        section, _, case = name.partition("/")
        if found is not None:
            lines[section]["cases"][case] = memory | found
    return list(lines.values())


def verdicts(changes: Mapping[str, Any] | None = None) -> list[str]:
    return [verdict for _, _, verdict in page.goals(measured(changes))]


def test_goals_are_met_missed_or_not_measured() -> None:
    assert verdicts() == ["met"] * 7
    assert [shown for _, shown, _ in page.goals(measured())] == [
        "1 comparisons", "1.50×, 9.5 and 12.0 GiB", "1.60×, 9.5 and 20.0 GiB", "5.0×", "2.5×", "18.25 GiB", "11.0 GiB",
    ]  # fmt: skip
    slower = {"tokens_per_second": 2001, "peak_gib": 12.0}
    assert verdicts({"kobart/Seq2SeqTrainer": slower}) == ["met", "missed", *["met"] * 5]
    more = {"tokens_per_second": 9000, "peak_gib": 12.5}  # faster, but with more memory
    assert verdicts({"kobart/fit": more})[1] == "missed"
    assert verdicts({"kobart/fit": None})[1] == "not measured"  # not fit with R-Drop in its place
    assert verdicts({"kobart/fit": {"failed": "ValueError: x"}})[1] == "not measured"
    assert verdicts({"sameness/loss": {"same": False}})[0] == "missed"
    assert (
        verdicts({"decoding/hf_decoder, 192 rows": {"tokens_per_second": 4999, "times_limit": 3.1}})[3:5]
        == ["missed"] * 2
    )
    case = "card24/qwen3-14b: train, 4096 tokens"
    assert verdicts({case: {"out_of_memory": "out of memory; …"}})[5:] == ["missed", "met"]
    assert verdicts({case: {"failed": "KeyError: 1"}})[5:] == ["not measured", "met"]
    assert verdicts({case: {"tokens_per_second": 400, "reserved_gib": 23.51}})[5:] == ["missed", "met"]
    cpu = {"environment/machine": {"gpu": None}}
    assert verdicts(cpu) == ["not measured"] * 7
    assert [verdict for *_, verdict in page.goals([{**line, "tiny": True} for line in measured()])] == [
        "not measured"
    ] * 7


def test_the_page_says_on_what_it_ran_and_shows_every_case() -> None:
    lines = measured({"decoding/generate_batch, 192 rows": {"failed": "RuntimeError: a | b\nc"}})
    lines[-1] |= {"status": "skipped", "why": "3 s left", "seconds": 0.0}
    text = page.text(lines)
    assert "It ran on one NVIDIA Test: 24 GiB, capability 8.6, driver 580, CUDA 13; torch 2.13.0." in text
    assert "A copy moves 936 GB/s" in text
    assert "has not run on a GPU" not in text
    for line in lines[1:]:
        assert f"## `{line['section']}`" in text
        for case in line["cases"]:
            assert f"\n| {case} |" in text
    assert "failed: RuntimeError: a \\| b c |" in text
    assert "Skipped: 3 s left." in text
    assert "| Qwen3-14B nf4 trains within 23.5 GiB | 18.25 GiB | met |" in text


def test_the_committed_page_is_written_by_the_script() -> None:
    committed = (REPOSITORY / "docs/benchmarks-gpu.md").read_text("utf-8")
    if "has not run on a GPU" in committed:
        assert committed == page.text([])
    else:
        assert "It ran on one " in committed and page.text([]).splitlines()[2] in committed
