"""Devices that are wrong in one way each, to test the suite itself.

`MUTANTS` maps each fault, in one sentence, to a mutant and the check that has to fail on it.
All are made by `Wrong`, which passes the whole suite as long as nothing is overridden.
"""

from qdmi_qiskit.testing.broken import batches, jobs, outcomes, specs, values
from qdmi_qiskit.testing.broken.wrong import MUTANTS, SECRET, Mutant, Wrong, good

_GROUPS = (specs, outcomes, batches, jobs, values)  # importing them registers their mutants

__all__ = ["MUTANTS", "SECRET", "Mutant", "Wrong", "good"]
