"""Qiskit Aer: the embedded default. No account, no network, ideal or noisy.

Names: `aer` and `aer:METHOD` with one of Aer's simulation methods. Options: `AerOptions`.
"""

from qdmi_qiskit.devices.aer.driver import AerDriver, driver
from qdmi_qiskit.devices.aer.job import AerJob
from qdmi_qiskit.devices.aer.options import AerOptions
from qdmi_qiskit.devices.aer.session import AerSession

__all__ = ["AerDriver", "AerJob", "AerOptions", "AerSession", "driver"]
