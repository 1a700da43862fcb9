"""Define the interface of an engine, and turn generated token ids into candidates, whichever engine computed them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from transformers import GenerationConfig as HFGenerationConfig
from transformers import PreTrainedTokenizerFast

from common.generation.config import DecodingConfig
from common.prompts.cleaning import final_answer, has_thought_tag, without_thoughts
from common.runs.candidates import Candidate

Decoder = Callable[[Sequence[Sequence[int]], "DecodingConfig", int], list[list[Candidate]]]
"""The interface of an engine for `generate`: (sources as token ids, settings, seed) → candidates of each source.

`config.candidates` come first, best first, then `config.samples`."""


@dataclass(frozen=True)
class BatchingDecoder:
    """A decoder whose engine batches by itself, so that it gets many dialogues at once, and not those of a token budget.

    A source's samples depend on the seed and the source alone, not on the other sources.
    """

    decode: Decoder
    """The function that decodes."""
    dialogues: int
    """Number of dialogues that it should get in a call."""
    made_with: str = ""
    """What the candidates depend on besides model and settings, such as a precision chosen by the GPU's memory."""

    def __call__(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int
    ) -> list[list[Candidate]]:
        """Decode, as every decoder does."""
        return self.decode(sources, config, seed)


def with_samples(decoder: Decoder) -> Decoder:
    """Return a decoder that adds `config.samples` sampled candidates to the candidates of `decoder`."""

    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        found = decoder(sources, config, seed)
        if config.samples:
            sampling = replace(config, candidates=config.samples, temperature=config.samples_temperature)
            sampled = decoder(sources, sampling, seed)
            found = [first + second for first, second in zip(found, sampled, strict=True)]
        return found

    return run


def end_tokens(checkpoint: HFGenerationConfig, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the ids of all tokens that end a summary: the tokenizer's end token, then those of the checkpoint.

    They differ where an instruct model ends a turn with a token of its own (Gemma's <end_of_turn>).
    """
    eos = checkpoint.eos_token_id
    more = [eos] if isinstance(eos, int) else eos or []
    return list(dict.fromkeys([tokenizer.eos_token_id, *more]))


def candidates_of(
    generated: Sequence[Sequence[int]],
    logprobs: Sequence[float],
    tokenizer: PreTrainedTokenizerFast,
    config: DecodingConfig,
    ends: Sequence[int] = (),
) -> list[list[Candidate]]:
    """Return `config.candidates` candidates of each source from the token ids that an engine generated.

    `generated` includes the end token, one of `ends`. Sampled candidates are sorted in descending order of mean
    log-probability; those of a search keep its order.
    The answer of a chat model is tidied as an API's answer is (`cleaning.final_answer`): the text is empty when there is
    no answer, as when a thought did not end within `max_new_tokens`.
    """
    # The tokenizer may not know the checkpoint's end tokens as special and would decode them as text.
    bodies = [tokens[:-1] if tokens and tokens[-1] in ends else tokens for tokens in generated]
    texts = [text.strip() for text in tokenizer.batch_decode(bodies, skip_special_tokens=True)]
    if tokenizer.chat_template:
        texts = [final_answer(text) for text in _outside_thoughts(bodies, texts, tokenizer)]
    flat = [
        Candidate(text, logprob, len(tokens))
        for text, logprob, tokens in zip(texts, logprobs, generated, strict=True)
    ]
    groups = [flat[i : i + config.candidates] for i in range(0, len(flat), config.candidates)]
    if config.temperature > 0:
        return [sorted(group, key=_by_mean_logprob, reverse=True) for group in groups]
    return groups


def _outside_thoughts(
    bodies: Sequence[Sequence[int]], texts: Sequence[str], tokenizer: PreTrainedTokenizerFast
) -> Sequence[str]:
    """Return the decoded texts without the thoughts whose tags are special tokens, which decoding has left out."""
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    if not any(map(has_thought_tag, special)):
        return texts
    found = []
    for whole, text in zip(tokenizer.batch_decode(bodies), texts, strict=True):
        if has_thought_tag(whole) and not has_thought_tag(text):
            text = without_thoughts(whole)
            for token in special:
                text = text.replace(token, "")
        found.append(text)
    return found


def _by_mean_logprob(candidate: Candidate) -> float:
    return (candidate.logprob or 0.0) / max(1, candidate.tokens)
