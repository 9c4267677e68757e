"""SQLModel: table models and data models with the same tags. Needs the extra ``sqlmodel``.

What this package keeps:

- **R1**, **R6**, **R7** A table model is a pydantic model and an entity of SQLAlchemy's at once. As a model it is
  sealed at rest, dumps, compares and pickles as every `PurposeModel`; as an entity its columns are sealed by type, and
  its attributes guarded, as `purposebind.integrations.sqlalchemy` does it. Both see the same boxes.
- **R8** What one model takes over from another (``Account.model_validate(create)``) is as narrow as it was.
- **R10** What SQLModel builds a table model with, validated or not, is sealed once it is built.

Which of SQLModel's seams is used for what: its metaclass, which makes the columns of the fields (`tables`), and the
methods that make and change an instance (`models`).
"""

from __future__ import annotations

import os.path

from purposebind import PurposeError
from purposebind.sites import pass_over

try:
    import sqlglot
    import sqlmodel
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("sqlmodel", "sqlalchemy", "sqlglot"):
        raise
    raise PurposeError(
        f"The SQLModel integration needs {error.name}, which is not installed. Install it with: "
        "pip install 'purposebind[sqlmodel]'"
    ) from None

from .models import PurposeSQLModel

__all__ = ["PurposeSQLModel"]

pass_over(os.path.dirname(sqlmodel.__file__))

del sqlglot, sqlmodel
