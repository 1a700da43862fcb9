"""Learning from the scores that a model's own summaries have: what was drawn of a dialogue, its advantages, the loss.

A dialogue and all that was written of it are one row: the dialogue is read once, and no summary sees another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from common import scoring
from common.candidates import Candidate
from common.competition import Competition
from common.dialogue import clean
from common.errors import UserError
from common.models.logits import target_logits
from common.rouge import get_profile, pairwise
from common.rows import Row
from common.tokenization import IGNORE, padded
from common.training.losses import Batch

SPREAD = 2.0
"""Least standard deviation, in ROUGE points, that a dialogue's scores are divided by: smaller ones are chance."""
MOST = 2.0
"""Advantages beyond this are cut to it."""
LEAST = 0.2
"""Summaries whose advantage is nearer to 0 teach nothing, and are left out."""


@dataclass(frozen=True)
class RewardConfig:
    """Learning from the scores of the model's own summaries of the training dialogues."""

    dialogues: int = 1000
    """Training dialogues, chosen by the seed, of which summaries are drawn; 0: all. As many as one round's policy is
    still the one that drew them: merge what has learnt, and draw of others."""
    drawn: int = 7
    """Summaries sampled of each training dialogue, besides the greedy one."""
    drawn_temperature: float = 0.8
    """Temperature of those samples."""
    agreement: float = 0.5
    """Share of a summary's reward that is its mean score against the dialogue's other summaries, the rest being its
    score against the reference: what one reference happens to say is mostly chance."""
    kept: int = 4
    """Summaries of a dialogue that are learnt from: half of them the best, half the worst."""
    worse_weight: float = 0.3
    """Weight of those below their dialogue's mean, which are unlearnt, those above having 1."""
    reference_weight: float = 0.3
    """Weight of the reference's log-likelihood beside them."""
    clip: float = 0.5
    """A summary counts no more once its mean token is by this share more (less) likely than when it was drawn."""

    def __post_init__(self) -> None:
        """Raises UserError for values that nothing can be learnt with."""
        for name, fits, wanted in (
            ("dialogues", self.dialogues >= 0, "0 (all) or more"),
            ("drawn", self.drawn >= 1, "1 or more"),
            ("agreement", 0 <= self.agreement <= 1, "0 to 1"),
            ("drawn_temperature", self.drawn_temperature > 0, "more than 0"),
            ("kept", self.kept >= 2 and self.kept % 2 == 0, "an even number, 2 or more"),
            ("worse_weight", self.worse_weight >= 0, "0 or more"),
            ("reference_weight", self.reference_weight > 0, "more than 0"),
            ("clip", self.clip > 0, "more than 0"),
        ):
            if not fits:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: wanted {wanted}.")


def advantages(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much better than the dialogue's mean each summary is, in standard deviations, from -MOST to MOST.

    Source: Shao et al. 2024, "DeepSeekMath", section 4.1.2 (group-relative advantages); the floor under the deviation
    is ours.
    """
    standard: NDArray[np.float64] = (scores - scores.mean()) / max(scores.std(), SPREAD)
    return standard.clip(-MOST, MOST)


def scores(
    rows: Sequence[Row], drawn: Mapping[str, Sequence[Candidate]], competition: Competition
) -> dict[str, list[float]]:
    """The dev profile's headline of every summary drawn, by id, in points from 0 to 100.

    Raises UserError when a row has no summary to score against.
    """
    texts: dict[str, str] = {}
    wanted: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if not row.summaries:
            raise UserError(f"id {row.id!r} has no summary to score against; leave the row out.")
        for number, candidate in enumerate(drawn[row.id]):
            texts[f"{row.id}/{number}"] = candidate.text
            wanted[f"{row.id}/{number}"] = row.summaries
    found = scoring.examples(texts, wanted, competition.dev_profile, competition.leaderboard_references)
    values = iter((found.per_example[found.headline_key] * _points(competition)).tolist())
    return {row.id: [next(values) for _ in drawn[row.id]] for row in rows}


def _points(competition: Competition) -> float:
    """What the dev profile's headline is multiplied by to be from 0 to 100."""
    profile = get_profile(competition.dev_profile)
    return 100 / profile.headline_scale / (3 if profile.summed else 1)


def rewards(
    scores: Mapping[str, Sequence[float]],
    drawn: Mapping[str, Sequence[Candidate]],
    competition: Competition,
    agreement: float,
) -> dict[str, list[float]]:
    """What every summary is worth, by id, in points: its score, and by the share `agreement` its mean score against
    the dialogue's other summaries, 0 where there is no other.

    What others were drawn says what else a reference might have said: the mean over them has the same expectation
    under the model, and far less chance in it. Source: Finkelstein and Freitag 2024, "MBR and QE Finetuning", section 3.
    """
    texts = [[candidate.text for candidate in drawn[name]] for name in scores]
    key = get_profile(competition.dev_profile).headline_key
    found = {}
    for name, matrices in zip(scores, pairwise(texts, competition.dev_profile), strict=True):
        matrix = matrices[key] * _points(competition)
        others = (matrix.sum(axis=1) - matrix.diagonal()) / max(1, len(matrix) - 1)
        own = np.asarray(scores[name], dtype=np.float64)
        found[name] = ((1 - agreement) * own + agreement * others).tolist()
    return found


def summary(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Means over the dialogues, for a run's notes: of the greedy summary's score, of all drawn, and of the best."""
    groups = list(scores.values())
    return {
        "greedy": round(float(np.mean([group[0] for group in groups])), 2),
        "mean": round(float(np.mean([np.mean(group) for group in groups])), 2),
        "best": round(float(np.mean([max(group) for group in groups])), 2),
    }


def examples(
    rows: Sequence[Row],
    sources: Mapping[str, Sequence[int]],
    drawn: Mapping[str, Sequence[Candidate]],
    rewards: Mapping[str, Sequence[float]],
    tokenizer: PreTrainedTokenizerFast,
    config: RewardConfig,
    longest: int,
) -> Dataset:
    """One example a dialogue: its summaries that are kept, then its reference.

    Columns: `id`; `source` (token ids); `target` (the summaries' token ids, one behind the other, each with its end
    unless it was cut off at `longest` tokens); `lengths`, `weights` and `logprobs` of each summary: its tokens, what
    its log-likelihood is multiplied by, and its log-probability when it was drawn, nan where that is not known: of the
    reference, and of a text that encodes to another number of tokens than were drawn.
    `rewards`: as the function of that name gives them. A summary's weight is its advantage over `config.kept`. A
    dialogue whose summaries are all alike keeps its reference.
    Raises UserError when of no dialogue one summary scores otherwise than another.
    """
    records = []
    for row in rows:
        parts = _kept(
            drawn[row.id], np.asarray(rewards[row.id], dtype=np.float64), tokenizer, config, longest
        )
        reference = _ids(row.summaries[0], tokenizer, ended=True)
        parts.append((reference, config.reference_weight, float("nan")))
        ids, weights, logprobs = zip(*parts, strict=True)
        records.append(
            {"id": row.id, "source": list(sources[row.id]), "target": [token for one in ids for token in one],
             "lengths": [len(one) for one in ids], "weights": [round(weight, 6) for weight in weights], "logprobs": list(logprobs)}
        )  # fmt: skip
    if all(len(record["lengths"]) == 1 for record in records):
        raise UserError(
            "of every dialogue all summaries drawn score alike: there is nothing to learn. Draw them with a higher "
            f"--drawn-temperature (now {config.drawn_temperature}), or from a model that is trained."
        )
    return Dataset.from_list(records)


def _ids(text: str, tokenizer: PreTrainedTokenizerFast, *, ended: bool) -> list[int]:
    ids: list[int] = tokenizer.encode(clean(text), add_special_tokens=False)
    return [*ids, tokenizer.eos_token_id] if ended else ids


def _kept(
    drawn: Sequence[Candidate],
    scores: NDArray[np.float64],
    tokenizer: PreTrainedTokenizerFast,
    config: RewardConfig,
    longest: int,
) -> list[tuple[list[int], float, float]]:
    """Token ids, weight and log-probability of the summaries that are learnt from; a text that was drawn twice is one."""
    different = {candidate.text: index for index, candidate in reversed(list(enumerate(drawn)))}
    places = sorted(different.values(), key=lambda index: -scores[index])
    found = advantages(scores[places])
    half = config.kept // 2
    chosen = range(len(places)) if len(places) <= 2 * half else [*range(half), *range(-half, 0)]
    parts = []
    for place in chosen:
        advantage, candidate = float(found[place]), drawn[places[place]]
        ids = _ids(candidate.text, tokenizer, ended=candidate.tokens < longest)
        if abs(advantage) < LEAST or not ids:
            continue
        weight = advantage * (1 if advantage > 0 else config.worse_weight) / config.kept
        known = len(ids) == candidate.tokens and candidate.logprob is not None
        parts.append((ids, weight, float(candidate.logprob or 0) if known else float("nan")))
    return parts


def collate(batch: Sequence[dict[str, Any]], pad: int) -> Batch:
    """`input_ids`, `position_ids`, `segments`, `labels` and `weights`, all (n, length), and `logprobs` (n, summaries).

    A row is the source without its last token, then for each summary that token and the summary without its end, at
    the positions that follow the source. `segments`: 0 in the source, from 1 on in the summaries, -1 in padding.
    """
    ids, positions, segments, labels, weights = [], [], [], [], []
    for example in batch:
        source, target = example["source"], example["target"]
        read, at, of = list(source[:-1]), list(range(len(source) - 1)), [0] * (len(source) - 1)
        start = 0
        for number, length in enumerate(example["lengths"], 1):
            read += [source[-1], *target[start : start + length - 1]]
            at += range(len(source) - 1, len(source) - 1 + length)
            of += [number] * length
            start += length
        ids.append(read)
        positions.append(at)
        segments.append(of)
        labels.append([*[IGNORE] * (len(source) - 1), *target])
        lengths = zip(example["lengths"], example["weights"], strict=True)
        weights.append([0.0] * (len(source) - 1) + [w for length, w in lengths for _ in range(length)])
    most = max(len(example["logprobs"]) for example in batch)
    before = [
        [*example["logprobs"], *[float("nan")] * (most - len(example["logprobs"]))] for example in batch
    ]
    return {
        "input_ids": padded(ids, pad),
        "position_ids": padded(positions, 0),
        "segments": padded(segments, -1),
        "labels": padded(labels, IGNORE),
        "weights": padded(weights, 0.0, torch.float32),
        "logprobs": torch.tensor(before, dtype=torch.float32),
    }


def require_possible(model: torch.nn.Module, smoothing: float) -> None:
    """Raises UserError when what each token sees cannot be told to the model, or its labels are smoothed."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    if config.is_encoder_decoder or kinds - {"full_attention", "sliding_attention"}:
        raise UserError(
            f"learning from own scores is for causal models whose layers attend to words; {type(model).__name__} has "
            f"{'an encoder' if config.is_encoder_decoder else ' and '.join(sorted(kinds))}. Name another --model."
        )
    if config._attn_implementation != "sdpa":
        raise UserError(
            f"{config._attn_implementation} attention cannot read several summaries beside one dialogue; use "
            "--attention sdpa."
        )
    if smoothing:
        raise UserError(
            f"--label-smoothing {smoothing} and learning from own scores do not go together: it would make every word "
            "less likely where a summary is unlearnt. Leave it at 0."
        )


def visible(segments: torch.Tensor, positions: torch.Tensor, window: int | None) -> torch.Tensor:
    """Which tokens each token sees, (n, 1, length, length) of true and false: the source and its own summary, behind it.

    `window`: how many positions back, itself among them; None: all. Padding sees itself.
    """
    length = segments.shape[1]
    same = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    # Places, not positions: a summary's tokens stand behind the source and behind each other.
    seen = same & torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    if window is not None:
        seen &= positions[:, :, None] - positions[:, None, :] < window
    seen |= torch.eye(length, dtype=torch.bool, device=segments.device)
    return seen[:, None]


def policy_gradient(
    model: torch.nn.Module,
    batch: Batch,
    smoothing: float,
    words: torch.Tensor | None = None,
    *,
    clip: float = RewardConfig.clip,
) -> torch.Tensor:
    """Minus the log-likelihood of every summary in the batch, in nats, times its weight, summed.

    A summary whose mean token has become by the share `clip` likelier (less likely) than when it was drawn, and is to
    become still more so, is left out: the ratio says when to stop and weighs nothing, and is that of the model itself,
    whatever temperature the summary was drawn at. `words` as `target_logits` takes them.
    Raises ValueError when `smoothing` is not 0.
    Source: Ranzato et al. 2016, section 3.2.1 (REINFORCE on sequences); Paulus et al. 2018, equation 16 (with the
    reference's likelihood beside it); Zheng et al. 2025, "Group Sequence Policy Optimization", equation 7 (the ratio).
    """
    if smoothing:
        raise ValueError("smoothing would make every word less likely where a summary is unlearnt")
    config = getattr(model, "module", model).config.get_text_config()
    segments, positions = batch["segments"], batch["position_ids"]
    kinds = set(getattr(config, "layer_types", None) or ())
    masks = {
        kind: visible(segments, positions, config.sliding_window if kind == "sliding_attention" else None)
        for kind in kinds or {"full_attention"}
    }
    inputs = {
        "input_ids": batch["input_ids"],
        "position_ids": positions,
        "attention_mask": masks if kinds else masks["full_attention"],
        "labels": batch["labels"],
    }
    logits, labels = target_logits(model, inputs, words)
    losses = functional.cross_entropy(logits.float(), labels, reduction="none")
    wanted = batch["labels"] != IGNORE
    weights = batch["weights"][wanted]
    return (losses * weights * _near(losses.detach(), wanted, batch, clip)).sum()


def _near(losses: torch.Tensor, wanted: torch.Tensor, batch: Batch, clip: float) -> torch.Tensor:
    """1 for the tokens of summaries that still count, 0 for the others', (t,)."""
    before, weights = batch["logprobs"], batch["weights"]
    rows = torch.arange(len(before), device=before.device)[:, None].expand_as(wanted)[wanted]
    place = rows * before.shape[1] + batch["segments"][wanted] - 1
    zeros = before.new_zeros(before.numel())
    now = zeros.index_add(0, place, -losses)
    tokens = zeros.index_add(0, place, torch.ones_like(losses))
    change = torch.exp((now - before.flatten()) / tokens.clamp(min=1)) - 1
    sign = torch.sign(weights[wanted])
    far = change[place] * sign > clip  # nan is not
    return (~far).to(losses.dtype)
