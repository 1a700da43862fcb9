"""The command that looks up documentation: docs."""

import logging

import click


@click.command()
@click.option("--query", required=True, help="The question.")
@click.option("--library", help="Context7 id (/huggingface/transformers) or a name; default: the best match.")
@click.option("--fresh", is_flag=True, help="Ask again even if the answer is cached.")
def docs(query: str, library: str | None, fresh: bool) -> None:
    """Print the newest documentation of a library or model, with its sources."""
    from common.prompts import documentation

    logging.getLogger("urllib3").setLevel(
        logging.ERROR
    )  # it logs every retry; our own message reports the result
    click.echo(documentation.text(documentation.lookup(query, library, fresh=fresh)))
