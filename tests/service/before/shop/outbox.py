"""Text messages and mail. Until there is a contract with somebody who delivers them, they stay in a table."""

from .database import transaction
from .tables import Message


def sms(number: str, text: str) -> None:
    _put("sms", number, text)


def mail(address: str, text: str) -> None:
    _put("mail", address, text)


def _put(kind: str, recipient: str, text: str) -> None:
    with transaction() as database:
        database.add(Message(kind=kind, recipient=recipient, text=text))
