"""Open an IQM quantum computer by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qdmi_qiskit.devices.iqm.auth import Tokens
from qdmi_qiskit.devices.iqm.options import IQMOptions, options_from
from qdmi_qiskit.devices.iqm.session import IQMSession
from qdmi_qiskit.devices.iqm.wire import Wire
from qdmi_qiskit.errors import ConfigError, ProtocolError, did_you_mean


class IQMDriver:
    """`iqm:ALIAS`, `iqm:ID`, or `iqm:` where the server has one quantum computer only."""

    def open(self, locator: str, **options: object) -> IQMSession:
        """Return a session on one quantum computer."""
        parsed = options_from(options, locator)
        wire = _wire(parsed)
        try:
            computer = chosen(_computers(wire), parsed.quantum_computer)
            return IQMSession(wire, computer, parsed)
        except BaseException:
            wire.close()
            raise

    def names(self, **options: object) -> Sequence[str]:
        """List the quantum computers of the server, by alias."""
        wire = _wire(options_from(options, ""))
        try:
            return tuple(str(each["alias"]) for each in _computers(wire))
        finally:
            wire.close()


def _wire(options: IQMOptions) -> Wire:
    return Wire(options.url, Tokens(options.token, options.tokens_file), options.timeout)


def _computers(wire: Wire) -> Sequence[Mapping[str, Any]]:
    answer, _ = wire.get("quantum-computers")
    found = answer.get("quantum_computers") if isinstance(answer, Mapping) else answer
    if not isinstance(found, list):
        raise ProtocolError("the server's list of quantum computers cannot be read: report it")
    return [each for each in found if isinstance(each, Mapping) and each.get("alias")]


def chosen(computers: Sequence[Mapping[str, Any]], name: str | None) -> Mapping[str, Any]:
    """Return the computer of an alias or id; without a name the only one there is.

    Raises:
        ConfigError: There is none of that name, or none was given and there are several.
    """
    aliases = [str(each["alias"]) for each in computers]
    if name is None:
        if len(computers) == 1:
            return computers[0]
        names = ", ".join(f"'iqm:{alias}'" for alias in aliases) or "none"
        raise ConfigError(f"'iqm:' does not say which quantum computer; this server has: {names}")
    for each in computers:
        if name in (each["alias"], each.get("id")):
            return each
    raise ConfigError(f"this server has no quantum computer {name!r}{did_you_mean(name, aliases)}")


driver = IQMDriver()
