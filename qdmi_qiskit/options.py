"""Typed options for plug-ins: a model per device, and one error for all that is wrong.

class LabOptions(DeviceOptions):
    url: str
    token: Secret | None = None
    timeout: float = Field(default=30.0, gt=0)

options = parse(LabOptions, given, device="lab")
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.secret import guarded, is_secret

T = TypeVar("T", bound="DeviceOptions")


class DeviceOptions(BaseModel):
    """Base of a device's options: unknown names are refused, values do not change.

    A secret is a field of type `qdmi_qiskit.config.Secret`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


def parse(model: type[T], given: Mapping[str, object], *, device: str) -> T:
    """Return `given` as a `model`.

    Args:
        model: What the device takes.
        given: Option names and values.
        device: The device's name, for the message.

    Raises:
        ConfigError: Names are unknown or missing, values of the wrong type or out of bounds,
            or a secret is given literally. One error for all of them; shows no secret.
    """
    home = os.environ.get("HOME")
    values = {key: guarded(key, value, device, home) for key, value in given.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_problem(model, dict(each)) for each in error.errors(include_url=False)]
        raise ConfigError(f"{device}: {'; '.join(dict.fromkeys(problems))}") from error


def _problem(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    parts = [str(part) for part in error["loc"]]
    path = ".".join(parts)
    if error["type"] == "extra_forbidden":
        # The value of an unknown name may be a mistyped secret: it is not shown.
        return f"unknown option {path!r}{did_you_mean(parts[-1], _names(model, parts[:-1]))}"
    if error["type"] == "missing":
        return f"option {path!r} is missing"
    message = error["msg"]
    for opening in ("Input should be ", "Value error, ", "Assertion failed, "):
        message = message.removeprefix(opening)
    if not parts:
        return f"the options do not go together: {message}"
    if any(is_secret(part) for part in parts):
        message = "a secret of another kind" if "error" in error["type"] else message
        return f"option {path!r} is wrong (not shown); wanted {message}"
    return f"option {path!r} is {reprlib.repr(error['input'])}; wanted {message}"


def _names(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the options at `path`, which leads through nested models."""
    fields = model.model_fields
    if not path:
        return [field.alias or name for name, field in fields.items()]
    inner = fields[path[0]].annotation if path[0] in fields else None
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return _names(inner, path[1:])
    return []
