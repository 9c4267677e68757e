"""Invented people for a new database: `python -m shop.seed 40`. Their password is their handle, backwards."""

import sys

from .database import SCHEMA, transaction
from .passwords import hashed

NAMES = ["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jon"]
CITIES = ["Turin", "Lyon", "Porto"]


def seed(people: int) -> None:
    with transaction() as database:
        database.executescript(SCHEMA)
        for number in range(1, people + 1):
            name = NAMES[(number - 1) % len(NAMES)]
            handle = f"{name.lower()}{number}"
            row = (number, handle, CITIES[number % len(CITIES)], f"{name} Example")
            contact = (f"+1555{number:07}", f"{handle}@example.com", hashed(handle[::-1], "salt"))
            database.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, *contact))


if __name__ == "__main__":
    seed(int(sys.argv[1]))
