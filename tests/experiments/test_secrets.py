"""A secret in any setting of any experiment is refused before it is recorded, and the message does not show it."""

from dataclasses import replace

import pytest

from common.core.config import check, leaves, override
from common.core.errors import UserError
from common.llm import LLMConfig
from tests.support.secrets import CANARY, SECRETS
from tests.support.settings import CONFIGS, each


@pytest.mark.parametrize("canary", SECRETS)
@each
def test_a_secret_in_any_setting_is_refused_and_not_shown(name: str, canary: str) -> None:
    for key in leaves(CONFIGS[name]):
        for words in ([f"--{key}={canary}"], [f"--{key.rsplit('.', 1)[-1].replace('_', '-')}", canary]):
            with pytest.raises(UserError) as caught:
                override(CONFIGS[name], words)
            assert CANARY.lower() not in str(caught.value).lower()
            assert str(caught.value).startswith(f"{words[0].partition('=')[0]}: found what looks like")


@pytest.mark.parametrize("canary", SECRETS)
def test_a_secret_in_place_of_an_option_is_not_shown(canary: str) -> None:
    for words in (
        [canary],
        [f"--{canary}"],
        [f"--api-key={canary}"],
        ["--api-key", canary],
        ["--mixed", "x", canary],
        ["--model", "Bearer", CANARY],
        ["Authorization:", CANARY],
    ):
        with pytest.raises(UserError) as caught:
            override(CONFIGS["exp006"], words)
        assert CANARY.lower() not in str(caught.value).lower()


@pytest.mark.parametrize(
    "key", [CANARY, "canary", "canary_key", "canary.key", "CANARY-KEY", "0CANARY", "CANARY" * 20]
)
def test_a_key_of_any_shape_in_place_of_its_name_is_not_shown(key: str) -> None:
    for refused in (
        lambda: override(CONFIGS["exp006"], ["--key-name", key]),
        lambda: check(LLMConfig(key_name=key)),
    ):
        with pytest.raises(UserError, match="must never be the key itself") as caught:
            refused()
        assert key not in str(caught.value)


def test_a_secret_in_the_config_itself_is_not_shown() -> None:
    config = CONFIGS["exp006"]
    with pytest.raises(
        UserError, match=r"experiments.exp006.config: --model: found what looks like"
    ) as caught:
        check(replace(config, llm=replace(config.llm, model=f"up_{CANARY}")))
    assert CANARY.lower() not in str(caught.value).lower()


@pytest.mark.parametrize("text", [
    "facebook/mbart-large-50", "solar-pro3-260323", "./hf_checkpoint2024", "/models/sk-large-base", "Qwen/Qwen2.5-7B-Instruct",
    "Meta-Llama-3-70B-Instruct-AWQ-INT4", "ko_KR", "offline:gemma-3-270m", "http://127.0.0.1:8000/v1", "http://[::1]:8000/v1",
    "outputs/daily_talk/merged/exp010", "C:\\models\\kobart", "token classification", "gpt-4o-mini-2024-07-18",
])  # fmt: skip
def test_what_is_no_secret_is_accepted(text: str) -> None:
    assert override(CONFIGS["exp003"], ["--model", text])[1] == {"base.model": text}


def test_a_commit_is_a_revision_but_40_digits_elsewhere_may_be_a_key() -> None:
    commit = "7ae557604adf67be50417f59c2c2f167def9a775"
    assert override(CONFIGS["exp003"], ["--revision", commit])[1] == {"base.revision": commit}
    for words in (
        ["--model", commit],
        ["--key-name", commit],
        ["--rules", commit],
        ["--revision", f"{commit}ab"],
    ):
        with pytest.raises(UserError, match="looks like a long hexadecimal number") as caught:
            override(CONFIGS["exp006" if "key-name" in words[0] else "exp003"], words)
        assert commit not in str(caught.value)
