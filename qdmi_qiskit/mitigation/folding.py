"""Zero-noise extrapolation: two-qubit gates folded, values extrapolated to no noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit.errors import ConfigError, UnsupportedError, did_you_mean
from qdmi_qiskit.mitigation.stage import Array, Context, Item, Outcome, Stage, same_layout, together

Extrapolation = Literal["linear", "quadratic", "exponential"]
_KINDS: tuple[str, ...] = get_args(Extrapolation)
_FREE = frozenset({"barrier", "delay", "measure"})


@dataclass(frozen=True)
class ZNE(Stage):
    """Runs a circuit with its two-qubit gates repeated, and extrapolates.

    Attributes:
        factors: By which the number of two-qubit gates grows; each at least 1, 1 among them.
        extrapolation: `"linear"` and `"quadratic"` in the factor, by weighted least squares, or
            `"exponential"`: a exp(-b factor) for each value, linear where that does not fit.
    """

    name: ClassVar[str] = "zne"
    rank: ClassVar[int] = 10
    factors: tuple[float, ...] = (1, 2, 3)
    extrapolation: Extrapolation = "exponential"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        if self.extrapolation not in _KINDS:
            raise ConfigError(
                f"zne: extrapolation={self.extrapolation!r}"
                f"{did_you_mean(str(self.extrapolation), _KINDS)}"
            )
        least = 3 if self.extrapolation == "quadratic" else 2
        if len(set(self.factors)) < least or min(self.factors) < 1 or 1 not in self.factors:
            raise ConfigError(
                f"zne: factors={self.factors}: wanted {least} or more different numbers of at "
                "least 1, with 1 among them"
            )

    def check(self, item: Item, context: Context) -> None:
        folded(item.circuit, 3, context.target)

    def prepare(self, item: Item, context: Context) -> list[Item]:
        table: dict[Any, Any] = context.kept.setdefault("folded", {})
        if len(table) > 64:
            table.clear()
        found = []
        for factor in self.factors:
            key = id(item.circuit), factor, id(context.target)
            if key not in table:  # one object per circuit: the stages inside remember it
                made = folded(item.circuit, factor, context.target)
                table[key] = made[0], item.circuit, context.target
            found.append(item.but(circuit=table[key][0]))
        return found

    def finish(self, item: Item, outcomes: Sequence[Outcome], context: Context) -> Outcome:
        reached = np.array([folded(item.circuit, f, context.target)[1] for f in self.factors])
        evs = np.array([outcome.evs for outcome in outcomes])
        stds = np.array([outcome.stds for outcome in outcomes])
        told: dict[str, Any] = {
            "factors": reached.tolist(),
            "extrapolation": self.extrapolation,
            "evs": evs.tolist(),
            "stds": stds.tolist(),
        }
        if np.ptp(reached) == 0:  # nothing to fold
            precise = 1 / np.maximum(stds, 1e-12) ** 2
            mean = (precise * evs).sum(axis=0) / precise.sum(axis=0)
            return together(outcomes, mean, 1 / np.sqrt(precise.sum(axis=0)), {"zne": told})
        if self.extrapolation == "exponential":
            value, error, fell_back = exponential(reached, evs, stds)
            told["linear_where"] = fell_back.tolist()
        else:
            degree = 1 if self.extrapolation == "linear" else 2
            value, error = polynomial(reached, evs, stds, degree)
        return together(outcomes, value, error, {"zne": told})


def folded(circuit: QuantumCircuit, factor: float, target: Any) -> tuple[QuantumCircuit, float]:
    """Return a circuit whose two-qubit gates G are G (G^-1 G)^k, evenly spread, ISA like it.

    Returns:
        The circuit, layout kept, and the factor that was reached: gates after over gates before.

    Raises:
        UnsupportedError: The inverse of a gate is no instruction of the target.
    """
    gates = [
        k
        for k, instruction in enumerate(circuit.data)
        if len(instruction.qubits) == 2 and instruction.name not in _FREE
    ]
    for instruction in circuit.data:
        if len(instruction.qubits) > 2 and instruction.name not in _FREE:
            raise UnsupportedError(f"zne: {instruction.name} on more than two qubits is not folded")
    pairs = round(len(gates) * (factor - 1) / 2)
    each, extra = divmod(pairs, len(gates)) if gates else (0, 0)
    times = dict.fromkeys(gates, each)
    for k in range(extra):
        times[gates[k * len(gates) // extra]] += 1
    whole = circuit.copy_empty_like()
    for k, instruction in enumerate(circuit.data):
        whole.append(instruction)
        if times.get(k):
            inverse = _inverse(circuit, instruction, target)
            for _ in range(times[k]):
                whole.append(inverse)
                whole.append(instruction)
    reached = 1 + 2 * pairs / len(gates) if gates else 1.0
    return same_layout(whole, circuit), reached


def _inverse(circuit: QuantumCircuit, instruction: Any, target: Any) -> Any:
    operation = instruction.operation.inverse()
    sites = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
    fits = target is None or target.instruction_supported(
        operation.name, sites, parameters=list(operation.params)
    )
    if not fits:
        raise UnsupportedError(
            f"zne: the device has no inverse of {instruction.name} on qubits {sites} "
            f"({operation.name}), so it cannot be folded. Leave zne out"
        )
    return instruction.replace(operation=operation)


def polynomial(factors: Array, evs: Array, stds: Array, degree: int) -> tuple[Array, Array]:
    """Extrapolate to 0 by weighted least squares, value by value.

    The error is that of the fit, times sqrt(chi2 / dof) where the points lie off the curve by
    more than their errors.

    Args:
        factors: Shape `(factors,)`.
        evs: Shape `(factors, ...)`.
        stds: The same.
        degree: Of the polynomial.

    Returns:
        Values and errors, shape `(...)`.
    """
    flat, errors = evs.reshape(len(evs), -1), stds.reshape(len(stds), -1)
    basis = factors[:, None] ** np.arange(degree + 1)
    value, error = np.empty(flat.shape[1]), np.empty(flat.shape[1])
    dof = len(factors) - degree - 1
    for k in range(flat.shape[1]):
        exact = (errors[:, k] == 0).any()
        weight = np.ones(len(factors)) if exact else 1 / errors[:, k]
        covariance = np.linalg.inv((basis * weight[:, None] ** 2).T @ basis)
        fit = covariance @ (basis * weight[:, None] ** 2).T @ flat[:, k]
        residual = float((((flat[:, k] - basis @ fit) * weight) ** 2).sum())
        scale = residual / dof if dof else 0.0
        scale = scale if exact else max(scale, 1.0)
        value[k], error[k] = fit[0], np.sqrt(covariance[0, 0] * scale)
    return value.reshape(evs.shape[1:]), error.reshape(evs.shape[1:])


def exponential(factors: Array, evs: Array, stds: Array) -> tuple[Array, Array, Array]:
    """Extrapolate to 0 by a exp(-b factor): a line through the logarithms, value by value.

    It fits values of one sign, all of them five errors away from 0, that do not grow with the
    noise by more than their errors; elsewhere the line is taken.

    Returns:
        Values, errors, and where the line was taken.
    """
    line, line_error = polynomial(factors, evs, stds, 1)
    sign = np.sign(evs[0])
    far = (sign * evs > 5 * stds).all(axis=0) & (sign != 0)
    safe = np.where(far, np.abs(evs), 1.0)
    logs, log_errors = polynomial(factors, np.log(safe), np.where(far, stds, 0.0) / safe, 1)
    value = sign * np.exp(logs)
    error = np.abs(value) * log_errors
    first = np.argmin(factors)
    grows = np.abs(evs[first]) + 2 * stds[first] < np.abs(evs[np.argmax(factors)])
    use = far & ~grows & (np.abs(value) < 4 * np.abs(evs[first]))
    # The two curves differ where it is not known which is right: a part of it is error.
    error = np.hypot(error, np.abs(value - line) / 4)
    return np.where(use, value, line), np.where(use, error, line_error), ~use
