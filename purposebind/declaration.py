"""What a model class may declare: the checks that need the class and its raw annotations.

- **R9** A tag on a ClassVar or a private attribute protects nothing, and is refused when the class is defined.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from typing_extensions import Format, get_annotations

from .errors import PolicyError
from .tags import AllowedFor

__all__ = ["check_declaration", "could_be_tagged"]


def check_declaration(cls: Any) -> None:
    """Refuse tags of `cls` that stand on something that is no field.

    Raises:
        PolicyError: A ClassVar or private attribute carries a tag; or it is a table of SQLModel's, made by hand.
    """
    if cls.model_config.get("table") and "__purpose_keyword__" not in vars(cls) and could_be_tagged(cls):
        raise PolicyError(
            f"{cls.__name__} is a table model of SQLModel's and a PurposeModel: its columns would stay open. Inherit "
            "from purposebind.integrations.sqlmodel.PurposeSQLModel instead of both."
        )
    for name, annotation in _raw_annotations(cls).items():
        kind = (
            "ClassVar"
            if name in cls.__class_vars__
            else "private attribute"
            if name in cls.__private_attributes__
            else ""
        )
        if kind and _holds_tag(annotation, cls):
            raise PolicyError(
                f"{cls.__name__}.{name} is a {kind}, which nothing guards: a tag on it would protect nothing. Two ways "
                "out:\n"
                "  - make it a field of the PurposeModel;\n"
                "  - or keep the value in a box, made with Sealed.of(value, AllowedFor(...)), and leave the tag off."
            )


def could_be_tagged(cls: Any) -> bool:
    """Whether an unfinished class has, as far as can be seen, a tagged field."""
    return any(
        _holds_tag(annotation, base)
        for base in cls.__mro__
        if getattr(base, "__purpose_model__", False)
        for annotation in _raw_annotations(base).values()
    )


def _raw_annotations(cls: Any) -> Mapping[str, Any]:
    return get_annotations(cls, format=Format.FORWARDREF)


def _holds_tag(annotation: Any, cls: Any) -> bool:
    if isinstance(annotation, str):
        module = sys.modules.get(cls.__module__)
        try:
            annotation = eval(annotation, dict(vars(module)) if module else {}, dict(vars(cls)))
        except Exception:  # not defined yet, or local to a function: the name of the tag is all there is to go by
            return "AllowedFor" in annotation
    if isinstance(annotation, AllowedFor):
        return True
    parts = (*getattr(annotation, "__metadata__", ()), *getattr(annotation, "__args__", ()))
    return any(_holds_tag(part, cls) for part in parts if not isinstance(part, str)) or any(
        _holds_tag(part, cls) for part in parts if isinstance(part, str) and "AllowedFor" in part
    )
