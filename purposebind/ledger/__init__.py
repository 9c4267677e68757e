"""The ledger: whose data was read, for what, by which code. Needs the extra ``ledger`` for its questions."""
