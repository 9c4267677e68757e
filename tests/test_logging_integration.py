"""Standard logging: the active purposes stand on every record, and no line is lost for it."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import pickle
import queue
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from purposes import ADVERTISING, SECRET, TWO_FACTOR

from purposebind import AllowedFor, PurposeModel, purpose_scope
from purposebind.integrations import logging as integration
from purposebind.integrations.logging import PurposeFilter


class Account(PurposeModel):
    phone: Annotated[str, AllowedFor(TWO_FACTOR)]


class AsJson(logging.Formatter):
    """What the packages do that write records as JSON: whatever is on the record, apart from what always is."""

    STANDARD = frozenset((*vars(logging.makeLogRecord({})), "message", "taskName"))

    def format(self, record: logging.LogRecord) -> str:
        extra = {key: value for key, value in vars(record).items() if key not in self.STANDARD}
        return json.dumps({"event": record.getMessage(), **extra})


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("purposebind_logging_test")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    yield made
    for handler in [*made.handlers]:
        made.removeHandler(handler)
        handler.close()
    for each in [*made.filters]:
        made.removeFilter(each)


def written(logger: logging.Logger, formatter: logging.Formatter | None = None) -> io.StringIO:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(PurposeFilter())
    handler.setFormatter(formatter or logging.Formatter("[%(purposes)s] %(message)s"))
    logger.addHandler(handler)
    return out


def test_a_format_names_the_active_purposes(logger: logging.Logger) -> None:
    """Nobody could tell from a log for what the code ran."""
    out = written(logger)
    logger.info("before")
    with purpose_scope(TWO_FACTOR), purpose_scope(ADVERTISING):
        logger.info("inside")
    logger.info("after")
    assert out.getvalue() == "[-] before\n[advertising,security.two_factor] inside\n[-] after\n"


def test_it_is_a_field_of_json_records(logger: logging.Logger) -> None:
    """A log store could not be asked for what was logged under a purpose."""
    out = written(logger, AsJson())
    with purpose_scope(TWO_FACTOR):
        logger.info("sent", extra={"account": 7})
    assert json.loads(out.getvalue()) == {"event": "sent", "account": 7, "purposes": "security.two_factor"}


def test_behind_a_queue_the_purposes_are_those_of_the_code_that_logged(logger: logging.Logger) -> None:
    """The thread that writes is in no scope, and would say so on every line."""
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    handler.addFilter(PurposeFilter())
    logger.addHandler(handler)
    out, behind = io.StringIO(), logging.StreamHandler()
    behind.setStream(out)
    behind.addFilter(PurposeFilter())
    behind.setFormatter(logging.Formatter("[%(purposes)s] %(message)s"))
    listener = logging.handlers.QueueListener(records, behind)
    listener.start()
    with purpose_scope(TWO_FACTOR):
        logger.info("sent")
    listener.stop()
    assert out.getvalue() == "[security.two_factor] sent\n"


def test_a_record_keeps_them_on_its_way_to_another_process(logger: logging.Logger) -> None:
    """A SocketHandler, or a queue of multiprocessing, pickles records."""
    seen: list[bytes] = []

    class Sending(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(pickle.dumps(record))

    handler = Sending()
    handler.addFilter(PurposeFilter())
    logger.addHandler(handler)
    with purpose_scope(TWO_FACTOR):
        logger.info("sent")
    assert pickle.loads(seen[0]).purposes == "security.two_factor"


def test_each_thread_logs_its_own(logger: logging.Logger) -> None:
    """A record would carry the purposes of whoever happened to log at the same time."""
    out = written(logger)

    def work() -> None:
        logger.info("elsewhere")

    with purpose_scope(TWO_FACTOR):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        logger.info("here")
    assert out.getvalue() == "[-] elsewhere\n[security.two_factor] here\n"


def test_on_a_logger_it_serves_all_its_handlers(logger: logging.Logger) -> None:
    """Where filters are put on a logger, as the standard library allows, a format would fail."""
    logger.addFilter(PurposeFilter())
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(purposes)s"))
    logger.addHandler(handler)
    with purpose_scope(TWO_FACTOR):
        logger.info("sent")
    assert out.getvalue() == "security.two_factor\n"


def test_it_is_configured_by_a_dictionary() -> None:
    """Most services configure logging by a dictionary or a file, and could not use it."""
    config = logging.config.DictConfigurator(
        {
            "version": 1,
            "filters": {"purposes": {"()": "purposebind.integrations.logging.PurposeFilter"}},
        }
    )
    made = config.configure_filter(config.config["filters"]["purposes"])
    assert isinstance(made, PurposeFilter)


def test_it_never_costs_a_line(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging in an error handler would raise a second error, and the first would be lost."""
    out = written(logger)

    def broken() -> Any:
        raise RuntimeError

    monkeypatch.setattr(integration, "active_purposes", broken)
    logger.info("sent")
    assert out.getvalue() == "[-] sent\n"


def test_a_model_in_a_line_shows_no_value(logger: logging.Logger) -> None:
    """Logs are read by more people than any other store."""
    out = written(logger)
    account = Account(phone=SECRET)
    with purpose_scope(TWO_FACTOR):
        logger.info("%s %r", account, [account])
        try:
            raise ValueError(account)
        except ValueError:
            logger.exception("failed")
    assert SECRET not in out.getvalue()
    assert "phone=<sealed: security.two_factor>" in out.getvalue()
