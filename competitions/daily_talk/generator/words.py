"""Times and prices, and the lists of names and places that every situation may use."""

from functools import cache
from pathlib import Path
from random import Random

from competitions.daily_talk.generator.document import DataError, compose, items, pairs, text

NATIVE_HOURS = ["한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열", "열한", "열두"]


@cache
def shared_lists() -> dict[str, list[str]]:
    """Return the lists of words.yaml and FULL_NAMES, every family name with every given name that goes with it.

    Raises DataError when the file is not as it should be.
    """
    path = Path(__file__).with_name("words.yaml")
    lists = {str(name): [text(item) for item in items(node)] for name, node in pairs(compose(path))}
    for needed in ("GIVEN", "FAMILY", "WITHOUT_FAMILY_NAME"):
        if needed not in lists:
            raise DataError(f"{path.name}: the list {needed} is missing; names are made of it.")
    given = [name for name in lists["GIVEN"] if name not in lists["WITHOUT_FAMILY_NAME"]]
    return lists | {"FULL_NAMES": [family + name for family in lists["FAMILY"] for name in given]}


def clock(rng: Random, first: int = 9, last: int = 20) -> str:
    """Return a time such as "오후 세 시 반", "오전 10시 30분" or "저녁 7시", between two hours of 24."""
    hour, minute = rng.randint(first, last), rng.choice([0, 0, 0, 10, 20, 30, 30, 40, 50])
    part = "오전" if hour < 12 else "오후" if hour < 18 or rng.random() < 0.4 else "저녁"
    if hour >= 22:
        part = "밤"
    twelve = (hour - 1) % 12 + 1
    if minute in (0, 30) and rng.random() < 0.5:
        return f"{part} {NATIVE_HOURS[twelve - 1]} 시" + (" 반" if minute else "")
    return f"{part} {twelve}시" + (f" {minute}분" if minute else "")


def work_hours(rng: Random, first: int, last: int, length: int = 4) -> str:
    """Return working hours such as "오전 11시부터 오후 3시까지", which start between two hours of 24."""
    start = rng.randint(first, last)

    def at(hour: int) -> str:
        part = "오전" if hour < 12 else "오후" if hour < 18 else "저녁" if hour < 22 else "밤"
        return f"{part} {(hour - 1) % 12 + 1}시"

    return f"{at(start)}부터 {at(start + length)}까지"


def won(rng: Random, low: int, high: int, step: int = 500) -> str:
    """Return a price in won with thousands separators, between low and high in steps from low."""
    return f"{rng.randrange(low, high + 1, step):,}원"


def month_day(rng: Random) -> str:
    """Return a date such as "4월 17일"."""
    return f"{rng.randint(1, 12)}월 {rng.randint(1, 28)}일"
