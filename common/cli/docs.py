"""The command about documentation: docs."""

import logging

import click


@click.command()
@click.option("--query", required=True, help="What you want to know, in words.")
@click.option("--library", help="Context7's id (/huggingface/transformers) or a name; default: the best hit.")
@click.option("--fresh", is_flag=True, help="Ask again although the answer is cached.")
def docs(query: str, library: str | None, fresh: bool) -> None:
    """Print the newest documentation of a library or model, with its sources."""
    from common.prompts import documentation

    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it reports every retry; we report how they end
    click.echo(documentation.text(documentation.lookup(query, library, fresh=fresh)))
