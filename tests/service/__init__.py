"""A real service: an invented shop before purposebind and after, and what the tests and the page do with it."""
