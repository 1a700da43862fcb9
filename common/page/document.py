"""Put content, scripts and styles into one self-contained HTML file."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.page.content import Content
from common.page.sentences import page_texts

if TYPE_CHECKING:
    from markupsafe import Markup

HERE = Path(__file__).parent
LIBRARIES = ("d3.min.js", "plot.umd.min.js")
"""Files of vendor/ in the order in which they run; vendor.json says where they come from."""
STYLES = ("theme.css", "page.css", "table.css", "chart.css", "examples.css", "print.css")
SCRIPTS = (
    "page.js",
    "text.js",
    "state.js",
    "numbers.js",
    "table.js",
    "chart.js",
    "rows.js",
    "facts.js",
    "paired.js",
    "packed.js",
    "tokens.js",
    "examples/read.js",
    "examples/choose.js",
    "examples/texts.js",
    "examples/tools.js",
    "examples/list.js",
    "examples/detail.js",
    "views/overview.js",
    "views/runs.js",
    "views/examples.js",
    "views/compare.js",
    "views/progress.js",
    "views/trust.js",
    "views/cost.js",
    "views/curves.js",
    "views/shares.js",
    "blends/charts.js",
    "views/blends.js",
    "sweeps/charts.js",
    "sweeps/parallel.js",
    "views/sweeps.js",
    "start.js",
)
"""Files of assets/js in the order in which they run. A view is one file, and the views are offered in this order."""
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def document(content: Content, blocks: Mapping[str, str] | None = None) -> str:
    """Return the HTML of the page. `blocks`: id → base64 of what scripts read on demand, such as the texts of a run.

    A browser runs nothing of it but our scripts, whose hashes the policy names, and loads nothing from anywhere.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    style = "\n".join(_read(f"assets/css/{name}") for name in STYLES)
    libraries = [_read(f"vendor/{name}") for name in LIBRARIES]
    own = "\n".join(_read(f"assets/js/{name}") for name in SCRIPTS)
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html").render(
        content=content,
        policy=policy([*libraries, own], [style]),
        style=_trusted(style),
        scripts=[_trusted(script) for script in [*libraries, own]],
        data=_trusted(as_json(asdict(content))),
        korean=_trusted(as_json(page_texts())),
        blocks=blocks or {},
    )


def _trusted(text: str) -> "Markup":
    """Return a text that the template does not escape: a script or style of this room, or JSON of `as_json`."""
    from markupsafe import Markup

    return Markup(text)  # nosec B704: neither can end the element that it is put into; `_read` and `as_json` see to it


def policy(scripts: list[str], styles: list[str]) -> str:
    """Return a content security policy that allows exactly these scripts and styles, and nothing from the network."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {' '.join(map(_hash, styles))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def as_json(value: Any) -> str:
    """Return JSON that can stand inside a script element, whatever its texts contain; numbers that JSON lacks are null."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _ESCAPED.sub(lambda found: _UNSAFE.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


def _read(name: str) -> str:
    """Return a file of this room. Raises ValueError when its text would end the element that it is put into."""
    text = (HERE / name).read_text(encoding="utf-8")
    if re.search(r"</(script|style)|<!--", text, re.IGNORECASE):
        raise ValueError(f"{name} contains the end of an element")
    return text
