"""The command that lists the settings of an experiment, of a run, or of a method of augmentation."""

import json

import click

from common.cli.options import AS_JSON, COMPETITION
from common.core.documented import groups
from common.core.errors import UserError
from common.core.messages import brief, cut
from common.data.competition_file import active_competition, load_competition
from common.runs import settings_text


@click.command()
@click.argument("experiment", required=False)
@click.option("--run", help="List the values of this run, and mark those that differ from the recipe.")
@click.option("--method", help="List the settings of this method of make augment.")
@COMPETITION
@AS_JSON
def settings(
    experiment: str | None, run: str | None, method: str | None, name: str | None, as_json: bool
) -> None:
    """List every setting of an experiment: value, range and meaning."""
    found = _listing(experiment, run, method, name)
    if as_json:
        click.echo(json.dumps(settings_text.plain(found), ensure_ascii=False))
        return
    click.echo(settings_text.text(found))


def _listing(
    experiment: str | None, run: str | None, method: str | None, name: str | None
) -> settings_text.Listing:
    if method is not None:
        if experiment is not None or run is not None or name is not None:
            raise UserError("method= stands alone: leave out exp=, run= and comp=.")
        from common.augment import settings as augmentation  # experiments need no methods

        title = (
            f"{method}: makes rows by {augmentation.ABOUT[method][0]}" if method in augmentation.ABOUT else ""
        )
        change = f'make augment method={method} args="--setting value"'
        return settings_text.Listing(title, groups(augmentation.settings(method)), change)
    if run is None:
        if experiment is None:
            raise UserError("exp= is missing; for example: make settings exp=exp002")
        found = settings_text.of_experiment(experiment)
        if name is not None:
            raise UserError("comp= chooses the competition of a run; add run=, or leave out comp=.")
        return found
    if experiment is not None and run.split("-")[0] != experiment:
        raise UserError(
            f"run={brief(run)} is no run of {cut(experiment)}; leave out exp=, or name a run of it."
        )
    return settings_text.of_run(load_competition(name or active_competition()).name, run)
