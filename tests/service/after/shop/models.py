"""What the shop knows of people and their orders, and what they send."""

from typing import Annotated

from pydantic import BaseModel, StringConstraints

from purposebind import AllowedFor, PurposeModel, SubjectId

from .purposes import ORDERS, OWN_DATA, RECOVERY, SECURITY, TWO_FACTOR

Phone = Annotated[str, StringConstraints(pattern=r"^\+\d{8,15}$")]


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    city: str
    name: Annotated[str, AllowedFor(OWN_DATA)]
    phone: Annotated[Phone, AllowedFor(TWO_FACTOR, OWN_DATA)]
    email: Annotated[str, AllowedFor(RECOVERY, ORDERS, OWN_DATA)]
    password: Annotated[str, AllowedFor(SECURITY)]


class Order(PurposeModel):
    id: int
    account_id: Annotated[int, SubjectId]
    item: str
    cents: int
    email: Annotated[str, AllowedFor(ORDERS, OWN_DATA)]
    address: Annotated[str, AllowedFor(ORDERS, OWN_DATA)]


class SignIn(PurposeModel):
    handle: str
    password: Annotated[str, AllowedFor(SECURITY)]


class Code(BaseModel):
    handle: str
    code: str


class NewPhone(PurposeModel):
    phone: Annotated[Phone, AllowedFor(TWO_FACTOR, OWN_DATA)]


class NewPassword(PurposeModel):
    secret: str
    password: Annotated[str, AllowedFor(SECURITY)]


class NewOrder(PurposeModel):
    item: str
    cents: int
    address: Annotated[str, AllowedFor(ORDERS, OWN_DATA)]
    code: str | None = None


class Upload(BaseModel):
    hashes: list[str]
