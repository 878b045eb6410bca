"""Open a Braket device by name."""

from __future__ import annotations

from collections.abc import Sequence

from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.braket.options import CloudOptions, LocalOptions
from qdmi_qiskit.errors import ConfigError
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
            from qdmi_qiskit.devices.braket.local import LocalSession

            return LocalSession(locator, parse(LocalOptions, options, device=f"braket:{locator}"))
        from qdmi_qiskit.devices.braket.lookup import find
        from qdmi_qiskit.devices.braket.session import BraketSession

        chosen = parse(CloudOptions, options, device=f"braket:{locator}")
        arn, transport = find(locator, chosen)
        return BraketSession(arn, transport, chosen)

    def names(self, **options: object) -> Sequence[str]:
        """List the local simulators and what the account sees in its region."""
        from qdmi_qiskit.devices.braket.lookup import connect, devices, plain, usable

        chosen = parse(CloudOptions, options, device="braket")
        transport = connect(chosen, chosen.region)
        try:
            listed = [entry for entry in devices(transport) if usable(entry)]
        finally:
            transport.close()
        found = sorted(str(e["deviceName"]).lower().replace(" ", "-") for e in listed)
        return (*LOCAL, *(name for name in dict.fromkeys(found) if plain(name)))


driver = BraketDriver()
