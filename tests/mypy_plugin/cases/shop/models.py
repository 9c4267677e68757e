from typing import Annotated

from purposebind import AllowedFor, PurposeModel, SubjectId

from .purposes import ADVERTISING, SECURITY, SUPPORT, TWO_FACTOR


class Account(PurposeModel):
    id: Annotated[int, SubjectId]
    handle: str
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]
    email: Annotated[str, AllowedFor(SECURITY, SUPPORT)]
    city: Annotated[str, AllowedFor(ADVERTISING, SUPPORT)]
