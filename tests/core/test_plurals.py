"""English numbers: one row, not "1 rows"."""

import pytest

from common.core.plurals import agreed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("daily_talk: 1 runs", "daily_talk: 1 run"),
        ("1 dialogues, 5 candidates", "1 dialogue, 5 candidates"),
        ("There are 1 other faults.", "There is 1 other fault."),
        ("1 of 200 ids of test are missing", "1 of 200 ids of test is missing"),
        ("2 of 200 ids of test are missing", "2 of 200 ids of test are missing"),
        ("3 of 3 ids are missing and 1 are unknown", "3 of 3 ids are missing and 1 is unknown"),
        ("1 of its 3 ids are not in dev", "1 of its 3 ids are not in dev"),
        ("the scores of 1 others (4b5d), so", "the scores of 1 other (4b5d), so"),
        ("1 final picks, and they", "1 final pick, and they"),
        ("holds 1 summaries", "holds 1 summary"),
        ("needs 1 processes", "needs 1 process"),
        ("at most 1 characters", "at most 1 character"),
        ("1 ids of dev are missing", "1 id of dev is missing"),
        (
            "11 rows, 21 rows, 1,001 rows, 0.1 seconds, 1.1 tokens",
            "11 rows, 21 rows, 1,001 rows, 0.1 seconds, 1.1 tokens",
        ),
        ("line 1 has cells", "line 1 has cells"),
        ("GPU 1 runs out of memory", "GPU 1 runs out of memory"),
        ("lines 0 and 1 are equal", "lines 0 and 1 are equal"),
        ('named "1 rows", 1 rows', 'named "1 rows", 1 row'),
        ("'1 rows' is not there", "'1 rows' is not there"),
        ("outputs/1 rows.csv", "outputs/1 rows.csv"),
        ("--n=1 rows", "--n=1 rows"),
        ("the site's 1 uploads left", "the site's 1 upload left"),
        ("1 of 12 uploads left today", "1 of 12 uploads left today"),
        ("1 uploads recorded today", "1 upload recorded today"),
        ("1 entries", "1 entry"),
    ],
)
def test_a_single_thing_is_singular(text: str, wanted: str) -> None:
    assert agreed(text) == wanted
    assert agreed(wanted) == wanted
