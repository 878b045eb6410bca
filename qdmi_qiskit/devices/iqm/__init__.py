"""IQM quantum computers, over the IQM Server API.

Names: `iqm:ALIAS`, `iqm:ID`, and `iqm:` where the server has one only. Options: `IQMOptions`.
"""

from qdmi_qiskit.devices.iqm.driver import IQMDriver, driver
from qdmi_qiskit.devices.iqm.job import IQMJob
from qdmi_qiskit.devices.iqm.options import IQMOptions
from qdmi_qiskit.devices.iqm.session import IQMSession

__all__ = ["IQMDriver", "IQMJob", "IQMOptions", "IQMSession", "driver"]
