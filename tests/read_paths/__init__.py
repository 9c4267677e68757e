"""The roads that tests/test_read_paths.py takes: for each kind a table of functions, by the name of the road."""

import pytest

# Pytest rewrites assertions so that they say what they were about. That must not reveal anything either (R6, R7).
pytest.register_assert_rewrite("read_paths.errors", "read_paths.representations")
