"""Conditions of `if_test`, for devices that decide on one bit."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

_NOT = (expr.Unary.Op.LOGIC_NOT, expr.Unary.Op.BIT_NOT)


def deciding_bit(condition: Any) -> tuple[Clbit, bool] | None:
    """Return the bit that decides, and whether the condition holds for its being 1.

    Args:
        condition: Of an `if_test`: a pair of a bit, or a register, and a value; or an expression.

    Returns:
        None where it is not one bit, or none at all.

    >>> from qiskit.circuit.classical import expr
    >>> deciding_bit(expr.logic_not(expr.lift(Clbit())))[1]
    False
    """
    if isinstance(condition, tuple):
        bit, value = _bit(condition[0]), condition[1]
        return (bit, bool(value)) if bit is not None and value in (0, 1) else None
    wanted = True
    while not isinstance(condition, expr.Var):
        if isinstance(condition, expr.Unary) and condition.op in _NOT and _is_bool(condition):
            condition, wanted = condition.operand, not wanted
        elif isinstance(condition, expr.Cast):  # one bit has the same value as any type
            condition = condition.operand
        elif isinstance(condition, expr.Binary) and (found := _compared(condition)) is not None:
            condition, same = found
            wanted = wanted is same
        elif isinstance(condition, expr.Index) and (bit := _indexed(condition)) is not None:
            return bit, wanted
        else:
            return None
    bit = _bit(condition.var)
    return None if bit is None else (bit, wanted)


def _bit(target: Any) -> Clbit | None:
    if isinstance(target, ClassicalRegister) and len(target) == 1:
        target = target[0]
    return target if isinstance(target, Clbit) else None


def _is_bool(found: expr.Expr) -> bool:
    return isinstance(found.type, types.Bool)


def _compared(condition: expr.Binary) -> tuple[expr.Expr, bool] | None:
    """Return what is compared with 0 or 1, and whether it holds where that is 1."""
    equal = condition.op is expr.Binary.Op.EQUAL
    if not equal and condition.op is not expr.Binary.Op.NOT_EQUAL:
        return None
    pairs = ((condition.left, condition.right), (condition.right, condition.left))
    for other, constant in pairs:
        if isinstance(constant, expr.Value) and constant.value in (0, 1):
            return other, equal is bool(constant.value)
    return None


def _indexed(found: expr.Index) -> Clbit | None:
    register, place = found.target, found.index
    if not isinstance(register, expr.Var) or not isinstance(register.var, ClassicalRegister):
        return None
    if not isinstance(place, expr.Value) or not 0 <= place.value < len(register.var):
        return None
    bit: Clbit = register.var[int(place.value)]
    return bit
