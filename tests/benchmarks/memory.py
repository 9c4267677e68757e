"""What an instance weighs: the bytes that the interpreter allocates for it, by tracemalloc."""

from __future__ import annotations

import gc
import tracemalloc

from figures import ACCOUNTS
from pydantic import BaseModel

__all__ = ["bytes_per_instance"]

_INSTANCES = 5_000


def bytes_per_instance() -> dict[str, int]:
    """Return the bytes of one instance, by variant: all that is allocated for it but the field values themselves."""
    models = {"baseline": ACCOUNTS.plain, "tagged": ACCOUNTS.tagged, "secret": ACCOUNTS.secret}
    return {variant: _weigh(model) for variant, model in models.items()}


def _weigh(model: type[BaseModel]) -> int:
    records = [ACCOUNTS.record(number) for number in range(_INSTANCES)]  # the values, which the instances share
    kept: list[BaseModel | None] = [model.model_validate(records[0])] * _INSTANCES
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number, data in enumerate(records):
            kept[number] = model.model_validate(data)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return round((after - before) / _INSTANCES)
