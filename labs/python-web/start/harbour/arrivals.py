"""The ships that are expected, read from the file that comes with the package."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Ship:
    """One ship that is expected."""

    name: str
    flag: str
    berth: int


@cache
def _all() -> tuple[Ship, ...]:
    with files("harbour").joinpath("arrivals.csv").open(encoding="utf-8") as lines:
        return tuple(Ship(row["name"], row["flag"], int(row["berth"])) for row in csv.DictReader(lines))


def arrivals(flag: str | None = None) -> list[Ship]:
    """All ships by their berth, or those under one flag ("NO", capitals do not count)."""
    wanted = None if flag is None else flag.upper()
    ships = (ship for ship in _all() if wanted is None or ship.flag == wanted)
    return sorted(ships, key=lambda ship: ship.berth)


def by_name(name: str) -> Ship | None:
    """The ship of that name, capitals do not count; None where none is expected."""
    return next((ship for ship in _all() if ship.name.lower() == name.lower()), None)
