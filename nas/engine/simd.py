"""Fixed-width vectors inside numba kernels.

A kernel of the engine handles a tile of 16, 32 or 64 samples at a time. Left to itself, LLVM's loop vectoriser keeps
such a tile in memory and reloads it for every edge; with an explicit vector type it stays in registers. So this module
adds one type to numba, ``Vec(dtype, lanes)``, and the operations the kernels need, as LLVM instructions on
``<lanes x float>``. LLVM splits these into whatever registers the processor has (AVX-512, AVX2, NEON, …): there is no
processor-specific code here.

Glossary:
    lanes   a value whose *type* carries the vector width, e.g. ``LANES[64]``; passed to kernels so that one source
            serves every width
    load / store        ``lanes`` consecutive elements of a flat contiguous array, from an element index
    splat               a scalar in every lane
    fma(a, b, c)        a * b + c, ``a`` a scalar or a vector
    total, product      over lanes, in no particular order
    add_dots            adds four dot products with one vector to consecutive elements; sums four vectors at a third
                        of the shuffles that four totals take
    where_positive(c, a, b)   per lane: ``a`` where c > 0, else ``b``
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

__all__ = [
    "LANES",
    "add",
    "add_dots",
    "add_some_dots",
    "clamp",
    "div",
    "first",
    "floor",
    "fma",
    "ldexp",
    "like",
    "load",
    "load_some",
    "maximum",
    "minimum",
    "mul",
    "pick",
    "product",
    "put",
    "splat",
    "split_exponent",
    "sqrt",
    "store",
    "store_some",
    "sub",
    "total",
    "transpose_in",
    "where_positive",
]

# Reordering and contraction only: infinities and NaN must survive, the trainer looks for them.
_RELAXED = ("reassoc", "contract")


# A width must be a type, so that kernels specialise on it. The length of a tuple is part of its type, and of all such
# values numba recognises tuples fastest: a class of our own costs five microseconds a call.
LANES: dict[int, tuple[int, ...]] = {16: (0,), 32: (0, 0), 64: (0, 0, 0)}


def _width(lanes: Any) -> int:
    """Vector width of the type of an entry of `LANES`."""
    return 8 << int(lanes.count)


class VecType(types.Type):  # type: ignore[misc]
    """Numba type of a vector of ``lanes`` floats; lives in registers, never boxed."""

    def __init__(self, dtype: types.Float, count: int) -> None:
        self.dtype = dtype
        self.count = count
        super().__init__(name=f"Vec({dtype}, {count})")


def _scalar_ir(dtype: types.Float) -> ir.Type:
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


def _vector_ir(vec: VecType) -> ir.VectorType:
    return ir.VectorType(_scalar_ir(vec.dtype), vec.count)


@register_model(VecType)
class _VecModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, vec: VecType) -> None:
        super().__init__(manager, vec, _vector_ir(vec))


def _broadcast(builder: ir.IRBuilder, scalar: ir.Value, count: int) -> ir.Value:
    vector = ir.VectorType(scalar.type, count)
    undefined = ir.Constant(vector, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, zeros)


def _element_pointer(
    context: Any, builder: ir.IRBuilder, array_type: Any, array: ir.Value, index: ir.Value
) -> ir.Value:
    data = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _call_llvm(builder: ir.IRBuilder, name: str, vec: VecType, arguments: list[ir.Value]) -> ir.Value:
    vector = _vector_ir(vec)
    suffix = f"v{vec.count}{'f32' if vec.dtype == types.float32 else 'f64'}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector] * len(arguments)), f"llvm.{name}.{suffix}"
    )
    return builder.call(function, arguments)


@intrinsic
def load(_typing: Any, lanes: Any, array: Any, index: Any) -> Any:
    """``lanes`` elements of ``array`` from element ``index`` (no bounds check)."""
    vec = VecType(array.dtype, _width(lanes))

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        pointer = _element_pointer(context, builder, signature.args[1], args[1], args[2])
        return builder.load(builder.bitcast(pointer, _vector_ir(vec).as_pointer()), align=array.dtype.bitwidth // 8)

    return vec(lanes, array, types.intp), codegen


@intrinsic
def store(_typing: Any, array: Any, index: Any, vec: Any) -> Any:
    """Write a vector to ``array`` from element ``index`` (no bounds check)."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        pointer = _element_pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], builder.bitcast(pointer, _vector_ir(vec).as_pointer()), align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vec), codegen


def _mask(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """Lanes below ``count``."""
    numbers = ir.Constant(ir.VectorType(ir.IntType(64), lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, _broadcast(builder, count, lanes))


@intrinsic
def load_some(_typing: Any, lanes: Any, array: Any, index: Any, count: Any) -> Any:
    """The first ``count`` lanes from ``array`` at element ``index``, 0 in the others; nothing else is read."""
    vec = VecType(array.dtype, _width(lanes))

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vector = _vector_ir(vec)
        element = _element_pointer(context, builder, signature.args[1], args[1], args[2])
        pointer = builder.bitcast(element, vector.as_pointer())
        mask = _mask(builder, args[3], vec.count)
        suffix = f"v{vec.count}{'f32' if vec.dtype == types.float32 else 'f64'}.p0"
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(vector, [pointer.type, ir.IntType(32), mask.type, vector]),
            f"llvm.masked.load.{suffix}",
        )
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        return builder.call(function, [pointer, align, mask, ir.Constant(vector, None)])

    return vec(lanes, array, types.intp, types.intp), codegen


@intrinsic
def store_some(_typing: Any, array: Any, index: Any, vec: Any, count: Any) -> Any:
    """Write the first ``count`` lanes to ``array`` from element ``index``; nothing else is touched."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        vector = _vector_ir(vec)
        element = _element_pointer(context, builder, signature.args[0], args[0], args[1])
        pointer = builder.bitcast(element, vector.as_pointer())
        mask = _mask(builder, args[3], vec.count)
        suffix = f"v{vec.count}{'f32' if vec.dtype == types.float32 else 'f64'}.p0"
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [vector, pointer.type, ir.IntType(32), mask.type]),
            f"llvm.masked.store.{suffix}",
        )
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        builder.call(function, [args[2], pointer, align, mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, vec, types.intp), codegen


@intrinsic
def splat(_typing: Any, lanes: Any, scalar: Any) -> Any:
    """``scalar`` in every lane; its dtype is the vector's."""
    vec = VecType(scalar, _width(lanes))

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return _broadcast(builder, args[1], vec.count)

    return vec(lanes, scalar), codegen


@intrinsic
def like(_typing: Any, vec: Any, scalar: Any) -> Any:
    """``scalar`` (a float64 or integer, usually a constant) in every lane of a vector of the type of ``vec``."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        narrowed = builder.fptrunc(args[1], ir.FloatType()) if vec.dtype == types.float32 else args[1]
        return _broadcast(builder, narrowed, vec.count)

    return vec(vec, types.float64), codegen


@intrinsic
def fma(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` lane by lane; ``a`` may be a scalar of the same dtype."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        factor = args[0] if isinstance(a, VecType) else _broadcast(builder, args[0], c.count)
        return builder.fadd(builder.fmul(factor, args[1], flags=_RELAXED), args[2], flags=_RELAXED)

    return c(a if isinstance(a, VecType) else c.dtype, b, c), codegen


def _binary(instruction: str) -> Any:
    @intrinsic
    def operation(_typing: Any, a: Any, b: Any) -> Any:
        def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
            return getattr(builder, instruction)(args[0], args[1], flags=("contract",))

        return a(a, b), codegen

    return operation


def _unary(name: str) -> Any:
    @intrinsic
    def operation(_typing: Any, a: Any) -> Any:
        def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
            return _call_llvm(builder, name, a, [args[0]])

        return a(a), codegen

    return operation


floor = _unary("floor")
sqrt = _unary("sqrt")
add = _binary("fadd")
sub = _binary("fsub")
mul = _binary("fmul")
div = _binary("fdiv")


@intrinsic
def where_positive(_typing: Any, condition: Any, a: Any, b: Any) -> Any:
    """Per lane ``a`` where ``condition > 0``, else ``b``. NaN counts as not positive."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        mask = builder.fcmp_ordered(">", args[0], ir.Constant(args[0].type, None))
        return builder.select(mask, args[1], args[2])

    return a(condition, a, b), codegen


def _extreme(keeps: str) -> Any:
    @intrinsic
    def operation(_typing: Any, a: Any, b: Any) -> Any:
        def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
            return builder.select(builder.fcmp_ordered(keeps, args[1], args[0]), args[1], args[0])

        return a(a, b), codegen

    return operation


# Lane by lane; a NaN in ``a`` survives.
maximum = _extreme(">")
minimum = _extreme("<")


@intrinsic
def ldexp(_typing: Any, a: Any, exponent: Any) -> Any:
    """``a * 2**exponent`` for whole-numbered lanes of ``exponent`` whose power of two is a normal number."""
    bits, bias, mantissa = (32, 127, 23) if a.dtype == types.float32 else (64, 1023, 52)

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        integers = ir.VectorType(ir.IntType(bits), a.count)
        whole = builder.fptosi(args[1], integers)
        biased = builder.add(whole, ir.Constant(integers, [bias] * a.count))
        power = builder.bitcast(builder.shl(biased, ir.Constant(integers, [mantissa] * a.count)), _vector_ir(a))
        return builder.fmul(args[0], power)

    return a(a, exponent), codegen


@intrinsic
def split_exponent(_typing: Any, a: Any) -> Any:
    """``(mantissa, exponent)``, ``a == mantissa * 2**exponent``, mantissa in [1, 2), for positive normal ``a``."""
    bits, bias, mantissa_bits = (32, 127, 23) if a.dtype == types.float32 else (64, 1023, 52)

    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        integers = ir.VectorType(ir.IntType(bits), a.count)

        def constant(value: int) -> ir.Constant:
            return ir.Constant(integers, [value] * a.count)

        raw = builder.bitcast(args[0], integers)
        exponent = builder.sub(builder.lshr(raw, constant(mantissa_bits)), constant(bias))
        fraction = builder.and_(raw, constant((1 << mantissa_bits) - 1))
        mantissa = builder.bitcast(builder.or_(fraction, constant(bias << mantissa_bits)), _vector_ir(a))
        return context.make_tuple(builder, types.UniTuple(a, 2), [mantissa, builder.sitofp(exponent, _vector_ir(a))])

    return types.UniTuple(a, 2)(a), codegen


def _over_lanes(operation: str, start: float) -> Any:
    def over_lanes(_typing: Any, vec: Any) -> Any:
        def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
            scalar = _scalar_ir(vec.dtype)
            name = f"llvm.vector.reduce.{operation}.v{vec.count}{'f32' if vec.dtype == types.float32 else 'f64'}"
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(scalar, [scalar, _vector_ir(vec)]), name
            )
            return builder.call(function, [ir.Constant(scalar, start), args[0]], fastmath=("reassoc",))

        return vec.dtype(vec), codegen

    return intrinsic(over_lanes)


total, product = _over_lanes("fadd", -0.0), _over_lanes("fmul", 1.0)


@intrinsic
def pick(_typing: Any, array: Any, index: Any) -> Any:
    """One element of a flat array; unlike ``array[index]`` it does not ask whether the index counts from the end."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return builder.load(_element_pointer(context, builder, signature.args[0], args[0], args[1]))

    return array.dtype(array, types.intp), codegen


@intrinsic
def put(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """``array[index] = value`` for an index that does not count from the end."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        builder.store(args[2], _element_pointer(context, builder, signature.args[0], args[0], args[1]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), codegen


@intrinsic
def first(_typing: Any, vec: Any) -> Any:
    """Lane 0."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return builder.extract_element(args[0], ir.Constant(ir.IntType(32), 0))

    return vec.dtype(vec), codegen


def _halves(builder: ir.IRBuilder, vector: ir.Value, count: int) -> tuple[ir.Value, ir.Value]:
    return _picked(builder, vector, vector, range(count // 2)), _picked(
        builder, vector, vector, range(count // 2, count)
    )


def _picked(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, picks: Iterable[int]) -> ir.Value:
    chosen = list(picks)
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(chosen)), chosen))


def _four_dots(builder: ir.IRBuilder, vec: VecType, one: ir.Value, others: list[ir.Value]) -> ir.Value:
    """``<4 x float>`` of the dot products of ``one`` with four vectors."""
    partial = []
    for other in others:
        parts = []
        for start in range(0, vec.count, 16):
            lanes = range(start, start + 16)
            a, b = _picked(builder, one, one, lanes), _picked(builder, other, other, lanes)
            parts.append(builder.fmul(a, b, flags=_RELAXED))
        while len(parts) > 1:
            parts.append(builder.fadd(parts.pop(0), parts.pop(0), flags=_RELAXED))
        partial.append(parts[0])
    # Two rounds inside each quarter, a b a b … and then a b c d …, then the quarters onto each other.
    for width in (1, 2):
        low = [k for base in range(0, 16, 4) for k in ([base, 16 + base, base + 1, 17 + base] if width == 1 else
                                                       [base, base + 1, 16 + base, 17 + base])]  # fmt: skip
        high = [k + 2 for k in low]
        partial = [
            builder.fadd(_picked(builder, a, b, low), _picked(builder, a, b, high), flags=_RELAXED)
            for a, b in zip(partial[::2], partial[1::2], strict=True)
        ]
    result, count = partial[0], 16
    while count > 4:
        lower, upper = _halves(builder, result, count)
        result, count = builder.fadd(lower, upper, flags=_RELAXED), count // 2
    return result


@intrinsic
def add_dots(_typing: Any, array: Any, index: Any, one: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """``array[index + k] += Σ_lanes one * (a, b, c, d)[k]`` for k < 4."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        dots = _four_dots(builder, one, args[2], list(args[3:]))
        pointer = _element_pointer(context, builder, signature.args[0], args[0], args[1])
        pointer, align = builder.bitcast(pointer, dots.type.as_pointer()), array.dtype.bitwidth // 8
        builder.store(builder.fadd(builder.load(pointer, align=align), dots), pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, types.intp, one, a, b, c, d), codegen


@intrinsic
def add_some_dots(_typing: Any, array: Any, index: Any, one: Any, a: Any, b: Any, c: Any, count: Any) -> Any:
    """The same for the first ``count`` of three vectors; later elements of ``array`` are left alone."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        nothing = ir.Constant(args[2].type, None)
        dots = _four_dots(builder, one, args[2], [*args[3:6], nothing])
        for k in range(3):
            with builder.if_then(builder.icmp_signed(">", args[6], ir.Constant(args[6].type, k))):
                place = builder.add(args[1], ir.Constant(args[1].type, k))
                pointer = _element_pointer(context, builder, signature.args[0], args[0], place)
                dot = builder.extract_element(dots, ir.Constant(ir.IntType(32), k))
                builder.store(builder.fadd(builder.load(pointer), dot), pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, one, a, b, c, types.intp), codegen


def clamp(a: Any, low: Any, high: Any) -> Any:  # pragma: no cover - body of the overload below
    """Lane by lane ``min(max(a, low), high)``; bounds are vectors."""
    raise NotImplementedError("only inside numba kernels")


@overload(clamp, inline="always")
def _clamp(a: Any, low: Any, high: Any) -> Any:
    def implementation(a: Any, low: Any, high: Any) -> Any:
        return minimum(maximum(a, low), high)

    return implementation


@intrinsic
def transpose_in(
    _typing: Any, lanes: Any, rows: Any, numbers: Any, first: Any, stride: Any, column: Any, out: Any, position: Any
) -> Any:
    """Turn 16 columns of ``lanes`` rows into 16 vectors.

    ``rows[numbers[first + s] * stride + column + k]`` (sample s, k < 16) goes to ``out[position + k * lanes + s]``:
    from the row-major layout of a batch to the engine's ``[neuron][sample]`` layout. Sixteen by sixteen blocks are
    exchanged in registers in four rounds of shuffles, which is several times faster than strided loads.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        block = ir.VectorType(_scalar_ir(out.dtype), 16)
        align = out.dtype.bitwidth // 8
        _, rows_value, numbers_value, first_value, stride_value, column_value, out_value, position_value = args
        index = ir.IntType(64)

        def pointer(array_type: Any, array: ir.Value, offset: ir.Value) -> ir.Value:
            return builder.bitcast(_element_pointer(context, builder, array_type, array, offset), block.as_pointer())

        def shuffle(a: ir.Value, b: ir.Value, picks: list[int]) -> ir.Value:
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), 16), picks))

        for base in range(0, _width(lanes), 16):
            vectors = []
            for sample in range(16):
                which = builder.add(first_value, ir.Constant(index, base + sample))
                number = builder.load(_element_pointer(context, builder, signature.args[2], numbers_value, which))
                offset = builder.add(builder.mul(number, stride_value), column_value)
                vectors.append(builder.load(pointer(rows, rows_value, offset), align=align))
            width = 8
            while width:
                # Exchange the off-diagonal blocks of width x width: recursion of the block transpose.
                low = [k if not k & width else 16 + k - width for k in range(16)]
                high = [k + width if not k & width else 16 + k for k in range(16)]
                exchanged = list(vectors)
                for row in range(16):
                    if not row & width:
                        a, b = vectors[row], vectors[row + width]
                        exchanged[row] = shuffle(a, b, low)
                        exchanged[row + width] = shuffle(a, b, high)
                vectors = exchanged
                width //= 2
            for column in range(16):
                offset = builder.add(position_value, ir.Constant(index, base + column * _width(lanes)))
                builder.store(vectors[column], pointer(out, out_value, offset), align=align)
        return context.get_dummy_value()

    signature = types.void(lanes, rows, types.int64[::1], types.intp, types.intp, types.intp, out, types.intp)
    return signature, codegen
