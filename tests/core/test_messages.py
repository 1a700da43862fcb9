"""Text from outside cannot act on a terminal, and stays short."""

import io
import logging
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.errors import UserError, first_line
from common.core.messages import brief, cut, listed, local_time, log_to_terminal, printable, quoted
from common.core.text_table import text_table

ESCAPE, TURN, FILLER = "\x1b[31m", "\u202e", "\u3164"


def test_only_what_is_shown_as_itself_stays() -> None:
    assert printable("가나 abc 1.5 …") == "가나 abc 1.5 …"
    assert printable(f"{ESCAPE}빨강{TURN}{FILLER}\r") == "\\x1b[31m빨강\\u202e\\u3164\\r"
    assert printable("a\n\tb") == "a\n\tb"
    assert quoted("a\n\tb") == '"a\\n\\tb"'
    assert printable("\x9b2J\x7f\ud800\u200b\xa0") == "\\x9b2J\\x7f\\ud800\\u200b\\xa0"


def test_long_text_is_cut_and_says_so() -> None:
    assert cut("가" * 80) == "가" * 80
    assert cut("가" * 81) == "가" * 79 + "…"
    assert len(quoted("\x1b" * 1000)) == 82
    assert brief("a" * 10**6) == "'" + "a" * 78 + "…"
    assert brief(["가", 1]) == "['가', 1]"
    assert brief(0x1 << 20_000) == "a very large int"
    nested: list[object] = []
    for _ in range(10_000):
        nested = [nested]
    assert brief(nested) == "a very large list"
    assert listed(["a", "b"]) == '"a", "b"'
    assert listed(map(str, range(10**9)), 2) == '"0", "1", …'


def test_a_line_that_announces_the_cause_comes_with_it() -> None:
    assert (
        first_line(ValueError("field 'width':\n  expected int, got str\nmore"))
        == "field 'width': expected int, got str"
    )
    assert first_line(ValueError("no file\nmore")) == "no file"
    assert first_line(ValueError("nothing follows:")) == "nothing follows:"
    assert first_line(ValueError("\n \n")) == "ValueError"


@given(st.text(st.characters(), max_size=200))
def test_any_text_becomes_one_printable_line(text: str) -> None:
    for shown in (cut(text), quoted(text, 40), brief(text), first_line(ValueError(text))):
        assert shown.isprintable()
        assert len(shown) <= 202


def test_an_error_is_printable_and_its_lines_are_short() -> None:
    assert str(UserError(f"a {ESCAPE}b\nc")) == "a \\x1b[31mb\nc"
    message = str(UserError("where: " + "x" * 10**6 + ". What to do."))
    assert len(message) == 800
    assert len(str(UserError("\x1b" * 10**6))) == 800
    assert message.startswith("where: xxx")
    assert message.endswith("x. What to do.")


def test_tables_and_the_log_are_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert text_table([["id", "n"], [f"{ESCAPE}a\nb", "1"]]).splitlines()[2] == "\\x1b[31ma\\nb  1"
    stream, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    log_to_terminal()
    logging.getLogger("a").info("id %s", ESCAPE)
    assert stream.getvalue() == "id \\x1b[31m\n"


def test_a_time_is_shown_as_local(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Seoul")
        time.tzset()
        assert local_time("2026-11-29T16:20:31+00:00") == "2026-11-30 01:20"
        assert local_time("2026-11-29T16:20:31-05:00") == "2026-11-30 06:20"
        assert local_time("2026-11-29T16:20:31") == "2026-11-29 16:20"
        assert local_time("\x1bsometime") == "\\x1bsometime"
    time.tzset()
