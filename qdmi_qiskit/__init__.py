"""Run Qiskit circuits on any device by name.

    from qdmi_qiskit import QDMIProvider, SamplerV2
    backend = QDMIProvider().get_backend("aer")

Importing the package imports neither Qiskit nor any vendor; each name below loads what it
needs when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdmi_qiskit.backend import QDMIBackend
    from qdmi_qiskit.primitives import EstimatorV2, SamplerV2
    from qdmi_qiskit.provider import QDMIProvider

__version__ = "0.1.0"
__all__ = ["EstimatorV2", "QDMIBackend", "QDMIProvider", "SamplerV2", "__version__"]

_HOMES = {
    "EstimatorV2": "qdmi_qiskit.primitives",
    "QDMIBackend": "qdmi_qiskit.backend",
    "QDMIProvider": "qdmi_qiskit.provider",
    "SamplerV2": "qdmi_qiskit.primitives",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
