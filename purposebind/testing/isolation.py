"""`isolated`: nothing of a test stays behind for the next one.

What this module keeps: **R5** a scope that a test leaves open is closed, and said. Until then whatever ran next would
have run in it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from purposebind import config, enforcement
from purposebind.errors import PurposeError
from purposebind.frames import Frame
from purposebind.scope import current_frame, leave, set_frame

__all__ = ["isolated"]


@contextmanager
def isolated() -> Generator[None, None, None]:
    """Undo at the end of the block what it changed for what runs after it: the configuration, and scopes left open.

    What observe mode has warned about once is warned about again inside.

    Raises:
        PurposeError: A scope was left open here, in this thread or task. It is closed, and the error names it: what
            runs next would have run in it, and been allowed what it is not.

    Example:
        >>> with isolated():
        ...     _ = config.configure(mode="observe")
        >>> config.current.mode
        'enforce'
    """
    configuration, frame, warned = config.current, current_frame(), enforcement._warned.copy()
    enforcement._warned.clear()
    try:
        yield
    finally:
        enforcement._warned.clear()
        enforcement._warned.update(warned)
        if config.current is not configuration:
            config.install(configuration)
        left = _leave_down_to(frame) if current_frame() is not frame else []
    if left:
        raise PurposeError(
            "A scope was left open: "
            + "; ".join(f"{', '.join(p.name for p in each.entry.purposes)}, entered at {each.site}" for each in left)
            + ". It is closed now. Open a scope with a with statement, or decorate the function."
        )


def _leave_down_to(frame: Frame) -> list[Frame]:
    left = []
    node: Frame | None = current_frame()
    while node is not None and node is not frame:
        around = node.parent
        if node.alive:
            left.append(node)
            leave(node)
        node = around
    if node is frame:
        set_frame(frame)
    return left
