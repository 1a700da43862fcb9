"""competition.toml: what the three say, and that every slip in one is named with file, key, found and wanted."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.data.competition import NEAR_COPY, IdSpec
from common.data.competition_file import (
    active_competition,
    competition_names,
    load_competition,
    set_active_competition,
)
from common.data.site import Site


def edit(root: Path, old: str, new: str, name: str = "dialogue_summarization") -> None:
    path = root / "competitions" / name / "competition.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def refused(root: Path, old: str, new: str, *parts: str) -> None:
    """Loading after the edit fails, and the message names the file and holds every part."""
    edit(root, old, new)
    with pytest.raises(UserError) as caught:
        load_competition("dialogue_summarization")
    for part in ("competitions/dialogue_summarization/competition.toml", *parts):
        assert part in str(caught.value)


def test_the_three_competitions_load(workspace: Path) -> None:
    assert competition_names() == ["daily_talk", "dialogsum_en", "dialogue_summarization"]
    for name in competition_names():
        loaded = load_competition(name)
        assert loaded.name == name
        assert loaded.folder == workspace / "competitions" / name
        assert name in loaded.obtain
        assert loaded.speakers[:2] == ("#Person1#", "#Person2#")


def test_the_real_one_declares_what_its_organisers_say(workspace: Path) -> None:
    real = load_competition("dialogue_summarization")
    assert real.submission.columns == ("", "fname", "summary")
    assert real.submission.index == ""
    assert real.submission.headers == (("", "fname", "summary"), ("fname", "summary"))
    assert real.goals == (70, 75, 78, 80)
    assert real.goals_metric == "rouge_sum"
    assert "solution" not in real.files
    assert "dialogsum_en" in real.forbidden_sources
    assert real.near_copy == NEAR_COPY
    assert real.files["train"].rows == 12457
    assert not real.files["train"].exact_rows
    for kind, gap in (("dev", "dev_475"), ("test", "test_466"), ("sample", "test_466")):
        spec = real.files[kind]
        assert spec.ids is not None
        assert gap not in spec.ids
        expected = spec.ids.expected()
        assert expected is not None
        assert len(expected) == spec.rows == 499
    assert set(real.tags) >= {"#Person7#", "#SSN#", "#PhoneNumber#"}


def test_the_sample_has_three_references_and_the_real_ones_format(workspace: Path) -> None:
    daily, real = load_competition("daily_talk"), load_competition("dialogue_summarization")
    assert daily.submission == real.submission
    assert daily.tags == real.tags
    assert daily.columns.answers(daily.files["solution"]) == ("summary1", "summary2", "summary3")
    assert daily.columns.answers(daily.files["dev"]) == ("summary",)
    assert daily.columns.answers(daily.files["test"]) == ()
    assert daily.leaderboard_references == "mean"


def test_english_has_no_index_column(workspace: Path) -> None:
    english = load_competition("dialogsum_en")
    assert english.submission.index is None
    assert english.dev_profile == "google"
    assert english.files["solution"].path == english.files["test"].path


BAD_IDS = [
    "dev_2",
    "dev_4",
    "dev_03",
    "dev_",
    " dev_1",
    "dev_1 ",
    "dev_-1",
    "dev_１",
    "test_1",
    "1",
    "",
    "dev_1\n",
]


def test_ids_inside_the_range_belong() -> None:
    spec = IdSpec("dev_", 0, 3, (2,))
    assert spec.expected() == ["dev_0", "dev_1", "dev_3"]
    assert all(value in spec for value in ("dev_0", "dev_1", "dev_3"))


@pytest.mark.parametrize("value", BAD_IDS)
def test_ids_are_spelt_exactly(value: str) -> None:
    assert value not in IdSpec("dev_", 0, 3, (2,))


def test_ids_without_end() -> None:
    spec = IdSpec("train_", 1, None, ())
    assert "train_99999999" in spec
    assert "train_0" not in spec
    assert spec.expected() is None
    assert str(spec) == "train_1 upwards"
    assert str(IdSpec("dev_", 0, 3, (2,))) == "dev_0 to dev_3 without dev_2"


@pytest.mark.parametrize("name", ["daily_tak", "", "../competitions/daily_talk", "daily_talk/", "DAILY_TALK"])
def test_an_unknown_name_lists_those_there_are(workspace: Path, name: str) -> None:
    for refuse in (load_competition, set_active_competition):
        with pytest.raises(UserError, match="there are: daily_talk, dialogsum_en, dialogue_summarization"):
            refuse(name)


def test_a_near_name_is_suggested(workspace: Path) -> None:
    with pytest.raises(UserError, match=r"Did you mean daily_talk\?"):
        load_competition("daily_tak")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ('language = "ko"\n', "", ('key "language" is missing', '"ko", "en"')),
        ('language = "ko"', 'language = "fr"', ("key \"language\" is 'fr'", 'one of "ko", "en"')),
        ("licence = ", "license = ", ('key "licence" is missing', '"license"')),
        ("[metric]", '[metric]\nflavour = "x"', ('key "metric.flavour" is unknown', "dev_profile")),
        ("rows = 12457", 'rows = "12457"', ("key \"files.train.rows\" is '12457' (str)", "whole number")),
        ("rows = 12457", "rows = true", ('key "files.train.rows" is True (bool)', "whole number")),
        ("rows = 12457", "rows = 0", ('key "files.train.rows" is 0', "from 1 to 10,000,000")),
        (
            "rows = 12457",
            f"rows = {10**18}",
            ('key "files.train.rows" is 1000000000000000000', "to 10,000,000"),
        ),
        (
            "last = 499",
            f"last = {10**12}",
            ('key "files.dev.ids.last" is 1000000000000', "at most 10,000,000 ids"),
        ),
        (
            "gaps = [475]",
            "gaps = [500]",
            ('key "files.dev.ids.gaps" is a list with 500', "between first and last"),
        ),
        ("max_characters = 500", f"max_characters = {10**9}", ('"submission.max_characters" is 1000000000',)),
        ("goals = [70, 75, 78, 80]", "goals = [-1, 80]", ('key "metric.goals"', "from 0 to 300")),
        ("rows = 499", "rows = 500", ('key "files.dev.rows" is 500', "499, the number of ids")),
        ("exact_rows = false", 'exact_rows = "no"', ('key "files.train.exact_rows"', "true or false")),
        ("gaps = [475]", 'gaps = ["475"]', ('key "files.dev.ids.gaps"', "'475' (str)", "whole numbers")),
        ("max_characters = 500", "max_characters = 0", ('key "submission.max_characters" is 0',)),
        ('index = ""', 'index = "row"', ("key \"submission.index\" is 'row'", "submission.columns")),
        ('index = ""\n', "", ('key "submission.columns"', "index column")),
        (
            'accepted = [["fname", "summary"]]',
            'accepted = ["fname"]',
            ('key "submission.accepted"', "'fname' (str)"),
        ),
        ('accepted = [["fname", "summary"]]', 'accepted = [["fname"]]', ("submission.accepted", '"summary"')),
        (
            'accepted = [["fname", "summary"]]',
            'accepted = [["fname", "summary", 3]]',
            ("submission.accepted", "a list of headers"),
        ),
        (
            'accepted = [["fname", "summary"]]',
            'accepted = [["summary", "summary", "fname"]]',
            ("different column names",),
        ),
        (
            'accepted = [["fname", "summary"]]',
            'accepted = [["", "n", "fname", "summary"]]',
            ("at most one index",),
        ),
        ('"#Person2#"', '"#사람2#"', ("key \"tags.speakers\" is '#사람2#'", "'#Person2#'")),
        ("goals = [70, 75, 78, 80]", "goals = [80, 70]", ('key "metric.goals"', "ascending")),
        ("goals = [70, 75, 78, 80]", 'goals = ["70"]', ('key "metric.goals"', "'70' (str)", "numbers")),
        ('dev_profile = "leaderboard"', 'dev_profile = "google"', ('key "metric.dev_profile"', "Hangul")),
        ('leaderboard_profile = "leaderboard"', 'leaderboard_profile = "rouge"', ("korouge", "rouge101")),
        ('path = "data/dev.csv"', 'path = "../dev.csv"', ('key "files.dev.path"', 'under "data/"')),
        ('path = "data/dev.csv"', 'path = "data/../../dev.csv"', ('key "files.dev.path"',)),
        ('path = "data/dev.csv"', 'path = "/data/dev.csv"', ('key "files.dev.path"',)),
        ('path = "data/dev.csv"', 'path = "data/dev.xlsx"', ('key "files.dev.path"', ".csv or .jsonl")),
        (
            'columns = ["fname", "dialogue"]',
            'columns = ["fname"]',
            ('key "files.test.columns"', '"dialogue"'),
        ),
        (
            '"fname", "dialogue", "summary", "topic"',
            '"fname", "dialogue"',
            ("files.train.columns", "summary"),
        ),
        ('"#Person2#"', '"#Person1#"', ('key "tags.speakers"', "without duplicates")),
        ('"#Email#"', '"Email"', ("key \"tags.masked\" is 'Email'", "#Name#")),
        ("[rules]", "[rules]\nnear_copy = 0", ('key "rules.near_copy" is 0', "above 0 and at most 1")),
        ("[rules]", "[rules]\nnear_copy = 1.5", ('key "rules.near_copy" is 1.5', "above 0 and at most 1")),
        ("[rules]", "[rules]\nnear_copy = nan", ('key "rules.near_copy" is nan', "above 0 and at most 1")),
        (
            "[rules]",
            '[rules]\nnear_copy = "0.6"',
            ("key \"rules.near_copy\" is '0.6' (str)", "a number above 0"),
        ),
        ('"DialogSum"]', '"-"]', ("key \"rules.forbidden_sources\" is '-'", "letters or digits")),
        ("[rules]", "[rules", ("not valid TOML", "line")),
    ],
)
def test_a_slip_names_file_key_found_and_wanted(
    workspace: Path, old: str, new: str, parts: tuple[str, ...]
) -> None:
    refused(workspace, old, new, *parts)


def test_a_misspelt_key_is_suggested(workspace: Path) -> None:
    refused(workspace, "[submission]", "[submission]\nmax_character = 9", 'did you mean "max_characters"?')


def test_a_toml_that_is_not_utf8_says_so(workspace: Path) -> None:
    path = workspace / "competitions/daily_talk/competition.toml"
    path.write_bytes(path.read_bytes() + "# 한글".encode("cp949"))
    with pytest.raises(UserError, match=r"daily_talk/competition.toml: is not UTF-8"):
        load_competition("daily_talk")


def test_a_toml_with_a_byte_order_mark_loads(workspace: Path) -> None:
    path = workspace / "competitions/daily_talk/competition.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_competition("daily_talk").language == "ko"


def test_the_active_competition_is_remembered(workspace: Path) -> None:
    assert active_competition() == "daily_talk"
    set_active_competition("dialogue_summarization")
    assert active_competition() == "dialogue_summarization"
    assert (workspace / ".active-competition").read_text() == "dialogue_summarization\n"


def test_a_marker_that_names_nothing_is_an_error(workspace: Path) -> None:
    (workspace / ".active-competition").write_text("gone\n")
    with pytest.raises(
        UserError, match=re.escape(".active-competition: names no competition 'gone'; there are:")
    ):
        active_competition()


def test_a_file_kind_nobody_declared(workspace: Path) -> None:
    with pytest.raises(UserError, match="declares no solution file"):
        load_competition("dialogue_summarization").path("solution")


def test_a_site_declares_its_limits(workspace: Path) -> None:
    assert load_competition("dialogue_summarization").site == Site(12, "Asia/Seoul", 2)
    assert load_competition("daily_talk").site == Site()
    # 15:30 in UTC is half past midnight of the next day in Seoul.
    moment = datetime(2026, 11, 28, 15, 30, tzinfo=UTC)
    assert Site(12, "Asia/Seoul").day(moment).isoformat() == "2026-11-29"
    assert Site().day(moment).isoformat() == "2026-11-28"


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("submissions_per_day = 12", "submissions_per_day = 0", 'key "site.submissions_per_day" is 0'),
        ("submissions_per_day = 12", 'submissions_per_day = "12"', 'key "site.submissions_per_day"'),
        ('time_zone = "Asia/Seoul"', 'time_zone = "Korea time"', "the IANA name of a time zone"),
        ('time_zone = "Asia/Seoul"', 'time_zone = "../../etc/passwd"', "the IANA name of a time zone"),
        ('time_zone = "Asia/Seoul"', 'time_zone = ""', "the IANA name of a time zone"),
        ('time_zone = "Asia/Seoul"\n', "", 'key "site.time_zone" is missing'),
        ("final_picks = 2", "final_picks = 1.5", 'key "site.final_picks" is 1.5'),
        ("final_picks = 2", "final_pick = 2", 'did you mean "final_picks"?'),
    ],
)
def test_a_wrong_limit_of_a_site_is_named(workspace: Path, old: str, new: str, part: str) -> None:
    refused(workspace, old, new, part)
