"""Score a whole chunk of short texts in one call of compiled code, from characters to F1.

One call releases the GIL once, so that several threads seldom wait for each other. Imported only together with
``kernels.py``.
"""

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import Integer, Offsets, compiled
from common.rouge.kernels101 import score_short_rouge101
from common.rouge.kernels_pairs import score_short
from common.rouge.kernels_text import SPACE, SPARE, CodeUnits, fold, pack

SCORED, UNSURE_LETTERS, UNREADABLE = range(3)
"""Results of ``score_chunk``."""


@compiled
def score_chunk(
    text: CodeUnits, letters: CodeUnits, lowered: bool, texts: int, groups: Offsets, keep_edges: bool, sentences: bool,
    hyp: Offsets, ref: Offsets, out: npt.NDArray[np.float64], left: Offsets,
) -> tuple[Integer, Integer]:  # fmt: skip
    """Fill ``out`` with F1 of every pair, and ``left`` with the pairs that ``score_short`` does not score.

    Returns SCORED, UNSURE_LETTERS (Python must lower-case the texts) or UNREADABLE (see ``compiled.count_texts``), and
    the number of pairs in ``left``. For the other arguments see ``fold`` and ``pack``.
    """
    folded = np.empty(text.size + SPARE, np.uint16)
    folded[text.size :] = SPACE
    breaks = np.empty(text.size + 1, np.int32)
    found, unsure = fold(text, letters, folded, breaks)
    if unsure and not lowered:
        return UNSURE_LETTERS, 0
    read, words, offsets, begins, sentence_offsets = pack(
        folded, breaks[:found], texts, groups, keep_edges, sentences
    )
    if read < found:
        return UNREADABLE, 0
    if sentences:
        return SCORED, score_short_rouge101(words, offsets, begins, sentence_offsets, hyp, ref, out, left)
    return SCORED, score_short(words, offsets, hyp, ref, out, left)
