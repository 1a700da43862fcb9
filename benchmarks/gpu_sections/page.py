"""Turn the lines of a run into goals, met or missed, and into docs/benchmarks-gpu.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared import table

from gpu_sections.worker import SECTIONS

Lines = Sequence[Mapping[str, Any]]
"""The lines of a run: {"section", "status", "seconds", "cases"}."""
NAMES = {
    "tokens_per_second": "tokens/s", "peak_gib": "peak GiB", "reserved_gib": "reserved GiB", "resident_gib": "resident GiB",
    "ms_a_step": "ms/step", "limit_ms": "limit by bandwidth, ms/step", "times_limit": "times the limit",
    "prompt_seconds": "seconds for prompts", "bf16_tflops": "bf16 TFLOP/s", "gigabytes_per_second": "memory GB/s",
    "memory_gib": "memory GiB", "rows_of_a_step_in_tokens": "tokens per step",
}  # fmt: skip
CARD_GIB = 23.5
_UNKNOWN = ("–", "not measured")
_NO_RESULT = ("failed", "out_of_memory", "skipped")
_NOT_SHOWN = ("at", "tokens", *_NO_RESULT)


def gpu(lines: Lines) -> str | None:
    """Return the name of the GPU that a run measured; None for a run on a CPU or with tiny models, and for no run."""
    if any(line.get("tiny") for line in lines):
        return None
    name = _case(lines, "environment", "machine").get("gpu")
    return str(name) if name else None


def _cases(lines: Lines, section: str) -> Mapping[str, Mapping[str, Any]]:
    """Return all cases of a section; {} when it did not run."""
    cases: Mapping[str, Mapping[str, Any]] = next(
        (line["cases"] for line in lines if line["section"] == section), {}
    )
    return cases


def _case(lines: Lines, section: str, case: str) -> Mapping[str, Any]:
    """Return what a case measured; {} for one that failed, was skipped or did not run."""
    found = _cases(lines, section).get(case, {})
    return {} if set(_NO_RESULT) & set(found) else found


def goals(lines: Lines) -> list[tuple[str, str, str]]:
    """Return each goal, what was measured, and met, missed or not measured."""
    if gpu(lines) is None:
        lines = ()
    kobart, peer = _case(lines, "kobart", "fit"), _case(lines, "kobart", "Seq2SeqTrainer")
    ours, sft = _case(lines, "trl", "fit"), _case(lines, "trl", "SFTTrainer")
    stepping = _case(lines, "decoding", "hf_decoder, 192 rows")
    in_order = _case(lines, "decoding", "generate in file order, 8 rows")
    found = [
        _same("the GPU computes the losses, gradients, tokens and resumed trainings of the CPU", lines),
        _faster("KoBART: fit at least 1.5× Seq2SeqTrainer, at less memory", kobart, peer),
        _faster("7B nf4: fit at least 1.5× SFTTrainer without Liger, at less memory", ours, sft),
        _judged(
            "7B bf16: decoding of 192 rows at least 5× generate in file order", (stepping, in_order),
            lambda: (f"{(ratio := _ratio(stepping, in_order)):.1f}×", ratio >= 5),
        ),
        _judged(
            "7B bf16: a step of 192 rows at most 3× the limit by memory bandwidth", (stepping,),
            lambda: (f"{stepping['times_limit']:.1f}×", stepping["times_limit"] <= 3),
        ),
    ]  # fmt: skip
    for name, case in (("trains", "train, 4096 tokens"), ("decodes", "decode, 24 rows")):
        found.append(_fits(f"Qwen3-14B nf4 {name} within {CARD_GIB} GiB", lines, f"qwen3-14b: {case}"))
    return found


def _ratio(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> float:
    return float(ours["tokens_per_second"] / max(1, peer["tokens_per_second"]))


def _judged(
    goal: str, needed: Sequence[Mapping[str, Any]], judge: Callable[[], tuple[str, bool]]
) -> tuple[str, str, str]:
    if not all(needed):
        return goal, *_UNKNOWN
    shown, met = judge()
    return goal, shown, "met" if met else "missed"


def _faster(goal: str, ours: Mapping[str, Any], peer: Mapping[str, Any]) -> tuple[str, str, str]:
    def judge() -> tuple[str, bool]:
        ratio = _ratio(ours, peer)
        shown = f"{ratio:.2f}×, {ours['peak_gib']} and {peer['peak_gib']} GiB"
        return shown, ratio >= 1.5 and ours["peak_gib"] < peer["peak_gib"]

    return _judged(goal, (ours, peer), judge)


def _fits(goal: str, lines: Lines, case: str) -> tuple[str, str, str]:
    """Return whether a case of card24 ran: more memory was refused to it."""
    cases = _cases(lines, "card24")
    if "out_of_memory" in cases.get(case, {}):
        return goal, "out of memory", "missed"
    used = _case(lines, "card24", case).get("reserved_gib")
    return goal, *((f"{used} GiB", "met" if used <= CARD_GIB else "missed") if used else _UNKNOWN)


def _same(goal: str, lines: Lines) -> tuple[str, str, str]:
    """Return whether every comparison of `sameness` ran and found the same."""
    cases = _cases(lines, "sameness")
    other = [name for name, found in cases.items() if found.get("same") is False]
    whole = any(line["section"] == "sameness" and line["status"] == "done" for line in lines)
    if other:
        return goal, f"not {', '.join(other)}", "missed"
    return goal, *((f"{len(cases)} comparisons", "met") if whole else _UNKNOWN)


def shown_value(value: object) -> str:
    """Return a measured value as a cell of a table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 0.001 else f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|").replace("\n", " ")


def _section_table(cases: Mapping[str, Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for found in cases.values() for key in found if key not in _NOT_SHOWN))
    columns = [key for key in columns if any(found.get(key) is not None for found in cases.values())]
    noted = any(set(_NO_RESULT) & set(found) for found in cases.values())
    body = []
    for name, found in cases.items():
        note = [f"{key.replace('_', ' ')}: {found[key]}" for key in _NO_RESULT if key in found]
        cells = [shown_value(found[key]) if key in found else "" for key in columns]
        body.append([name, *cells, *([shown_value("; ".join(note))] if noted else [])])
    head = ["case", *(NAMES.get(key, key.replace("_", " ")) for key in columns), *(["note"] if noted else [])]
    return table(head, body)


def goal_table(lines: Lines) -> str:
    """Return the goals as a Markdown table."""
    return table(["goal", "measured", "verdict"], goals(lines))


def text(lines: Lines) -> str:
    """Return the whole page. Lines of a run on a CPU count as no run."""
    card = gpu(lines)
    sections = "\n".join(f"| `{name}` | {section.tells} |" for name, section in SECTIONS.items())
    parts = [
        "# Measured on one GPU",
        "Generated by `benchmarks/gpu.py`; do not edit. Weights and token ids are random, so speed, memory and sameness are "
        "measured, but no quality. Lengths are log-normal, with the means of the competition's dialogues and summaries.",
    ]
    if card is None:
        parts.append(
            "**It has not run on a GPU yet, so this page has no measurements.** Figures for GPUs in the README and in "
            "[gpu.md](gpu.md) are estimates."
        )
    else:
        machine, speed = (
            _case(lines, "environment", "machine"),
            _case(lines, "environment", "speed"),
        )
        packages = ", ".join(
            f"{name} {machine[name]}"
            for name in ("torch", "transformers", "peft", "bitsandbytes", "trl")
            if machine.get(name)
        )
        parts.append(
            f"It ran on one {card}: {shown_value(machine.get('memory_gib'))} GiB, capability {machine.get('capability')}, driver "
            f"{machine.get('driver')}, CUDA {machine.get('cuda')}; {packages}. A copy moves "
            f"{shown_value(speed.get('gigabytes_per_second'))} GB/s, a product of bf16 matrices reaches "
            f"{shown_value(speed.get('bf16_tflops'))} TFLOP/s."
        )
    parts.append(
        "```sh\nmake gpu-check                                   # at most 8 minutes, no network\n"
        'make gpu-check args="--trl /tmp/trl"             # with TRL and Liger, installed into that folder\n'
        'make gpu-check args="--page docs/benchmarks-gpu.md"   # write this page from the last run\n'
        "make gpu-check args=--tiny                       # try the script itself, on a CPU\n```"
    )
    parts.append(f"| section | what it measures |\n| --- | --- |\n{sections}")
    if card is not None:
        for line in lines:
            if line["section"] == "environment" and line["status"] == "done":
                continue
            parts.append(f"## `{line['section']}`")
            why = f": {shown_value(line['why'])}" if line.get("why") else ""
            after = f", after {line['seconds']:g} s" if line["seconds"] else ""
            parts.append(f"{line['status'].capitalize()}{after}{why}.")
            if line["cases"]:
                parts.append(_section_table(line["cases"]))
    parts += ["## Goals", goal_table(lines)]
    return "\n\n".join(parts) + "\n"
