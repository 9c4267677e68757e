"""The boundary of one model class: plain values go in, boxes are kept, plain values go out after one check.

What this module keeps:

- **R7** A validation error that leaves here was cleaned.
- **R8** A value that came in a box is as narrow afterwards as it was.
- **R10** Validators and serializers of the user's see plain values; the moment validation ends, every tagged value is
  sealed.
- **R12** A denial that pydantic wrapped on the way leaves as a denial.

An instance is *open* (plain values in its ``__dict__``) while it is validated, and so is the view that a serializer
sees. It is *sealed* once `Boundary.seal` has run: the boxes are in place and the slot that says so is set, for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import (
    BaseModel,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import MISSING, SchemaValidator

from . import config
from .cleaning import Cleaner
from .enforcement import Binding, admit
from .guards import bound, is_open, subject_of
from .inheriting import hand_down, identify, retain_anew
from .narrowing import narrowed
from .pending import pending_violation
from .recovering import Again, Raise
from .retaining import deadline_of
from .scope import current_frame
from .sealed import Marker, Sealed, ask
from .sealing import sealer
from .subjects import Subject, resolved

__all__ = ["Boundary"]

_set = object.__setattr__
_new = object.__new__
_set_values, _set_fields_set, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


class Boundary:
    """What a model class knows of its tagged fields.

    Args:
        cls: The class.
        bindings: Its tagged fields and what each is bound to, by name.
        subject: The name of its `SubjectId` field, or None.
        collected: The name of its `CollectedAt` field, or None.
        derived: The names of its cached properties.
        shown: The names and aliases of the fields whose input a validation error may show.
        keys: The name of the tagged field that each name and alias stands for.
        keyed: The tagged fields that hold mappings.
        reaching: The fields that may hold something sealed inside.

    Attributes:
        opening: Whether validation may look into a box: a validator of the user's, or pydantic where it goes through,
            hashes or compares what it is given. What is in boxes then goes in without them, at once.
        validator: The validator without the wrap, for the model's own entry points; None until the class is complete.
        direct: How it validates Python's values: its method, looked up once.
        seal: Puts every tagged value of an instance in its box, and says so.
    """

    def __init__(
        self,
        cls: type[BaseModel],
        bindings: Mapping[str, Binding],
        subject: str | None,
        derived: frozenset[str],
        shown: frozenset[str],
        keys: Mapping[str, str],
        keyed: frozenset[str] = frozenset(),
        reaching: frozenset[str] = frozenset(),
        collected: str | None = None,
    ) -> None:
        self.cls = cls
        self.bindings = dict(bindings)
        self.keys = dict(keys)
        self._cleaner = Cleaner(shown, self.keys, keyed, bool(cls.model_config.get("hide_input_in_errors")))
        self.reaching = reaching
        self.subject = subject
        self.collected = collected
        self._validates_assignment = bool(cls.model_config.get("validate_assignment"))
        self._revalidates = cls.model_config.get("revalidate_instances", "never")
        self.opening = True  # until its schema tells more
        self.validator: SchemaValidator | Any = None
        self.direct: Callable[..., Any] | None = None
        handing_down = reaching if subject is not None else frozenset[str]()
        self.seal = sealer(cls, self.bindings, subject, derived, handing_down, collected)

    def opened(self, model: Any, read: Callable[[str, Any], bool] | None = None) -> Any:
        """Return a copy of `model` with plain values, for a validator or serializer of pydantic's to work on.

        Args:
            model: A sealed instance of the class.
            read: Says of a field's name and box whether it is opened; all are without it.
        """
        values = model.__dict__.copy()
        for name in self.bindings:
            value = values.get(name)
            if value is not None and value is not MISSING and (read is None or read(name, value)):
                values[name] = value._purposebind_value if type(value) is Sealed else value
        return _view(model, values)

    def admit_all(self, model: Any) -> None:
        """Ask for every tagged field of `model` that holds something, in one order whatever they hold.

        Raises:
            PurposeViolation: One of them may not be read here.
        """
        self.seal(model)  # what was put there behind our back too
        for name in self.bindings:
            box = model.__dict__.get(name)
            if type(box) is Sealed:
                ask(box)

    def assign(self, model: Any, name: str, value: Any, assign: Callable[[str, Any], None]) -> None:
        """Set an attribute of a sealed `model` by pydantic's `assign`, and seal what was set.

        With ``validate_assignment`` pydantic validates the whole ``__dict__``: that happens to an opened copy, and
        `model` takes over what came of it.
        """
        box = value if type(value) is Sealed and name in self.bindings else None
        problem: Exception
        try:
            if not self._validates_assignment or name not in self.cls.__pydantic_fields__:
                assign(name, value)
                if name == "__dict__":
                    self.seal(model)
                elif name in self.bindings:
                    subject = Subject.ITSELF if name == self.subject else subject_of(model)
                    binding = self.bindings[name]
                    until = None if binding.policy.retain is None else deadline_of(model, binding.policy)
                    model.__dict__[name] = bound(model.__dict__[name], binding, subject, until)
                if name in self.reaching:
                    hand_down(model.__dict__.get(name), subject_of(model))
                if name in (self.subject, self.collected):
                    self.renew(model, name)
                return
            view = self.opened(model)
            view.__setattr__(name, value if box is None else box._purposebind_value)
        except ValidationError as error:
            problem = pending_violation(error) or self._cleaner.cleaned(error, model)
        else:
            self.seal(view)
            boxes = {n: box if n == name else b for n, b in model.__dict__.items()}
            self.narrow(view, boxes, renewed=name == self.collected)
            for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
                _set(model, slot, getattr(view, slot, None))
            _set(model, "_purposebind_values", view.__dict__)
            self.renew(model, name)
            return
        del value, box  # not in the locals of the traceback (R7)
        raise problem

    def renew(self, model: Any, *names: str) -> None:
        """Have what `model` holds be the data of the person, and of the time, that fields set anew tell of."""
        if self.subject in names:
            own = model.__dict__.keys() - {self.subject} - (self.reaching - self.bindings.keys())
            identify(model.__dict__, own, self.reaching, subject_of(model))
        if self.collected in names:
            retain_anew(model, self.bindings)

    def resealed(self, copied: Any, model: Any) -> Any:
        """Seal `copied`, which was made from an opened copy of `model`, and return it."""
        self.seal(copied)
        self.narrow(copied, model.__dict__)
        return copied

    def shown_as(self, name: str, value: Any) -> Any:
        """`value` as a representation may show it (R6)."""
        if config.current.revealing:
            return value._purposebind_value if type(value) is Sealed and name in self.bindings else value
        if name not in self.bindings or value is None or value is MISSING or type(value) is Sealed:
            return value
        return Marker(f"<sealed: {self.bindings[name].policy}>")

    def validate(self, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """The wrap around the model's schema, for parents, adapters and frameworks."""
        try:
            recovery: Any = self.again(value) if self.opening else None
            if recovery is None and type(value) is dict:
                result = handler(value)
                if type(result) is self.cls:
                    self.seal(result)
                    return result
                return self.sealed(result, value)
            if recovery is None:
                return self.sealed(handler(self.incoming(value)), value)
        except ValidationError as error:
            recovery = self.recovery(error, value)
        finally:
            del value  # a traceback shows the locals of this function (R7)
        return recovery(handler)

    def sealed(self, result: Any, value: Any) -> Any:
        """Return `result`, what the validation of `value` came to, sealed."""
        theirs = getattr(result, "__purpose_boundary__", None)
        if theirs is not None:
            theirs.seal(result)
        if result is not value and theirs is not None and hasattr(value, "__dict__"):
            self.narrow(result, value.__dict__)  # what it was read from, by the names and aliases of its fields
            for key, name in self.keys.items():
                if key != name and key in value.__dict__:
                    self.narrow(result, {name: value.__dict__[key]})
        return result

    def recovery(
        self, error: ValidationError, value: Any, is_json: bool = False
    ) -> Callable[[Callable[[Any], Any]], Any]:
        """Return what to do about `error`, to be called where it is handled no more, so that nothing is chained to it.

        Called with the validator, it validates again if `value` held sealed values, which are then as narrow
        afterwards as they were (R8); or else it raises the error, cleaned, or the denial that pydantic wrapped (R12).
        """
        problem = pending_violation(error) or self._cleaner.cleaned(error, value, is_json)
        return self.again(value) or Raise(problem)

    def again(self, value: Any) -> Again | None:
        """Return what validates `value` by what is in the boxes that it holds; None where it holds none."""
        boxes = self._boxes(value)
        if not boxes:
            return None
        if isinstance(value, Sealed):  # the root of a root model
            return Again(self, value._purposebind_value, boxes)
        plain = {key: item._purposebind_value if key in boxes else item for key, item in value.items()}
        return Again(self, plain, boxes)

    def incoming(self, value: Any) -> Any:
        """`value` as pydantic may look into it: an instance whose ``__dict__`` it would read is opened."""
        if type(value) is dict or not isinstance(value, BaseModel):
            return value
        theirs = getattr(value, "__purpose_boundary__", None)
        if theirs is None or is_open(value):
            return value
        if isinstance(value, self.cls):
            reads = self._revalidates == "always" or (self._revalidates != "never" and type(value) is not self.cls)
        else:
            origin = self.cls.__pydantic_generic_metadata__["origin"]
            reads = origin is not None and isinstance(value, origin)
        return theirs.opened(value) if reads else value

    def _boxes(self, value: Any) -> dict[str, Sealed[Any]]:
        if type(value) is Sealed and self.cls.__pydantic_root_model__:
            return {"root": value}
        if not isinstance(value, dict):
            return {}
        return {key: item for key, item in value.items() if type(item) is Sealed and key in self.keys}

    def narrow(self, model: Any, source: Mapping[str, Any], renewed: bool = False) -> None:
        """Have the fields of `model` stay as narrow as the boxes in `source` that they were made of (R8).

        Args:
            model: An instance of a class with tags.
            source: The boxes, by the names of the fields.
            renewed: It says another time of collection than they were made with.
        """
        values = model.__dict__
        theirs: dict[str, Binding] = getattr(model.__purpose_boundary__, "bindings", {})
        for name in theirs.keys() & source.keys():
            box, own = source[name], values.get(name)
            if type(box) is Sealed and type(own) is Sealed and box is not own:
                values[name] = narrowed(own, box, theirs[name], renewed)

    def serialize(self, model: Any, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """Serialize a view of `model`, opened where it is written out: the exact road, right for any field."""
        try:
            values = model._purposebind_values
        except AttributeError:  # open, or no model of ours at all
            return handler(model)
        theirs: Boundary | None = model.__purpose_boundary__
        if theirs is None:
            return handler(model)
        values = values.copy()
        granted = current_frame().granted
        for name in theirs.bindings:
            box = values.get(name)
            if type(box) is Sealed:
                if box._purposebind_binding.policy not in granted:  # then it matters which fields are written out
                    del values  # a refusal's traceback shows the locals of this function (R7)
                    return handler(theirs.opened(model, theirs._reading(model, info)))
                values[name] = box._purposebind_value
            elif box is not None and box is not MISSING:  # put there behind our back
                del box, values
                theirs.seal(model)
                return self.serialize(model, handler, info)
        return handler(_view(model, values))

    def _reading(self, model: Any, info: SerializationInfo) -> Callable[[str, Any], bool]:
        include, exclude = (None, None) if self.cls.__pydantic_root_model__ else (info.include, info.exclude)

        def read(name: str, value: Any) -> bool:
            if (
                (include is not None and name not in include)
                or (
                    exclude is not None and name in exclude and (not isinstance(exclude, dict) or _whole(exclude[name]))
                )
                or (info.exclude_unset and name not in model.__pydantic_fields_set__)
                or self.cls.__pydantic_fields__[name].exclude is True
            ):
                return False
            if type(value) is Sealed:
                ask(value)
            else:
                binding = self.bindings[name]
                admit(binding, resolved(subject_of(model), None), deadline_of(model, binding.policy))
            return True

        return read

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _boundary_of, (self.cls,)


def _view(model: Any, values: dict[str, Any]) -> Any:
    """Return an open instance that holds `values`, and all else of `model`."""
    view = _new(type(model))
    _set_values(view, values)
    _set_fields_set(view, model.__pydantic_fields_set__)
    if not model.__pydantic_root_model__:
        _set_extra(view, model.__pydantic_extra__)
        _set_private(view, getattr(model, "__pydantic_private__", None))
    return view


def _boundary_of(cls: Any) -> Boundary:
    boundary: Boundary = cls.__purpose_boundary__
    return boundary


def _whole(exclusion: Any) -> bool:
    return exclusion is True or exclusion is ...
