"""Every recipe of the repository can be read."""

from common.data.competition_file import competition_names as names_of_competitions
from common.ensemble.recipe import read_recipe
from tests.support import tiny


def test_every_recipe_of_the_repository_can_be_read() -> None:
    found = [read_recipe(path) for path in sorted((tiny.REPOSITORY / "submissions").glob("*.toml"))]
    assert {recipe.name for recipe in found} >= {"daily_talk", "dialogue_summarization", "final"}
    there = {path.parent.name for path in (tiny.REPOSITORY / "experiments").glob("*/config.py")}
    for recipe in found:
        assert {member.name.partition("-")[0] for member in recipe.members} <= there
        assert recipe.competition in names_of_competitions()
