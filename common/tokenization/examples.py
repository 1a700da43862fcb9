"""Turn rows into token ids, and cut long dialogues by whole turns."""

import contextlib
import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import datasets
from transformers import PreTrainedTokenizerFast

from common import prompts
from common.core.errors import UserError, first_line
from common.core.files import root, sha256_texts, shown
from common.core.progress import brief_progress
from common.core.provenance import code_hash
from common.core.temporary import temporary_folder
from common.data import dialogue as data_dialogue
from common.data.dialogue import clean, truncate
from common.data.rows import Row
from common.tokenization.config import MIN_DIALOGUE_TOKENS, LengthConfig
from common.tokenization.layout import InputTemplate, TemplateOf, template_of
from common.tokenization.tokenizer import token_count

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CutReport:
    """Counts of dialogues and turns in one split, and of those that were cut because they did not fit."""

    dialogues: int
    dialogues_cut: int
    turns: int
    turns_cut: int


def source_ids(
    dialogue: str, tokenizer: PreTrainedTokenizerFast, lengths: LengthConfig, template: InputTemplate
) -> tuple[list[int], int, int]:
    """Return the token ids of a dialogue in its template, the number of turns cut, and the number of turns.

    The ids fit the limit: the dialogue is cut, never the template. Raises UserError when the template alone is too long.
    """
    room = lengths.max_source_tokens - len(template.prefix) - len(template.suffix)
    if room < MIN_DIALOGUE_TOKENS:
        raise UserError(
            f"instruction and examples take {len(template.prefix) + len(template.suffix)} tokens, which leaves {room} for the "
            f"dialogue; raise --max-source-tokens (now {lengths.max_source_tokens}) or use fewer examples."
        )
    text = prompts.safe(dialogue) if template.safe else clean(dialogue)
    cut = truncate(text, room, token_count(tokenizer))
    # A "</s>" in a dialogue is text, not the end of the sequence.
    ids = tokenizer.encode(cut.text, add_special_tokens=False, split_special_tokens=True)
    return [*template.prefix, *ids, *template.suffix], cut.turns_cut, cut.turns


def sources(
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    template: InputTemplate | TemplateOf,
) -> dict[str, list[int]]:
    """Return the source token ids of every row, by row id, in the order of the rows."""
    found = {}
    with brief_progress(len(rows), "tokenize", "row") as bar:
        for row in rows:
            found[row.id] = source_ids(row.dialogue, tokenizer, lengths, template_of(template, row))[0]
            bar.update()
    return found


def training_examples(
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    template: InputTemplate | TemplateOf,
    cache: Path | None = None,
) -> tuple[datasets.Dataset, CutReport]:
    """Return one example per summary of each row, and a count of what was cut.

    Columns: `id`, `source` and `target` (token ids; the target ends with the end token). A row without a summary gives
    one example with an empty target.
    The memory-mapped result is kept in `cache` (default `.cache/tokenized`) under a hash of the rows, the tokenizer, the
    lengths, the templates, and the code that cleans and cuts.
    """
    cache = cache or root() / ".cache" / "tokenized"
    templates = []
    with brief_progress(
        len(rows), "prepare inputs", "row"
    ) as bar:  # slow when each row gets its own examples
        for row in rows:
            templates.append(template_of(template, row))
            bar.update()
    rows_hash = sha256_texts(part for row in rows for part in (row.id, row.dialogue, *row.summaries))
    frames_hash = sha256_texts(json.dumps(asdict(one)) for one in templates)
    code = [code_hash(Path(file)) for file in (data_dialogue.__file__, __file__)]
    content = [code, rows_hash, tokenizer.backend_tokenizer.to_str(), lengths.max_source_tokens, frames_hash]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]
    folder = cache / key
    if folder.exists():
        dataset = datasets.load_from_disk(folder)
    else:
        records = []
        with brief_progress(len(rows), "tokenize", "row") as bar:
            for row, row_template in zip(rows, templates, strict=True):
                source, turns_cut, turns = source_ids(row.dialogue, tokenizer, lengths, row_template)
                for summary in row.summaries or ("",):
                    target = tokenizer.encode(clean(summary), add_special_tokens=False) if summary else []
                    target = [*row_template.target_prefix, *target, tokenizer.eos_token_id] if summary else []
                    records.append(
                        {
                            "id": row.id,
                            "source": source,
                            "target": target,
                            "turns_cut": turns_cut,
                            "turns": turns,
                        }
                    )
                bar.update()
        dataset = _kept(datasets.Dataset.from_list(records), folder)
    cuts = dict(zip(dataset["id"], zip(dataset["turns_cut"], dataset["turns"], strict=True), strict=True))
    report = CutReport(
        dialogues=len(cuts),
        dialogues_cut=sum(cut > 0 for cut, _ in cuts.values()),
        turns=sum(turns for _, turns in cuts.values()),
        turns_cut=sum(cut for cut, _ in cuts.values()),
    )
    return dataset.remove_columns(["turns_cut", "turns"]), report


def _kept(made: datasets.Dataset, folder: Path) -> datasets.Dataset:
    """Write the dataset to a folder and return it from there; when that fails, warn and return it from memory."""
    datasets.disable_progress_bars()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = temporary_folder(folder)
        try:
            made.save_to_disk(staging)
            staging.chmod(0o755)
            with contextlib.suppress(OSError):  # another process was faster and wrote the same files
                staging.rename(folder)
            return datasets.load_from_disk(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        log.warning(
            "warning: %s: token ids are not cached (%s); the next run makes them again.",
            shown(folder.parent),
            first_line(error),
        )
        return made
