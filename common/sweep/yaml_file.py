"""Read a YAML file strictly: as YAML 1.2 reads numbers, without duplicate keys, tags or references."""

import re
from pathlib import Path
from typing import Any

import yaml

from common.core.errors import UserError
from common.core.files import read_regular, require_shallow, shown, unreadable
from common.core.merge_conflict import require_merged
from common.core.messages import cut, quoted

_MOST_BYTES = 1 << 18
_MOST_LEVELS = 20
_NUMBERS = {
    "int": re.compile(r"[-+]?(0|[1-9][0-9]{0,300})$"),
    # YAML 1.1 wants a dot and a sign in the exponent, so that PyYAML reads 1e-6 as a text.
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]{1,9})?$"),
    "bool": re.compile(r"(true|True|TRUE|false|False|FALSE)$"),
    "null": re.compile(r"(~|null|Null|NULL|)$"),
}


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2: no `yes`, no `1:30`, no dates; a key stands once."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own name

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node. Raises a YAML error for a reference, which could make a small file endless, and for a tag."""
        event = self.peek_event()
        if isinstance(event, yaml.events.AliasEvent):
            problem = "a reference (*name); write the value itself"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        if getattr(event, "tag", None):
            problem = "a tag (!name); write the value without it"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Return a mapping. Raises a YAML error for a key that stands twice or is no text."""
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=key.start_mark)
            if name in seen:
                problem = f"the key {quoted(name, 40)} stands twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


for _name, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, None)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; its values are those of JSON.

    Raises UserError when the file is not there, cannot be read, is larger than 256 KiB, is not UTF-8, not valid YAML or no
    mapping.
    """
    content = b""
    try:
        content = read_regular(path, _MOST_BYTES)
        value = _Loader(content.decode("utf-8-sig")).get_single_data()
        require_shallow(value, _MOST_LEVELS)
    except FileNotFoundError as error:
        raise UserError(
            f"{shown(path)}: not there; copy one from another experiment, or write it."
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    except RecursionError as error:
        raise UserError(f"{shown(path)}: is not valid YAML: nested too deeply. Fix that file.") from error
    except (yaml.YAMLError, ValueError) as error:
        require_merged(content, shown(path))
        raise UserError(
            f"{shown(path)}{_place(error)}: is not valid YAML: {_problem(error)}. Fix that file."
        ) from error
    if not isinstance(value, dict):
        raise UserError(
            f"{shown(path)}: found {'nothing' if value is None else 'a ' + type(value).__name__}, wanted a sweep: lines "
            'such as "method: bayes". Fix that file.'
        )
    return value


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _problem(error: Exception) -> str:
    text = getattr(error, "problem", None) or next(iter(str(error).splitlines()), "it cannot be parsed")
    if text.startswith("but "):  # the other half of the sentence
        text = f"{getattr(error, 'context', '')} {text}"
    return cut(text, 200)
