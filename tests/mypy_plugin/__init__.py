"""The cases of the mypy plugin, and what runs them."""
