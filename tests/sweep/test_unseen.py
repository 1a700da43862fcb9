"""What a sweep did not see stays apart from what chose its best trial."""

from common.data.rows import Row
from common.data.sampled_rows import sampled_rows
from common.sweep.unseen import dev_rows_of_trials, unseen_rows

ROWS = [Row(f"dev_{number}", "말" * (50 + number % 37), ("요약",), "") for number in range(200)]


def test_trials_see_at_most_half_of_dev() -> None:
    assert [dev_rows_of_trials(asked, 200) for asked in (50, 100, 101, 499)] == [50, 100, 100, 100]
    assert dev_rows_of_trials(4, 1) == 1


def test_the_unseen_rows_are_those_that_no_trial_was_scored_on() -> None:
    settings = [{"seed": 7, "dev_rows": 100, "lora.rank": rank} for rank in (8, 16)]
    seen = {row.id for row in sampled_rows(ROWS, 100, 7)}
    assert [row.id for row in unseen_rows(ROWS, settings)] == [row.id for row in ROWS if row.id not in seen]
    other = {row.id for row in sampled_rows(ROWS, 100, 8)}
    both = unseen_rows(ROWS, [*settings, {"seed": 8, "dev_rows": 100}])
    assert {row.id for row in both} == {row.id for row in ROWS} - seen - other
    assert len(both) < 100
