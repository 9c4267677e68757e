"""What the shop knows of people and their orders, and what they send."""

from typing import Annotated

from pydantic import BaseModel, StringConstraints

Phone = Annotated[str, StringConstraints(pattern=r"^\+\d{8,15}$")]


class Account(BaseModel, from_attributes=True):
    id: int
    handle: str
    city: str
    name: str
    phone: Phone
    email: str
    password: str


class Order(BaseModel, from_attributes=True):
    id: int
    account_id: int
    item: str
    cents: int
    email: str
    address: str


class SignIn(BaseModel):
    handle: str
    password: str


class Code(BaseModel):
    handle: str
    code: str


class NewPhone(BaseModel):
    phone: Phone


class NewPassword(BaseModel):
    secret: str
    password: str


class NewOrder(BaseModel):
    item: str
    cents: int
    address: str
    code: str | None = None


class Upload(BaseModel):
    hashes: list[str]
