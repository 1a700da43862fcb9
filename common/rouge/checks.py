"""Check inputs early: each problem is one UserError that says where, what was found and what to do."""

from collections.abc import Mapping, Sequence, Sized
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from common.core.errors import UserError
from common.core.messages import brief


def check_text(value: Any, where: str) -> None:
    """Raise UserError unless the value is a string."""
    if isinstance(value, str):
        return
    if isinstance(value, float) and value != value:
        raise UserError(
            f"{where} is NaN; every text must be a string. pandas turns empty CSV cells and the words NA, None "
            "and null into NaN: read the file with keep_default_na=False."
        )
    raise UserError(f"{where} is {type(value).__name__} ({value!r:.60}); every text must be a string.")


def check_sized(texts: Any, where: str) -> None:
    """Raise UserError when ``texts`` is a single string or not a sequence."""
    if isinstance(texts, str) or not hasattr(texts, "__len__"):
        raise UserError(f"{where} is {type(texts).__name__}; wanted a list of strings, one for each example.")


def check_texts(texts: Any, where: str, first: int = 0) -> None:
    """Raise UserError when ``texts`` is a single string, not a sequence, or holds anything but strings.

    ``first`` is the place of the first text in the caller's list.
    """
    check_sized(texts, where)
    if set(map(type, texts)) <= {str}:  # fast path for valid input
        return
    for place, text in enumerate(texts, start=first):
        check_text(text, f"{where}[{place}]")


def blank_texts(texts: Any, where: str, first: int = 0) -> npt.NDArray[np.bool_]:
    """Return which texts are empty or only whitespace; raise UserError as ``check_texts`` does."""
    check_sized(texts, where)
    blank = np.zeros(len(texts), bool)
    try:
        if any(map(str.isspace, texts)):
            blank = np.fromiter(map(str.isspace, texts), bool, len(texts))
    except TypeError:  # isspace also checks that every item is a string
        check_texts(texts, where, first)
        raise
    if not all(texts):
        blank[[place for place, text in enumerate(texts) if not text]] = True
    return blank


def check_same_length(first: Sized, second: Sized, first_name: str, second_name: str) -> None:
    """Raise UserError when the two lengths differ."""
    if len(first) != len(second):
        raise UserError(
            f"{first_name} has {len(first)} texts and {second_name} {len(second)}; the numbers must be equal. "
            "Match both sides by id with common.rouge.align, not by position."
        )


def reference_lists(
    references: Sequence[Sequence[str] | str],
) -> tuple[Sequence[Sequence[str]], npt.NDArray[np.int64]]:
    """Return the references as one list for each example, and how many each example has.

    A plain string counts as a single reference. Raises UserError when an example has no reference or its entry is
    neither text nor a list; ``check_references`` checks what the lists hold.
    """
    if isinstance(references, str) or not hasattr(references, "__len__"):
        raise UserError(
            f"references is {type(references).__name__}; wanted one list of texts for each example."
        )
    entries: Sequence[Sequence[str]] = references
    if not set(map(type, references)) <= {list, tuple}:
        entries = [[entry] if isinstance(entry, str) else entry for entry in references]
        for place, entry in enumerate(entries):
            if not hasattr(entry, "__len__"):
                check_text(entry, f"references[{place}]")
    counts = np.fromiter(map(len, entries), np.int64, len(entries))
    if not counts.all():
        place = int(np.flatnonzero(counts == 0)[0])
        raise UserError(f"references[{place}] is empty; every example needs at least one reference text.")
    return entries, counts


def check_references(entries: Sequence[Sequence[str]], first: int) -> list[str]:
    """Return the texts of the lists in one list; raise UserError when one is not text. ``first``: the first list's place."""
    flat = list(chain.from_iterable(entries))
    if not set(map(type, flat)) <= {str}:
        for place, entry in enumerate(entries, start=first):
            check_texts(list(entry), f"references[{place}]")
    return flat


def align(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str] | str], missing: str = "error"
) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    """Return ids, predictions and reference lists in the order of the references, and the ids without a prediction.

    ``missing="zero"`` accepts ids without a prediction as empty text, which scores 0; tell the user how many there
    are.
    Raises UserError when a prediction has no reference, and with ``missing="error"`` when a reference has no
    prediction.
    """
    if missing not in ("error", "zero"):
        raise UserError(f"missing is {brief(missing)}; choose 'error' or 'zero'.")
    unknown = [key for key in predictions if key not in references]
    absent = [key for key in references if key not in predictions]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(predictions)} predicted ids have no reference, first {brief(unknown[0])}"
            f"{f'; and {len(absent)} references have no prediction, first {brief(absent[0])}' if absent else ''}. "
            "Check that predictions and references come from the same split and competition."
        )
    if absent and missing == "error":
        raise UserError(
            f"{len(absent)} of {len(references)} references have no prediction, first {brief(absent[0])}. "
            "Predict every id, or pass missing='zero' to score the missing ones 0."
        )
    lists = [[entry] if isinstance(entry, str) else list(entry) for entry in references.values()]
    return list(references), [predictions.get(key, "") for key in references], lists, absent
