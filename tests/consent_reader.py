"""A process that reads in a loop, until it is refused: `consent_reader.py URL SECONDS`. It tells of that in JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from typing import Annotated, Any

from sqlalchemy import create_engine

from purposebind import AllowedFor, Purpose, PurposeModel, PurposeViolation, SubjectId, configure, purpose_scope
from purposebind.integrations.sqlalchemy import SQLAlchemyConsents

__all__ = ["OFFERS", "Customer"]

OFFERS = Purpose("csql_offers", "Send offers")
AT_MOST = 60
"""After how many seconds the loop gives up: the test then finds that it went on."""


class Customer(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(with_consent=[OFFERS])]


def tell(**told: Any) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main(url: str, seconds: float) -> None:
    engine = create_engine(url)
    configure(consent=SQLAlchemyConsents(engine), consent_max_age=timedelta(seconds=seconds))
    customers = [Customer(id=number, phone=f"+{number}") for number in range(1, 101)]
    watched, others, passed = customers[0], customers[1:], 0.0
    until = time.monotonic() + AT_MOST
    with purpose_scope(OFFERS, subjects=[one.id for one in customers]):
        watched.phone
        tell(reading=True)
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                watched.phone
            except PurposeViolation as refused:
                tell(passed=passed, refused=refused.reason.name, text=str(refused), others=len(reading(others)))
                break
            passed = began
        else:
            tell(passed=passed, refused=None, text="", others=0)
    engine.dispose()


def reading(customers: list[Customer]) -> list[str]:
    return [one.phone for one in customers]


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
