"""Raw SQL: which tagged columns a statement's text uses. Needs the extra ``sql``.

What this package keeps:

- **R1** A statement is a read of every tagged column that it mentions, unless the mention is proven to be no read: the
  target of a write, or a value that comes back sealed.
- **R8** A tagged column that is copied into a column with a wider policy, or with none, is told apart from a use.

It is pure: it knows neither scopes nor connections, never runs a statement, and reads it failing closed. A kind of
statement, a relation, a function or a column that it does not know is a problem, never a pass.

How a text is read: `lexing` takes it apart by the rules of its own database, puts a mark in the place of each
literal and leaves comments out, so that neither the parser nor a log ever sees a value. `kinds` admits the kinds of
statement that are known, `defining` those that change the schema. A query goes to sqlglot by `parsing`; `sources` and
`scoping` say what each name in the tree means, `views` what is behind a view, `moving` which mentions stay sealed,
`mentions` which are uses, and `copying` where values go. At last, in `accounting`, each name of a tagged column in the
*text* must have been accounted for in the tree: what a parser lost is a use. `weighing` puts the verdict together.
"""

from __future__ import annotations

from purposebind import PurposeError

try:
    import sqlglot
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "sqlglot":
        raise
    raise PurposeError(
        "Reading SQL needs sqlglot, which is not installed. Install it with: pip install 'purposebind[sql]'"
    ) from None

from .catalog import Catalog, Relation, TaggedColumn
from .verdict import Copy, Use, Verdict
from .weighing import weigh

__all__ = ["Catalog", "Copy", "Relation", "TaggedColumn", "Use", "Verdict", "weigh"]

del sqlglot
