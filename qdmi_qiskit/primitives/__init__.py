"""`SamplerV2` and `EstimatorV2` over any device."""

from qdmi_qiskit.primitives.estimator import EstimatorV2
from qdmi_qiskit.primitives.job import PrimitiveJob
from qdmi_qiskit.primitives.sampler import SamplerV2

__all__ = ["EstimatorV2", "PrimitiveJob", "SamplerV2"]
