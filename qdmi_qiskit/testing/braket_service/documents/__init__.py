"""Devices of the service, from synthetic capability documents of the real shape."""

from __future__ import annotations

from qdmi_qiskit.testing.braket_service.documents.cepheus import cepheus
from qdmi_qiskit.testing.braket_service.documents.forte import forte
from qdmi_qiskit.testing.braket_service.documents.garnet import garnet
from qdmi_qiskit.testing.braket_service.documents.parts import Device
from qdmi_qiskit.testing.braket_service.documents.simulators import dm1, sv1

__all__ = ["Device", "cepheus", "devices", "dm1", "forte", "garnet", "sv1"]


def devices() -> dict[str, Device]:
    """Return fresh devices by a short name: sv1, dm1, garnet, cepheus, forte."""
    return {
        "sv1": sv1(),
        "dm1": dm1(),
        "garnet": garnet(),
        "cepheus": cepheus(),
        "forte": forte(),
    }
