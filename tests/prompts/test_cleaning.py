"""What surrounds an answer is taken off, whatever the model's chat template; what belongs to a summary stays."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.data.dialogue import clean
from common.prompts.cleaning import control_tokens, final_answer, opened_thought, tidy, without_thoughts
from tests.support import REPOSITORY

ONE = "#Person1#은 비가 와서 우산을 빌리고, #Person2#는 내일 돌려받기로 한다."
TWO = "#Person2#는 상대인 #Person1#에게 회의가 '네 시'로 늦춰졌다고 알려 준다.\n둘은 안도한다."

MARKERS = [
    "%s<|im_end|>", "%s<|eot_id|>", "%s<end_of_turn>", "%s</s>", "%s<|endoftext|>", "%s[|endofturn|]", "%s<|end|>",
    "%s<|END_OF_TURN_TOKEN|>", "%s<|return|>", "%s<turn|>", "%s [/INST]", "[/INST] %s", "%s<｜end▁of▁sentence｜>",
    "%s<|end_of_text|>", "%s<|eom_id|>", "%s<eos>", "%s[EOS]", "%s</s></s>\n", "%s\n<|im_end|>\n<|endoftext|>",
    "%s<|im_end|>\n<|im_start|>user", "<|im_start|>assistant\n%s<|im_end|>", "<s>%s</s>", "<bos>%s<eos>", "assistant\n%s",
    "<|start_header_id|>assistant<|end_header_id|>\n\n%s<|eot_id|>", "<start_of_turn>model\n%s<end_of_turn>\n",
    "[|assistant|]%s[|endofturn|]", "<|assistant|>\n%s<|user|>", "%s&lt;|im_end|&gt;", "Assistant: %s", "%s ###",
    "<|start|>assistant<|channel|>final<|message|>%s<|return|>", "<|START_RESPONSE|>%s<|END_RESPONSE|>",
]  # fmt: skip
THOUGHTS = [
    "<think>비가 온다.</think>\n%s", "비가 온다.\n</think>\n\n%s", "<think>\n\n</think>\n\n%s", "<thinking>비\n온다</thinking>%s",
    "<reasoning>비</reasoning><answer>%s</answer>", "<think>a<think>b</think>c</think>%s", "<think>a</think>\n<think>b</think>%s",
    "<|begin_of_thought|>비<|end_of_thought|>\n<|begin_of_solution|>%s<|end_of_solution|>", "비<|end_of_thought|>%s",
    "<seed:think>비</seed:think>%s", "◁think▷비◁/think▷%s", "[THINK]비[/THINK]%s", "<THINK>비</THINK>%s", "<think lang='ko'>비</think>%s",
    "<|START_THINKING|>비<|END_THINKING|><|START_RESPONSE|>%s<|END_RESPONSE|>", "<|channel>thought\n비<channel|>%s<turn|>",
    "<|channel|>analysis<|message|>비<|end|><|start|>assistant<|channel|>final<|message|>%s<|return|>",
    "analysis비가 온다.assistantfinal%s", "<|begin|>assistant<|think|>비<|end|><|begin|>assistant<|content|>%s<|end|>",
    "&lt;think&gt;비&lt;/think&gt;%s", "분석: 비가 온다.\n\n요약: %s", "**생각**\n비가 온다.\n\n**요약**\n%s",
    "Here is my thought process: 비. Here is my response: %s", "</think>%s<|im_end|>", "<think>비</think>요약: **%s**</s>",
]  # fmt: skip
WRAPPERS = [
    "  %s\n\n", "\ufeff%s\u200b", "“%s”", "((%s))", "**%s**", "*요약:* %s", "요약(한국어): %s", "다음과 같이 요약할 수 있습니다: %s", "이 대화는 다음과 같이 요약됩니다:\n%s", "대화 내용을 요약하겠습니다.\n%s",
    "<summary><![CDATA[%s]]></summary>", "%s\\n",  "「%s」", "(%s)", "요약: %s", "요약문:\n%s", "**요약:** %s", "**요약**: %s", "**요약**\n%s",
    "### 요약\n%s", "📝 요약: %s", "## 📌 요약\n%s", "**📝 요약:** %s", "[요약] : %s", "[요약] %s", "【요약】\n%s", "[요약]%s[/요약]", "대화 요약：「%s」", "최종 요약: %s", "한 줄 요약: %s", "요약 - %s",
    "답변: %s", "Summary: %s", "**Summary**\n%s", "TL;DR: %s", "The summary is: %s", "Final answer: %s", "### Response:\n%s",
    "다음은 대화의 요약입니다:\n%s", "다음은 대화의 요약입니다: %s", "다음은 요약입니다.\n\n%s", "대화의 요약은 다음과 같습니다: %s",
    "아래는 #Person1#과 #Person2#의 대화를 요약한 내용입니다:\n\n%s", "네, 요약해 드리겠습니다.\n%s", "이 대화를 한 문장으로 요약하면: %s",
    "Here is the summary: %s", "Sure! Here's a concise summary of the dialogue:\n\n%s", "---\n%s\n---", "\\boxed{%s}",
    "```\n%s\n```", "```text\n%s\n```", "~~~\n%s\n~~~", "<summary>\n%s\n</summary>", "<요약>%s</요약>", "<answer>%s</answer>",
    "물론입니다! <summary>%s</summary>", "<summary>%s", "%s</summary>", "<p>%s</p>", '<div class="a"><p>%s</p></div>', "<b>%s</b>",
    "<ul><li>%s</li></ul>", "<!DOCTYPE html><html><body><p>%s</p></body></html>",
]  # fmt: skip
OF_ONE_LINE = [
    '"%s"', "'%s'", '"""%s"""', "```%s```", '{"summary": "%s"}', '{"요약": "%s"}', '{"answer": "%s"}', "{'summary': '%s'}", '[{"summary": "%s"}]', '["%s"]',
    '{"result": {"summary": "%s"}}', '{"summary": "%s", "topic": "비"}', '```json\n{"summary": "%s"}\n```', '"{\\"summary\\": \\"%s\\"}"',
    '"summary": "%s"', "- %s", "* %s", "• %s", "1. %s", "# %s", "> %s", "> **요약:** %s", "- 요약: %s", "*%s*",
]  # fmt: skip


@pytest.mark.parametrize("form", [*MARKERS, *THOUGHTS, *WRAPPERS])
def test_what_surrounds_an_answer_is_taken_off(form: str) -> None:
    for text in (ONE, TWO):
        assert tidy(form.replace("%s", text)) == text
        assert control_tokens(text) == ""


@pytest.mark.parametrize("form", OF_ONE_LINE)
def test_what_surrounds_one_line_is_taken_off(form: str) -> None:
    assert tidy(form.replace("%s", ONE)) == ONE


def test_json_keeps_what_its_escapes_mean() -> None:
    assert tidy('{"summary": "#Person1#은 \\"네\\"라고\\n말한다."}') == '#Person1#은 "네"라고\n말한다.'


@pytest.mark.parametrize("broken", ["# Person2 #", "＃Person2＃", "#person2#", "##Person2#"])
def test_broken_tags_are_repaired_and_are_no_heading(broken: str) -> None:
    assert tidy(f"{broken}는 비가 온다고 한다.") == "#Person2#는 비가 온다고 한다."


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("#Person1#은 우산을<|im_end|> 빌린다.", "제어 기호가 답에 섞임: <|im_end|>"), (f"{ONE}<|im_end|>{ONE}", "<|im_end|>"),
        ("#Person1#은</s> 빌린다.", "</s>"), (f"{ONE}<|user|>또 있어?", "<|user|>"), (f"{ONE}<end_of_turn>\n더", "<end_of_turn>"),
        ("#Person1#은 <unk>을 빌린다.", "<unk>"), ("#Person1#은 <0xEC>을 빌린다.", "<0xEC>"), (f"{ONE}<|im_e", "<|"),
        ("#Person1#은▁우산을 빌린다.", "▁"), (f'{ONE}<tool_call>{{"name"', "<tool_call>"), ("<|im_start|>user\n우산 있어?", "<|im_start|>"),
        ("<|channel|>analysis<|message|>비가", "끝나지 않음"), ("analysisWe need a summary", "끝나지 않음"),
        ("<|channel|>commentary to=functions.a <|constrain|>json<|message|>{", "끝나지 않음"), ("<think>비가 온다", "끝나지 않음"), (f"<think>비가 온다\n\n{ONE}", "끝나지 않음"),
        (f"{ONE}<think>맞나?</think>", "생각"), (f"{ONE}\n<thinking>", "생각"), ("<|begin_of_thought|>비", "생각"),
        ("#Person1#은 <mask>를 빌린다.<mask>", "<mask>"), (f"[|user|]{ONE}", "[|user|]"),
    ],
)  # fmt: skip
def test_what_is_inside_an_answer_stays_and_is_a_fault(text: str, part: str) -> None:
    assert tidy(text) == text
    assert part in control_tokens(text)


def test_a_thought_without_an_answer_is_no_answer() -> None:
    assert tidy("비가 온다.\n</think>\n") == tidy("<think>비</think>") == ""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<think>비가 온다", ""), (f"<think>비가 온다\n\n{ONE}", ""), (f"{ONE}<think>맞나?</think>", ONE), (f"{ONE}\n<thinking>", ONE),
        ("<think>a</think><think>b", ""), ("◁think▷비", ""), ("[THINK]비", ""), (f"<think>a<think>b</think>c</think>{ONE}", ONE),
        ("<|channel>thought\n비가", ""), ("<|channel|>analysis<|message|>비가", ""), ("analysisWe need a summary of 비", ""),
        (f"<|channel|>analysis<|message|>비<|end|><|start|>assistant<|channel|>final<|message|>{ONE}", ONE),
        (f"비가 온다.<|end|><|start|>assistant<|channel|>final<|message|>{ONE}", ONE), (f"비가 온다.assistantfinal{ONE}", ONE),
        ("<|channel|>analysis<|message|>비<|end|>", ""), ("<|channel|>analysis", ""), (f"analysisOh.assistantfinal{ONE}", ONE),
        (f"비가 온다.\n</think>\n\n{ONE}", ONE), ("&lt;think&gt;비가 온다", ""), ("<THINK>\n비\n온다", ""),
    ],
)  # fmt: skip
def test_of_a_thought_nothing_stays(text: str, wanted: str) -> None:
    assert final_answer(text) == wanted
    if "&" not in text:
        assert without_thoughts(text) == wanted


@pytest.mark.parametrize("form", [*MARKERS, *THOUGHTS, *WRAPPERS])
def test_a_final_answer_is_the_tidied_one(form: str) -> None:
    assert final_answer(form.replace("%s", ONE)) == ONE


@pytest.mark.parametrize(
    ("opened", "end"),
    [
        ("<think>\n", "</think>"), ("<think>\nOkay, ", "</think>"), ('<thought kind="x">', "</thought>"), ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"), ("<seed:think>\n", "</seed:think>"), ("<|think|>\n", "<|/think|>"),
        ("<|begin_of_thought|>\n\n", "<|end_of_thought|>"), ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|channel>thought\n", "<channel|>"), ("<unused94>thought\n", "<unused95>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("<|channel|>analysis<|message|>We need", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("<|channel|>analysis", "<|message|><|end|><|start|>assistant<|channel|>final<|message|>"),
    ],
)  # fmt: skip
def test_a_thought_that_a_prompt_opens_is_found(opened: str, end: str) -> None:
    assert opened_thought(f"assistant\n{opened}") == (opened, end)
    assert opened_thought(f"<think>비</think>\nassistant\n{opened}") == (opened, end)
    for closed in ("assistant\n", f"{opened}\n\n{end}\n\n"):
        assert opened_thought(closed) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        '"좋아요"라고 #Person1#이 말하고 #Person2#는 "네"라고 답한다."', "요약본을 보낸다.", "요약 자료를 만들던 #Person1#은 쉰다.",
        "#Person1#: 안녕하세요.\n#Person2#: 네, 안녕하세요.", "'김밥'과 '라면'", "(비가 와서) #Person1#은 (우산을) 산다", "A & B 가게에 간다.",
        "#Person1#은 회의 내용을 요약한다: 첫째, 비가 온다.", "#Person1#은 발표를 요약했습니다: 매출이 늘었다고.", "3 > 2라고 #Person1#이 가르친다.",
        "회의 결과: 금요일로 미뤄진다.", "#Person1#은 1. 우산 2. 장화를 산다.", "- 우산을 산다.\n- 장화를 산다.", "1. 우산을 산다. 2. 장화를 산다.", "{우산}을 산다.", "<반지의 제왕>을 본다.",
        "'반지'를 사고 '목걸이'는 안 산다.", "#Person1#의 답: 모른다.", "생각: 비가 온다.", '{"a": "b", "c": "d"}', "<p>가</p><p>나</p>",
        "<answer>가</answer><answer>나</answer>", "모델은 우산을 쓴다.", "Model이 우산을 쓴다.", "네, 라고 답한다.", "```\n가\n```\n나\n```\n다\n```",
        "다음은 우산을 살 차례다.", "#Person1#은 요약:이라고 쓴다.", "((가)) ((나))", "''가''와 ''나''", "“가” 나 “다”", "[요약본]을 보낸다.",
        "analysis를 배우는 #Person1#은 바쁘다.", "Analysis of the sales is what #Person1# wants.", "analysis", "commentary: 해설",
    ],
)  # fmt: skip
def test_what_belongs_to_an_answer_stays(text: str) -> None:
    assert tidy(text) == text
    assert without_thoughts(text) == text


def test_no_summary_and_no_dialogue_of_the_sample_is_changed() -> None:
    count = 0
    for path in sorted((REPOSITORY / "competitions" / "daily_talk" / "data").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
            for row in rows[:: 1 + len(rows) // 1000]:
                for text in (clean(value) for column, value in row.items() if column != "fname"):
                    count += 1
                    assert tidy(text) == text
                    assert control_tokens(text) == ""
    assert count > 2_000


WORDS = st.sampled_from(["#Person1#은", "#Person2#에게", "우산을", "빌려 달라고", "'네 시'에", "10% 싸게", "A4 종이를", "(급히)", "부탁하며,", "한다."])  # fmt: skip
SUMMARIES = st.lists(WORDS, min_size=2, max_size=20).map(lambda words: f"#Person1#은 {' '.join(words)} 요약해 준다.")  # fmt: skip
AROUND = st.sampled_from([form for form in [*MARKERS, *THOUGHTS, *WRAPPERS] if "'" not in form])


@given(SUMMARIES)
def test_a_summary_passes_unchanged(text: str) -> None:
    assert tidy(text) == text


@given(SUMMARIES, AROUND)
def test_no_summary_loses_a_word_with_its_surroundings(text: str, form: str) -> None:
    assert tidy(form.replace("%s", text)) == text


PIECES = ['"', "**", "요약:", "```\n", "#Person1#", "가다.", "\n", "'", "<think>", "</think>", "<|im_end|>", "{", "}", "<p>", "</p>", "- ", "# ",
          '{"summary": "', "&lt;", "&amp;", "[요약]", "analysis", "assistantfinal", "> ", "\\boxed{", "(", ")", "<answer>", "</answer>", "#"]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    once = tidy(text)
    assert tidy(once) == once
    assert "<think>" not in final_answer(text)
    assert isinstance(control_tokens(once), str)


@pytest.mark.parametrize("piece", ["<think>", "</think>", "<|im_end|>", "(", "[", '{"summary": ', "<p>", "\n", "```\n", "- ", "#", "&amp;", "<answer>", "<think></think>", "<p></p>", "요약:", "네, ", "**", "x<|im_end|>", "<|im_end|>x", "{\"a\":"])  # fmt: skip
def test_a_long_answer_of_nothing_but_marks_ends(piece: str) -> None:
    assert len(tidy(piece * 1000)) <= len(piece * 1000)
