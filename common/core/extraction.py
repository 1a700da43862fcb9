"""Extract what a user reads from the source as templates for translation: methods for Babel, standard library only.

Messages stay ordinary f-strings in the source. `UserError(f"{shown(path)}: cannot be read ({reason}).")` becomes the
template "{}: cannot be read ({})."; `common.core.translation` recognizes the finished line by it. A message of several
lines becomes several templates, and a part that depends on a condition becomes a template of its own.
"""

from __future__ import annotations  # common/cli/make_help.py imports this file in any Python

import ast
import re
import string
from collections.abc import Iterator, Sequence
from typing import IO, Any

_SHOW = {
    "UserError",
    "echo",
    "print",
    "exit",
    "_stop",
    "error_line",
    "write",
    "progress",
    "brief_progress",
    "told",
    "refusal",
}
"""Functions that show their text: in their arguments a single word counts as a message too."""
_LOG = {"debug", "info", "warning", "error", "exception", "critical"}
_SILENT = {
    "re",
    "Target",
    "execute",
    "ast",
    "struct",
    "environ",
    "getenv",
    "setenv",
    "fullmatch",
    "add_argument",
    "getLogger",
}
"""Modules and functions whose texts are patterns or names."""
_PERCENT = re.compile(r"%(?:\([a-z_]+\))?[-+ #0]*[0-9*]*(?:\.[0-9*]+)?[sdrfgexi]|%%")
_PATTERN = re.compile(r"\(\?|\\[sSdwb.(]|\[\^|\.[*+]|</?[a-z]")
_PROSE = re.compile(
    r"[A-Za-z]{2,}[,:;)]?[ -][(]?[a-z]{2,}|[a-z]{2,} [A-Z(0-9{]|[}] [a-z]{2,}|[a-z]{2,}:? [{]"
)
_WORD = re.compile(r"[A-Za-z][a-z]{2,}")
_CODE = re.compile(
    r"(SELECT|CREATE|PRAGMA|--?[a-z]|[a-z]+=)\\b|(\\S*/)?(pip|python[0-9.]*) |pandas\\.|\\{\\{%|\\S+$"
)
OF_LIBRARIES = (
    "Usage: {}", "Options:", "Commands:", "Arguments:", "Show this message and exit.", "[default: {}]", "[required]",
    "Missing option {}.", "Missing argument {}.", "No such option {}.", "No such option: {}", "No such command {}.",
    "Did you mean {}?", "(Possible options: {})", "Invalid value for {}: {}", "Invalid value: {}",
    "{} is not one of {}.", "{} is not a valid {}.", "{} is not in the range {}.", "Option {} requires an argument.",
    "Got unexpected extra argument ({})", "Got unexpected extra arguments ({})", "expected one argument",
)  # fmt: skip
"""Messages of click and argparse that reach a user through our commands."""
OF_TABLES = (
    "better", "worse", "equal", "may be chance", "run", "status", "date", "over floor", "min", "size", "changed settings", "note",
    "profile", "b is", "95 % interval", "95% interval", "p bootstrap", "p permutation", "setting", "metric", "score", "floor",
    "time", "recipe", "method", "goals", "pick", "minutes", "hardware", "commit", "title", "needs", "exp", "experiments",
    "input", "output", "topic", "measure", "split", "max", "mean", "form", "by", "blend", "now", "by fold", "(optimistic)",
    "best on dev", "length target", "texts changed", "gap closed", "trained", "stale", "running", "interrupted", "failed",
    "archived", "restored", "broken", "again", "above", "BELOW", "kind", "value", "default",
    "a text", "a text that is not empty", "true or false", "a whole number", "a number", "a whole number from {} to {}",
    "a whole number from {} to {}, a multiple of {}", "a number from {} to {}", "a whole number of at least {}",
    "a number of at least {}", "a number above {}", "a number above {} and at most {}", "a number of at least {} and below {}",
    "a number above {} and below {}", "{} or none", "{} numbers separated by commas", "{} numbers separated by commas, each of at least {} and below {}",
    "{} or more names separated by commas, each {}", "names separated by commas, each {}", "general",
    "negligible", "small", "medium", "large", "smoke", "running ({})", "interrupted ({})", "failed ({})", "turns", "speakers", "dialogues", "estimate", "tokenizer", "set", "rows",
    "near-copies", "picked", "reason", "kept", "in", "out", "any", "{}: with − without",
    "trial", "state", "complete", "pruned", "waiting", "evaluations", "{} (stopped)", "host", "gap", "hint",
    '{}: key {} is {}; wanted "{}", because {} {} is better. Edit that file.',
    '{}: key {} is {}; wanted "values: [...]", because {} is {}. Edit that file.',
    "one of rouge_sum, score, distinct, train_loss, which training records at each evaluation",
    "{}: {} runs, {} submissions, {}, written in {}. Next: open the file in a browser; it needs no network.",
    "after {} of {} trials", "each running one saved its state", "after step {} of {}", "4-bit weights work on {}", "checkpoint saved", "and {} references have no prediction, first {}",
)  # fmt: skip
"""Headers and cells of tables, and words that messages contain, which cannot be told from names in the source."""
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")


def escaped(text: str) -> str:
    """Return literal text for a template: braces are doubled, as in `str.format`."""
    return text.replace("{", "{{").replace("}", "}}")


def literals(template: str) -> list[str]:
    """Return the literal texts around the placeholders of a template, one more than it has placeholders.

    Raises ValueError when a brace is neither doubled nor part of a placeholder.
    """
    found = [""]
    for text, name, _, _ in string.Formatter().parse(template):
        found[-1] += text
        if name is not None:
            found.append("")
    return found


def extract(
    source: IO[bytes], keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Yield the messages of a Python file, as Babel's plug-in interface wants: line, function, message, comments."""
    finder = _Finder()
    finder.visit(ast.parse(source.read()))
    yield from ((line, "", message, []) for line, message in finder.found)


def extract_makefile(
    source: IO[bytes], keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Yield the descriptions of a Makefile's targets (`target: … ## SETTINGS: DESCRIPTION`) and what its recipes print."""
    for number, line in enumerate(source.read().decode("utf-8").splitlines(), 1):
        if found := re.match(r"[a-z-]+:.*## (.*)$", line):
            yield number, "", escaped(without_settings(found[1])), []
        elif found := re.match(r'\t@echo "(.*)"$', line):
            yield number, "", escaped(found[1]), []


def without_settings(text: str) -> str:
    """Return a target's help text without the settings in front: "comp=NAME: make …" gives "make …"."""
    head, colon, rest = text.partition(": ")
    return rest if colon and "=" in head else text


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self.shown = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if any(
            "command" in ast.unparse(each) or "group" in ast.unparse(each) for each in node.decorator_list
        ):
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                self._add(node.lineno, escaped(" ".join(paragraph.split())))
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring is for readers of the source
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        names = [part for part in re.split(r"\W+", ast.unparse(node.func)) if part] or [""]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format" and _is_text(node.func.value):
            self._text(node.func.value, re.sub(r"\{[^{}]*\}", "{}", _constant(node.func.value)))
        elif (
            names[-1] in _LOG
            and names[0] in ("log", "logger", "logging")
            and node.args
            and _is_text(node.args[0])
        ):
            self._text(node.args[0], _percent(_constant(node.args[0])), shown=True)
            node = ast.Call(node.func, node.args[1:], node.keywords)
        elif {names[0], names[-1]} & _SILENT:
            return
        outer, self.shown = self.shown, self.shown or names[-1] in _SHOW or names[-1].endswith("Error")
        self.generic_visit(node)
        self.shown = outer

    def visit_keyword(self, node: ast.keyword) -> None:
        outer, self.shown = self.shown, self.shown or node.arg == "help"
        self.generic_visit(node)
        self.shown = outer

    def visit_Compare(self, node: ast.Compare) -> None:
        """Skip the texts that a condition compares with."""

    def visit_Dict(self, node: ast.Dict) -> None:
        for value in node.values:
            self.visit(value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Mod) and _is_text(node.left):
            self._text(node.left, _percent(_constant(node.left)))
            self.visit(node.right)
        elif isinstance(node.op, ast.Add) and isinstance(node.left, ast.Constant | ast.JoinedStr | ast.BinOp):
            parts = _summands(node)
            self._text(node, "".join(_template(part) for part in parts))
            for part in parts:
                self._inner(part)
        else:
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._text(node, _template(node))
        self._inner(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._text(node, re.sub(r"\{\{[a-z_]*\}\}", "{}", escaped(node.value)))  # for a later str.format

    def _inner(self, part: ast.expr) -> None:
        if isinstance(part, ast.JoinedStr):
            for value in part.values:
                if isinstance(value, ast.FormattedValue):
                    self.visit(value.value)
        elif not isinstance(part, ast.Constant):
            self.visit(part)

    def _text(self, node: ast.expr, template: str, *, shown: bool = False) -> None:
        for line in template.split("\n"):
            if line.strip(" {},;:()"):
                self._add(node.lineno, line.strip(), shown=shown or self.shown)

    def _add(self, line: int, template: str, *, shown: bool = False) -> None:
        text = "".join(literals(template))
        if (
            _HANGUL.search(text)
            or (_CODE.match(text) and not shown)
            or _PATTERN.search(text)
            or not text.isprintable()
        ):
            return
        word = _WORD.search(text)
        if not word or re.fullmatch(r"\W*[\w.-]*[_/.=<>-]\w[\w.-]*\W*", text):
            return
        if _PROSE.search(template) or shown:
            self.found.append((line, template))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _constant(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


def _summands(node: ast.expr) -> Sequence[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_summands(node.left), *_summands(node.right)]
    return [node]


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(value) for value in node.values)
    return escaped(_constant(node)) if _is_text(node) else "{}"


def _percent(text: str) -> str:
    return _PERCENT.sub(lambda match: "%" if match[0] == "%%" else "{}", escaped(text))
