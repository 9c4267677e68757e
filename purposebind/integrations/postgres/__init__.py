"""PostgreSQL: the server refuses too. Roles with column grants, written from the tags. Needs the extra ``postgres``.

What this package keeps:

- **R2**, **R3** What a role may select is what the library would let through: for each set of purposes `decide` is
  asked, column by column. There is a role for "no purpose", which may select no tagged column.
- Writing is not reading: each role may insert, update and delete. PostgreSQL itself asks for the right to select
  what an UPDATE or an ON CONFLICT looks at.
- A set of purposes without a role is refused, and never run under a role that may do more.

`ddl` writes the roles, `assume_roles` puts transactions under them, `check` compares a database with the tags and finds
what goes round its grants.
"""

from __future__ import annotations

from purposebind import PurposeError

try:
    import sqlalchemy
    import sqlglot
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("sqlalchemy", "sqlglot"):
        raise
    raise PurposeError(
        f"The PostgreSQL integration needs {error.name}, which is not installed. Install it with: "
        "pip install 'purposebind[postgres]'"
    ) from None

from .assuming import assume_roles
from .checking import check
from .declaring import ddl
from .finding import Finding

__all__ = ["Finding", "assume_roles", "check", "ddl"]

del sqlalchemy, sqlglot
