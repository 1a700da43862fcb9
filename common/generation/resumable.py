"""Decode splits into candidates on disk: batched by length, resumable, shared by processes, in the order of the ids."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from common.core import distributed, signals
from common.core.errors import UserError
from common.core.files import read_json, sha256_texts, shown, write_json
from common.core.json_lines import repair_last_line
from common.core.memory import advise_when_out_of_memory
from common.core.messages import brief
from common.core.progress import BatchProgress, batches_shown
from common.core.signals import Interrupted
from common.generation.config import DecodingConfig
from common.generation.decoder import BatchingDecoder, Decoder
from common.runs import candidates
from common.runs.candidates import Candidate
from common.tokenization.batches import token_budget_batches


def batches(lengths: Sequence[int], config: DecodingConfig) -> list[list[int]]:
    """Return batches of indices, in descending order of length, whose decoding fits the token budget."""
    return token_budget_batches(costs(lengths, config), config.tokens_at_once, rng=None)


def costs(lengths: Sequence[int], config: DecodingConfig) -> list[int]:
    """Return the most tokens that decoding each source of these lengths holds in memory."""
    width = max(config.beams, config.candidates + config.samples)
    return [(length + config.max_new_tokens) * width for length in lengths]


def groups_for(decoder: Decoder, lengths: Sequence[int], config: DecodingConfig) -> list[list[int]]:
    """Return the groups of indices that the decoder gets in one call each.

    A decoder that batches by itself gets groups of equal size and similar lengths, as many for each process.
    """
    if not isinstance(decoder, BatchingDecoder):
        return batches(lengths, config)
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    processes = distributed.count()
    rounds = -(-len(order) // (decoder.dialogues * processes))
    count = min(len(order), rounds * processes)
    return [order[start::count] for start in range(count)]


def generate(
    decoder: Decoder,
    sources: Mapping[str, Sequence[int]],
    config: DecodingConfig,
    path: Path,
    *,
    key: str,
    seed: int,
) -> dict[str, list[Candidate]]:
    """Return the candidates of every source (token ids) by id, in the order given, and write them as JSON lines to `path`.

    After a crash, the same call resumes and ends with the same candidates, including sampled ones.
    Several processes share the batches; each returns all candidates.
    `key` identifies what the candidates depend on (model, data, settings): those of another key are made again.
    A signal ends the function after the present batch.
    Raises UserError when the file has an id that is not in `sources`, and when memory runs out; Interrupted after a signal.
    """
    part = path.with_name(f"{path.stem}.{distributed.rank()}{path.suffix}")
    if distributed.rank() == 0:
        _drop_other_key(path, key)
    distributed.wait()
    done = _read_parts(path)
    distributed.wait()
    unknown = sorted(set(done) - set(sources))
    if unknown:
        raise UserError(
            f"{shown(path)}: id {brief(unknown[0])} is not in this split; delete the file and run this again."
        )
    names = list(sources)
    lengths = [len(sources[name]) for name in names]
    groups = [[names[index] for index in group] for group in groups_for(decoder, lengths, config)]
    mine = groups[distributed.rank() :: distributed.count()]
    cost = dict(zip(names, costs(lengths, config), strict=True))
    alone = isinstance(decoder, BatchingDecoder)  # a source's candidates do not depend on its group
    state = _progress(mine, cost, done)
    with signals.noted(), batches_shown(state, f"decode {path.parent.name}"):
        for ids in mine:
            if all(name in done for name in ids):
                continue
            if signals.pending():
                break
            if alone:
                ids = [name for name in ids if name not in done]
            # One seed per batch, so that sampling does not depend on resuming or on the number of processes.
            batch_seed = int(sha256_texts([str(seed), *([] if alone else ids)])[:15], 16)
            with advise_when_out_of_memory(
                f"run this again with a lower --tokens-at-once (now {config.tokens_at_once})."
            ):
                decoded = decoder([sources[i] for i in ids], config, batch_seed)
            new = [name for name in ids if name not in done]
            for name, found in zip(ids, decoded, strict=True):
                if name in new:
                    candidates.append(part, name, found)
                    done[name] = found
            state.advance(sum(cost[name] for name in new), len(new))
        signal = distributed.agreed_signal()  # also waits for the other processes
        if signal:
            finished = f"after {len(_read_parts(path))} of {len(sources)} dialogues of {path.parent.name}"
            raise Interrupted(signal, finished, together=True)
    done = _read_parts(path)
    ordered = {name: done[name] for name in names}
    distributed.wait()
    if distributed.rank() == 0:
        candidates.write(path, ordered)
        for piece in _parts(path):
            piece.unlink()
    distributed.wait()
    return ordered


def _progress(
    groups: Sequence[Sequence[str]], cost: Mapping[str, int], done: Collection[str]
) -> BatchProgress:
    """Return the progress of this process's batches; what was decoded before an interruption is already counted."""
    names = [name for group in groups for name in group]
    before = [name for name in names if name in done]
    return BatchProgress(
        sum(cost[name] for name in names),
        len(names),
        "dialogues" if distributed.count() == 1 else f"dialogues of process 1 of {distributed.count()}",
        done_work=sum(cost[name] for name in before),
        done_items=len(before),
    )


def _parts(path: Path) -> list[Path]:
    """Return the files in which each process collects its candidates until the candidates file is complete."""
    return sorted(path.parent.glob(f"{path.stem}.[0-9]*{path.suffix}"))


def _read_parts(path: Path) -> dict[str, list[Candidate]]:
    found = candidates.read(path)
    for piece in _parts(path):
        found |= candidates.read(piece)
    return found


def made_under(path: Path) -> str | None:
    """Return the key of `generate` for a candidates file, complete or not; None when there is none yet.

    Raises UserError when its file holds no key.
    """
    key_path = path.with_suffix(".key.json")
    if not key_path.exists():
        return None
    content = read_json(key_path)
    if not isinstance(content, dict) or not isinstance(content.get("key"), str):
        raise UserError(
            f"{shown(key_path)}: wanted a table with the key of {path.name}; delete both files and run this again."
        )
    key: str = content["key"]
    return key


def _drop_other_key(path: Path, key: str) -> None:
    """Delete candidates of another key, and remove lines that a crash left incomplete."""
    other = made_under(path) != key
    for piece in [path, *_parts(path)]:
        if other:
            piece.unlink(missing_ok=True)
        else:
            repair_last_line(piece)
    write_json(path.with_suffix(".key.json"), {"key": key})
