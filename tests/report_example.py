"""A ledger of a web shop that never was: the same on every run, for the report's tests and its picture in docs/.

Its segments are made record by record, so that their times lie where the story wants them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

from purposebind.ledger.closing import close_abandoned
from purposebind.ledger.folder import Folder
from purposebind.ledger.key import Key
from purposebind.ledger.records import FORMAT, HEADER_BYTES, UNKNOWN, Kind, head, name_records, record
from purposebind.ledger.report import Declared, DeclaredField

__all__ = ["DECLARED", "KEY", "MADE", "START", "Script", "write_hostile", "write_shop"]

KEY = Key(bytes(range(32)))
START = datetime(2026, 3, 2, 6, tzinfo=timezone.utc)
DAYS = 90
MADE = datetime(2026, 6, 1, 9, tzinfo=timezone.utc)

DECLARED = Declared(
    ("shop",),
    (
        DeclaredField("Account.birthday", ("age_check",)),
        DeclaredField("Account.email", ("news", "security"), never=("security.training",)),
        DeclaredField("Account.phone", ("security.two_factor",)),
        DeclaredField("Order.address", ("shipping", "billing")),
        DeclaredField("Order.iban", ("billing",)),
        DeclaredField("Order.items", ("orders", "shipping")),
    ),
    {
        "advertising": "Choose and measure ads",
        "age_check": "Keep minors from buying what they may not",
        "billing": "Charge for orders",
        "news": "Tell customers what changes",
        "orders": "Take and deliver orders",
        "shipping": "Bring the parcel",
        "security": "Keep accounts safe",
        "security.training": "Train the detection of break-ins",
        "security.two_factor": "Send a login code",
        "support": "Answer a customer's question",
    },
)


class Script:
    """Writes one segment, in the order of its times.

    Args:
        folder: The ledger's.
        start: When the segment begins.
        number: Makes its id.
    """

    def __init__(self, folder: Path, start: datetime, number: int) -> None:
        self._start = start
        self._path = folder / "open" / f"{number:032x}.seg"
        self._header = {
            "format": FORMAT,
            "segment": f"{number:032x}",
            "writer": f"{1:032x}",
            "pid": 4711,
            "host": "web-1",
            "service": "shop",
            "key": KEY.id,
            "wall": _ns(start),
            "monotonic": 0,
        }
        self._names: dict[str, int] = {}
        self._records: list[bytes] = []
        self._activities = number << 32

    def _name(self, **name: Any) -> int:
        text = json.dumps(name)
        if text not in self._names:
            self._names[text] = len(self._names)
            self._records += name_records(self._names[text], text.encode())
        return self._names[text]

    def _mono(self, when: datetime) -> bytes:
        return (_ns(when) - _ns(self._start)).to_bytes(8, "little")

    def work(
        self,
        when: datetime,
        purposes: list[str],
        site: str,
        reads: dict[str, Iterable[int | None]],
        *,
        handovers: Iterable[dict[str, str]] = (),
        emergency: dict[str, str] | None = None,
        ended: bool = True,
    ) -> int:
        """Write an activity of ten minutes, and the people whose fields it reads; returns its id."""
        self._activities += 1
        name = self._name(
            **{"is": "activity"},
            purposes=purposes,
            entered=purposes,
            site=site,
            handovers=list(handovers),
            break_glass=emergency,
        )
        self._records.append(record(Kind.OPEN, self._mono(when), name, activity=self._activities))
        for field, people in reads.items():
            number = self._name(**{"is": "field"}, field=field)
            self._records += [head(Kind.READ, number, 1, self._activities) + _person(who) * 2 for who in people]
        if ended:
            close = self._mono(when + timedelta(minutes=10))
            self._records.append(record(Kind.CLOSE, close, activity=self._activities))
        return self._activities

    def deny(
        self,
        when: datetime,
        purposes: list[str],
        field: str,
        site: str | None,
        people: Iterable[int | None],
        *,
        reason: str = "not allowed",
        enforced: bool = True,
        activity: int = 0,
    ) -> None:
        """Write denials, one for each of `people`."""
        number = self._name(
            **{"is": "denial"},
            field=field,
            purposes=purposes,
            reason=reason,
            site=site,
            enforced=enforced,
            allowed=[],
        )
        for who in people:
            self._records.append(record(Kind.DENIAL, _person(who) + self._mono(when), number, activity=activity))

    def lose(self, when: datetime, reads: int) -> None:
        """Write that reads could not be recorded."""
        self._records.append(record(Kind.LOST, reads.to_bytes(8, "little") + self._mono(when)))

    def put(self) -> Path:
        """Write the file, as a process leaves it that is killed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        header = json.dumps(self._header).encode().ljust(HEADER_BYTES - 1) + b"\n"
        self._path.write_bytes(header + b"".join(self._records))
        return self._path


def _person(who: int | None) -> bytes:
    return UNKNOWN if who is None else KEY.person(who)


def _ns(when: datetime) -> int:
    return int(when.timestamp()) * 1_000_000_000


_CODE = "/srv/shop/shop/"
_HANDOVERS = {
    "shipping": {"left": "orders", "entered": "shipping", "reason": "A parcel needs an address"},
    "billing": {"left": "orders", "entered": "billing", "reason": "An order is charged to the customer"},
    "desk": {"left": "support", "entered": "orders", "reason": "An agent may order again for a customer"},
}


def write_shop(folder: Path, customers: int = 4_000, months: int = 3) -> None:
    """Write the ledger of the shop: three months of it, with one bad week in April."""
    Folder(folder).make()
    chance = Random(2019)
    for month in range(months):
        script = Script(folder, START + timedelta(days=30 * month), month + 1)
        for day in range(30 * month, 30 * month + 30):
            _day(script, START + timedelta(days=day), day, chance, customers)
        script.put()
    close_abandoned(Folder(folder))


def _day(script: Script, morning: datetime, day: int, chance: Random, customers: int) -> None:
    busy = customers // (40 if morning.weekday() >= 5 else 16)

    def some(number: int) -> list[int | None]:
        return list(chance.sample(range(customers), number))

    script.work(morning, ["security.two_factor"], f"{_CODE}login.py:88 in send_code", {"Account.phone": some(busy)})
    buyers = some(busy // 3)
    hour = morning + timedelta(hours=3)
    script.work(hour, ["orders"], f"{_CODE}basket.py:31 in take_order", {"Order.items": buyers})
    paid = {"Order.iban": buyers, "Order.address": [*buyers[3:], *([None] * (day % 3))]}
    script.work(hour, ["billing"], f"{_CODE}invoices/run.py:12 in invoice", paid, handovers=[_HANDOVERS["billing"]])
    if morning.weekday() < 5:
        sent = {"Order.address": buyers, "Order.items": buyers}
        parcel = f"{_CODE}parcels.py:57 in label"
        script.work(hour, ["shipping"], parcel, sent, handovers=[_HANDOVERS["shipping"]])
    if morning.weekday() == 1:
        script.work(hour, ["news"], f"{_CODE}news.py:20 in send_news", {"Account.email": some(customers // 3)})
        again = {"Order.items": some(7)}
        script.work(hour, ["orders"], f"{_CODE}desk.py:77 in order_again", again, handovers=[_HANDOVERS["desk"]])
    if day % 9 == 4:
        script.work(hour, ["analytics"], f"{_CODE}figures.py:9 in weekly", {"Order.items": some(busy)})
        where = f"{_CODE}figures.py:14 in weekly"
        script.deny(hour, ["analytics"], "Account.birthday", where, some(3), reason="not allowed")
    if day % 13 == 6:
        script.deny(hour, [], "Order.iban", f"{_CODE}export.py:5 in <module>", [None] * 2, reason="no scope")
    if 38 <= day <= 42:
        evening = morning + timedelta(hours=13)
        work = script.work(evening, ["advertising"], f"{_CODE}audience.py:33 in match_audience", {})
        for field in ("Account.phone", "Account.email"):
            where = f"{_CODE}audience.py:41 in match_audience"
            people = chance.sample(range(customers // 3), customers // 9)
            script.deny(evening, ["advertising"], field, where, people, enforced=False, activity=work)
    if day == 43:
        where = f"{_CODE}audience.py:41 in match_audience"
        script.deny(hour, ["advertising"], "Account.phone", where, some(1))
    if day == 61:
        night = morning + timedelta(hours=20)
        reason = {"reason": "INC-1234: restore login", "by": "Grace Hopper"}
        opened = {"Account.phone": some(3), "Account.email": some(2)}
        script.work(night, [], f"{_CODE}ops/restore.py:4 in restore", opened, emergency=reason)


_ATTACK = "<img src=x onerror=pwned=1>"


def write_hostile(folder: Path) -> Declared:
    """Write a ledger in which every text is an attack on whoever shows it, and return declarations that are too."""
    Folder(folder).make()
    script = Script(folder, START, 1)
    attacks = [
        _ATTACK,
        "</script><script>pwned=1</script>",
        "'\"><b onclick=pwned=1 style=color:red>b</b>",
        "{{ 7 * 7 }}{% raw %}",
        "javascript:pwned=1",
        "safe\u202eeldnah",
        "\ud800\x00\x1b[31m",
        "]]>&lt;!--",
        "long" * 100,
    ]
    for number, text in enumerate(attacks):
        when = START + timedelta(hours=number)
        handover = {"left": f"left{text}", "entered": f"entered{text}", "reason": text}
        field = f"Model.{text}"
        people = [number, None]
        script.work(when, [text, "other"], f"/srv/{text}.py:1 in {text}", {field: people}, handovers=[handover])
        script.work(when, [], text, {field: people}, emergency={"reason": text, "by": text})
        script.deny(when, [text], field, f"/srv/{text}.py:2 in {text}", people, reason=text)
        script.deny(when, [text], field, text, people, enforced=False)
    script.put()
    fields = tuple(DeclaredField(f"Declared.{text}", (text,), (f"never.{text}",)) for text in attacks)
    return Declared((_ATTACK,), fields, {text: text for text in attacks}, ((_ATTACK, _ATTACK),))
