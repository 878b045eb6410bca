"""Amazon Braket on loopback: the real wire, a real simulator, faults on demand.

    from qdmi_qiskit.testing.braket_service import BraketService

    with BraketService() as service, service.activated("eu-north-1"):
        device = AwsDevice("arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet")  # unmodified SDK
        boto3.client("braket").search_devices(filters=[])

    service.environment("us-east-1")             # the same, for another process
    service.devices["garnet"].status = "OFFLINE"
    service.devices["garnet"].queue[0] = ("QUANTUM_TASKS_QUEUE", ">4000", "Normal")
    service.faults.drop("CreateQuantumTask", accepted=True)   # the answer is lost
    service.hold("QUEUED"); service.release()    # a queue without end
    service.restart()                            # connections go, tasks stay
    service.tasks_per_token                      # how many tasks each client token has created

Braket (REST-JSON), S3 and STS answer on one port, told apart by the signature; regions are read
from it too. Nothing leaves 127.0.0.1 and no credentials of anyone are needed. It needs
`amazon-braket-sdk` (imported when the first task comes), for its parser and its simulators.
Devices: `documents`; in pytest: `fixture.braket_service`; a command: `rehearse.rehearse`;
in a process of its own: `rehearse.separate` or `python -m qdmi_qiskit.testing.braket_service`.
"""

from qdmi_qiskit.testing.braket_service.documents import Device, devices
from qdmi_qiskit.testing.braket_service.faults import Faults
from qdmi_qiskit.testing.braket_service.service import BraketService, Call
from qdmi_qiskit.testing.braket_service.tasks import Task

__all__ = ["BraketService", "Call", "Device", "Faults", "Task", "devices"]
