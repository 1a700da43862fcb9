"""Bad input, caught at the door: each problem is one UserError that says where, what, and what to do."""

from collections.abc import Mapping, Sequence, Sized
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import UserError


def check_text(value: Any, where: str) -> None:
    """Nothing; raises UserError when the value is not a string."""
    if isinstance(value, str):
        return
    if isinstance(value, float) and value != value:
        raise UserError(
            f"{where} is NaN; every text must be a string. An empty CSV cell, or the words NA, None and null, become "
            "NaN in pandas: read the file with keep_default_na=False."
        )
    raise UserError(f"{where} is {type(value).__name__} ({value!r:.60}); every text must be a string.")


def check_texts(texts: Any, where: str) -> None:
    """Nothing; raises UserError when ``texts`` is one string, no sequence, or holds anything but strings."""
    if isinstance(texts, str) or not hasattr(texts, "__len__"):
        raise UserError(f"{where} is {type(texts).__name__}; wanted a list of strings, one for each example.")
    if set(map(type, texts)) <= {str}:  # the fast way to see that all is well
        return
    for place, text in enumerate(texts):
        check_text(text, f"{where}[{place}]")


def blank_texts(texts: Any, where: str) -> npt.NDArray[np.bool_]:
    """Which texts are empty or all whitespace; raises UserError as ``check_texts`` does."""
    if isinstance(texts, str):
        check_texts(texts, where)
    try:  # asking each text doubles as the check of its type
        blank = np.fromiter(map(str.isspace, texts), bool, len(texts))
    except TypeError:
        check_texts(texts, where)
        raise
    return blank if all(texts) else blank | np.array([not text for text in texts])


def check_same_length(first: Sized, second: Sized, first_name: str, second_name: str) -> None:
    """Nothing; raises UserError when the two differ in length."""
    if len(first) != len(second):
        raise UserError(
            f"{first_name} has {len(first)} texts and {second_name} {len(second)}; they must pair up one to one. "
            "Join both sides by id (common.rouge.align does it) rather than by position."
        )


def reference_lists(references: Sequence[Sequence[str] | str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """All reference texts in one list, and how many each example has; a plain string counts as a single reference.

    Raises UserError when an example has no reference or one that is not text.
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
    flat = list(chain.from_iterable(entries))
    if not set(map(type, flat)) <= {str}:
        for place, entry in enumerate(entries):
            check_texts(list(entry), f"references[{place}]")
    return flat, counts


def align(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str] | str], missing: str = "error"
) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    """Ids, predictions and reference lists in the references' order, and the ids that had no prediction.

    ``missing="zero"`` lets ids without a prediction through as empty text, which scores 0; count them aloud.
    Raises UserError when a prediction has no reference, and with ``missing="error"`` when a reference has none.
    """
    if missing not in ("error", "zero"):
        raise UserError(f"missing is {missing!r}; there are: error, zero.")
    unknown = [key for key in predictions if key not in references]
    absent = [key for key in references if key not in predictions]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(predictions)} predicted ids have no reference, first {unknown[0]!r}"
            f"{f'; and {len(absent)} references have no prediction, first {absent[0]!r}' if absent else ''}. "
            "Check that predictions and references are of the same split and competition."
        )
    if absent and missing == "error":
        raise UserError(
            f"{len(absent)} of {len(references)} references have no prediction, first {absent[0]!r}. "
            "Predict every id, or score the missing ones 0 with missing='zero'."
        )
    lists = [[entry] if isinstance(entry, str) else list(entry) for entry in references.values()]
    return list(references), [predictions.get(key, "") for key in references], lists, absent
