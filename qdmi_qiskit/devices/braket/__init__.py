"""Amazon Braket: every device of the service, and the simulators of its SDK on this machine.

Names: `braket:NAME` with the name of a device (`sv1`, `garnet`) or its ARN, `braket:local`,
`braket:local-dm`. The cloud needs `boto3` alone; the local simulators come from
`amazon-braket-sdk`, which is imported only for them. Options: `CloudOptions`, `LocalOptions`.
"""

from qdmi_qiskit.devices.braket.driver import BraketDriver, driver
from qdmi_qiskit.devices.braket.options import CloudOptions, LocalOptions

__all__ = ["BraketDriver", "CloudOptions", "LocalOptions", "driver"]
