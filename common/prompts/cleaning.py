"""Take off what surrounds an answer: thoughts, control tokens, labels, quotes and markup that belong to no text."""

import re

from common.data.dialogue import visible
from common.data.repairs import repair_tags
from common.prompts.wrappers import unwrap

# --- thoughts ---

HARMONY_TURN, HARMONY_ANSWER, HARMONY_TEXT = (
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|message|>",
)
"""How a turn of the model begins in OpenAI's harmony format (gpt-oss), then its answer, and the text of any message."""
_NAMES = (
    r"(?:\w+:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|reflection|scratch_?pad|inner_?monologue|antthinking|"
    r"chain_of_thought|cot)"
)
_PAIRS = (
    (rf"<{_NAMES}(?:\s[^<>]*)?>", rf"</{_NAMES}\s*>"),
    (r"\[think(?:ing)?\]", r"\[/think(?:ing)?\]"),
    (rf"◁{_NAMES}▷", rf"◁/{_NAMES}▷"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|start_thinking\|>", r"<\|end_thinking\|>"),
    (r"<\|think\|>", r"<\|/think\|>"),
    (r"<\|channel>\s*(?:thought|analysis)", r"<channel\|>"),
    (r"<unused94>", r"<unused95>"),
    # OpenAI's harmony format, also without its control tokens. A bare <|end|> ends turns of other models.
    (
        r"<\|channel\|>\s*(?:analysis|commentary)\b[^<]{0,60}(?:<\|constrain\|>[^<]{0,40})?(?:<\|message\|>)?",
        r"<\|end\|>\s*<\|start\|>\s*assistant\s*<\|channel\|>\s*final[^<]{0,40}<\|message\|>",
    ),
    (r"\A\s*(?-i:analysis|commentary)(?-i:(?=[A-Z]))", r"assistantfinal"),
    (r"here is my thought process:", r"here is my response:"),
)
# What begins the answer itself after a thought: OpenAI's harmony format (also without its tokens), Solar, Cohere, Sky-T1.
_ANSWER_BEGINS = re.compile(
    r"<\|channel\|>\s*final[^<]{0,40}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>|<\|content\|>|<\|start_response\|>|"
    r"<\|begin_of_solution\|>|<\|channel>\s*final|\A(?:analysis|commentary).*?assistantfinal",
    re.IGNORECASE | re.DOTALL,
)
_WHOLE_THOUGHT = tuple(
    re.compile(rf"\A(?:\s*{begin}.*?{end})+\s*", re.IGNORECASE | re.DOTALL) for begin, end in _PAIRS
)
_BEGIN = tuple(re.compile(begin, re.IGNORECASE) for begin, _ in _PAIRS)
_TO_END_OF_THOUGHT = tuple(re.compile(rf"\A.*{end}\s*", re.IGNORECASE | re.DOTALL) for _, end in _PAIRS)
_THOUGHT_TAG = re.compile("|".join(tag for pair in _PAIRS[:-1] for tag in pair), re.IGNORECASE)
_THOUGHT = tuple(
    re.compile(rf"{begin}.*?(?:{end}|\Z)", re.IGNORECASE | re.DOTALL) for begin, end in _PAIRS[:-1]
)  # to the end of the text when it does not end
_THOUGHT_END = re.compile("|".join(end for _, end in _PAIRS[:-1]), re.IGNORECASE)
_BEGINS = re.compile("|".join(begin for begin, _ in _PAIRS[:-1]), re.IGNORECASE)
_ENDED = re.compile(rf"{_THOUGHT_END.pattern}|<\|end\|>", re.IGNORECASE)  # Solar Open: <|think|><|end|>
_ENDS = {  # where the end is not the begin with a slash
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|END_THINKING|>",
    "<|channel>": "<channel|>",
    "<unused94>": "<unused95>",
    "<|channel|>": f"<|end|>{HARMONY_TURN}{HARMONY_ANSWER}",
}


def _without_thoughts(text: str) -> str:
    """Return the text after its thoughts. A thought that does not end stays, and so does one inside the text."""
    if begins := list(_ANSWER_BEGINS.finditer(text)):
        return text[begins[-1].end() :]
    for whole, begin, to_end in zip(_WHOLE_THOUGHT, _BEGIN, _TO_END_OF_THOUGHT, strict=True):
        text = whole.sub("", text)
        # A chat template may have written the opening tag into the prompt.
        if not begin.search(text):
            text = to_end.sub("", text)
    return text


def without_thoughts(text: str) -> str:
    """Return the text without its thoughts, also one inside the text; of one that does not end, nothing stays.

    A text without the tags of a thought is returned unchanged.
    """
    if not _THOUGHT_TAG.search(text):
        return text
    text = _without_thoughts(text)
    for thought in _THOUGHT:
        text = thought.sub(" ", text)
    return _THOUGHT_END.sub(" ", text).strip()


def has_thought_tag(text: str) -> bool:
    """Return whether a text contains a tag that begins or ends a thought, such as <think>."""
    return _THOUGHT_TAG.search(text) is not None


def opened_thought(prompt: str) -> tuple[str, str]:
    """Return the part of a prompt that begins with an unended thought's tag, and the tag that ends it; "" twice without one."""
    begins = list(_BEGINS.finditer(prompt))
    if not begins or _ENDED.search(prompt, begins[-1].end()):
        return "", ""
    tag = begins[-1][0]
    name = re.sub(r"\s[^<>]*", "", tag)  # without attributes
    end = next((end for begin, end in _ENDS.items() if tag.lower().startswith(begin)), "")
    slash = 2 if name.startswith("<|") else 1
    if HARMONY_ANSWER in end and HARMONY_TEXT not in tag:
        end = HARMONY_TEXT + end
    return prompt[begins[-1].start() :], end or f"{name[:slash]}/{name[slash:]}"


# --- control tokens of chat templates ---

_TOKEN = (
    r"<\|[^<>|\n]{1,60}\|>|<｜[^<>｜\n]{1,60}｜>|\[\|[^\[\]|\n]{1,40}\|\]|<\|[a-z_]{1,30}>|<[a-z_]{1,30}\|>|</?s>|"
    r"<(?:bos|eos|pad|end|start_of_turn|end_of_turn|end_of_text|end_of_utterance|endoftext)>|"
    r"\[/?inst\]|<</?sys>>|\[/?(?:bos|eos|pad|sep|cls|end|done)\]|\[end of text\]"
)
_NO_END = r"(?!<\|?[^<>]*(?:tool|python|func|think|thought|channel|message|content|mask|unk|image|fim))"
_ROLE = r"(?:assistant|model|chatbot)"
_ASKING = r"(?:user|system|tool|human|developer)"
_TOKENS_BEFORE = re.compile(
    rf"\A(?:\s*(?!.{{0,3}}{_ASKING}){_NO_END}(?:{_TOKEN})(?!\s*{_ASKING}\b)(?:\s*{_ROLE}(?=\s*(?:[\n:]|<|\[\|)))?)+\s*"
    rf"|\A{_ROLE}\s*[:：\n]\s*",
    re.IGNORECASE,
)
_TOKEN_AFTER = re.compile(rf"\s*{_NO_END}(?:{_TOKEN})(?:\s*(?:{_ROLE}|{_ASKING}))?\s*\Z", re.IGNORECASE)
_LONGEST_TOKEN = 100  # characters of a token with a role after it
_CONTROL = re.compile(
    rf"{_TOKEN}|<(?:unk|mask|unused[0-9]+|extra_id_[0-9]+|0x[0-9a-f]{{2}})>|\[(?:unk|mask)\]|"
    r"</?(?:tool|function)_(?:call|response|result)s?>|<\||\|>|<｜|｜>|\[\||\|\]|[▁Ġ]",
    re.IGNORECASE,
)


def _without_tokens(text: str) -> str:
    """Return the text without control tokens at both ends, and without the roles that follow them."""
    text = _TOKENS_BEFORE.sub("", text)
    while match := _TOKEN_AFTER.search(text, max(0, len(text) - _LONGEST_TOKEN)):
        text = text[: match.start()].rstrip()
    return text


def control_tokens(text: str) -> str:
    """Return the fault, in Korean, of a tidied text that still contains a thought or a control token; "" without one."""
    if _THOUGHT_TAG.search(text):
        return "생각하는 과정이 답에 섞이거나 끝나지 않음"
    found = _CONTROL.search(text)
    return f"제어 기호가 답에 섞임: {found[0]}" if found else ""


# --- all of it ---

_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'", "nbsp": " ", "#39": "'", "#34": '"'}
_ENTITY = re.compile(rf"&({'|'.join(_ENTITIES)});")


_ROUNDS = 50  # layers that are taken off; real answers have up to four, and text made to be slow could have thousands


def _plain(text: str) -> str:
    text = visible(text).replace("\r\n", "\n").replace("\r", "\n")
    return repair_tags(_ENTITY.sub(lambda match: _ENTITIES[match[1]], text).strip())


def tidy(text: str) -> str:
    """Return the answer without what surrounds it; idempotent unless it has more than 50 layers.

    Removed: invisible characters; thoughts before the answer, also without their opening tag; control tokens of chat
    templates at both ends; and what `wrappers.unwrap` takes off. Broken tags are repaired (`repairs.repair_tags`).
    Anything else that does not belong is left for the checks to report.
    """
    for _ in range(_ROUNDS):
        made = _plain(_without_thoughts(_plain(text)))
        made = _plain(_without_tokens(made))
        made = _plain(unwrap(made))
        if made == text:
            break
        text = made
    return text


def final_answer(text: str) -> str:
    """Return the tidied answer of a model that nobody asks again: without any thought, "" when its thought does not end."""
    tidied = tidy(text)
    answer = without_thoughts(tidied)
    return tidied if answer == tidied else tidy(answer)
