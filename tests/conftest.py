"""What every test starts from: the default configuration, and nothing warned about yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from purposebind import config, enforcement

# They kill, or fail, at every step there is, or start a browser or a database server: minutes, and the same on each
# version of Python and pydantic. `.ci/run` runs them on one, by the README's test command.
EXHAUSTIVE = {
    "test_celery_workers",
    "test_consents_sql",
    "test_coverage_command",
    "test_fastapi_sockets",
    "test_ledger_compaction",
    "test_ledger_forks",
    "test_ledger_kills",
    "test_inventory",
    "test_inventory_fides",
    "test_ledger_questions",
    "test_lock",
    "test_lock_conditions",
    "test_lock_holes",
    "test_mypy_agrees",
    "test_mypy_cases",
    "test_mypy_projects",
    "test_otel_services",
    "test_postgres_async",
    "test_postgres_attacks",
    "test_postgres_check",
    "test_postgres_collected",
    "test_postgres_commands",
    "test_postgres_ddl",
    "test_postgres_loader",
    "test_postgres_page",
    "test_postgres_roles",
    "test_report_page",
    "test_service_adoption",
    "test_service_behaviour",
    "test_service_postgres",
    "test_service_redis",
    "test_ship_command",
    "test_shipping",
    "test_shipping_crashes",
    "test_shipping_fleet",
    "test_simulate",
    "test_site",
    "test_site_browser",
    "test_sql_fuzz",
    "test_sql_statements",
    "test_sqlalchemy_drivers",
    "test_sqlalchemy_drivers_async",
    "test_sqlalchemy_drivers_roads",
    "test_sqlalchemy_services",
    "test_sqlalchemy_services_tables",
    "test_suggest",
    "test_suggest_samples",
}


# What stands on the core's public names, and on other libraries: how it behaves changes with these, and little with the
# version of pydantic. .ci/run leaves it out on some combinations.
EDGES = (
    "test_canaries",
    "test_celery",
    "test_collected_database",
    "test_command_page",
    "test_consents_sql",
    "test_coverage_command",
    "test_demo",
    "test_docs",
    "test_effective_purposes",
    "test_fastapi",
    "test_inventory",
    "test_ledger",
    "test_lock",
    "test_logging",
    "test_mypy",
    "test_otel",
    "test_postgres",
    "test_pytest_plugin",
    "test_report",
    "test_retention_database",
    "test_sentry",
    "test_service",
    "test_ship",
    "test_simulate",
    "test_site",
    "test_sql",
    "test_structlog",
    "test_suggest",
    "test_telemetry",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that take long, and those of what is no part of the core."""
    for item in items:
        stem = Path(item.path).stem
        if stem in EXHAUSTIVE:
            item.add_marker("exhaustive")
        if stem.startswith(EDGES):
            item.add_marker("edge")


@pytest.fixture(autouse=True)
def _default_configuration() -> Iterator[None]:
    """Without it a test that observes would let the tests after it read anything."""
    config.install(config.Configuration())
    enforcement._warned.clear()
    yield
    config.install(config.Configuration())
    enforcement._warned.clear()
