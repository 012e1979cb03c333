"""What the compiler makes of numbers and masks in lanes: types, and their LLVM vectors.

One LLVM instruction an operation, without the flags that would let LLVM contract or reorder (LLVM language
reference, "Fast-Math Flags"); it splits what is wider than a register.
"""

from __future__ import annotations

import math
import operator
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin, lower_cast
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import models, register_model

from latemiles.kernels.lanes_plain import (
    LANES,
    all_of,
    any_of,
    bits_of,
    ladder,
    least_of,
    mask_of,
    most_of,
    select,
    sum_of,
)

__all__ = ["FLOATS", "INDEX", "MASK", "ROW", "LanesType", "MaskType", "at", "model", "typed"]

_NUMBER: Final = ir.DoubleType()
ROW: Final = ir.VectorType(_NUMBER, LANES)
_TRUTHS: Final = ir.VectorType(ir.IntType(1), LANES)
INDEX: Final = ir.IntType(64)


class LanesType(types.Type):
    """A double in each lane; a plain number next to it stands for itself in every lane."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")

    def can_convert_from(self, typingctx: Any, other: Any) -> Any:
        """A number can stand where lanes are expected."""
        return Conversion.safe if isinstance(other, (types.Float, types.Integer)) else None


class MaskType(types.Type):
    """A truth in each lane."""

    def __init__(self) -> None:
        super().__init__(name="LaneMask")


FLOATS: Final = LanesType()
MASK: Final = MaskType()


def model(kind: type, shape: ir.Type) -> None:
    """Tell numba what LLVM has in the place of a type."""

    class Model(models.PrimitiveModel):
        def __init__(self, manager: Any, type_: Any) -> None:
            super().__init__(manager, type_, shape)

    register_model(kind)(Model)


model(LanesType, ROW)
model(MaskType, _TRUTHS)


def at(k: int) -> ir.Constant:
    """Number of a lane as LLVM takes it."""
    return ir.Constant(ir.IntType(32), k)


@lower_cast(types.Float, LanesType)
@lower_cast(types.Integer, LanesType)
def _spread(context: Any, builder: Any, from_type: Any, _: Any, value: Any) -> Any:
    number = context.cast(builder, value, from_type, types.float64)
    first = builder.insert_element(ir.Constant(ROW, ir.Undefined), number, at(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(ROW, ir.Undefined), zeros)


def _is_number(kind: Any) -> bool:
    return kind == FLOATS or isinstance(kind, (types.Float, types.Integer))


def typed(function: Any, accepts: Any) -> None:
    """Teach numba the types of ``function``: ``accepts`` gives its signature, or None, from its arguments."""

    @infer_global(function)
    class Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            return accepts(*args)


def _arithmetic(function: Any, emit: Any, result: Any = FLOATS, count: int = 2) -> None:
    """Teach numba what ``function`` of ``count`` numbers does with lanes."""

    def accepts(*args: Any) -> Any:
        if len(args) == count and FLOATS in args and all(map(_is_number, args)):
            return signature(result, *[FLOATS] * count)
        return None

    typed(function, accepts)

    @lower_builtin(function, *[LanesType] * count)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, *args)


def _vector_call(name: str) -> Any:
    def emit(builder: Any, x: Any) -> Any:
        kind = ir.FunctionType(ROW, [ROW])
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64"), [x]
        )

    return emit


def _compare(sign: str) -> Any:
    def emit(builder: Any, a: Any, b: Any) -> Any:
        # NaN is unequal to all and fails every other comparison.
        return (builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered)(sign, a, b)

    return emit


def _higher(builder: Any, a: Any, b: Any) -> Any:
    # As Python's: the first unless the second is beyond it.
    return builder.select(builder.fcmp_ordered(">", b, a), b, a)


def _lower(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", b, a), b, a)


for _functions, _emit in (
    ((operator.add, operator.iadd), lambda builder, a, b: builder.fadd(a, b)),
    ((operator.sub, operator.isub), lambda builder, a, b: builder.fsub(a, b)),
    ((operator.mul, operator.imul), lambda builder, a, b: builder.fmul(a, b)),
    ((operator.truediv, operator.itruediv), lambda builder, a, b: builder.fdiv(a, b)),
    ((max,), _higher),
    ((min,), _lower),
):
    for _function in _functions:
        _arithmetic(_function, _emit)
for _comparison, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _arithmetic(_comparison, _compare(_sign), MASK)
_arithmetic(operator.neg, lambda builder, a: builder.fneg(a), count=1)
_arithmetic(abs, _vector_call("fabs"), count=1)
_arithmetic(math.sqrt, _vector_call("sqrt"), count=1)


def _lane_by_lane(function: Any) -> None:
    """Teach numba a function that vectors have no instruction for."""
    typed(function, lambda *args: signature(FLOATS, FLOATS) if args == (FLOATS,) else None)

    @lower_builtin(function, LanesType)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        of_one = context.get_function(function, signature(types.float64, types.float64))
        out = ir.Constant(ROW, ir.Undefined)
        for k in range(LANES):
            value = of_one(builder, [builder.extract_element(args[0], at(k))])
            out = builder.insert_element(out, value, at(k))
        return out


for _curve in (math.cos, math.sin):
    _lane_by_lane(_curve)


for _both, _name in ((operator.and_, "and_"), (operator.or_, "or_")):
    typed(_both, lambda *args: signature(MASK, MASK, MASK) if args == (MASK, MASK) else None)
    lower_builtin(_both, MaskType, MaskType)(
        lambda context, builder, sig, args, name=_name: getattr(builder, name)(*args)
    )


def _whole(builder: Any, mask: Any) -> Any:
    return builder.bitcast(mask, ir.IntType(LANES))


typed(
    select,
    lambda where, a, b: (
        signature(FLOATS, MASK, FLOATS, FLOATS)
        if where == MASK and _is_number(a) and _is_number(b)
        else signature(types.float64, types.boolean, types.float64, types.float64)
        if where == types.boolean and FLOATS not in (a, b)
        else None
    ),
)
for _mask, _numbers in ((MaskType, LanesType), (types.Boolean, types.Float)):
    lower_builtin(select, _mask, _numbers, _numbers)(
        lambda context, builder, sig, args: builder.select(*args)
    )
for _quantor, _sign, _bits in ((any_of, "!=", 0), (all_of, "==", -1)):
    typed(
        _quantor,
        lambda where: signature(types.boolean, where) if where in (MASK, types.boolean) else None,
    )
    lower_builtin(_quantor, MaskType)(
        lambda context, builder, sig, args, sign=_sign, bits=_bits: builder.icmp_unsigned(
            sign, _whole(builder, args[0]), ir.Constant(ir.IntType(LANES), bits)
        )
    )
    lower_builtin(_quantor, types.Boolean)(lambda context, builder, sig, args: args[0])
typed(bits_of, lambda where: signature(types.int64, MASK) if where == MASK else None)
typed(mask_of, lambda bits: signature(MASK, types.int64) if isinstance(bits, types.Integer) else None)


@lower_builtin(bits_of, MaskType)
def _bits_of(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.zext(_whole(builder, args[0]), INDEX)


@lower_builtin(mask_of, types.Integer)
def _mask_of(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.bitcast(builder.trunc(args[0], ir.IntType(LANES)), _TRUTHS)


typed(ladder, lambda: signature(FLOATS))


@lower_builtin(ladder)
def _ladder(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return ir.Constant(ROW, [float(k) for k in range(LANES)])


def _fold(function: Any, join: Any) -> None:
    """Teach numba to make one number of all lanes: neighbours first, then what came of them."""
    typed(function, lambda *args: signature(types.float64, FLOATS) if args == (FLOATS,) else None)

    @lower_builtin(function, LanesType)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        parts = [builder.extract_element(args[0], at(k)) for k in range(LANES)]
        while len(parts) > 1:
            parts = [join(builder, *parts[k : k + 2]) for k in range(0, len(parts), 2)]
        return parts[0]


for _folds, _join in (
    (sum_of, lambda builder, a, b: builder.fadd(a, b)),
    (least_of, _lower),
    (most_of, _higher),
):
    _fold(_folds, _join)
