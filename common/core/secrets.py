"""Recognize keys and passwords by their shape, so that they are refused before anything is recorded or shown."""

import re
from collections.abc import Sequence
from itertools import zip_longest

from common.core.errors import UserError

COMMITS = ("revision",)
"""Last parts of the names of settings whose value may be a commit, which looks like a W&B key."""
_SHAPES = (
    ("a name or password in a URL", r"[^\s@:]:[^\s@]*@"),
    ("a URL with a query or a fragment, which may hold a key", r"://[^\s]*[?#]|\?[^\s=]+=\S"),
    (
        "a key or password with its name",
        r"(?i)(?<![a-z0-9])(?:[a-z0-9]+[-_])*(?:api[-_]?key|token|secret|password|passwd|authorization)\s*[=:]\s*\S{4}",
    ),
    ("an authorization header", r"(?i)^\s*(?:bearer|basic)\s+\S+\s*$|\b(?:bearer|basic)\s+(?=\S*(?:(?-i:[A-Z])|[0-9])|\S{20})[a-z0-9._~+/-]{6}"),
    (
        "the beginning of an API key",
        r"(?<![A-Za-z0-9/._-])(?:(?:sk|pk|rk|ctx7sk|xai|nvapi|glpat|pplx|xox[a-z])-[A-Za-z0-9_-]{4}"
        r"|(?:up|hf|sk|pk|gsk|r8|gh[a-z]|github_pat|wandb_v1)_[A-Za-z0-9]{8}"
        r"|AIza[A-Za-z0-9_-]{16}|(?:AKIA|ASIA)[A-Z0-9]{12}|eyJ[A-Za-z0-9_-]{8})",
    ),
    ("a private key", r"-----BEGIN"),
    ("a long run of random letters and digits", r"(?<![A-Za-z0-9/])(?=(?:[A-Za-z]*[0-9]+[A-Za-z]+){2})(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])[A-Za-z0-9]{24}"),
)  # fmt: skip
_SEARCHED = 2000  # the time to search grows with the square of the length
_SCHEMES = ("bearer", "basic", "authorization:")
_HEX = re.compile(r"\s*(?:local-)?([0-9a-fA-F]{32,})\s*")


def secret_in(text: str, *, commit: bool = False) -> str:
    """Return what in a text looks like a secret, in words that do not repeat it; "" when nothing does.

    `commit`: 40 hexadecimal digits are a commit, not a key. Only the first 2,000 characters are searched.
    """
    text = text[:_SEARCHED]
    for words, shape in _SHAPES:
        if re.search(shape, text) or re.search(shape, text.lstrip("-")):
            return words
    digits = _HEX.fullmatch(text)
    if digits and not digits[1].isdecimal() and not (commit and len(digits[1]) == 40):
        return "a long hexadecimal number, as W&B's keys are"
    return ""


def refusal(where: str, words: str) -> UserError:
    """Return the error for a secret at a place such as "--model"; it does not repeat the secret."""
    if where.lstrip("-") == "storage":
        return UserError(
            f"{where}: found what looks like {words}; it is neither shown nor recorded. Put the whole URL into KDS_STORAGE, in the "
            "environment or the file .env, and leave storage= out; change a password that was typed here, because the shell's "
            "history has it."
        )
    return UserError(
        f"{where}: found what looks like {words}; it is neither shown nor recorded. Put keys into the environment or the "
        "file .env and give only their name, as in --key-name SOLAR_API_KEY; replace a key that was typed here, because "
        "the shell's history has it."
    )


def require_no_secrets(arguments: Sequence[str]) -> None:
    """Raise UserError when a command-line argument looks like a secret; the message names only its option."""
    before = ""
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue="--"):
        if argument.lower() in _SCHEMES and not following.startswith("--"):
            raise refusal(before or "an argument", "an authorization header")
        option, equals, value = argument.partition("=")
        named = option.startswith("-") and not secret_in(option)
        if named and not equals:
            before = option
            continue
        where, text = (option, value) if named else (before or "an argument", argument)
        last = where.lstrip("-").rpartition(".")[2]
        if words := secret_in(text, commit=last in COMMITS):
            raise refusal(where[:60], words)
        before = ""
