"""Candidates of several members, pooled by dialogue, with everything that choosing among them needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.candidates import Candidate
from common.errors import UserError
from common.prompts.copies import grams, similarity
from common.rouge import METRICS, get_profile, pairwise

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SAME_VOICE = 0.95
"""Mean similarity of two members' predictions (`prompts.copies`) from which they count as one member."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Every array has a row for each dialogue; shorter rows are padded to the longest, `n` candidates."""

    ids: tuple[str, ...]
    members: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    """Of every dialogue, members in order, each one's candidates best first; then what is put together of them."""
    owner: Ints
    """(dialogues, n): which member proposed it; as many as there are members: none, it is put together of several; -1 is
    padding."""
    place: Ints
    """(dialogues, n): which of its member's candidates it is, 0 the prediction, as nothing put together is; -1 is
    padding."""
    logprob: Floats
    """(dialogues, n): mean log-probability of its tokens, in nats; NaN where the member gives none."""
    utility: NDArray[np.float32]
    """(dialogues, n, n, 3): each of `rouge.METRICS` in [0, 1] of candidate i with j as the reference; 0 for padding."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(dialogues, n): where there is a candidate."""
        return self.owner >= 0

    @property
    def said(self) -> NDArray[np.bool_]:
        """(dialogues, n): where there is a candidate of a member: what agreement with is evidence."""
        return self.mask & (self.owner < len(self.members))

    def of(self, member: str) -> Ints:
        """The place of a member's prediction among each dialogue's candidates, (dialogues,)."""
        number = self.members.index(member)
        found: Ints = ((self.owner == number) & (self.place == 0)).argmax(axis=1)
        return found

    def take(self, dialogues: Sequence[int] | Ints) -> "Pool":
        """The pool of these dialogues alone, in the order given."""
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


Fuse = Callable[[Sequence[Sequence[str]]], Sequence[Sequence[str]]]
"""Each dialogue's candidates → texts put together of them."""


def pool(
    members: Mapping[str, Mapping[str, Sequence[Candidate]]],
    profile: str = "leaderboard",
    fuse: Fuse | None = None,
) -> Pool:
    """The pool of the members' candidates by id, and of what `fuse` makes of them; agreement is measured once, in this
    profile.

    Every member must have the same ids (never an inner join) and a candidate for each; equal texts of one member
    count once. Raises UserError when not.
    """
    if not members:
        raise UserError("a pool needs at least one member.")
    first, *rest = members
    ids = tuple(members[first])
    if not ids:
        raise UserError(f"{first} has no dialogue; a pool needs at least one.")
    for name in rest:
        different = set(ids) ^ set(members[name])
        if different:
            raise UserError(
                f"{name} and {first} do not have the same dialogues ({len(different)} differ, for example "
                f"{min(different)!r}); infer both on the same data."
            )
    groups: list[list[tuple[int, int, Candidate]]] = []
    for key in ids:
        group: list[tuple[int, int, Candidate]] = []
        for number, (name, by_id) in enumerate(members.items()):
            once: dict[str, Candidate] = {}
            for candidate in by_id[key]:
                if candidate.text.strip():
                    once.setdefault(candidate.text, candidate)
            if not once:
                raise UserError(f"{name} has no text for {key!r}; infer it again.")
            group += [(number, place, candidate) for place, candidate in enumerate(once.values())]
        groups.append(group)
    together = fuse([_texts(group) for group in groups]) if fuse else [()] * len(groups)
    for group, made in zip(groups, together, strict=True):
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


def copies(members: Mapping[str, Mapping[str, Sequence[Candidate]]]) -> dict[str, str]:
    """Member → the earlier member whose predictions it repeats but for a few letters; {} when all differ.

    A member that is there twice would vouch for itself: consensus leaves out a candidate itself, not its twin.
    """
    letters = {
        name: [grams(group[0].text) for group in by_id.values() if group] for name, by_id in members.items()
    }
    found: dict[str, str] = {}
    for name, mine in letters.items():
        for other in letters:
            if other == name:
                break
            if other in found or len(letters[other]) != len(mine) or not mine:
                continue
            if np.mean([similarity(a, b) for a, b in zip(mine, letters[other], strict=True)]) >= SAME_VOICE:
                found[name] = other
                break
    return found


def choose(scores: Floats) -> Ints:
    """The place of each dialogue's best candidate, (dialogues,); of scores equal but for rounding the first."""
    first: Ints = (scores >= scores.max(axis=1, keepdims=True) - 1e-12).argmax(axis=1)
    return first
