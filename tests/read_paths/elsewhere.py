"""Roads that start at somebody else's entry point, and may raise that library's error around the denial."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Optional, Union

import pydantic_core
from fastapi.encoders import jsonable_encoder
from purposes import TWO_FACTOR
from pydantic import BaseModel, ConfigDict, RootModel, TypeAdapter

import purposebind
from purposebind import purpose_scope

from .subjects import (
    Account,
    AnyHolder,
    AsAnyHolder,
    BaseHolder,
    HandleHolder,
    Holder,
    Optioned,
    Plain,
    PlainHolder,
    Rooted,
    SubAccount,
    TypedHolder,
    as_,
    quiet,
)


class AttributesAllowed(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    handle: str
    phone: str


# Newer versions of pydantic can be told to dump an instance by its own class.
POLYMORPHIC: dict[str, Any] = (
    {"polymorphic_serialization": True}
    if "polymorphic_serialization" in inspect.signature(BaseModel.model_dump).parameters
    else {"serialize_as_any": True}
)

# Roads that start at somebody else's entry point.
WRAPPED: dict[str, Callable[[Any], Any]] = {
    "pydantic_core.to_json": lambda a: pydantic_core.to_json(a),
    "pydantic_core.to_json in a list": lambda a: pydantic_core.to_json([a]),
    "pydantic_core.to_json serialize_unknown": lambda a: pydantic_core.to_json(a, serialize_unknown=True),
    "pydantic_core.to_jsonable_python": lambda a: pydantic_core.to_jsonable_python(a),
    "to_jsonable_python in a dict": lambda a: pydantic_core.to_jsonable_python({"a": a}),
    "to_jsonable_python fallback": lambda a: pydantic_core.to_jsonable_python(a, fallback=str),
    "to_jsonable_python of vars": lambda a: pydantic_core.to_jsonable_python(vars(copy.copy(a))),
    "to_json of a box": lambda a: pydantic_core.to_json(vars(copy.copy(a))["phone"]),
    "json.dumps default=to_jsonable_python": lambda a: json.dumps(a, default=pydantic_core.to_jsonable_python),
    "TypeAdapter dump_python": lambda a: TypeAdapter(type(a)).dump_python(a),
    "TypeAdapter dump_json": lambda a: TypeAdapter(type(a)).dump_json(a),
    "TypeAdapter dump_python mode=json": lambda a: TypeAdapter(type(a)).dump_python(a, mode="json"),
    "TypeAdapter(Any) dump_python": lambda a: TypeAdapter(Any).dump_python(a),
    "TypeAdapter(Any) dump_json": lambda a: TypeAdapter(Any).dump_json(a),
    "TypeAdapter(Any) of a box": lambda a: TypeAdapter(Any).dump_python(vars(copy.copy(a))["phone"]),
    "TypeAdapter(Any) of vars": lambda a: TypeAdapter(Any).dump_json(vars(copy.copy(a))),
    "TypeAdapter(BaseModel) as any": lambda a: TypeAdapter(BaseModel).dump_python(a, serialize_as_any=True),
    "TypeAdapter(list)": lambda a: TypeAdapter(list[type(a)]).dump_python([a]),
    "TypeAdapter(list) dump_json": lambda a: TypeAdapter(list[type(a)]).dump_json([a]),
    "TypeAdapter(dict)": lambda a: TypeAdapter(dict[str, type(a)]).dump_python({"k": a}),
    "TypeAdapter(tuple)": lambda a: TypeAdapter(tuple[type(a), ...]).dump_json((a,)),
    "TypeAdapter(Union)": lambda a: TypeAdapter(Union[Plain, type(a)]).dump_python(a),  # noqa: UP007
    "TypeAdapter(Union) dump_json": lambda a: TypeAdapter(Union[int, type(a)]).dump_json(a),  # noqa: UP007
    "TypeAdapter(Optional)": lambda a: TypeAdapter(Optional[type(a)]).dump_json(a),  # noqa: UP045
    "TypeAdapter of a dataclass": lambda a: TypeAdapter(Holder).dump_python(Holder(a)),
    "TypeAdapter of a dataclass dump_json": lambda a: TypeAdapter(Holder).dump_json(Holder(a)),
    "TypeAdapter of a TypedDict": lambda a: TypeAdapter(TypedHolder).dump_python({"item": a}),
    "TypeAdapter of a TypedDict dump_json": lambda a: TypeAdapter(TypedHolder).dump_json({"item": a}),
    "plain parent model_dump": lambda a: PlainHolder(account=as_(Account, a)).model_dump(),
    "plain parent model_dump_json": lambda a: PlainHolder(account=as_(Account, a)).model_dump_json(),
    "plain parent of a subclass instance": lambda a: PlainHolder(account=as_(SubAccount, a)).model_dump(),
    "plain parent as any": lambda a: PlainHolder(account=as_(SubAccount, a)).model_dump(serialize_as_any=True),
    "Any parent model_dump": lambda a: AnyHolder(item=a).model_dump(),
    "Any parent model_dump_json": lambda a: AnyHolder(item=a).model_dump_json(),
    "Any parent of a list": lambda a: AnyHolder(item=[a]).model_dump(),
    "Any parent of a box": lambda a: AnyHolder(item=vars(copy.copy(a))["phone"]).model_dump(),
    "Any parent of a box dump_json": lambda a: AnyHolder(item=vars(copy.copy(a))["phone"]).model_dump_json(),
    "BaseModel parent as any": lambda a: BaseHolder(item=a).model_dump(serialize_as_any=True),
    "BaseModel parent as any dump_json": lambda a: BaseHolder(item=a).model_dump_json(serialize_as_any=True),
    "SerializeAsAny parent": lambda a: AsAnyHolder(item=a).model_dump(),
    "SerializeAsAny parent dump_json": lambda a: AsAnyHolder(item=a).model_dump_json(),
    "duck-typed parent as any": lambda a: HandleHolder.model_construct(item=a).model_dump(
        serialize_as_any=True,
        warnings=False,
    ),
    "polymorphic parent": lambda a: BaseHolder(item=a).model_dump(**POLYMORPHIC),
    "polymorphic parent dump_json": lambda a: BaseHolder(item=a).model_dump_json(**POLYMORPHIC),
    "RootModel[Any] parent": lambda a: Rooted(a).model_dump(),
    "RootModel[Any] parent dump_json": lambda a: Rooted([a]).model_dump_json(),
    "RootModel[list] parent": lambda a: RootModel[list[Account]]([as_(Account, a)]).model_dump(),
    "plain parent in jsonable_encoder": lambda a: jsonable_encoder(AnyHolder(item=a)),
    "jsonable_encoder": lambda a: jsonable_encoder(a),
    "jsonable_encoder of a list": lambda a: jsonable_encoder([a]),
    "jsonable_encoder of a dataclass": lambda a: jsonable_encoder(Holder(a)),
    "jsonable_encoder include": lambda a: jsonable_encoder(a, include={"phone"}),
    "jsonable_encoder of dict()": lambda a: jsonable_encoder(dict(a)),
    "the class's own serializer": lambda a: type(a).__pydantic_serializer__.to_python(a),
    "the class's own serializer to JSON": lambda a: type(a).__pydantic_serializer__.to_json(a),
    "a serializer of BaseModel's": lambda a: BaseModel.model_dump(a),
    "a serializer of BaseModel's to JSON": lambda a: BaseModel.model_dump_json(a),
    "plain parent iterated and dumped": lambda a: [v.model_dump() for _, v in AnyHolder(item=a)],
    "plain parent's deprecated dict()": lambda a: quiet(lambda: AnyHolder(item=a).dict()),
    "plain parent's deprecated json()": lambda a: quiet(lambda: AnyHolder(item=a).json()),
    "plain parent's pickle": lambda a: pickle.dumps(AnyHolder(item=a)),
    "from_attributes": lambda a: AttributesAllowed.model_validate(a).phone,
    "from_attributes as an argument": lambda a: Plain.model_validate(a, from_attributes=True).phone,
    "from_attributes by an adapter": lambda a: TypeAdapter(AttributesAllowed).validate_python(a).phone,
    "from_attributes into a PurposeModel": lambda a: opened(Optioned.model_validate(a, from_attributes=True)),
}


def opened(subject: Any) -> Any:
    with purpose_scope(TWO_FACTOR) if not purposebind.active_purposes() else nullcontext():
        return subject.phone
