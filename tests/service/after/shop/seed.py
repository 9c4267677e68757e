"""Invented people for a new database: `python -m shop.seed 40`. Their password is their handle, backwards."""

import sys

from .database import engine, transaction
from .passwords import hashed
from .tables import Account, Base

NAMES = ["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jon"]
CITIES = ["Turin", "Lyon", "Porto"]


def seed(people: int) -> None:
    Base.metadata.create_all(engine)
    with transaction() as database:
        for number in range(1, people + 1):
            name = NAMES[(number - 1) % len(NAMES)]
            handle = f"{name.lower()}{number}"
            database.add(
                Account(
                    handle=handle,
                    city=CITIES[number % len(CITIES)],
                    name=f"{name} Example",
                    phone=f"+1555{number:07}",
                    email=f"{handle}@example.com",
                    password=hashed(handle[::-1], "salt"),
                )
            )


if __name__ == "__main__":
    seed(int(sys.argv[1]))
