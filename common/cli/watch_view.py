"""Draw a training for the terminal: where it is, its curves, and one line for each evaluation where there is no terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.core import terminal
from common.core.braille import curve
from common.core.language import translated
from common.core.messages import duration
from common.runs.metrics_file import MetricsFile, Points
from common.training.pace import Pace

SAMPLE = "⣿"
"""A sign that the terminal must be able to show for the curves."""
_LABEL, _VALUES, _GAP = 16, 10, 2
"""Columns of the names on the left, of the values on the right, and between the two and the curve."""
_ROWS, _FEWEST = 5, 2
_AROUND = 8
"""Lines of the screen that are no curve."""


@dataclass(frozen=True)
class Seen:
    """What is known of a training at one moment."""

    run: str
    competition: str
    state: str
    """training, finished or stopped."""
    metrics: MetricsFile
    pace: Pace | None
    """None when the training does not run here, or has not told yet."""

    @property
    def step(self) -> int:
        """The last step that is known."""
        return max(self.metrics.last_step, self.pace.step if self.pace else 0)

    @property
    def loss(self) -> Points:
        """The training loss of single steps, or the means between evaluations where only those were recorded."""
        return self.metrics.points("loss") or self.metrics.points("train_loss")


def best(points: Points) -> tuple[int, float]:
    """Return the step and the value of the highest point, the first one of equal ones."""
    return max(points, key=lambda point: point[1])


def head(seen: Seen) -> str:
    """Return where the training is, as one line."""
    run, step = f"{seen.run} on {seen.competition}", seen.step
    if seen.state == "finished":
        return f"{run}: training finished, step {step}"
    if seen.state == "stopped":
        return f"{run}: training stopped at step {step}"
    if seen.pace is None:
        return f"{run}: is training, step {step}"
    total, left = seen.pace.total, duration(seen.pace.seconds_left)
    share, speed = f"{step / max(1, total):.0%}", f"{seen.pace.tokens_per_second:,.0f}"
    return f"{run}: is training, step {step} of {total} ({share}), about {left} left, {speed} tokens/s"


def score_line(seen: Seen) -> str:
    """Return the best and the last dev score, as one line."""
    scores = seen.metrics.points("score")
    if not scores:
        return "no dev score yet"
    step, value = best(scores)
    return (
        f"best dev score {number(value)} at step {step}, last {number(scores[-1][1])} at step {scores[-1][0]}"
    )


def number(value: float) -> str:
    """Return a value with the digits that count."""
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4g}"


def screen(seen: Seen, columns: int, lines: int) -> str:
    """Return the whole picture; no line is wider than the terminal, and no more lines than it has."""
    measures = [
        ("dev score", seen.metrics.points("score")),
        ("training loss", seen.loss),
        ("learning rate", seen.metrics.points("learning_rate")),
    ]
    drawn = [(name, points) for name, points in measures if points]
    rows = max(_FEWEST, min(_ROWS, (lines - _AROUND) // max(1, len(drawn)) - 1))
    end = seen.pace.total if seen.pace else seen.step
    parts = [terminal.fitted(head(seen)), terminal.fitted(score_line(seen))]
    for name, points in drawn:
        parts += ["", *_chart(name, points, columns, rows, end)]
    if seen.metrics.damaged:
        parts.append(terminal.fitted(f"{seen.metrics.damaged} damaged lines of metrics.jsonl are left out"))
    return "\n".join(parts)


def _chart(name: str, points: Points, columns: int, rows: int, end: int) -> list[str]:
    """Return the lines of one curve: its name and last value on the left, its highest and lowest value on the right."""
    wide = max(8, columns - _LABEL - _VALUES - 2 * _GAP)
    values = [value for _, value in points]
    left = [translated(name), number(values[-1])] + [""] * rows
    right = [number(max(values)), *[""] * (rows - 2), number(min(values))]
    drawing = curve([(0.0 + step, value) for step, value in points], wide, rows, 0, max(end, points[-1][0]))
    gap = " " * _GAP
    return [
        f"{padded(left[i], _LABEL)}{gap}{terminal.styled(line, 'cyan')}{gap}{right[i].rjust(_VALUES)}".rstrip()
        for i, line in enumerate(drawing)
    ]


def padded(text: str, columns: int) -> str:
    """Return the text with spaces up to this many columns of a terminal, where Hangul takes two."""
    return text + " " * max(0, columns - terminal.cells(text))


def evaluation_line(seen: Seen, step: int) -> str:
    """Return one evaluation as a line: score, best so far, loss, learning rate, and how the training goes on."""
    scores = [point for point in seen.metrics.points("score") if point[0] <= step]
    at, top = best(scores)
    score, highest = number(scores[-1][1]), number(top)
    loss, rate = _last(seen.loss, step), _last(seen.metrics.points("learning_rate"), step)
    if seen.pace is None or step != seen.metrics.points("score")[-1][0]:
        return (
            f"step {step}: dev score {score}, best {highest} at step {at}, loss {loss}, learning rate {rate}"
        )
    speed, left = f"{seen.pace.tokens_per_second:,.0f}", duration(seen.pace.seconds_left)
    return (
        f"step {step}: dev score {score}, best {highest} at step {at}, loss {loss}, learning rate {rate}, "
        f"{speed} tokens/s, about {left} left"
    )


def _last(points: Sequence[tuple[int, float]], step: int) -> str:
    before = [value for at, value in points if at <= step]
    return number(before[-1]) if before else "–"
