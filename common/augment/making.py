"""Make augmented rows (`make augment`): sample parents, make products (resumable), apply the guards, write the rows."""

import hashlib
import json
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.augment import augmented_rows, methods
from common.augment.augmented_rows import RECORD, REJECTED, ROWS, AugmentedRow
from common.augment.judging import Judgement, judge, refused_parents
from common.augment.methods import Method, product_settings
from common.augment.products import (
    KEY,
    PRODUCTS,
    Product,
    has_products,
    read_products,
    set_aside,
    undone_if_nothing_is_made,
)
from common.augment.settings import AugmentConfig
from common.augment.translation import Translator
from common.core.config import plain
from common.core.errors import UserError
from common.core.files import read_json, root, sha256_file, shown, write_json
from common.core.json_lines import append_line, repair_last_line
from common.core.locks import locked_folder
from common.core.messages import brief
from common.core.progress import progress
from common.core.provenance import code_hash, code_in_use, git_state, hardware, package_versions
from common.data.competition import Competition
from common.data.competition_rules import require_allowed
from common.data.near_copies import copy_index
from common.data.rows import Row, Split, read_split
from common.models import model_cards
from common.runs.disk_room import LEAST_BYTES, require_free, require_writable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A request for augmented rows."""

    competition: Competition
    method: str
    name: str
    """Name of the folder under outputs/<competition>/augmented."""
    n: int | None
    """Number of parents; None for every train row."""
    config: AugmentConfig
    overrides: Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """The result of a job."""

    folder: Path
    kept: int
    reasons: Mapping[str, int]
    """Number of rejected rows by reason, in descending order."""


def augment(job: Job, *, restart: bool = False, translator: Translator | None = None) -> Made:
    """Make the rows of a job and write rows.csv, rejected.csv and run.json to `augmented_rows.folder`.

    An interrupted job resumes and ends with the same rows. After a change of the guards existing products are judged
    again; other settings of the method need `restart` or another name. `translator` replaces the model (for tests).
    Raises UserError if data or model are unavailable, the settings differ from those of existing products, another
    process uses the folder, or the disk is full.
    """
    started = time.time()
    splits = {name: read_split(job.competition, name) for name in ("train", "dev", "test")}
    parents = sample_parents(splits["train"].rows, job.n, job.config.seed)
    folder = augmented_rows.folder(job.competition.name, job.name)
    require_writable(folder)
    require_free(folder, LEAST_BYTES)
    sources = _require_rules(job, own_model=translator is None)
    with locked_folder(folder), undone_if_nothing_is_made(folder):
        forbidden = copy_index([row.dialogue for name in ("dev", "test") for row in splits[name].rows])
        refused = refused_parents(parents, forbidden, job.competition.near_copy)
        usable = [row for row in parents if row.id not in refused]
        chosen = methods.method(job.method, job.config, job.competition.language, translator)
        _begin(folder, _key(job, chosen, splits["train"]), restart)
        made = _produce(chosen, usable, folder / PRODUCTS, _retries(job.config))
        verdicts = judge(
            parents,
            {**made, **refused},
            splits["train"].rows,
            forbidden,
            job.config.guards,
            job.competition.near_copy,
            job.config.folds,
            morphemes=job.competition.language == "ko",
        )
        taken = {row.id for split in splits.values() for row in split.rows}
        judged = [provenance(job, chosen, verdict, taken) for verdict in verdicts]
        return _write(job, chosen, folder, judged, splits, sources, started)


def _require_rules(job: Job, *, own_model: bool) -> dict[str, list[str]]:
    """Return what the method's models declare about their data.

    Raises UserError if the competition forbids a model, and before asking the hub as `methods.require_ready` does.
    """
    settings, where = plain(job.config), f"augment by {job.method} for {job.competition.name}"
    require_allowed(job.competition, where, settings, {})
    methods.require_ready(job.method, job.config, job.competition.language, own_model=own_model)
    sources = model_cards.declared(settings) if own_model else {}
    require_allowed(job.competition, where, settings, sources)
    return sources


def sample_parents(rows: Sequence[Row], n: int | None, seed: int) -> list[Row]:
    """Return a random sample of n rows (None: all), independent of their order; a larger n extends a smaller sample.

    Raises UserError if n is below 1 or above the number of rows.
    """
    if n is not None and not 1 <= n <= len(rows):
        raise UserError(f"n={n}: wanted 1 to {len(rows)}, the number of train rows; leave out n to use all.")
    ordered = sorted(rows, key=lambda row: row.id)
    random.Random(seed).shuffle(ordered)
    return ordered[:n]


def estimate(job: Job) -> str:
    """Return a text about what the job would do and cost; nothing is made. Raises UserError as `augment` does."""
    rows = {name: read_split(job.competition, name).rows for name in ("train", "dev", "test")}
    parents = sample_parents(rows["train"], job.n, job.config.seed)
    forbidden = copy_index([row.dialogue for name in ("dev", "test") for row in rows[name]])
    refused = refused_parents(parents, forbidden, job.competition.near_copy)
    usable = [row for row in parents if row.id not in refused]
    text = f"{job.method}: {len(usable)} of {len(parents)} parents (the others are near-copies of dev or test rows)"
    cost = methods.method(job.method, job.config, job.competition.language).estimate if usable else None
    return f"{text}\n{cost(usable)}" if cost else text


def _retries(config: AugmentConfig) -> bool:
    return bool(plain(config).get("method.llm.retry_failed", False))


def _key(job: Job, chosen: Method, train: Split) -> dict[str, Any]:
    """Return everything that products depend on: settings, model, prompts, train data and code."""
    here = Path(__file__).resolve().parent
    code = [*sorted(here.glob("*.py")), here.parent / "data" / "dialogue.py"]
    model = {k: v for k, v in (chosen.record or {}).items() if k != "usage"}
    return {
        "method": job.method,
        "settings": product_settings(job.config),
        "model": model,
        "prompt_sha256": chosen.prompt_sha256,
        "train_sha256": train.sha256,
        "code_sha256": hashlib.sha256("".join(map(code_hash, code)).encode()).hexdigest(),
    }


def _begin(folder: Path, key: dict[str, Any], restart: bool) -> None:
    """Prepare the folder for products of this key.

    Products of another key are set aside with `restart`; without it they raise UserError.
    """
    key = json.loads(json.dumps(key))
    path = folder / KEY
    before = read_json(path) if path.exists() else None
    if before is not None and before != key and has_products(folder) and not restart:
        raise UserError(
            f"{shown(folder)} contains rows made with other settings: {'; '.join(_differing(before, key))}. Use the same "
            "settings, start again with restart=1, or keep both with another name=."
        )
    if before != key or restart:
        set_aside(folder)
        write_json(path, key)
    repair_last_line(folder / PRODUCTS)


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    flat = [
        {**k, **{f"--{n}": v for n, v in (k.get("settings") or {}).items()}, "settings": None}
        for k in (before, now)
    ]
    names = sorted({name for one in flat for name in one if flat[0].get(name) != flat[1].get(name)})
    return [
        f"{name} was {brief(flat[0].get(name))}, is {brief(flat[1].get(name))}" if name.startswith("--") or name == "method"
        else f"{name.removesuffix('_sha256')} has changed"
        for name in names
    ]  # fmt: skip


def _produce(chosen: Method, parents: Sequence[Row], path: Path, retry: bool) -> dict[str, Product | str]:
    """Return, by parent id, the product or the reason why there is none; each batch is saved as one line."""
    done = read_products(path)
    if retry:
        done = {name: made for name, made in done.items() if isinstance(made, Product)}
    size = chosen.batch or max(1, len(parents))
    bar = progress(
        total=len(parents),
        initial=sum(row.id in done for row in parents),
        description=f"augment {path.parent.name}",
        unit="row",
    )
    for first in range(0, len(parents), size):
        # The same batch boundaries as before an interruption: a model's rounding errors depend on the rest of the batch.
        rows = [row for row in parents[first : first + size] if row.id not in done]
        if rows:
            made = dict(zip((row.id for row in rows), chosen.make(rows), strict=True))
            append_line(path, {name: m if isinstance(m, str) else asdict(m) for name, m in made.items()})
            done |= made
            bar.update(len(rows))
    bar.close()
    return done


def provenance(
    job: Job, chosen: Method, verdict: Judgement, taken: Collection[str]
) -> tuple[AugmentedRow, str]:
    """Return the new row with its provenance, and why it is rejected ("" if it is kept)."""
    parent, case = verdict.parent, verdict.case
    product = case.product if case else Product("", ())
    row = Row(f"{parent.id}.{job.name}", product.dialogue, product.summaries, parent.topic)
    new = AugmentedRow(
        row,
        parent.id,
        job.method,
        chosen.model,
        chosen.prompt_sha256,
        job.config.seed,
        verdict.fold,
        case.similarity if case else 0.0,
        case.rouge if case else 0.0,
    )
    return new, verdict.reason or (f"id: {row.id} is not new" if row.id in taken else "")


def _write(
    job: Job,
    chosen: Method,
    folder: Path,
    judged: Sequence[tuple[AugmentedRow, str]],
    splits: Mapping[str, Split],
    sources: Mapping[str, list[str]],
    started: float,
) -> Made:
    kept = [one for one, reason in judged if not reason]
    rejected = [(one, reason) for one, reason in judged if reason]
    counts = dict(Counter(reason.partition(":")[0] for _, reason in rejected).most_common())
    (folder / RECORD).unlink(missing_ok=True)
    augmented_rows.write(folder / ROWS, kept)
    augmented_rows.write(folder / REJECTED, [one for one, _ in rejected], [reason for _, reason in rejected])
    record = {
        "method": job.method,
        "name": job.name,
        "competition": job.competition.name,
        "n": job.n,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "config": plain(job.config),
        "overrides": dict(job.overrides),
        "near_copy": job.competition.near_copy,
        "seed": job.config.seed,
        "model": chosen.record,
        "sources": sources,
        "prompt_sha256": chosen.prompt_sha256,
        "parents": len(judged),
        "kept": len(kept),
        "rejected": counts,
        "data": {
            name: {"file": str(s.path.resolve().relative_to(root())), "sha256": s.sha256, "rows": len(s.rows)}
            for name, s in splits.items()
        },
        "files": {name: sha256_file(folder / name) for name in (ROWS, REJECTED)},
        "code": code_in_use(settings_too=True),
        "git": git_state(),
        "packages": package_versions(),
        "hardware": hardware(),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "minutes": round((time.time() - started) / 60, 2),
    }
    write_json(folder / RECORD, json.loads(json.dumps(record, default=asdict)))
    return Made(folder, len(kept), counts)
