"""What people do in the shop."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

import httpx

from .running import STAFF, Service, until

__all__ = ["Customer", "a_day", "export", "match", "phone_of"]


def phone_of(number: int) -> str:
    """Return the phone number that the seed gave the person."""
    return f"+1555{number:07}"


@dataclass
class Customer:
    """Somebody with an account, who has the phone and the mailbox that the shop sends to."""

    service: Service
    number: int
    handle: str
    password: str = ""
    session: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.password = self.password or self.handle[::-1]

    @property
    def phone(self) -> str:
        return phone_of(self.number)

    @property
    def email(self) -> str:
        return f"{self.handle}@example.com"

    def code(self) -> str:
        """Return the code that came by phone last."""
        return self.service.sent("sms", self.phone, "code is").split()[-1]

    def sign_in(self) -> Customer:
        answer = self.service.http.post("/login", json={"handle": self.handle, "password": self.password})
        assert answer.status_code == 200, answer.text
        answer = self.service.http.post("/login/code", json={"handle": self.handle, "code": self.code()})
        assert answer.status_code == 200, answer.text
        self.session = answer.json()
        return self

    def get(self, path: str) -> httpx.Response:
        return self.service.http.get(path, headers=self.session)

    def order(self, item: str, cents: int, code: str | None = None) -> httpx.Response:
        order = {"item": item, "cents": cents, "address": f"1 {self.handle} Street", "code": code}
        return self.service.http.post("/orders", json=order, headers=self.session)


def match(service: Service) -> httpx.Response:
    """An advertiser asks how many of its ten customers are the shop's: seven are."""
    hashes = [sha256(phone_of(number).encode()).hexdigest() for number in [*range(1, 8), 901, 902, 903]]
    return service.http.post("/ads/match", json={"hashes": hashes}, headers=STAFF)


def export(service: Service, way: str = "model", partner: str = "adco") -> str:
    """The nightly export, or another way to the same audience; returns how its task ended."""
    started = service.http.post("/ads/exports", params={"partner": partner, "way": way}, headers=STAFF)
    assert started.status_code == 202, started.text
    task = started.json()["task"]

    def ended() -> str | None:
        state = service.http.get(f"/ads/exports/{task}", headers=STAFF).json()["state"]
        return state if state in {"SUCCESS", "FAILURE"} else None

    return until(ended, "the export")


def a_day(service: Service) -> tuple[httpx.Response, str]:
    """A day in the shop: five people sign in, two look at themselves, one forgets a password, two order.

    At night come match and export.

    Returns:
        The answer to the match, and the state of the export: all else has to work.
    """
    handles = ["ada1", "bob2", "cleo3", "dan4", "eve5"]
    ada, bob, cleo, dan, _ = [Customer(service, n, h).sign_in() for n, h in enumerate(handles, 1)]

    assert ada.get("/profile").json()["phone"] == ada.phone
    assert cleo.get("/profile").json()["email"] == cleo.email
    assert bob.get("/profile/ada1").json() == {"id": 1, "handle": "ada1", "city": "Lyon"}

    finn = Customer(service, 6, "finn6")
    assert service.http.post("/recovery/finn6").status_code == 202
    secret = service.sent("mail", finn.email, "/recovery/").split("/")[-1]
    new = {"secret": secret, "password": finn.password}
    assert service.http.post("/recovery", json=new).status_code == 200

    assert cleo.order("a lamp", 49_00).status_code == 201
    assert dan.order("a piano", 900_00).status_code == 428
    assert dan.order("a piano", 900_00, dan.code()).status_code == 201
    for customer, item in ((cleo, "a lamp"), (dan, "a piano")):
        service.sent("mail", customer.email, f"{item} will be sent to 1 {customer.handle} Street")
    assert {order["item"] for order in cleo.get("/orders").json()} == {"a lamp"}

    assert sum(service.http.get("/ads/cities", headers=STAFF).json().values()) == 40
    return match(service), export(service)
