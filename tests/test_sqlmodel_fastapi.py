"""SQLModel's tutorial on FastAPI, with tags: what a client sends and is sent, and what the service holds between."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi_calls import get
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from sqlalchemy.engine import Engine
from sqlalchemy.orm import registry
from sqlalchemy_tables import dispose, in_memory
from sqlmodel import Field, Relationship, Session, select

from purposebind import AllowedFor, Sealed, SubjectId, purpose_scope
from purposebind.integrations.fastapi import for_purpose, install
from purposebind.integrations.sqlmodel import PurposeSQLModel


class Base(PurposeSQLModel, registry=registry()): ...


class Team(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    accounts: list["Account"] = Relationship(back_populates="team")


class AccountBase(Base):
    handle: str = Field(index=True)
    phone: Annotated[str, AllowedFor(TWO_FACTOR)] = Field(max_length=20)
    team_id: int | None = Field(default=None, foreign_key="team.id")


class Account(AccountBase, table=True):
    id: Annotated[int | None, SubjectId] = Field(default=None, primary_key=True)
    team: Team | None = Relationship(back_populates="accounts")


class AccountCreate(AccountBase): ...


class AccountPublic(AccountBase):
    id: Annotated[int, SubjectId]


class AccountUpdate(Base):
    handle: str | None = None
    phone: Annotated[str | None, AllowedFor(TWO_FACTOR)] = Field(default=None, max_length=20)


class TeamPublic(Base):
    id: int
    name: str


class AccountWithTeam(AccountPublic):
    team: TeamPublic | None = None


class TeamWithAccounts(TeamPublic):
    accounts: list[AccountPublic] = Field(default_factory=list)


HELD: list[Any] = []


def an_app(engine: Engine) -> FastAPI:
    app = FastAPI()
    install(app)

    def session() -> Iterator[Session]:
        with Session(engine) as made:
            yield made

    Db = Annotated[Session, Depends(session)]

    @app.post("/accounts", response_model=AccountPublic.visible_to(ADVERTISING))
    def create(account: AccountCreate, db: Db) -> Any:
        HELD.append(account)
        made = Account.model_validate(account)
        HELD.append(made)
        db.add(made)
        db.commit()
        db.refresh(made)
        return made

    @app.get("/accounts", response_model=list[AccountPublic], dependencies=[Depends(for_purpose(TWO_FACTOR))])
    def list_all(db: Db) -> Any:
        return db.exec(select(Account)).all()

    @app.get("/accounts/{number}", response_model=AccountWithTeam, dependencies=[Depends(for_purpose(TWO_FACTOR))])
    def one(number: int, db: Db) -> Any:
        account = db.get(Account, number)
        if account is None:
            raise HTTPException(404)
        return account

    @app.get("/ads/{number}", response_model=AccountPublic, dependencies=[Depends(for_purpose(ADVERTISING))])
    def audience(number: int, db: Db) -> Any:
        return db.get(Account, number)

    @app.get("/teams/{number}", response_model=TeamWithAccounts, dependencies=[Depends(for_purpose(TWO_FACTOR))])
    def team(number: int, db: Db) -> Any:
        return db.get(Team, number)

    @app.patch("/accounts/{number}", response_model=AccountPublic.visible_to(ADVERTISING))
    def change(number: int, account: AccountUpdate, db: Db) -> Any:
        made = db.get_one(Account, number)
        made.sqlmodel_update(account, exclude_unset=True)
        db.add(made)
        db.commit()
        db.refresh(made)
        return made

    @app.post("/tables", response_model=Account, dependencies=[Depends(for_purpose(TWO_FACTOR))])
    def create_at_once(account: Account, db: Db) -> Any:
        HELD.append(account)
        db.add(account)
        db.commit()
        db.refresh(account)
        return account

    return app


@pytest.fixture
def app() -> Iterator[FastAPI]:
    engine = in_memory(Base.metadata)
    with Session(engine) as session:
        session.add(Team(name="red"))
        session.commit()
    yield an_app(engine)
    dispose()
    HELD.clear()


def test_the_flow_of_the_tutorial_holds_data_sealed(app: FastAPI) -> None:
    """R1: a service that follows SQLModel's tutorial would hold phones open, or have to be rewritten."""
    sent = {"handle": "ada", "phone": SECRET, "team_id": 1}
    made = get(app, "/accounts", method="POST", json=sent)
    assert (made.status_code, made.json()) == (200, {"handle": "ada", "team_id": 1, "id": 1})
    assert [type(vars(one).get("phone", Sealed)) for one in HELD[:1]] == [Sealed]
    full = {**sent, "id": 1}
    assert get(app, "/accounts").json() == [full]
    assert get(app, "/accounts/1").json() == {**full, "team": {"id": 1, "name": "red"}}
    assert get(app, "/teams/1").json() == {"id": 1, "name": "red", "accounts": [full]}
    assert get(app, "/accounts/2").status_code == 404


def test_another_purpose_is_refused(app: FastAPI) -> None:
    """R2, R12: the audience would be given the phones, or the client an error that says nothing."""
    get(app, "/accounts", method="POST", json={"handle": "ada", "phone": SECRET})
    refused = get(app, "/ads/1")
    assert refused.status_code == 403
    assert SECRET not in refused.text


def test_a_change_needs_no_purpose(app: FastAPI) -> None:
    """R1: whoever changes their phone would have to be asked what for."""
    get(app, "/accounts", method="POST", json={"handle": "ada", "phone": SECRET})
    changed = get(app, "/accounts/1", method="PATCH", json={"phone": "+2"})
    assert changed.json() == {"handle": "ada", "team_id": None, "id": 1}
    assert get(app, "/accounts/1").json()["phone"] == "+2"


@pytest.mark.parametrize(("method", "path"), [("POST", "/accounts"), ("PATCH", "/accounts/1")])
def test_a_bad_request_is_not_echoed(app: FastAPI, method: str, path: str) -> None:
    """R7: what somebody mistyped would be in the answer, and in the logs of what stands before the service."""
    answer = get(app, path, method=method, json={"handle": "ada", "phone": SECRET * 3})
    assert answer.status_code == 422
    assert SECRET not in answer.text


def test_a_table_model_may_be_the_body(app: FastAPI) -> None:
    """R1: SQLModel's first example takes the table model itself: it would be open, or not stored."""
    answer = get(app, "/tables", method="POST", json={"handle": "ada", "phone": SECRET})
    assert answer.json() == {"handle": "ada", "phone": SECRET, "team_id": None, "id": 1}
    (held,) = HELD
    assert type(vars(held)["phone"]) is Sealed
    with purpose_scope(TWO_FACTOR):
        assert held.phone == SECRET


def test_the_description_says_what_data_is_for(app: FastAPI) -> None:
    """Whoever reads the API's description would not learn that a field is bound."""
    schemas = app.openapi()["components"]["schemas"]
    for name in ("AccountCreate", "AccountUpdate", "AccountPublic"):
        assert "x-purposes" in str(schemas[name]["properties"]["phone"])
