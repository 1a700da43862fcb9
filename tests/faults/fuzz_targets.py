"""Define what fuzzing gives to readers and text functions, and what must hold for every input.

A check raises AssertionError, or lets any exception but UserError pass, when something is wrong.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from common.core.errors import UserError
from common.data import dialogue
from common.data.competition_file import load_competition
from common.data.repairs import repair_tags
from common.data.rows import read_predictions, write_predictions
from common.data.tables import load, source_of
from common.ensemble.recipe import read_recipe
from common.llm import completion
from common.llm.checks import summary_check
from common.llm.config import LLMConfig, Request
from common.llm.refusals import Target as Endpoint
from common.llm.refusals import TransientError
from common.postprocess.repetition import remove_repetition
from common.postprocess.rules import RULES, PostprocessConfig, apply
from common.postprocess.sentences import limit_length, sentences
from common.postprocess.tags import tag_repair
from common.prompts import Message
from common.prompts.cleaning import tidy
from common.runs import candidates
from tests.faults.outcome import LONGEST_MESSAGE

PIECES = (
    "#Person1#", "#Person2#", "# Person1 #", "＃Person１＃", "#person3", "Person2#", "##Person1##", "#PhoneNumber#", "#",
    ":", "：", "\n", "\r\n", "\r", " ", "  ", "\t", "\u3000", "\u200b", "\ufeff", "\u2028", "\x00", "\x1b[31m", "가", "각", "ᄀ", "ᅡ", "ㄱ",
    "네", "했다.", "합니다.", "고 ", "지만 ", ",", ".", "…", "...", "?", "!", '"', "“", "”", "'", "(", ")", "1", "3.5", "오후 3.",
    "abc", "Mr.", "e\u0301", "👩‍👩‍👧", "漢字", "ひらがな", "요약:", "**", "```", "<think>", "</think>", "<|im_end|>", "http://a.b/c",
    "\ud800", "0", "-1", "NaN", "fname", "summary", "dialogue", ";", "|", "[", "]", "{", "}", "=", "\\", "dev_1",
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=40).map("".join)
CLEAN_TEXTS = TEXTS.map(lambda text: text.encode("utf-8", "ignore").decode())
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
BYTES = st.one_of(
    st.binary(max_size=200),
    CLEAN_TEXTS.map(str.encode),
    TEXTS.map(lambda text: text.encode("utf-16", "surrogatepass")),
    CLEAN_TEXTS.map(lambda text: text.encode("cp949", "ignore")),
    st.lists(st.lists(CLEAN_TEXTS, max_size=4), max_size=6).map(
        lambda rows: ("fname,summary\n" + "\n".join(",".join(row) for row in rows)).encode()
    ),
    st.lists(JSON, max_size=4).map(lambda values: "\n".join(map(json.dumps, values)).encode()),
)
KEYS = (
    "competition",
    "method",
    "members",
    "candidates",
    "utility",
    "mix",
    "length",
    "recombined",
    "run",
    "weight",
)
RECIPES = st.lists(
    st.tuples(st.sampled_from(KEYS), st.one_of(JSON, st.just([{"run": "exp002"}]), st.just("daily_talk"))), max_size=6
).map(lambda pairs: "\n".join(f"{key} = {json.dumps(value)}" for key, value in pairs))  # fmt: skip
ANSWERS = st.one_of(
    BYTES,
    st.builds(
        lambda text, finish, usage, more: json.dumps(
            {"choices": [{"message": {"content": text, **more}, "finish_reason": finish}], "usage": usage}
        ).encode(),
        st.one_of(TEXTS, JSON), JSON, JSON, st.dictionaries(st.sampled_from(("reasoning", "refusal", "role")), JSON, max_size=2),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Inputs and what must hold for each."""

    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]


def refused_well(call: Callable[[], Any]) -> Any:
    """Return the result of a call; None when it raised a UserError, whose message must be one printable line."""
    try:
        return call()
    except UserError as error:
        message = str(error)
        assert len(message) < LONGEST_MESSAGE, f"a message of {len(message)} characters"
        assert all(letter.isprintable() for letter in message), f"not printable: {message!r}"
        return None


def _with_file(data: bytes, name: str, read: Callable[[Path], Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return refused_well(lambda: read(path))


def reads_tables(data: bytes) -> None:
    """CSV and JSON Lines become records, or a refusal."""
    wanted = ("fname", "summary")
    for name in ("a.csv", "a.jsonl"):
        found = _with_file(data, name, lambda p: load(p, source_of(p, None), wanted, others=True))
        for record in found[0].records if found else ():
            assert all(isinstance(record.cells[column], str) for column in wanted), record


def reads_candidates(data: bytes) -> None:
    """Candidates become texts by id, or a refusal."""
    found = _with_file(data, "candidates.jsonl", candidates.read)
    for group in (found or {}).values():
        assert all(isinstance(candidate.text, str) for candidate in group)


def reads_recipes(text: str) -> None:
    """A recipe becomes members with finite weights, or a refusal."""
    _with_file(text.encode("utf-8", "surrogatepass"), "r.toml", read_recipe)


def keeps_predictions(pairs: list[tuple[str, str]]) -> None:
    """Written predictions are read back as they were, or refused when they are written."""
    competition = load_competition("daily_talk")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.csv"
        ids, texts = [name for name, _ in pairs], [text for _, text in pairs]
        if refused_well(lambda: (write_predictions(path, ids, texts, competition), True)):
            found = refused_well(lambda: read_predictions(path, competition))
            if found is not None:
                assert list(found) == ids
                assert [text.replace("\r\n", "\n") for text in found.values()] == [
                    t.replace("\r\n", "\n") for t in texts
                ]


def cleans(text: str) -> None:
    """Cleaning and tag repair are idempotent; turns survive being rendered and parsed."""
    made = dialogue.clean(text)
    assert dialogue.clean(made) == made
    once = repair_tags(text)
    assert repair_tags(once) == once
    turns = dialogue.parse(made)
    assert dialogue.parse(dialogue.render(turns)) == turns
    assert len("".join(dialogue.tags(made))) <= len(made)
    assert tag_repair(tag_repair(text)) == tag_repair(text)


def truncates(given: tuple[str, int, int]) -> None:
    """A truncated dialogue fits its budget, keeps only text that was there, and says how much was cut."""
    text, budget, divisor = given
    whole = dialogue.clean(text)

    def length(part: str) -> int:
        return -(-len(part) // divisor)

    found = refused_well(lambda: dialogue.truncate(whole, budget, length))
    if found is None:
        return
    assert length(found.text) <= budget
    assert 0 <= found.turns_cut <= found.turns == len(dialogue.parse(whole))
    assert 0 <= found.characters_cut <= len(whole)
    assert (found.text == whole) == (found.turns_cut == 0)
    places = iter(whole)
    kept = found.text.replace(dialogue.MARKER, "").replace("\n", "").replace(" ", "")
    assert all(letter in places for letter in kept), "text that was not there"


def postprocesses(given: tuple[str, int, int]) -> None:
    """The rules are pure, idempotent and keep their bounds."""
    text, limit, span = given
    for name in RULES:
        config = PostprocessConfig(rules=(name,), max_characters=limit, repetition_words=span)
        once = apply(config, text)
        assert apply(config, once) == once, name
    whole = apply(PostprocessConfig(max_characters=limit), text)
    assert "\n" not in whole
    assert bool(limit_length(text, limit).strip()) == bool(text.strip())
    if not dialogue.tags(text):
        assert len(limit_length(text, limit)) <= limit
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
    kept = remove_repetition(text, span)
    assert len(kept) <= len(text)
    assert bool(kept.split()) == bool(text.split())


CHECK = summary_check({"r": ("#Person1#",)}, {"r": "#Person1#: 안녕하세요.\n#Person1#: 3시에 만나요."})
ENDPOINT = Endpoint("https://api.example/v1/chat/completions", "key")
ASKED = Request("r/x/0", (Message("user", "요약하세요."),))


def checks_answers(text: str) -> None:
    """Tidying is idempotent, and a check names a fault on one line or finds none."""
    made = tidy(text)
    assert tidy(made) == made
    problem = CHECK(ASKED, made)
    assert isinstance(problem, str)
    assert "\n" not in problem


def reads_answers(content: bytes) -> None:
    """The body of an HTTP answer becomes a text and whole counts, or a fault that can be retried or told."""
    try:
        found = refused_well(lambda: completion.read(200, {}, content, ENDPOINT, LLMConfig()))
    except TransientError:  # the client asks again
        return
    if found is not None:
        assert isinstance(found.text, str)
        assert isinstance(found.finish, str)
        checks_answers(found.text)


TARGETS: dict[str, tuple[Target, ...]] = {
    "readers": (
        Target(BYTES, reads_tables),
        Target(BYTES, reads_candidates),
        Target(RECIPES, reads_recipes),
        Target(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), keeps_predictions),
    ),
    "tag parser": (Target(TEXTS, cleans),),
    "truncation": (Target(st.tuples(TEXTS, st.integers(-2, 120), st.integers(1, 4)), truncates),),
    "post-processing": (Target(st.tuples(TEXTS, st.integers(1, 90), st.integers(1, 5)), postprocesses),),
    "answer checks": (Target(TEXTS, checks_answers), Target(ANSWERS, reads_answers)),
}
