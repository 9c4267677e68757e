"""The shop does the same before it was adopted and after: over a socket, with a worker in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from service.page import AFTER, BEFORE
from service.running import PEOPLE, STAFF, Service
from service.visits import Customer, a_day, export

from purposebind.ledger import Ledger

TREES = {"before": BEFORE, "after": AFTER}


@pytest.fixture(scope="module", params=list(TREES))
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(TREES[request.param], tmp_path_factory.mktemp(request.param)) as running:
        yield running


def test_a_day_in_the_shop(service: Service, request: pytest.FixtureRequest) -> None:
    """If adoption broke login, recovery, profile or orders, no one would adopt it."""
    matched, exported = a_day(service)
    assert (matched.status_code, exported) == ((200, "SUCCESS") if "before" in request.node.name else (403, "FAILURE"))


def test_what_is_wrong_is_still_refused(service: Service) -> None:
    """A scope that swallowed the shop's own errors would let people in without their password."""
    gus, hana = Customer(service, 7, "gus7"), Customer(service, 8, "hana8")
    wrong = service.http.post("/login", json={"handle": "gus7", "password": "guess"})
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "wrong password"})
    assert service.http.post("/login", json={"handle": "nobody", "password": "guess"}).status_code == 404
    assert service.http.post("/login/code", json={"handle": "gus7", "code": "x"}).status_code == 401

    assert service.http.post("/login", json={"handle": gus.handle, "password": gus.password}).status_code == 200
    stolen = service.http.post("/login/code", json={"handle": hana.handle, "code": gus.code()})
    assert (stolen.status_code, stolen.json()) == (401, {"detail": "this code is not yours"})

    assert service.http.get("/profile").status_code == 422
    assert service.http.get("/profile", headers={"session": "guess"}).status_code == 401
    assert service.http.post("/ads/match", json={"hashes": []}, headers={"token": "guess"}).status_code == 401


def test_a_profile_shows_what_it_showed(service: Service) -> None:
    """A response model that lost a field, or gained one, would break every client, or tell others a phone number."""
    ida = Customer(service, 9, "ida9").sign_in()
    assert ida.get("/profile").json() == {
        "id": 9,
        "handle": "ida9",
        "city": "Turin",
        "name": "Ida Example",
        "phone": ida.phone,
        "email": ida.email,
    }
    assert ida.get("/profile/jon10").json() == {"id": 10, "handle": "jon10", "city": "Lyon"}


def test_a_new_phone_number_is_where_codes_go_next(service: Service) -> None:
    """A tagged field of a request that did not reach the database would lock people out."""
    ada = Customer(service, 11, "ada11").sign_in()
    changed = service.http.put("/profile/phone", json={"phone": "+15559999999"}, headers=ada.session)
    assert changed.json()["phone"] == "+15559999999"
    assert service.http.post("/login", json={"handle": ada.handle, "password": ada.password}).status_code == 200
    assert service.sent("sms", "+15559999999", "code is")


def test_a_recovery_link_works_once(service: Service) -> None:
    """A background task that lost its scope would mail no link, and only say so in a log."""
    bob = Customer(service, 12, "bob12")
    assert service.http.post("/recovery/bob12").json() == {"next": "mail"}
    secret = service.sent("mail", bob.email, "/recovery/").split("/")[-1]
    new = {"secret": secret, "password": "something else"}
    assert service.http.post("/recovery", json=new).json() == {"next": "login"}
    assert service.http.post("/recovery", json=new).status_code == 401
    bob.password = "something else"
    assert bob.sign_in().get("/profile").status_code == 200


def test_an_expensive_order_needs_ones_own_code(service: Service) -> None:
    """The handover from orders to login codes has to carry the code, and not the order."""
    cleo, dan = Customer(service, 13, "cleo13").sign_in(), Customer(service, 14, "dan14").sign_in()
    assert cleo.order("a car", 9_000_00).status_code == 428
    assert cleo.order("a car", 9_000_00, "guess").status_code == 401
    assert dan.order("a car", 9_000_00, cleo.code()).status_code == 401
    assert dan.order("a car", 9_000_00).status_code == 428
    made = dan.order("a car", 9_000_00, dan.code()).json()
    assert {**made, "id": 0} == {
        "id": 0,
        "account_id": 14,
        "item": "a car",
        "cents": 9_000_00,
        "email": dan.email,
        "address": "1 dan14 Street",
    }
    assert service.sent("mail", dan.email) == f"Order {made['id']}: a car will be sent to 1 dan14 Street"
    assert cleo.get("/orders").json() == []


@pytest.mark.parametrize("way", ["entity", "orm", "core", "text", "cursor"])
def test_the_audience_is_refused_as_whatever_it_is_written(
    way: str, service: Service, request: pytest.FixtureRequest
) -> None:
    """The misuse of 2019 was most likely a query: were one form of it let through, that is the form it would take."""
    refused = "after" in request.node.name
    began = datetime.now(timezone.utc)
    assert export(service, way, partner=way) == ("FAILURE" if refused else "SUCCESS")
    file = service.folder / f"audience-{way}.csv"
    if refused:
        with Ledger(service.folder / "ledger") as ledger:
            (denial,) = ledger.denials(since=began)
        assert (denial.field, denial.purposes, denial.enforced) == ("Account.phone", ("advertising",), True)
        assert "audience.py:" in (denial.site or "")
        assert not file.exists()
    else:
        assert len(file.read_text(encoding="utf-8").splitlines()) == PEOPLE


def test_what_advertising_may_know_it_still_knows(service: Service) -> None:
    """If all of `/ads` stopped, the first thing to happen would be that somebody turns enforcement off."""
    cities = service.http.get("/ads/cities", headers=STAFF)
    assert (cities.status_code, cities.json()) == (200, {"Lyon": 14, "Porto": 13, "Turin": 13})


def test_the_api_is_described(service: Service) -> None:
    """Whoever builds clients from `/openapi.json` would be the first to notice that the models were tagged."""
    described = service.http.get("/openapi.json")
    assert described.status_code == 200
    assert len(described.json()["paths"]) == 12
