"""The suite as a whole: for pytest, for a shell, for a program.

A check is a plain function `check_<sentence>(harness)` that raises `AssertionError` with what
to do. `CHECKS` has them by their sentence, cheap ones first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.testing import (
    checks_bases,
    checks_batch,
    checks_bits,
    checks_errors,
    checks_identity,
    checks_jobs,
    checks_primitives,
    checks_spec,
    checks_sweeps,
    checks_values,
)
from qdmi_qiskit.testing.harness import Harness

Check = Callable[[Harness], None]

_GROUPS = (
    checks_spec,
    checks_bits,
    checks_sweeps,
    checks_batch,
    checks_bases,
    checks_jobs,
    checks_identity,
    checks_values,
    checks_errors,
    checks_primitives,
)

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        name.removeprefix("check_"): function
        for group in _GROUPS
        for name, function in vars(group).items()
        if name.startswith("check_")
    }
)
"""Every check by name, in the order in which they run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check ended.

    Attributes:
        name: The check, a key of `CHECKS`.
        outcome: `xfail` is a failure that was expected.
        message: What to do, or why the failure was expected; empty if passed.
    """

    name: str
    outcome: Literal["passed", "xfail", "failed"]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How all checks ended."""

    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed that was not expected to."""
        return not self.failures

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes to act upon."""
        return tuple(each for each in self.outcomes if each.outcome == "failed")

    def __str__(self) -> str:
        lines = [f"{each.outcome:7}{each.name}" for each in self.outcomes]
        return "\n".join(
            line + (f": {each.message}" if each.message else "")
            for line, each in zip(lines, self.outcomes, strict=True)
        )


def outcomes(harness: Harness) -> Iterator[Outcome]:
    """Run the checks one by one, and yield how each ended.

    Raises:
        ConfigError: `harness.xfail` names a check that there is not.
    """
    _known(harness)
    for name in CHECKS:
        yield outcome(harness, name)


def outcome(harness: Harness, name: str) -> Outcome:
    """Run one check.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in CHECKS:
        raise ConfigError(f"there is no check {name!r}{did_you_mean(name, CHECKS)}")
    reason = harness.xfail.get(name)
    try:
        CHECKS[name](harness)
    except Exception as error:  # noqa: BLE001 - the suite's boundary: every error is a verdict
        plain = isinstance(error, AssertionError)
        message = str(error) if plain else f"{type(error).__name__}: {error}"
        return (
            Outcome(name, "failed", message) if reason is None else Outcome(name, "xfail", reason)
        )
    if reason is not None:
        return Outcome(name, "failed", f"expected to fail ({reason}), but passes: remove it")
    return Outcome(name, "passed")


def check_device(harness: Harness) -> Report:
    """Run every check on a device."""
    return Report(tuple(outcomes(harness)))


def parametrize_with_checks(harness: Harness) -> Any:
    """Decorate a test that takes `(harness, check)`: one pytest case per check.

    HARNESS = Harness(open=lambda: driver.open("mock"))

    @parametrize_with_checks(HARNESS)
    def test_keeps_the_contract(harness, check):
        check(harness)
    """
    import pytest

    _known(harness)
    cases = []
    for name, function in CHECKS.items():
        reason = harness.xfail.get(name)
        marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
        cases.append(pytest.param(harness, function, id=name, marks=marks))
    return pytest.mark.parametrize(("harness", "check"), cases)


def _known(harness: Harness) -> None:
    for name in harness.xfail:
        if name not in CHECKS:
            raise ConfigError(f"xfail names no check {name!r}{did_you_mean(name, CHECKS)}")
