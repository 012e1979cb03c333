"""What the compiler makes of memory that holds lanes: groups of records, and blocks of samples of sensors."""

from __future__ import annotations

import operator
from typing import Any, ClassVar, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin, lower_getattr_generic, lower_setattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr, signature

from latemiles.kernels.lanes_llvm import FLOATS, INDEX, ROW, LanesType, at, model, typed
from latemiles.kernels.lanes_plain import (
    LANES,
    along,
    ask_for,
    fields,
    gather,
    gather_four,
    gather_three,
    row,
    scatter,
    scatter_four,
    set_row,
)

__all__ = ["ROWS", "GroupType", "RowsType"]


class GroupType(types.Type):
    """One group of records, fields as attributes."""

    def __init__(self, record: types.Record) -> None:
        self.record = record
        super().__init__(name=f"LaneGroup({record})")


class RowsType(types.Type):
    """An array field of a group."""

    def __init__(self) -> None:
        super().__init__(name="LaneRows")


ROWS: Final = RowsType()

model(GroupType, ROW.as_pointer())
model(RowsType, ROW.as_pointer())


def _load(builder: Any, place: Any) -> Any:
    value = builder.load(place)
    value.align = 8  # An array of numpy is not laid out for vectors.
    return value


def _store(builder: Any, value: Any, place: Any) -> None:
    builder.store(value, place).align = 8


typed(
    fields,
    lambda groups, group, record: (
        signature(GroupType(record.dtype), groups, types.intp, record)
        if isinstance(groups, types.Array)
        else None
    ),
)


@lower_builtin(fields, types.Array, types.Integer, types.DType)
def _fields(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _row_place(context, builder, sig.args[0], args[0], args[1], ir.Constant(INDEX, 0))


def _row_place(context: Any, builder: Any, kind: Any, groups: Any, group: Any, word: Any) -> Any:
    array = context.make_array(kind)(context, builder, groups)
    words = builder.extract_value(array.shape, 1)
    rows = builder.bitcast(array.data, ROW.as_pointer())
    return builder.gep(rows, [builder.add(builder.mul(group, words), word)])


@infer_getattr
class _GroupFields(AttributeTemplate):
    key: ClassVar[Any] = GroupType

    def generic_resolve(self, group: Any, name: str) -> Any:  # type: ignore[override]
        if name not in group.record.fields:
            return None
        return ROWS if isinstance(group.record.typeof(name), types.NestedArray) else FLOATS


def _field(builder: Any, kind: Any, group: Any, name: str) -> Any:
    return builder.gep(group, [ir.Constant(INDEX, kind.record.offset(name) // 8)])


@lower_getattr_generic(GroupType)
def _get_field(context: Any, builder: Any, kind: Any, group: Any, name: str) -> Any:
    place = _field(builder, kind, group, name)
    return place if isinstance(kind.record.typeof(name), types.NestedArray) else _load(builder, place)


@lower_setattr_generic(GroupType)
def _set_field(context: Any, builder: Any, sig: Any, args: Any, name: str) -> None:
    _store(builder, args[1], _field(builder, sig.args[0], args[0], name))


typed(
    operator.getitem,
    lambda rows, j: (
        signature(FLOATS, ROWS, types.intp) if rows == ROWS and isinstance(j, types.Integer) else None
    ),
)
typed(
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


typed(
    row,
    lambda groups, group, word: (
        signature(FLOATS, groups, types.intp, types.intp) if isinstance(groups, types.Array) else None
    ),
)
typed(
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


typed(
    along,
    lambda values, k: (
        signature(FLOATS, values, types.intp)
        if isinstance(values, types.Array) and values.ndim == 1 and values.layout == "C"
        else None
    ),
)


@lower_builtin(along, types.Array, types.Integer)
def _along(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array = context.make_array(sig.args[0])(context, builder, args[0])
    return _load(builder, builder.bitcast(builder.gep(array.data, [args[1]]), ROW.as_pointer()))


def _places(context: Any, builder: Any, kind: Any, array: Any, group: Any, i: Any, j: Any) -> list[Any]:
    """Pointers to element (i, j) of each sensor of the group, the last sensor's for lanes behind it."""
    a = context.make_array(kind)(context, builder, array)
    sensors, n, m = cgutils.unpack_tuple(builder, a.shape, 3)
    last = builder.sub(sensors, ir.Constant(INDEX, 1))
    inside = builder.add(builder.mul(i, m), j)
    places = []
    for k in range(LANES):
        sensor = builder.add(builder.mul(group, ir.Constant(INDEX, LANES)), ir.Constant(INDEX, k))
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


typed(
    gather,
    lambda array, *at: signature(FLOATS, array, *[types.intp] * 3) if _is_block(array) else None,
)
typed(
    scatter,
    lambda array, *at: signature(types.none, array, *[types.intp] * 3, FLOATS) if _is_block(array) else None,
)


@lower_builtin(gather, types.Array, types.Integer, types.Integer, types.Integer)
def _gather(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    out = ir.Constant(ROW, ir.Undefined)
    for k, place in enumerate(_places(context, builder, sig.args[0], *args)):
        out = builder.insert_element(out, builder.load(place), at(k))
    return out


@lower_builtin(scatter, types.Array, types.Integer, types.Integer, types.Integer, LanesType)
def _scatter(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    for k, place in enumerate(_places(context, builder, sig.args[0], *args[:4])):
        builder.store(builder.extract_element(args[4], at(k)), place)
    return context.get_dummy_value()


typed(
    ask_for,
    lambda array, *at: signature(types.none, array, *[types.intp] * 2) if _is_block(array) else None,
)


@lower_builtin(ask_for, types.Array, types.Integer, types.Integer)
def _ask_for(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    array, group, i = args
    # To be read (0), of use for long (3), data (1).
    how = [ir.Constant(number, k) for k in (0, 3, 1)]
    for place in _places(context, builder, sig.args[0], array, group, i, ir.Constant(INDEX, 0)):
        builder.call(prefetch, [builder.bitcast(place, byte), *how])
    return context.get_dummy_value()


def _mixed(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    """Places of two vectors, those of the second counted on from the first's, as one vector."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Four vectors of four, the k-th of what was in place k of each."""
    even, odd = [0, 4, 2, 6], [1, 5, 3, 7]
    low, high = [0, 1, 4, 5], [2, 3, 6, 7]
    pairs = [_mixed(builder, rows[k], rows[k + 1], places) for places in (even, odd) for k in (0, 2)]
    return [_mixed(builder, pairs[k], pairs[k + 1], places) for places in (low, high) for k in (0, 2)]


def _fours(context: Any, builder: Any, sig: Any, args: Any) -> list[Any]:
    """Pointers to the four numbers of sample i of each sensor of a group."""
    array, group, i = args[:3]
    first = _places(context, builder, sig.args[0], array, group, i, ir.Constant(INDEX, 0))
    return [builder.bitcast(place, ROW.as_pointer()) for place in first]


typed(
    gather_three,
    lambda array, *at: (
        signature(types.UniTuple(FLOATS, 3), array, *[types.intp] * 2) if _is_block(array) else None
    ),
)


@lower_builtin(gather_three, types.Array, types.Integer, types.Integer)
def _gather_three(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, group, i = args
    first, third = (
        _places(context, builder, sig.args[0], array, group, i, ir.Constant(INDEX, j)) for j in (0, 2)
    )
    # The first two of a sensor come in one load; a third of the loads, and of what puts them together.
    two = ir.VectorType(ir.DoubleType(), 2).as_pointer()
    pairs = [_load(builder, builder.bitcast(place, two)) for place in first]
    even, odd = (_mixed(builder, pairs[k], pairs[k + 2], [0, 1, 2, 3]) for k in (0, 1))
    x, y = (_mixed(builder, even, odd, places) for places in ([0, 4, 2, 6], [1, 5, 3, 7]))
    z = ir.Constant(ROW, ir.Undefined)
    for k, place in enumerate(third):
        z = builder.insert_element(z, builder.load(place), at(k))
    return context.make_tuple(builder, sig.return_type, [x, y, z])


typed(
    gather_four,
    lambda array, *at: (
        signature(types.UniTuple(FLOATS, 4), array, *[types.intp] * 2) if _is_block(array) else None
    ),
)
typed(
    scatter_four,
    lambda array, *at: (
        signature(types.none, array, *[types.intp] * 2, *[FLOATS] * 4) if _is_block(array) else None
    ),
)


@lower_builtin(gather_four, types.Array, types.Integer, types.Integer)
def _gather_four(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    rows = [_load(builder, place) for place in _fours(context, builder, sig, args)]
    return context.make_tuple(builder, sig.return_type, _transposed(builder, rows))


@lower_builtin(scatter_four, types.Array, types.Integer, types.Integer, *[LanesType] * 4)
def _scatter_four(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    rows = _transposed(builder, args[3:])
    for value, place in zip(rows, _fours(context, builder, sig, args), strict=True):
        _store(builder, value, place)
    return context.get_dummy_value()
