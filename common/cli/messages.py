"""Update the Korean catalogues from the source (`make messages`) and list what lacks a translation; needs Babel (extra dev).

kds.po has the messages of the terminal, page.po the texts of the HTML page.
"""

import sys
from pathlib import Path
from typing import Any

from common.augment import settings as augmentation
from common.core.documented import first_sentence, groups
from common.core.extraction import OF_LIBRARIES, OF_TABLES, escaped, extract, extract_makefile
from common.core.translation import CATALOGUE
from common.page.sentences import PAGE_CATALOGUE
from common.runs.experiments import experiments
from common.runs.start import config_of


def sources(root: Path) -> dict[str, list[str]]:
    """Return message → places (file:line) of all messages of the repository at `root`."""
    from babel.messages.extract import extract_from_file

    found = {message: ["click"] for message in OF_LIBRARIES} | {message: ["tables"] for message in OF_TABLES}
    python: Any = extract  # Babel declares the result of its own function, not that of a plug-in
    makefile: Any = extract_makefile
    files = [*sorted((root / "common").rglob("*.py")), *sorted((root / "experiments").rglob("*.py"))]
    for path, method in [*((file, python) for file in files), (root / "Makefile", makefile)]:
        place = path.relative_to(root).as_posix()
        for line, message, _, _ in extract_from_file(method, path, keywords={"": None}):
            assert isinstance(message, str)
            found.setdefault(message, []).append(f"{place}:{line}")
    for message in _described_settings():
        found.setdefault(message, ["settings"])
    return found


def page_sources(root: Path) -> dict[str, list[str]]:
    """Return text → places (file:line) of all texts that the scripts of the HTML page show: page.text("…", {…})."""
    from babel.messages.extract import extract_from_file

    found: dict[str, list[str]] = {}
    for path in sorted((root / "common" / "page" / "assets" / "js").rglob("*.js")):
        place = path.relative_to(root).as_posix()
        for line, message, _, _ in extract_from_file("javascript", path, keywords={"page.text": None}):
            assert isinstance(message, str)
            found.setdefault(message, []).append(f"{place}:{line}")
    return found


def _described_settings() -> list[str]:
    """Return what `make settings` says about groups and settings, of every experiment and every method of augmentation."""
    configs = [
        *(config_of(name).Config() for name in experiments()),
        *(augmentation.settings(method) for method in augmentation.AUGMENT_METHODS),
    ]
    texts = [
        text
        for group in (group for config in configs for group in groups(config))
        for text in (group.about, *(first_sentence(setting.meaning) for setting in group.settings))
    ]
    return [escaped(text) for text in dict.fromkeys(texts) if text]


def update(found: dict[str, list[str]], path: Path, more: dict[str, str] | None = None) -> list[str]:
    """Write a catalogue again with the messages that were found, and return those that lack a translation.

    `found`: message → places. Translations are kept, and those of messages that are gone stay at the end as obsolete.
    `more`: new translations.
    """
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    new = Catalog(locale="ko", project="korean-dialogue-summarization", fuzzy=False)
    with path.open("rb") if path.exists() else open("/dev/null", "rb") as stream:  # noqa: PTH123
        old = read_po(stream, locale="ko")
    known = {str(entry.id): str(entry.string) for entry in [*old, *old.obsolete.values()] if entry.id} | (
        more or {}
    )
    for message, places in sorted(found.items(), key=lambda each: (each[1][0].partition(":")[0], each[0])):
        files = sorted({place.partition(":")[0] for place in places})
        new.add(message, known.get(message, ""), locations=[(file, 0) for file in files])
    for message, translation in known.items():
        if message not in found and translation:
            new.obsolete[message] = Catalog().add(message, translation)
    for entry in new:
        entry.flags -= {"python-format", "python-brace-format"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        write_po(target, new, width=0, omit_header=True, include_lineno=False)
    return [message for message in found if not known.get(message)]


def main() -> None:
    """Update the catalogues; exit with 1 and list the messages without a translation when there are any."""
    root = Path(__file__).resolve().parents[2]
    missing = {
        path: update(found, path)
        for path, found in ((CATALOGUE, sources(root)), (PAGE_CATALOGUE, page_sources(root)))
    }
    sys.stdout.writelines(f"{message}\n" for messages in missing.values() for message in messages)
    for path, messages in missing.items():
        if messages:
            sys.stderr.write(f"{len(messages)} messages lack their Korean: fill in their msgstr in {path}.\n")
    sys.exit(1 if any(missing.values()) else 0)


if __name__ == "__main__":
    main()
