"""Pictures of devices and results, with matplotlib (extra `plot`), loaded when one is drawn.

Every function draws on `ax` (`axes`, where it draws several), or on a new figure, and returns them.
"""

from qdmi_qiskit.plot.devices import calibration_history, device_map, positions
from qdmi_qiskit.plot.results import configurations, convergence, error_against_size

__all__ = [
    "calibration_history",
    "configurations",
    "convergence",
    "device_map",
    "error_against_size",
    "positions",
]
