"""Any C library that implements QDMI's device interface, versions 1.2 to 1.4. No extra needed.

Names: `native:ID` with the vendor's own id, such as `native:mqt.ddsim.default`. Options:
`options.NativeOptions`. Neither Qiskit nor pydantic is imported before circuits or options come.
"""

from qdmi_qiskit.devices.native.driver import NativeDriver, driver
from qdmi_qiskit.devices.native.job import NativeJob
from qdmi_qiskit.devices.native.session import NativeSession

__all__ = ["NativeDriver", "NativeJob", "NativeSession", "driver"]
