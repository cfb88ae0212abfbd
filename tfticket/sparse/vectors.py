"""Vectors of float32 for Numba's compiled code, so that values stay in the registers of the processor.

LLVM compiles these operations to the instructions of the machine, whatever their width. Arrays are addressed flat, by
the position of the first element of a vector.
"""

from typing import Any

import llvmlite.ir as ir
from numba import float32, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from tfticket.sparse.compiling import inlined

LANES = 16
"""Elements of a vector: one AVX-512 register, two of AVX2."""

_F32 = ir.FloatType()
_VECTOR = ir.VectorType(_F32, LANES)


class VectorType(types.Type):
    """Numba's type of a vector of ``LANES`` float32."""

    def __init__(self) -> None:
        super().__init__(name="Float32Vector")


vector_type = VectorType()


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context: Any, builder: Any, array_type: Any, array: Any, position: Any, kind: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [position]), kind.as_pointer())


def _splat(builder: Any, scalar: Any) -> Any:
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), zeros)


@intrinsic
def load(typing: Any, array: Any, position: Any) -> Any:
    """``array[position : position + LANES]`` as a vector."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _address(context, builder, signature.args[0], values[0], values[1], _VECTOR)
        loaded = builder.load(address)
        loaded.align = 4
        return loaded

    return vector_type(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, position: Any, vector: Any) -> Any:
    """``array[position : position + LANES] = vector``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _address(context, builder, signature.args[0], values[0], values[1], _VECTOR)
        builder.store(values[2], address).align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, vector_type), generate


@intrinsic
def load_input(typing: Any, array: Any, position: Any) -> Any:
    """``array[position : position + LANES]`` of uint8 or float32, as a vector of float32."""
    is_bytes = array.dtype == types.uint8
    kind = ir.VectorType(ir.IntType(8), LANES) if is_bytes else _VECTOR

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        loaded = builder.load(_address(context, builder, signature.args[0], values[0], values[1], kind))
        loaded.align = 1 if is_bytes else 4
        return builder.uitofp(loaded, _VECTOR) if is_bytes else loaded

    return vector_type(array, types.intp), generate


@intrinsic
def splat(typing: Any, scalar: Any) -> Any:
    """Return a vector that repeats one number."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _splat(builder, values[0])

    return vector_type(types.float32), generate


@intrinsic
def multiply_add(typing: Any, total: Any, left: Any, right: Any) -> Any:
    """``total + left * right``, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
        return builder.call(function, [values[1], values[2], values[0]])

    return vector_type(vector_type, vector_type, vector_type), generate


def _binary(operation: str) -> Any:
    @intrinsic
    def binary(typing: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, operation)(values[0], values[1])

        return vector_type(vector_type, vector_type), generate

    return binary


add, subtract, multiply, divide = (_binary(name) for name in ("fadd", "fsub", "fmul", "fdiv"))


@intrinsic
def total(typing: Any, vector: Any) -> Any:
    """Return the pairwise sum of the elements of a vector."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vector, lanes = values[0], LANES
        while lanes > 1:
            lanes //= 2
            kind = ir.VectorType(ir.IntType(32), lanes)
            halves = [
                builder.shuffle_vector(vector, vector, ir.Constant(kind, list(range(first, first + lanes))))
                for first in (0, lanes)
            ]
            vector = builder.fadd(*halves)
        return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))

    return types.float32(vector_type), generate


@intrinsic
def positive(typing: Any, vector: Any) -> Any:
    """``max(vector, 0)``; NaN stays NaN."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return builder.select(builder.fcmp_unordered(">=", values[0], zero), values[0], zero)

    return vector_type(vector_type), generate


@intrinsic
def where_positive(typing: Any, condition: Any, vector: Any) -> Any:
    """``vector`` where ``condition > 0``, else 0."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", values[0], zero), values[1], zero)

    return vector_type(vector_type, vector_type), generate


@intrinsic
def where_equal(typing: Any, left: Any, right: Any, vector: Any) -> Any:
    """``vector`` where ``left == right``, else 0."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered("==", values[0], values[1]), values[2], zero)

    return vector_type(vector_type, vector_type, vector_type), generate


@intrinsic
def maximum(typing: Any, left: Any, right: Any) -> Any:
    """Return the elementwise maximum; NaN on the left stays NaN."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", values[0], values[1]), values[1], values[0])

    return vector_type(vector_type, vector_type), generate


@intrinsic
def _power_of_two(typing: Any, exponent: Any) -> Any:
    """Return 2^exponent for integers between -126 and 127, by the bits of the exponent."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        whole = ir.VectorType(ir.IntType(32), LANES)
        biased = builder.add(builder.fptosi(values[0], whole), ir.Constant(whole, [127] * LANES))
        return builder.bitcast(builder.shl(biased, ir.Constant(whole, [23] * LANES)), _VECTOR)

    return vector_type(vector_type), generate


@intrinsic
def _rounded(typing: Any, vector: Any) -> Any:
    """Return the nearest integers."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.rint.v{LANES}f32"), values)

    return vector_type(vector_type), generate


@inlined
def exponential(x: Any) -> Any:
    """Return e^x, to 2 units in the last place between -87 and 87; x is clipped to these; NaN stays NaN.

    References:
        Cephes' ``expf`` (Moshier, 1992): e^x = 2^n e^r, abs(r) <= ln(2) / 2, e^r by a polynomial.
    """
    x = maximum(x, splat(float32(-87.0)))
    x = subtract(splat(float32(0.0)), maximum(subtract(splat(float32(0.0)), x), splat(float32(-87.0))))
    n = _rounded(multiply(x, splat(float32(1.44269504))))
    r = multiply_add(x, n, splat(float32(-0.693359375)))
    r = multiply_add(r, n, splat(float32(2.12194440e-4)))
    p = splat(float32(1.9875691500e-4))
    p = multiply_add(splat(float32(1.3981999507e-3)), p, r)
    p = multiply_add(splat(float32(8.3334519073e-3)), p, r)
    p = multiply_add(splat(float32(4.1665795894e-2)), p, r)
    p = multiply_add(splat(float32(1.6666665459e-1)), p, r)
    p = multiply_add(splat(float32(5.0000001201e-1)), p, r)
    p = multiply_add(add(r, splat(float32(1.0))), p, multiply(r, r))
    return multiply(p, _power_of_two(n))


@inlined
def hyperbolic_tangent(x: Any) -> Any:
    """Return tanh(x), to an absolute error of 2e-7."""
    one = splat(float32(1.0))
    return subtract(one, divide(splat(float32(2.0)), add(exponential(add(x, x)), one)))
