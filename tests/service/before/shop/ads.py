"""What advertisers get."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException

from . import accounts, settings, tasks
from .models import Upload


def staff(token: Annotated[str, Header()]) -> None:
    if token != settings.STAFF_TOKEN:
        raise HTTPException(401, "for staff only")


router = APIRouter(prefix="/ads", dependencies=[Depends(staff)])


@router.post("/match")
def match(upload: Upload) -> dict[str, int]:
    """How many of an advertiser's customers are ours?"""
    ours = {hashlib.sha256(phone.encode()).hexdigest() for _, phone in accounts.phones()}
    return {"matched": len(ours.intersection(upload.hashes))}


@router.get("/cities")
def cities() -> dict[str, int]:
    found = [account.city for account in accounts.everybody()]
    return {city: found.count(city) for city in sorted(set(found))}


@router.post("/exports", status_code=202)
def export(partner: str, way: str = "model") -> dict[str, str]:
    return {"task": tasks.export_audience.delay(partner, way).id}


@router.get("/exports/{task}")
def exported(task: str) -> dict[str, str]:
    return {"state": tasks.export_audience.AsyncResult(task).state}
