"""What every test starts from: the default configuration, and nothing warned about yet."""

from collections.abc import Iterator

import pytest

from purposebind import config, enforcement


@pytest.fixture(autouse=True)
def _default_configuration() -> Iterator[None]:
    """Without it a test that observes would let the tests after it read anything."""
    config.install(config.Configuration())
    enforcement._warned.clear()
    yield
    config.install(config.Configuration())
    enforcement._warned.clear()
