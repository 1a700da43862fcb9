"""Why a server ended an answer, under every name that servers use."""

import pytest

from common.llm.endings import ending, unfinished


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        ("length max_tokens MAX_TOKENS maxOutputTokens max_output_tokens model_length token_limit incomplete truncated MAX_LENGTH "
         "length_limit max_new_tokens model_context_window_exceeded stop_length limit context_length out_of_tokens pause_turn",
         "cut off"),
        ("stop STOP eos eos_token EOS_TOKEN end_turn stop_sequence stop_sequences COMPLETE completed eos_found endoftext done "
         "finished null None FINISH_REASON_UNSPECIFIED stp", "complete"),
        ("content_filter content_filtered SAFETY safety refusal RECITATION PROHIBITED_CONTENT BLOCKLIST SPII IMAGE_SAFETY "
         "guardrail_intervened ERROR_TOXIC sensitive", "filtered"),
        ("tool_calls tool_use function_call MALFORMED_FUNCTION_CALL", "tool call"),
        ("error abort cancelled insufficient_system_resource timeout", "interrupted"),
        ("OTHER ok ???", "unknown"),
    ],
)  # fmt: skip
def test_every_name_of_a_reason(reasons: str, kind: str) -> None:
    assert {reason: ending(reason) for reason in reasons.split()} == dict.fromkeys(reasons.split(), kind)
    for reason in reasons.split():
        assert (unfinished(reason) == "") == (kind in ("complete", "unknown"))


def test_no_reason_is_a_complete_answer() -> None:
    assert ending("") == "complete"
    assert unfinished("") == ""


def test_a_fault_names_the_reason_of_the_server() -> None:
    assert unfinished("MAX_TOKENS") == "답이 길이 제한에 걸려 끝까지 쓰이지 않음(MAX_TOKENS; 더 짧게 써야 함)"
    assert unfinished("SAFETY") == "답이 서버의 필터에 막힘(SAFETY)"
    assert (
        unfinished("length\x1b[2J") == "답이 길이 제한에 걸려 끝까지 쓰이지 않음(length [2J; 더 짧게 써야 함)"
    )
