"""A small shop: accounts with two-factor login, orders, and a little advertising."""
