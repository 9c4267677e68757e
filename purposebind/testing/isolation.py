"""`isolated`: nothing of a test stays behind for the next one.

What this module keeps: **R5** a scope that a test leaves open is closed, and said. Until then whatever ran next would
have run in it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from purposebind import config, enforcement
from purposebind.errors import PurposeError
from purposebind.scope import OUTSIDE, current_frame, leave

__all__ = ["isolated"]


@contextmanager
def isolated(*, since_import: bool = False) -> Generator[None, None, None]:
    """Undo at the end of the block what it changed for what runs after it: the configuration, and scopes left open.

    What observe mode has warned about once is warned about again inside.

    Args:
        since_import: Undo what was changed before the block too, as far back as the library was imported.

    Raises:
        PurposeError: A scope was left open here, in this thread or task. It is closed, and the error names it: what
            runs next would have run in it, and been allowed what it is not.

    Example:
        >>> with isolated():
        ...     _ = config.configure(mode="observe")
        >>> config.current.mode
        'enforce'
    """
    configuration, before, warned = config.current, list(current_frame().around()), enforcement._warned.copy()
    if since_import:
        configuration, before, warned = config.Configuration(), [OUTSIDE], set()
    enforcement._warned.clear()
    try:
        yield
    finally:
        enforcement._warned.clear()
        enforcement._warned.update(warned)
        if config.current is not configuration:
            config.install(configuration)
        inside = [frame for frame in current_frame().around() if frame not in before]
        left = [frame for frame in inside if frame.alive]
        for frame in inside:
            leave(frame)
    if left:
        raise PurposeError(
            "A scope was left open: "
            + "; ".join(f"{', '.join(p.name for p in each.entry.purposes)}, entered at {each.site}" for each in left)
            + ". It is closed now. Open a scope with a with statement, or decorate the function."
        )
