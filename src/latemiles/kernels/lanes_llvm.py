"""What the compiler makes of lanes: types of numbers, masks and groups, and their LLVM vectors.

One LLVM instruction an operation, without the flags that would let LLVM contract or reorder (LLVM language
reference, "Fast-Math Flags"); it splits what is wider than a register.
"""

from __future__ import annotations

import math
import operator
from typing import Any, ClassVar, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin, lower_cast, lower_getattr_generic, lower_setattr_generic
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
    signature,
)
from numba.extending import models, register_model

from latemiles.kernels.lanes_plain import (
    LANES,
    all_of,
    any_of,
    bits_of,
    fields,
    gather,
    ladder,
    mask_of,
    row,
    scatter,
    select,
    set_row,
)

__all__ = ["FLOATS", "MASK", "ROWS", "GroupType", "LanesType", "MaskType", "RowsType"]

_NUMBER: Final = ir.DoubleType()
_ROW: Final = ir.VectorType(_NUMBER, LANES)
_TRUTHS: Final = ir.VectorType(ir.IntType(1), LANES)
_INDEX: Final = ir.IntType(64)


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


class GroupType(types.Type):
    """One group of records, fields as attributes."""

    def __init__(self, record: types.Record) -> None:
        self.record = record
        super().__init__(name=f"LaneGroup({record})")


class RowsType(types.Type):
    """An array field of a group."""

    def __init__(self) -> None:
        super().__init__(name="LaneRows")


FLOATS: Final = LanesType()
MASK: Final = MaskType()
ROWS: Final = RowsType()


def _model(kind: type, shape: ir.Type) -> None:
    class Model(models.PrimitiveModel):
        def __init__(self, manager: Any, type_: Any) -> None:
            super().__init__(manager, type_, shape)

    register_model(kind)(Model)


_model(LanesType, _ROW)
_model(MaskType, _TRUTHS)
_model(GroupType, _ROW.as_pointer())
_model(RowsType, _ROW.as_pointer())


def _at(k: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), k)


@lower_cast(types.Float, LanesType)
@lower_cast(types.Integer, LanesType)
def _spread(context: Any, builder: Any, from_type: Any, _: Any, value: Any) -> Any:
    number = context.cast(builder, value, from_type, types.float64)
    first = builder.insert_element(ir.Constant(_ROW, ir.Undefined), number, _at(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_ROW, ir.Undefined), zeros)


def _is_number(kind: Any) -> bool:
    return kind == FLOATS or isinstance(kind, (types.Float, types.Integer))


def _typed(function: Any, accepts: Any) -> None:
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

    _typed(function, accepts)

    @lower_builtin(function, *[LanesType] * count)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, *args)


def _vector_call(name: str) -> Any:
    def emit(builder: Any, x: Any) -> Any:
        kind = ir.FunctionType(_ROW, [_ROW])
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64"), [x]
        )

    return emit


def _compare(sign: str) -> Any:
    def emit(builder: Any, a: Any, b: Any) -> Any:
        # NaN is unequal to all and fails every other comparison.
        return (builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered)(sign, a, b)

    return emit


for _functions, _emit in (
    ((operator.add, operator.iadd), lambda builder, a, b: builder.fadd(a, b)),
    ((operator.sub, operator.isub), lambda builder, a, b: builder.fsub(a, b)),
    ((operator.mul, operator.imul), lambda builder, a, b: builder.fmul(a, b)),
    ((operator.truediv, operator.itruediv), lambda builder, a, b: builder.fdiv(a, b)),
    # As Python's: the first unless the second is beyond it.
    ((max,), lambda builder, a, b: builder.select(builder.fcmp_ordered(">", b, a), b, a)),
    ((min,), lambda builder, a, b: builder.select(builder.fcmp_ordered("<", b, a), b, a)),
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
    _typed(function, lambda *args: signature(FLOATS, FLOATS) if args == (FLOATS,) else None)

    @lower_builtin(function, LanesType)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        of_one = context.get_function(function, signature(types.float64, types.float64))
        out = ir.Constant(_ROW, ir.Undefined)
        for k in range(LANES):
            value = of_one(builder, [builder.extract_element(args[0], _at(k))])
            out = builder.insert_element(out, value, _at(k))
        return out


for _curve in (math.cos, math.sin):
    _lane_by_lane(_curve)


for _both, _name in ((operator.and_, "and_"), (operator.or_, "or_")):
    _typed(_both, lambda *args: signature(MASK, MASK, MASK) if args == (MASK, MASK) else None)
    lower_builtin(_both, MaskType, MaskType)(
        lambda context, builder, sig, args, name=_name: getattr(builder, name)(*args)
    )


def _whole(builder: Any, mask: Any) -> Any:
    return builder.bitcast(mask, ir.IntType(LANES))


_typed(
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
    _typed(
        _quantor,
        lambda where: signature(types.boolean, where) if where in (MASK, types.boolean) else None,
    )
    lower_builtin(_quantor, MaskType)(
        lambda context, builder, sig, args, sign=_sign, bits=_bits: builder.icmp_unsigned(
            sign, _whole(builder, args[0]), ir.Constant(ir.IntType(LANES), bits)
        )
    )
    lower_builtin(_quantor, types.Boolean)(lambda context, builder, sig, args: args[0])
_typed(bits_of, lambda where: signature(types.int64, MASK) if where == MASK else None)
_typed(mask_of, lambda bits: signature(MASK, types.int64) if isinstance(bits, types.Integer) else None)


@lower_builtin(bits_of, MaskType)
def _bits_of(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.zext(_whole(builder, args[0]), _INDEX)


@lower_builtin(mask_of, types.Integer)
def _mask_of(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.bitcast(builder.trunc(args[0], ir.IntType(LANES)), _TRUTHS)


_typed(ladder, lambda: signature(FLOATS))


@lower_builtin(ladder)
def _ladder(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return ir.Constant(_ROW, [float(k) for k in range(LANES)])


def _load(builder: Any, place: Any) -> Any:
    value = builder.load(place)
    value.align = 8  # An array of numpy is not laid out for vectors.
    return value


def _store(builder: Any, value: Any, place: Any) -> None:
    builder.store(value, place).align = 8


_typed(
    fields,
    lambda groups, group, record: (
        signature(GroupType(record.dtype), groups, types.intp, record)
        if isinstance(groups, types.Array)
        else None
    ),
)


@lower_builtin(fields, types.Array, types.Integer, types.DType)
def _fields(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _row_place(context, builder, sig.args[0], args[0], args[1], ir.Constant(_INDEX, 0))


def _row_place(context: Any, builder: Any, kind: Any, groups: Any, group: Any, word: Any) -> Any:
    array = context.make_array(kind)(context, builder, groups)
    words = builder.extract_value(array.shape, 1)
    rows = builder.bitcast(array.data, _ROW.as_pointer())
    return builder.gep(rows, [builder.add(builder.mul(group, words), word)])


@infer_getattr
class _GroupFields(AttributeTemplate):
    key: ClassVar[Any] = GroupType

    def generic_resolve(self, group: Any, name: str) -> Any:  # type: ignore[override]
        if name not in group.record.fields:
            return None
        return ROWS if isinstance(group.record.typeof(name), types.NestedArray) else FLOATS


def _field(builder: Any, kind: Any, group: Any, name: str) -> Any:
    return builder.gep(group, [ir.Constant(_INDEX, kind.record.offset(name) // 8)])


@lower_getattr_generic(GroupType)
def _get_field(context: Any, builder: Any, kind: Any, group: Any, name: str) -> Any:
    place = _field(builder, kind, group, name)
    return place if isinstance(kind.record.typeof(name), types.NestedArray) else _load(builder, place)


@lower_setattr_generic(GroupType)
def _set_field(context: Any, builder: Any, sig: Any, args: Any, name: str) -> None:
    _store(builder, args[1], _field(builder, sig.args[0], args[0], name))


_typed(
    operator.getitem,
    lambda rows, j: (
        signature(FLOATS, ROWS, types.intp) if rows == ROWS and isinstance(j, types.Integer) else None
    ),
)
_typed(
    operator.setitem,
    lambda rows, j, value: (
        signature(types.none, ROWS, types.intp, FLOATS)
        if rows == ROWS and isinstance(j, types.Integer)
        else None
    ),
)


@lower_builtin(operator.getitem, RowsType, types.Integer)
def _get_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _load(builder, builder.gep(args[0], [args[1]]))


@lower_builtin(operator.setitem, RowsType, types.Integer, LanesType)
def _set_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    _store(builder, args[2], builder.gep(args[0], [args[1]]))
    return context.get_dummy_value()


_typed(
    row,
    lambda groups, group, word: (
        signature(FLOATS, groups, types.intp, types.intp) if isinstance(groups, types.Array) else None
    ),
)
_typed(
    set_row,
    lambda groups, group, word, value: (
        signature(types.none, groups, types.intp, types.intp, FLOATS)
        if isinstance(groups, types.Array)
        else None
    ),
)


@lower_builtin(row, types.Array, types.Integer, types.Integer)
def _row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _load(builder, _row_place(context, builder, sig.args[0], *args))


@lower_builtin(set_row, types.Array, types.Integer, types.Integer, LanesType)
def _set_row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    _store(builder, args[3], _row_place(context, builder, sig.args[0], *args[:3]))
    return context.get_dummy_value()


def _places(context: Any, builder: Any, kind: Any, array: Any, group: Any, i: Any, j: Any) -> list[Any]:
    """Pointers to element (i, j) of each sensor of the group, the last sensor's for lanes behind it."""
    a = context.make_array(kind)(context, builder, array)
    sensors, n, m = cgutils.unpack_tuple(builder, a.shape, 3)
    last = builder.sub(sensors, ir.Constant(_INDEX, 1))
    inside = builder.add(builder.mul(i, m), j)
    places = []
    for k in range(LANES):
        sensor = builder.add(builder.mul(group, ir.Constant(_INDEX, LANES)), ir.Constant(_INDEX, k))
        sensor = builder.select(builder.icmp_signed("<", sensor, sensors), sensor, last)
        places.append(builder.gep(a.data, [builder.add(builder.mul(sensor, builder.mul(n, m)), inside)]))
    return places


def _is_block(kind: Any) -> bool:
    return (
        isinstance(kind, types.Array)
        and kind.ndim == 3
        and kind.layout == "C"
        and kind.dtype == types.float64
    )


_typed(
    gather,
    lambda array, *at: signature(FLOATS, array, *[types.intp] * 3) if _is_block(array) else None,
)
_typed(
    scatter,
    lambda array, *at: signature(types.none, array, *[types.intp] * 3, FLOATS) if _is_block(array) else None,
)


@lower_builtin(gather, types.Array, types.Integer, types.Integer, types.Integer)
def _gather(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    out = ir.Constant(_ROW, ir.Undefined)
    for k, place in enumerate(_places(context, builder, sig.args[0], *args)):
        out = builder.insert_element(out, builder.load(place), _at(k))
    return out


@lower_builtin(scatter, types.Array, types.Integer, types.Integer, types.Integer, LanesType)
def _scatter(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    for k, place in enumerate(_places(context, builder, sig.args[0], *args[:4])):
        builder.store(builder.extract_element(args[4], _at(k)), place)
    return context.get_dummy_value()
