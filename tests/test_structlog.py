"""structlog: the active purposes stand in every event, and no renderer shows a tagged value."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import structlog
from purposes import ADVERTISING, SECRET, TWO_FACTOR
from structlog.processors import ExceptionRenderer, JSONRenderer, KeyValueRenderer, LogfmtRenderer, dict_tracebacks
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from purposebind import AllowedFor, PurposeModel, Sealed, purpose_scope
from purposebind.integrations.logging import PurposeFilter
from purposebind.integrations.structlog import add_purposes, withhold_locals


class Account(PurposeModel):
    id: int
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


ACCOUNT = Account(id=7, phone=SECRET)
BOX = Sealed.of(SECRET, AllowedFor(TWO_FACTOR))


def logger_with(*processors: Processor) -> tuple[Any, io.StringIO]:
    """A logger of this test's own; nothing is configured for the process."""
    out = io.StringIO()
    return structlog.wrap_logger(structlog.PrintLogger(out), processors=list(processors)), out


def test_events_carry_the_active_purposes() -> None:
    """Nobody could tell from a log for what the code ran."""
    logger, out = logger_with(add_purposes, JSONRenderer())
    logger.info("before")
    with purpose_scope(TWO_FACTOR), purpose_scope(ADVERTISING):
        logger.info("inside", account=7)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines == [
        {"event": "before", "purposes": []},
        {"event": "inside", "account": 7, "purposes": ["advertising", "security.two_factor"]},
    ]


def test_what_a_caller_says_does_not_take_their_place() -> None:
    """A log line would claim a purpose that the code was not in."""
    logger, out = logger_with(add_purposes, JSONRenderer())
    with purpose_scope(TWO_FACTOR):
        logger.bind(purposes=["advertising"]).info("sent")
    assert json.loads(out.getvalue())["purposes"] == ["security.two_factor"]


async def _logged_in_a_thread(logger: Any) -> None:
    with purpose_scope(TWO_FACTOR):
        await logger.ainfo("sent")


def test_the_asynchronous_methods_carry_them_too() -> None:
    """structlog's own `ainfo` works in a thread, which is in no scope."""
    out = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[add_purposes, JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    asyncio.run(_logged_in_a_thread(logger))
    assert json.loads(out.getvalue())["purposes"] == ["security.two_factor"]


RENDERERS: list[Processor] = [
    JSONRenderer(),
    KeyValueRenderer(),
    LogfmtRenderer(),
    structlog.dev.ConsoleRenderer(colors=False),
    structlog.dev.ConsoleRenderer(colors=True),
]


@pytest.mark.parametrize("renderer", RENDERERS, ids=lambda renderer: type(renderer).__name__)
@pytest.mark.parametrize("scoped", [True, False])
def test_no_renderer_shows_a_tagged_value(renderer: Processor, scoped: bool) -> None:
    """A model that is bound to a logger would be written out with every line."""
    plain = structlog.processors.format_exc_info
    before = [plain] if not isinstance(renderer, structlog.dev.ConsoleRenderer) else []
    logger, out = logger_with(add_purposes, *before, renderer)

    def log() -> None:
        bound = logger.bind(box=BOX)
        bound.info("sent", account=ACCOUNT, accounts=str([ACCOUNT]))
        try:
            raise ValueError(ACCOUNT, BOX)
        except ValueError:
            bound.exception("failed")

    if scoped:
        with purpose_scope(TWO_FACTOR):
            log()
    else:
        log()
    assert SECRET not in out.getvalue()
    assert "<sealed: security.two_factor>" in out.getvalue()


def failing() -> None:
    with purpose_scope(TWO_FACTOR):
        phone = ACCOUNT.phone  # noqa: F841
        raise OSError("no line")


def reported(*processors: Processor) -> str:
    logger, out = logger_with(add_purposes, *processors, JSONRenderer())
    try:
        try:
            failing()
        except OSError as error:
            raise RuntimeError("twice") from error
    except RuntimeError:
        logger.exception("failed", account=ACCOUNT)
    return out.getvalue()


def test_tracebacks_without_locals_show_no_value() -> None:
    """The setting that the page recommends would not be enough."""
    assert SECRET not in reported(ExceptionRenderer(ExceptionDictTransformer(show_locals=False)))


@pytest.mark.parametrize("tracebacks", [dict_tracebacks, ExceptionRenderer(ExceptionDictTransformer(show_locals=True))])
def test_locals_are_withheld(tracebacks: Processor) -> None:
    """`dict_tracebacks` shows locals: it writes what the code had read, in plain text, with every error."""
    assert SECRET in reported(tracebacks), "the trap; if it is none any more, say so in the docs"
    line = reported(tracebacks, withhold_locals)
    assert SECRET not in line
    stacks = json.loads(line)["exception"]
    frames = [frame for stack in stacks for frame in stack["frames"]]
    assert {"phone": "<withheld>"} in [frame["locals"] for frame in frames]
    assert {frame["name"] for frame in frames} >= {"failing", "reported"}


def on_the_console(renderer: Processor) -> str:
    logger, out = logger_with(add_purposes, renderer)
    try:
        failing()
    except OSError:
        logger.exception("failed", account=ACCOUNT)
    return out.getvalue()


def test_the_console_shows_no_locals_where_it_is_told_to() -> None:
    """With rich installed, the console shows every variable of every frame unless it is told otherwise."""
    rich, plain = structlog.dev.RichTracebackFormatter(show_locals=False), structlog.dev.plain_traceback
    assert SECRET in on_the_console(structlog.dev.ConsoleRenderer(colors=False)), "the trap, as above"
    for formatter in (rich, plain):
        shown = on_the_console(structlog.dev.ConsoleRenderer(colors=False, exception_formatter=formatter))
        assert "no line" in shown
        assert SECRET not in shown


@pytest.mark.skipif("sys.version_info < (3, 11)", reason="the language has no exception groups before 3.11")
def test_locals_are_withheld_in_exception_groups() -> None:
    """What a task group raises holds each task's frames."""
    logger, out = logger_with(
        ExceptionRenderer(ExceptionDictTransformer(show_locals=True)), withhold_locals, JSONRenderer()
    )
    errors = []
    for _ in range(2):
        try:
            failing()
        except OSError as error:
            errors.append(error)
    try:
        raise ExceptionGroup("both", errors)  # noqa: F821
    except Exception:
        logger.exception("failed")
    assert "no line" in out.getvalue()
    assert SECRET not in out.getvalue()


@pytest.mark.parametrize("exception", ["Traceback ...", None, [], [None], {"frames": 1}, [{"frames": [{"locals": 3}]}]])
def test_what_is_no_structured_traceback_stays(exception: Any) -> None:
    """Behind another renderer of exceptions it would fail, and the error would not be logged."""
    assert withhold_locals(None, "error", {"event": "x", "exception": exception}) == {
        "event": "x",
        "exception": exception,
    }
    assert withhold_locals(None, "error", {"event": "x"}) == {"event": "x"}


@pytest.fixture
def standard() -> Iterator[logging.Logger]:
    made = logging.getLogger("purposebind_structlog_test")
    made.propagate = False
    yield made
    for handler in [*made.handlers]:
        made.removeHandler(handler)
        handler.close()


@pytest.mark.parametrize("filtered", [True, False])
def test_records_of_standard_logging_have_them_too(standard: logging.Logger, filtered: bool) -> None:
    """Half of a service's lines come from libraries that know no structlog."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    if filtered:
        handler.addFilter(PurposeFilter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[add_purposes],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, JSONRenderer()],
        )
    )
    standard.addHandler(handler)
    standard.warning("outside")
    with purpose_scope(TWO_FACTOR):
        standard.warning("sent to %s", ACCOUNT)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert first == {"event": "outside", "purposes": []}
    assert second["purposes"] == ["security.two_factor"]
    assert SECRET not in out.getvalue()


def test_a_record_keeps_those_it_was_logged_under(standard: logging.Logger) -> None:
    """Formatted behind a queue, a record would say that it was logged under none."""
    record = logging.makeLogRecord({"msg": "sent"})
    with purpose_scope(TWO_FACTOR):
        PurposeFilter().filter(record)
    assert add_purposes(None, "info", {"_record": record})["purposes"] == ["security.two_factor"]


def test_it_needs_nothing_of_structlogs() -> None:
    """A module of shared settings that names the processors could not be imported where structlog is not installed."""
    code = (
        "import sys; sys.modules['structlog'] = None; import purposebind.integrations.structlog as s; print(*s.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["add_purposes", "withhold_locals"]
