"""Token ids are the same whether they can be cached or not."""

from pathlib import Path

import pytest

from common.tokenization.config import LengthConfig
from common.tokenization.examples import training_examples
from common.tokenization.layout import InputTemplate
from tests.support import tiny
from tests.support.disk import full_disk
from tests.support.fitting import WORDS


def rows_of(cache: Path) -> list[dict[str, object]]:
    template = InputTemplate(suffix=(WORDS.eos_token_id,))
    found, report = training_examples(tiny.rows(24), WORDS, LengthConfig(128), template, cache)
    assert report.dialogues == 24
    return list(found)


def test_examples_that_cannot_be_cached_are_used_from_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = rows_of(tmp_path / "kept")
    [folder] = (tmp_path / "kept").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o755
    assert rows_of(tmp_path / "kept") == expected
    assert caplog.text == ""
    (tmp_path / "file").write_text("in the way")
    assert rows_of(tmp_path / "file") == expected
    assert "file: token ids are not cached (" in caplog.text
    caplog.clear()
    with full_disk(200):
        assert rows_of(tmp_path / "full") == expected
    assert "full: token ids are not cached (" in caplog.text
    assert list((tmp_path / "full").iterdir()) == []
