"""Any C library that implements QDMI's device interface, versions 1.2 to 1.4. No extra needed.

Names: `native:ID` with the vendor's own id, such as `native:mqt.ddsim.default`. Options:
`NativeOptions`.
"""

from qdmi_qiskit.devices.native.driver import NativeDriver, driver
from qdmi_qiskit.devices.native.job import NativeJob
from qdmi_qiskit.devices.native.options import NativeOptions
from qdmi_qiskit.devices.native.session import NativeSession

__all__ = ["NativeDriver", "NativeJob", "NativeOptions", "NativeSession", "driver"]
