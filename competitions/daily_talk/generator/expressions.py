"""Formulas and wordings of the situation files, checked when a file is read and evaluated for each talk."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from competitions.daily_talk.generator.document import DataError, Place
from competitions.daily_talk.generator.korean import PARTICLES, TAGS

Names = dict[str, Any]
Value = Callable[[Names], Any]
"""What a formula, a wording or a list becomes: it returns its value for the names of one talk."""
SCENE = "<scene>"
"""The key of the scene among the names of a talk; no file can define or use it."""

_HOLE = re.compile(
    r"\$(?:(?P<name>[A-Za-z_]\w*(?:\.[a-z]\w*)?)|\{(?P<formula>[^}]*)\}|(?P<wrong>))", re.ASCII
)
_BRACKETS = re.compile(r"\[([^\]]*)\]|<([^>]*)>|[\[\]<>{}]")
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_TEXT_METHODS = {"startswith", "endswith"}
_ALLOWED = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript, ast.Slice,
    ast.Tuple, ast.List, ast.Starred, ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop, ast.BoolOp, ast.boolop,
    ast.Compare, ast.cmpop, ast.IfExp, ast.Call, ast.GeneratorExp, ast.ListComp, ast.comprehension,
    ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip


@dataclass
class Vocabulary:
    """The names that a file defines and those that it uses, compared once the whole file is read."""

    reserved: frozenset[str]
    """Names of functions and built-in values, which a file must not define."""
    defined: dict[str, Place] = field(default_factory=dict)
    fields: set[str] = field(default_factory=lambda: {"name", *_TEXT_METHODS})
    used: list[tuple[str, bool, Place]] = field(default_factory=list)
    """Name, whether it follows a dot, and where it is used."""

    def define(self, name: str, place: Place) -> str:
        """Return the name after noting it.

        Raises DataError when it is reserved or is no identifier of ASCII letters, digits and _.
        """
        if not _NAME.fullmatch(name) or name in self.reserved:
            raise place.error(f"{name!r} cannot be defined; choose another name of letters, digits and _.")
        self.defined.setdefault(name, place)
        return name

    def check(self) -> None:
        """Raise DataError for the first name or field that nothing defines or that nothing uses."""
        for name, is_field, place in self.used:
            known = self.fields if is_field else self.reserved | self.defined.keys()
            if name not in known:
                kind = "field" if is_field else "name"
                near = get_close_matches(name, known, 1)
                hint = (
                    f"did you mean {near[0]!r}?" if near else "define it with speakers, set, take or lists."
                )
                raise place.error(f"unknown {kind} {name!r}; {hint}")
        used = {name for name, _, _ in self.used}
        for name, place in self.defined.items():
            if name not in used:
                raise place.error(f"{name!r} is never used; use it or remove it.")

    def formula(self, source: str, place: Place) -> Value:
        """Return the value of a formula: a Python expression of the kinds that `_ALLOWED` lists."""
        try:
            tree = ast.parse(source.strip(), mode="eval")
        except SyntaxError as error:
            raise place.error(f"not a formula: {source!r} ({error.msg}).") from error
        return self._value(tree, source, place)

    def text(self, source: str, place: Place) -> Value:
        """Return the value of a wording, with every `$name`, `$speaker.name` and `${formula}` filled in."""
        if "$" not in source:
            constant = _with_masks(source, place)
            return lambda names: constant
        pieces: list[ast.expr] = []
        literal, end = [], 0
        for hole in _HOLE.finditer(source):
            literal.append(source[end : hole.start()])
            end = hole.end()
            if hole["wrong"] is not None:
                raise place.error(f"a $ without a name in {source!r}; write $name or ${{formula}}.")
            pieces += [ast.Constant(_with_masks(literal[-1], place)), self._hole(hole, place)]
        pieces.append(ast.Constant(_with_masks(source[end:], place)))
        tree = ast.fix_missing_locations(ast.Expression(ast.JoinedStr(pieces)))
        return self._value(tree, source, place)

    def _hole(self, hole: re.Match[str], place: Place) -> ast.expr:
        # Parsed as part of an f-string, so that a format such as ${price:,} works.
        try:
            parsed = ast.parse('f"""{' + (hole["name"] or hole["formula"]) + '}"""', mode="eval").body
        except SyntaxError as error:
            raise place.error(f"not a formula: {hole[0]!r} ({error.msg}).") from error
        assert isinstance(parsed, ast.JoinedStr)
        return parsed.values[0]

    def _value(self, tree: ast.Expression, source: str, place: Place) -> Value:
        local = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED):
                raise place.error(f"{type(node).__name__} is not allowed in a formula: {source!r}.")
            if isinstance(node, ast.Name) and node.id not in local:
                self.used.append((node.id, False, place))
            elif isinstance(node, ast.Attribute):
                self.used.append((node.attr, True, place))
        code = compile(tree, str(place), "eval")

        def evaluate(names: Names) -> Any:
            try:
                return eval(code, names)  # nosec B307: only the kinds of nodes in _ALLOWED
            except DataError:
                raise
            except Exception as error:
                raise place.error(
                    f"{source!r} cannot be evaluated: {type(error).__name__}: {error}."
                ) from error

        return evaluate


def _with_masks(text: str, place: Place) -> str:
    """Return the text with `<PhoneNumber>` as `#PhoneNumber#`.

    Raises DataError for an unknown mask or particle and for any other bracket.
    """
    for found in _BRACKETS.finditer(text):
        if found[1] is not None and found[1] not in PARTICLES:
            near = get_close_matches(found[1], PARTICLES, 1)
            hint = f"did you mean [{near[0]}]?" if near else "korean.py lists the known ones."
            raise place.error(f"unknown particle [{found[1]}]; {hint}")
        if found[1] is None and found[2] not in TAGS:
            raise place.error(
                f"unexpected {found[0]!r} in a wording; masks are written <{'>, <'.join(TAGS)}>."
            )
    return re.sub(r"<(\w+)>", r"#\1#", text)
