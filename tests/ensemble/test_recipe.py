"""A wrong recipe is named with what it should say."""

import shutil
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.ensemble.recipe import read_recipe
from tests.support import repository as repositories
from tests.support.submitting import refused, submit

# Recipes


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('"vote"', '"vot"', "method 'vot' is unknown"),
        ('"vote"', '"vote', "not valid TOML"),
        ("method", "methods", "unknown key 'methods'"),
        ('"vote"', '"mbr"\nfused = 24', '"fused" was renamed to "recombined"'),
        ("weight = 1.0", "weight = -1", "weight of exp001 is -1"),
        ("weight = 1.0", "weight = true", "weight of exp001 is True"),
        ("weight = 1.0", "weight = nan", "weight of exp001 is nan; wanted a number from 0 to 1,000,000."),
        (
            "weight = 1.0",
            "weight = 1e300",
            "weight of exp001 is 1e+300; wanted a number from 0 to 1,000,000.",
        ),
        ("weight = 1.0", "wieght = 1", "wanted { run ="),
        ('"exp002"', '"exp001"', "listed twice"),
        ("1.0", "0", ""),
        ('"vote"', '"vote"\ncandidates = 3', "an exact vote uses one text per member"),
        ('"vote"', '"mbr"\ncandidates = 0', "candidates is 0; wanted a whole number from 1 to 1,000."),
        ('"vote"', '"mbr"\ncandidates = 1001', "candidates is 1001; wanted a whole number from 1 to 1,000."),
        (
            '"vote"',
            f'"mbr"\nlength = -{"9" * 18}',
            "length is -999999999999999999; wanted a number from -1,000 to 1,000.",
        ),
        ('"vote"', '"mbr"\nlength = inf', "length is inf; wanted a number from -1,000 to 1,000."),
        (
            '"vote"',
            '"mbr"\nmix = { rouge1 = 1, rouge2 = inf }',
            "mix.rouge2 is inf; wanted a number from 0 to 1,000,000.",
        ),
        ('"vote"', '"mbr"\nutility = "bleu"', "utility 'bleu'"),
        ('"vote"', '"mbr"\nmix = { bleu = 1 }', "mix {'bleu': 1}; wanted shares of rouge1"),
        ('"vote"', '"mbr"\nmix = { rouge2 = -1 }', "mix.rouge2 is -1"),
        ('"vote"', '"mbr"\nlength = "long"', "length is 'long'"),
        ('"vote"', '"stack"', "stack learns on dev how to choose; remove weight"),
        ("weight = 1.0", 'choose = "no"', "wanted { run ="),
        ('competition = "talk"\n', "", '"competition" is missing'),
        (
            '"talk"',
            '"tlak"',
            "submissions/talk.toml: no competition 'tlak'; there are: talk. Did you mean talk?",
        ),
        ('"talk"', "5", '"competition" is 5; name the folder'),
        ('"vote"', "[]", "method [] is unknown"),
        ('"vote"', '"mbr"\nutility = []', "utility [] is unknown"),
        ('"vote"', '"mbr"\nmix = []', "mix []; wanted shares"),
        ("weight = 1.0", "weight = " + "9" * 400, "not valid TOML: the integer of 'weight' does not fit"),
        ("weight = 1.0", "weight = " + "9" * 5000, "not valid TOML: an integer has too many digits"),
        ('"vote"', "[" * 5000, "not valid TOML"),
        ('"vote"', '"mbr"\n' + ".".join("a" * 5000) + " = 1", "not valid TOML: nested over 20 levels"),
        ('"exp001"', '"../exp001"', "run '../exp001'"),
        ('"exp001"', '"exp009"', "exp009"),
    ],
)
def test_a_wrong_recipe_is_named(repository: Path, old: str, new: str, part: str) -> None:
    text = repositories.RECIPE.replace(old, new)
    if part:
        (repository / "submissions/talk.toml").write_text(text, encoding="utf-8")
        refused(repository, part)
    else:  # one zero weight is allowed, all of them are not
        assert submit(repository, text=text).entry["members"][0]["weight"] == 0
        (repository / "submissions/talk.toml").write_text(text.replace("2.0", "0"), encoding="utf-8")
        refused(repository, "all weights are 0")


def test_an_absent_recipe_lists_the_others(repository: Path) -> None:
    with pytest.raises(UserError, match=r"submissions/none\.toml: file not found; recipes here: talk"):
        read_recipe(repository / "submissions" / "none.toml")


def test_a_recipe_of_another_competition_is_refused(repository: Path) -> None:
    shutil.copytree(repository / "competitions" / "talk", repository / "competitions" / "other")
    (repository / "submissions/talk.toml").write_text(
        repositories.RECIPE.replace('"talk"', '"other"'), encoding="utf-8"
    )
    refused(
        repository, "submissions/talk.toml is for other, not for talk; run: make submit comp=other blend=talk"
    )
