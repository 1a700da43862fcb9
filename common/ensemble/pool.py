"""Pool the candidates of several members by dialogue, with everything needed to choose among them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.core.errors import UserError
from common.core.messages import brief
from common.data.near_copies import grams, similarity
from common.rouge import METRICS, get_profile, pairwise
from common.runs.candidates import Candidate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
COPY_SIMILARITY = 0.95
"""Mean similarity of two members' predictions (`near_copies.similarity`) from which they count as one member."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The candidates of all dialogues. Arrays have one row per dialogue, padded to `n`, the most candidates of any."""

    ids: tuple[str, ...]
    members: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    """Texts per dialogue: members in order, each member's candidates best first; then the recombined texts."""
    owner: Ints
    """(dialogues, n): index of the member that proposed the candidate; the number of members for a recombined text;
    -1 for padding."""
    place: Ints
    """(dialogues, n): rank of the candidate within its member, 0 for the prediction; from 1 for recombined texts; -1
    for padding."""
    logprob: Floats
    """(dialogues, n): mean log-probability of the candidate's tokens, in nats; NaN where the member gives none."""
    utility: NDArray[np.float32]
    """(dialogues, n, n, 3): each of `rouge.METRICS` in [0, 1] of candidate i with j as the reference; 0 for padding."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Return where there is a candidate, (dialogues, n)."""
        return self.owner >= 0

    @property
    def from_members(self) -> NDArray[np.bool_]:
        """Return where there is a member's candidate, (dialogues, n); recombined texts are no evidence of agreement."""
        return self.mask & (self.owner < len(self.members))

    def of(self, member: str) -> Ints:
        """Return the place of a member's prediction among each dialogue's candidates, (dialogues,)."""
        number = self.members.index(member)
        found: Ints = ((self.owner == number) & (self.place == 0)).argmax(axis=1)
        return found

    def take(self, dialogues: Sequence[int] | Ints) -> "Pool":
        """Return the pool of these dialogues only, in the given order."""
        some = np.asarray(dialogues)
        return Pool(
            tuple(self.ids[i] for i in some),
            self.members,
            tuple(self.texts[i] for i in some),
            self.owner[some],
            self.place[some],
            self.logprob[some],
            self.utility[some],
        )


Recombine = Callable[[Sequence[Sequence[str]]], Sequence[Sequence[str]]]
"""Each dialogue's candidates → texts recombined from them."""


def pool(
    members: Mapping[str, Mapping[str, Sequence[Candidate]]],
    profile: str = "leaderboard",
    combine: Recombine | None = None,
) -> Pool:
    """Return the pool of the members' candidates by id, and of the texts that `combine` makes from them.

    Agreement is measured once, in this profile. Equal texts of one member count once.
    Raises UserError unless all members have the same ids (the pool is never an inner join) and a candidate for each.
    """
    if not members:
        raise UserError("a pool needs at least one member.")
    first, *rest = members
    ids = tuple(members[first])
    if not ids:
        raise UserError(f"{first} has no dialogues; a pool needs at least one.")
    for name in rest:
        different = set(ids) ^ set(members[name])
        if different:
            raise UserError(
                f"{name} and {first} do not have the same dialogues ({len(different)} differ, for example "
                f"{brief(min(different))}); run infer for both on the same data."
            )
    groups: list[list[tuple[int, int, Candidate]]] = []
    for key in ids:
        group: list[tuple[int, int, Candidate]] = []
        for number, (name, by_id) in enumerate(members.items()):
            unique: dict[str, Candidate] = {}
            for candidate in by_id[key]:
                if candidate.text.strip():
                    unique.setdefault(candidate.text, candidate)
            if not unique:
                raise UserError(f"{name} has no text for {brief(key)}; run infer for it again.")
            group += [(number, place, candidate) for place, candidate in enumerate(unique.values())]
        groups.append(group)
    recombined = combine([_texts(group) for group in groups]) if combine else [()] * len(groups)
    for group, made in zip(groups, recombined, strict=True):
        group += [(len(members), place, Candidate(text, None, 0)) for place, text in enumerate(made, 1)]
    shape = (len(ids), max(map(len, groups)))
    owner, place = np.full(shape, -1), np.full(shape, -1)
    logprob = np.full(shape, np.nan)
    utility = np.zeros((*shape, shape[1], len(METRICS)), np.float32)
    texts = tuple(map(_texts, groups))
    scale = get_profile(profile).scale
    for row, (group, matrices) in enumerate(zip(groups, pairwise(texts, profile), strict=True)):
        size = len(group)
        owner[row, :size] = [number for number, _, _ in group]
        place[row, :size] = [position for _, position, _ in group]
        logprob[row, :size] = [_mean_logprob(candidate) for _, _, candidate in group]
        for k, metric in enumerate(METRICS):
            utility[row, :size, :size, k] = matrices[metric] / scale
    return Pool(ids, tuple(members), texts, owner, place, logprob, utility)


def _texts(group: Sequence[tuple[int, int, Candidate]]) -> tuple[str, ...]:
    return tuple(candidate.text for _, _, candidate in group)


def _mean_logprob(candidate: Candidate) -> float:
    return np.nan if candidate.logprob is None else candidate.logprob / max(1, candidate.tokens)


def duplicate_members(members: Mapping[str, Mapping[str, Sequence[Candidate]]]) -> dict[str, str]:
    """Return member → earlier member whose predictions it repeats almost letter by letter; {} when all differ.

    A member that takes part twice would support itself: consensus leaves out a candidate itself, but not its copy.
    """
    grams_of = {
        name: [grams(group[0].text) for group in by_id.values() if group] for name, by_id in members.items()
    }
    found: dict[str, str] = {}
    for name, own in grams_of.items():
        for other in grams_of:
            if other == name:
                break
            if other in found or len(grams_of[other]) != len(own) or not own:
                continue
            if (
                np.mean([similarity(a, b) for a, b in zip(own, grams_of[other], strict=True)])
                >= COPY_SIMILARITY
            ):
                found[name] = other
                break
    return found


def choose(scores: Floats) -> Ints:
    """Return the place of each dialogue's best candidate, (dialogues,); the first among scores equal up to rounding."""
    first: Ints = (scores >= scores.max(axis=1, keepdims=True) - 1e-12).argmax(axis=1)
    return first
