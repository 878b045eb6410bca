"""What can be said about an Aer simulator, checked before anything runs."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field

from qdmi_qiskit.options import DeviceOptions

Method = Literal[
    "automatic",
    "statevector",
    "density_matrix",
    "stabilizer",
    "matrix_product_state",
    "extended_stabilizer",
    "tensor_network",
]
METHODS: tuple[str, ...] = get_args(Method)
"""Aer's methods that sample. `unitary` and `superop` compute matrices, not outcomes."""

Count = int | None


class AerOptions(DeviceOptions):
    """Options of `aer:`. Those that are not described here go to `AerSimulator` as they are.

    Attributes:
        method: Simulation method; `automatic` lets Aer choose per circuit.
        device: `CPU`, or `GPU` where the installed Aer has it. In a profile, where `device`
            names the backend, write `processor`.
        processor: The same as `device`.
        precision: Of the amplitudes.
        num_qubits: Width of the device; Aer's own limit if not given.
        sample_states: Where a circuit is noiseless and random only at its end, simulate it once
            and draw all shots from its state: statistically the same, several times faster.
            False lets Aer draw every shot, so that a seed gives Aer's own outcomes.
        noise: A recorded device whose figures become noise: the path of a JSON file
            (`replay:FILE` means the same), a `DeviceSpec`, or an Aer `NoiseModel`.
    """

    method: Method = "automatic"
    device: Literal["CPU", "GPU", "Thrust"] = "CPU"
    processor: Literal["CPU", "GPU", "Thrust"] | None = None
    precision: Literal["double", "single"] = "double"
    num_qubits: int | None = Field(default=None, ge=1)
    sample_states: bool = True
    noise: Any = None

    enable_truncation: bool = True
    zero_threshold: float = Field(default=1e-10, ge=0)
    validation_threshold: float | None = Field(default=None, gt=0)
    chop_threshold: float = Field(default=1e-8, ge=0)
    max_parallel_threads: Count = Field(default=None, ge=0)
    max_parallel_experiments: Count = Field(default=None, ge=0)
    max_parallel_shots: Count = Field(default=None, ge=0)
    max_memory_mb: Count = Field(default=None, ge=0)
    max_job_size: Count = Field(default=None, ge=1)
    max_shot_size: Count = Field(default=None, ge=1)
    fusion_enable: bool = True
    fusion_verbose: bool = False
    fusion_max_qubit: Count = Field(default=None, ge=1)
    fusion_threshold: Count = Field(default=None, ge=1)
    accept_distributed_results: bool | None = None
    cuStateVec_enable: bool = False  # noqa: N815 - Aer's name
    blocking_qubits: Count = Field(default=None, ge=1)
    blocking_enable: bool = False
    chunk_swap_buffer_qubits: Count = Field(default=None, ge=1)
    batched_shots_gpu: bool = False
    batched_shots_gpu_max_qubits: int = Field(default=16, ge=1)
    num_threads_per_device: int = Field(default=1, ge=1)
    shot_branching_enable: bool = False
    shot_branching_sampling_enable: bool = False
    statevector_parallel_threshold: int = Field(default=14, ge=1)
    statevector_sample_measure_opt: int = Field(default=10, ge=1)
    stabilizer_max_snapshot_probabilities: int = Field(default=32, ge=1)
    extended_stabilizer_sampling_method: Literal[
        "metropolis", "resampled_metropolis", "norm_estimation"
    ] = "resampled_metropolis"
    extended_stabilizer_metropolis_mixing_time: int = Field(default=5000, ge=1)
    extended_stabilizer_approximation_error: float = Field(default=0.05, gt=0)
    extended_stabilizer_norm_estimation_samples: int = Field(default=100, ge=1)
    extended_stabilizer_norm_estimation_repetitions: int = Field(default=3, ge=1)
    extended_stabilizer_parallel_threshold: int = Field(default=100, ge=1)
    extended_stabilizer_probabilities_snapshot_samples: int = Field(default=3000, ge=1)
    matrix_product_state_truncation_threshold: float = Field(default=1e-16, ge=0)
    matrix_product_state_max_bond_dimension: Count = Field(default=None, ge=1)
    mps_sample_measure_algorithm: Literal[
        "mps_heuristic", "mps_apply_measure", "mps_probabilities"
    ] = "mps_heuristic"
    mps_log_data: bool = False
    mps_swap_direction: Literal["mps_swap_left", "mps_swap_right"] = "mps_swap_left"
    mps_parallel_threshold: int = Field(default=14, ge=1)
    mps_omp_threads: int = Field(default=1, ge=1)
    mps_lapack: bool = False
    tensor_network_num_sampling_qubits: int = Field(default=10, ge=1)
    use_cuTensorNet_autotuning: bool = False  # noqa: N815 - Aer's name
    runtime_parameter_bind_enable: bool = False

    def native(self) -> dict[str, Any]:
        """Return what the user set, in Aer's own words."""
        ours = {"num_qubits", "noise", "processor", "sample_states"}
        native = {key: getattr(self, key) for key in self.model_fields_set - ours}
        return native if self.processor is None else {"device": self.processor} | native
