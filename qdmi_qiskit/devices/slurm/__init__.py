"""Devices inside Slurm allocations.

Names: `slurm:NAME`, where NAME is any device that can be opened on the node: `slurm:aer`,
`slurm:iqm:garnet`, a profile. Options: `SlurmOptions`; those of the device inside go into
`device_options`, or into its profile on the node.

A session is one allocation with one worker, started by `srun` and spoken to over its streams;
`detach=True` makes every job a batch job with a folder of its own. (`executor`: any function.)
"""

from qdmi_qiskit.devices.slurm.detached import DetachedJob
from qdmi_qiskit.devices.slurm.driver import SlurmDriver, driver
from qdmi_qiskit.devices.slurm.executor import executor
from qdmi_qiskit.devices.slurm.job import SlurmJob
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.devices.slurm.session import SlurmSession

__all__ = [
    "DetachedJob",
    "SlurmDriver",
    "SlurmJob",
    "SlurmOptions",
    "SlurmSession",
    "driver",
    "executor",
]
