"""Any command against the service: what `qdmi rehearse braket:garnet -- COMMAND` does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.testing.braket_service.documents import Device
from qdmi_qiskit.testing.braket_service.service import BraketService


def rehearse(
    locator: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = 3600.0,
    **options: Any,
) -> int:
    """Run a command whose environment points every AWS client at a service of its own.

    Args:
        locator: A device of the service, by short name, name or ARN, with or without `braket:`;
            it decides the region.
        command: The command and its arguments.
        environment: Further variables of the command.
        timeout: Seconds after which the command is killed; None: never.
        options: Of `BraketService`.

    Returns:
        The exit status of the command; 124 if it was killed for its time.

    Raises:
        ConfigError: The service has no such device.
    """
    lifetime = 86_400.0 if timeout is None else timeout + 60
    with BraketService(lifetime=lifetime, **options) as service:
        region = found(service.devices, locator).regions[0]
        wanted = {**service.environment(region), **(environment or {})}
        try:
            return subprocess.run(  # noqa: S603 - running the user's command is the purpose
                list(command), env=wanted, timeout=timeout, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return 124


@contextmanager
def separate(*arguments: str) -> Iterator[dict[str, str]]:
    """Start the service in a process of its own, for measurements and for tests of clients.

    Args:
        arguments: Of `python -m qdmi_qiskit.testing.braket_service`.

    Yields:
        The variables that point a client at it. The process ends with the context, with this
        process, or after its lifetime.
    """
    command = [sys.executable, "-m", "qdmi_qiskit.testing.braket_service", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if process.stdout is None or not (line := process.stdout.readline()):
                raise ConfigError(f"the loopback Braket did not start: {' '.join(command)}")
            yield json.loads(line)
        finally:
            if process.stdin is not None:
                process.stdin.close()


def found(devices: Mapping[str, Device], locator: str) -> Device:
    """Return a device by short name, name or ARN.

    Raises:
        ConfigError: There is none.
    """
    locator = locator.removeprefix("braket:")
    for short, device in devices.items():
        names = (short, device.name.lower(), device.name.lower().replace(" ", "-"))
        if locator.lower() in names or locator == device.arn:
            return device
    known = ", ".join(devices)
    raise ConfigError(f"no device {locator!r} in the loopback Braket; it has {known}")
