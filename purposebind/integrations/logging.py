"""Standard logging: the active purposes stand on every record, for formats to name. Needs no extra.

What this module keeps:

- Names only, and never an exception: a log line is not lost for what this adds to it.
- A record keeps the purposes of the code that logged it, whichever thread writes it out.
"""

from __future__ import annotations

import logging

from purposebind import active_purposes

__all__ = ["PurposeFilter"]

_NONE = "-"


class PurposeFilter(logging.Filter):
    """Puts ``purposes`` on records: the active purposes, ordered by name and joined by commas, or ``-`` for none.

    Add it to handlers: a logger's filters do not see what its children log. With a `QueueHandler`, add it to that one,
    which runs where the record is made; a filter on the other side of the queue leaves what is there already.

    Example:
        >>> import io
        >>> from purposebind import Purpose, purpose_scope
        >>> out = io.StringIO()
        >>> handler = logging.StreamHandler(out)
        >>> handler.addFilter(PurposeFilter())
        >>> handler.setFormatter(logging.Formatter("%(levelname)s [%(purposes)s] %(message)s"))
        >>> logger = logging.getLogger("shop")
        >>> logger.addHandler(handler)
        >>> with purpose_scope(Purpose("claims", "Settle a claim")):
        ...     logger.warning("late")
        >>> out.getvalue()
        'WARNING [claims] late\\n'
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Put them on `record`, and let it through."""
        if "purposes" not in record.__dict__:
            try:
                names = sorted(purpose.name for purpose in active_purposes())
            except Exception:  # nothing of the kind is known; but who logs is often handling an error already
                names = []
            record.purposes = ",".join(names) or _NONE
        return True
