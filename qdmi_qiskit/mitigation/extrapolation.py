"""From values at several noise levels to no noise: curves, and what their choice may cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.mitigation.stage import Array


def extrapolated(
    factors: Array, evs: Array, stds: Array, kind: str
) -> tuple[Array, Array, Array, npt.NDArray[np.bool_]]:
    """Extrapolate to 0.

    The error is that of the fit and that of the model, in quadrature. Noise of gates lets each
    Pauli decay exponentially with the number of gates (Source: van den Berg et al.,
    arXiv:2201.09866). A sum of Paulis is a sum of decays, which bends more than one decay, as one
    decay bends more than a line: what lies between these two is taken for what lies beyond. Any
    other curve is off by at least its distance to the decay.

    Args:
        factors: Shape `(factors,)`.
        evs: Shape `(factors, ...)`, without the part that noise leaves alone.
        stds: The same.
        kind: `"linear"`, `"quadratic"` or `"exponential"`.

    Returns:
        Values, errors, what of the errors is the model's, and where no decay fits: there
        `"exponential"` takes the line, and nothing is known of the model's error.
    """
    line, line_error = polynomial(factors, evs, stds, 1)
    decay, decay_error, fits = exponential(factors, evs, stds)
    if kind == "exponential":
        value, error = np.where(fits, decay, line), np.where(fits, decay_error, line_error)
    elif kind == "quadratic":
        value, error = polynomial(factors, evs, stds, 2)
    else:
        value, error = line, line_error
    model = np.where(fits, np.maximum(np.abs(value - decay), np.abs(decay - line)), 0.0)
    return value, np.hypot(error, model), model, np.logical_not(fits)


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


def exponential(
    factors: Array, evs: Array, stds: Array
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Extrapolate to 0 by a exp(-b factor): a line through the logarithms, value by value.

    It fits values of one sign, all of them five errors away from 0, that do not grow with the
    noise by more than their errors.

    Returns:
        Values, errors of the fit, and where it fits.
    """
    sign = np.sign(evs[0])
    far = (sign * evs > 5 * stds).all(axis=0) & (sign != 0)
    safe = np.where(far, np.abs(evs), 1.0)
    logs, log_errors = polynomial(factors, np.log(safe), np.where(far, stds, 0.0) / safe, 1)
    value = sign * np.exp(logs)
    first = np.argmin(factors)
    grows = np.abs(evs[first]) + 2 * stds[first] < np.abs(evs[np.argmax(factors)])
    fits = far & ~grows & (np.abs(value) < 4 * np.abs(evs[first]))
    return value, np.abs(value) * log_errors, fits
