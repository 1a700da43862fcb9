"""Give sentences of ours in both languages, and the Korean of the page's own texts."""

from pathlib import Path

from common.core.translation import CATALOGUE, in_korean, read_catalogue
from common.page.content import Text

PAGE_CATALOGUE = CATALOGUE.with_name("page.po")
"""The Korean of the texts in assets/js; kds.po recognizes lines of a terminal, and these are none."""


def both(text: str) -> Text:
    """Return an English sentence with its Korean from the catalogue of messages; the English again where it has none."""
    return {"en": text, "ko": in_korean(text)}


def page_texts(path: Path = PAGE_CATALOGUE) -> dict[str, str]:
    """Return English → Korean of the texts that the page's own scripts show."""
    return read_catalogue(path)
