"""Error mitigation around V2 primitives: stages that compose in one order and tell what they did.

`MitigatedEstimator(EstimatorV2(backend), ["zne", "twirl", "readout"])` is a `BaseEstimatorV2`, and
so may be what is inside it.
"""

from qdmi_qiskit.mitigation.around import DEFAULT
from qdmi_qiskit.mitigation.decoupling import DD
from qdmi_qiskit.mitigation.estimator import MitigatedEstimator
from qdmi_qiskit.mitigation.folding import ZNE
from qdmi_qiskit.mitigation.readout import Readout
from qdmi_qiskit.mitigation.registry import names
from qdmi_qiskit.mitigation.sampler import MitigatedSampler
from qdmi_qiskit.mitigation.selection import PostSelect
from qdmi_qiskit.mitigation.stage import Context, Item, Outcome, Stage
from qdmi_qiskit.mitigation.twirl import Twirl

__all__ = [
    "DD",
    "DEFAULT",
    "ZNE",
    "Context",
    "Item",
    "MitigatedEstimator",
    "MitigatedSampler",
    "Outcome",
    "PostSelect",
    "Readout",
    "Stage",
    "Twirl",
    "names",
]
