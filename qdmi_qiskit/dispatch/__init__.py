"""Several primitives as one: split, sent, watched, merged.

from qdmi_qiskit.dispatch import DispatchSampler, SplitShots
group = DispatchSampler(["aer", "iqm:garnet"], SplitShots("fidelity"), optimization_level=2)
print(group.plan([circuit], shots=10_000).table())
counts = group.run([circuit], shots=10_000).result()[0].join_data().get_counts()
"""

from qdmi_qiskit.dispatch.job import DispatchJob
from qdmi_qiskit.dispatch.members import Member
from qdmi_qiskit.dispatch.merge import DisagreementWarning, total_variation
from qdmi_qiskit.dispatch.plan import Plan
from qdmi_qiskit.dispatch.policies import (
    Cheapest,
    Policy,
    Race,
    Replicate,
    SplitPubs,
    SplitShots,
)
from qdmi_qiskit.dispatch.primitives import DispatchEstimator, DispatchSampler
from qdmi_qiskit.dispatch.shards import Shard, State
from qdmi_qiskit.dispatch.table import Table

__all__ = [
    "Cheapest",
    "DisagreementWarning",
    "DispatchEstimator",
    "DispatchJob",
    "DispatchSampler",
    "Member",
    "Plan",
    "Policy",
    "Race",
    "Replicate",
    "Shard",
    "SplitPubs",
    "SplitShots",
    "State",
    "Table",
    "total_variation",
]
