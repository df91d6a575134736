"""botocore's own description of the Batch API, and what is checked against it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

from swell.sandbox.batch.entities import Document
from swell.sandbox.batch.refusal import Refused

LONGEST_BODY = {"SubmitJob": 30 * 1024, "RegisterJobDefinition": 24 * 1024}
"""Bytes of a request."""

_Check = Callable[[Any, str], str | None]
# Named as required by the model; a job that never started has none.
_SOMETIMES_ABSENT = {("JobDetail", "startedAt")}
_NUMBERS = {"integer": (int,), "long": (int,), "double": (int, float), "float": (int, float)}


class ApiModel:
    """Which call is meant, whether it is well-formed, and whether an answer is."""

    def __init__(self) -> None:
        described = Loader().load_service_model("batch", "service-2")
        self._model = ServiceModel(described, "batch")
        self._checks: dict[str, _Check] = {}
        self._routes: list[tuple[str, re.Pattern[str], OperationModel]] = []
        self._fixed: dict[tuple[str, str], OperationModel] = {}
        for name in self._model.operation_names:
            operation = self._model.operation_model(name)
            method, path = operation.http["method"], operation.http["requestUri"]
            if "{" in path:
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^?]+)", path)
                self._routes.append((method, re.compile(pattern), operation))
            else:
                self._fixed[(method, path)] = operation

    def request(self, method: str, target: str, body: bytes) -> tuple[str, Document]:
        """The operation's name and its parameters; raises Refused where they are not right."""
        url = urlsplit(target)
        operation, given = self._route(method, url.path)
        name: str = operation.name
        longest = LONGEST_BODY.get(name)
        if longest is not None and len(body) > longest:
            raise Refused(f"The request has {len(body)} bytes; {name} takes at most {longest}.")
        request: Document = {}
        if body.strip():
            try:
                request = msgspec.json.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise Refused(f"The request is no JSON: {error}.") from None
        shape = operation.input_shape
        if isinstance(request, dict):
            request.update(given)
            request.update(_query(shape, url.query))
        self.check_request(name, request)
        return name, request

    def check_request(self, operation: str, request: Any) -> None:
        """Refuse parameters that are not as the model of ``operation`` says."""
        if operation not in self._model.operation_names:
            raise Refused(f"AWS Batch has no operation {operation}.", status=404)
        shape = self._model.operation_model(operation).input_shape
        wrong = self._checked(shape)(request, "")
        if wrong:
            raise Refused(f"Error executing request, Exception : {wrong}")

    def wrong_with_answer(self, operation: str, answer: Document) -> str | None:
        """What in an answer of ours is not as the model says; None: nothing."""
        shape = self._model.operation_model(operation).output_shape
        return self._checked(shape)(answer, "")

    def _route(self, method: str, path: str) -> tuple[OperationModel, Document]:
        operation = self._fixed.get((method, path))
        if operation is not None:
            return operation, {}
        for wanted, pattern, found in self._routes:
            match = pattern.fullmatch(path)
            if match and wanted == method:
                return found, {name: unquote(text) for name, text in match.groupdict().items()}
        raise Refused(f"AWS Batch has no operation {method} {path}.", status=404)

    # --- checks, made once for each shape ------------------------------------

    def _checked(self, shape: Shape) -> _Check:
        found = self._checks.get(shape.name)
        if found is None:
            # Shapes hold each other: the name is known before its check is made.
            self._checks[shape.name] = lambda value, path: self._checks[shape.name](value, path)
            found = self._checks[shape.name] = self._make(shape)
        return found

    def _make(self, shape: Shape) -> _Check:
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            return _list(self._checked(shape.member), _limits(shape))
        if kind == "map":
            return _map(self._checked(shape.value))
        if kind == "string":
            return _string(frozenset(shape.enum), _limits(shape))
        if kind == "boolean":
            return _boolean
        return _number(_NUMBERS[kind], _limits(shape))

    def _structure(self, shape: StructureShape) -> _Check:
        members = {name: self._checked(member) for name, member in shape.members.items()}
        required = [
            name for name in shape.required_members if (shape.name, name) not in _SOMETIMES_ABSENT
        ]

        def check(value: Any, path: str) -> str | None:
            if type(value) is not dict:
                return f"{path or 'The request'} must be an object."
            for name in required:
                if name not in value:
                    return f"{_under(path, name)} is required."
            for name, item in value.items():
                member = members.get(name)
                if member is None:
                    return f"{_under(path, name)} is no member of {shape.name}."
                wrong = member(item, _under(path, name))
                if wrong:
                    return wrong
            return None

        return check


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _limits(shape: Shape) -> tuple[float | None, float | None]:
    return shape.metadata.get("min"), shape.metadata.get("max")


def _outside(size: float, limits: tuple[float | None, float | None]) -> bool:
    low, high = limits
    return (low is not None and size < low) or (high is not None and size > high)


def _list(member: _Check, limits: tuple[float | None, float | None]) -> _Check:
    def check(value: Any, path: str) -> str | None:
        if type(value) is not list:
            return f"{path} must be a list."
        if _outside(len(value), limits):
            return f"{path} must have {limits[0]} to {limits[1]} entries, got {len(value)}."
        for place, item in enumerate(value):
            wrong = member(item, f"{path}[{place}]")
            if wrong:
                return wrong
        return None

    return check


def _map(member: _Check) -> _Check:
    def check(value: Any, path: str) -> str | None:
        if type(value) is not dict:
            return f"{path} must be an object."
        for name, item in value.items():
            wrong = member(item, f"{path}.{name}")
            if wrong:
                return wrong
        return None

    return check


def _string(enum: frozenset[str], limits: tuple[float | None, float | None]) -> _Check:
    def check(value: Any, path: str) -> str | None:
        if type(value) is not str:
            return f"{path} must be a string."
        if enum and value not in enum:
            return f"{path} must be one of {', '.join(sorted(enum))}, got {value[:80]}."
        if _outside(len(value), limits):
            return f"{path} must have {limits[0]} to {limits[1]} characters, got {len(value)}."
        return None

    return check


def _boolean(value: Any, path: str) -> str | None:
    return None if type(value) is bool else f"{path} must be true or false."


def _number(kinds: tuple[type, ...], limits: tuple[float | None, float | None]) -> _Check:
    def check(value: Any, path: str) -> str | None:
        if type(value) not in kinds:
            return f"{path} must be a number."
        if _outside(value, limits):
            return f"{path} must be between {limits[0]} and {limits[1]}, got {value}."
        return None

    return check


def _query(shape: StructureShape, query: str) -> Document:
    given = parse_qs(query)
    found: Document = {}
    for name, member in shape.members.items():
        if member.serialization.get("location") == "querystring":
            values = given.get(member.serialization.get("name", name))
            if values is not None:
                found[name] = values if member.type_name == "list" else values[0]
    return found
