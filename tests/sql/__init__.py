"""Statements against a tagged schema: a table of them, written by hand, and a fuzzer with oracles that are not ours."""
