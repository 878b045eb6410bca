"""Open a Braket device by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.braket.options import CloudOptions, LocalOptions
from qdmi_qiskit.errors import ConfigError, MissingPluginError
from qdmi_qiskit.options import parse

LOCAL = ("local", "local-dm")


class BraketDriver:
    """`braket:NAME`, with the name or ARN of a device, or `local`, or `local-dm`."""

    def open(self, locator: str, **options: object) -> Session:
        """Return a session. Only what the device needs is imported."""
        if not locator:
            raise ConfigError(
                "which Braket device? Write 'braket:sv1', 'braket:garnet', 'braket:<ARN>' or "
                "'braket:local'; 'qdmi devices --scheme braket' lists them"
            )
        if locator in LOCAL:
            here = parse(LocalOptions, options, device=f"braket:{locator}")
            with _needed("amazon-braket-sdk"):
                from qdmi_qiskit.devices.braket.local import LocalSession
            return LocalSession(locator, here)
        chosen = parse(CloudOptions, options, device=f"braket:{locator}")
        with _needed("boto3"):
            from qdmi_qiskit.devices.braket.lookup import find
            from qdmi_qiskit.devices.braket.session import BraketSession
        arn, transport = find(locator, chosen)
        return BraketSession(arn, transport, chosen)

    def names(self, **options: object) -> Sequence[str]:
        """List the local simulators and what the account sees in its region."""
        chosen = parse(CloudOptions, options, device="braket")
        with _needed("boto3"):
            from qdmi_qiskit.devices.braket.lookup import connect, devices, usable
        transport = connect(chosen, chosen.region)
        try:
            listed = [entry for entry in devices(transport) if usable(entry)]
        finally:
            transport.close()
        found = sorted(str(e["deviceName"]).lower().replace(" ", "-") for e in listed)
        return (*LOCAL, *dict.fromkeys(found))


@contextmanager
def _needed(package: str) -> Iterator[None]:
    """Say what to install where a package is missing; the other half may do without it."""
    try:
        yield
    except ImportError as error:
        raise MissingPluginError(
            f"this needs {package} ({error}): pip install 'qdmi-qiskit[braket]'"
        ) from error


driver = BraketDriver()
