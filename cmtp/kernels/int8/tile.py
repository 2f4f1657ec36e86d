"""The innermost step of the int8 scan: 8 queries × 48 passages, in the AVX-512 VNNI instruction `vpdpbusd`.

It multiplies 64 pairs of bytes (passage unsigned, query signed), adds each four products up and adds the sums to 16
int32: four times as many products per instruction as float32. Numba does not emit it, so this module writes LLVM's
intermediate language. The code that it emits, with a register of 16 lanes for 16 passages::

    sums[i][v] = 16 times bias[i]                                    for 8 queries i, 3 registers v
    for step in range(steps):                                        four dimensions at a time
        for i in range(8):
            for v in range(3):
                vpdpbusd sums[i][v], panel[step][v], 16 times queries[step][i]
    for i in range(8):
        for v in range(3):
            scores[i][v] = float32(sums[i][v]) * scale[v]
            masks[i] |= (scores[i][v] >= limit[i]) << 16 v

For a processor without the instruction it emits plain operations with the same sums. They are slower than float32 and
serve the tests, which thus run the whole scan, without this one instruction, on any processor.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

QUERIES = 8
"""Rows of a tile."""

PASSAGES = 48
"""Columns of a tile: 8 × 3 registers of sums, 3 of passages and 1 of a query fit into the 32 there are."""

LANES = 16
"""32-bit numbers in a register."""

_REGISTERS = PASSAGES // LANES
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_SUMS, _SCORES = ir.VectorType(_I32, LANES), ir.VectorType(ir.FloatType(), LANES)

llvmlite.binding.initialize_native_asmparser()  # numba does not, as it writes no assembly


def supported() -> bool:
    """Whether this processor has the instruction."""
    features = llvmlite.binding.get_host_cpu_features()
    return bool(features.get("avx512f") and features.get("avx512vnni"))


@intrinsic
def tile(typing: Any, steps: Any, inputs: Any, outputs: Any) -> Any:
    """Score a tile; in numba code: ``tile(steps, inputs, outputs)``.

    Args:
        typing: numba's typing context.
        steps: groups of four dimensions, at least 1.
        inputs: addresses (intp) of

            - int8 [steps, 8, 4], the queries,
            - uint8 [steps, 48, 4], the panel of passages,
            - int32 [8], bias: where a query's sums start,
            - float32 [48], scale: by which a passage's sums are multiplied,
            - float32 [8], limit of each query.
        outputs: addresses of what is written:

            - float32 [8, 48], the scores,
            - uint64 [8], masks: bit j of number i says that passage j's score reaches the limit of query i.
    """
    return types.void(types.intp, types.UniTuple(types.intp, 5), types.UniTuple(types.intp, 2)), _emit_tile  # type: ignore[no-untyped-call]


@intrinsic
def lowest_bit(typing: Any, mask: Any) -> Any:
    """Position of the lowest bit that is set in a uint64 other than 0, as an int64."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), emit


def _emit_tile(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
    steps = arguments[0]
    queries, panel, bias, scale, limit = (builder.extract_value(arguments[1], i) for i in range(5))
    scores, masks = (builder.extract_value(arguments[2], i) for i in range(2))
    sums = _emit_sums(builder, steps, queries, panel, bias)
    _emit_scores(builder, sums, (scale, limit), (scores, masks))
    return context.get_dummy_value()


def _emit_sums(
    builder: ir.IRBuilder, steps: ir.Value, queries: ir.Value, panel: ir.Value, bias: ir.Value
) -> list[ir.Value]:
    """The loop over steps. Returns the registers of sums, ordered by query."""
    starts = [_broadcast(builder, _load(builder, bias, _I32, i), _SUMS) for i in range(QUERIES)]
    entry, loop, done = builder.block, builder.append_basic_block("step"), builder.append_basic_block("scored")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(_I64)
    step.add_incoming(ir.Constant(_I64, 0), entry)
    sums = [builder.phi(_SUMS) for _ in range(QUERIES * _REGISTERS)]
    panel_start = builder.mul(step, ir.Constant(_I64, _REGISTERS))
    passages = [_load(builder, panel, _SUMS, builder.add(panel_start, ir.Constant(_I64, v))) for v in range(_REGISTERS)]
    query_start = builder.mul(step, ir.Constant(_I64, QUERIES))
    add_products = _vpdpbusd if supported() else _add_products
    raised = []
    for i in range(QUERIES):
        four_bytes = _load(builder, queries, _I32, builder.add(query_start, ir.Constant(_I64, i)))
        query = _broadcast(builder, four_bytes, _SUMS)
        for v in range(_REGISTERS):
            raised.append(add_products(builder, sums[i * _REGISTERS + v], passages[v], query))
    next_step = builder.add(step, ir.Constant(_I64, 1))
    step.add_incoming(next_step, loop)
    for place, (before, after) in enumerate(zip(sums, raised, strict=True)):
        before.add_incoming(starts[place // _REGISTERS], entry)
        before.add_incoming(after, loop)
    builder.cbranch(builder.icmp_signed("<", next_step, steps), loop, done)
    builder.position_at_end(done)
    return raised


def _vpdpbusd(builder: ir.IRBuilder, sums: ir.Value, passages: ir.Value, query: ir.Value) -> ir.Value:
    """The sums, each plus four products of an unsigned byte of a passage and a signed byte of the query."""
    function = ir.FunctionType(_SUMS, [_SUMS, _SUMS, _SUMS])
    operands = [passages, query, sums]
    return builder.asm(function, "vpdpbusd $2, $1, $0", "=v,v,v,0", operands, side_effect=False)


def _add_products(builder: ir.IRBuilder, sums: ir.Value, passages: ir.Value, query: ir.Value) -> ir.Value:
    """The result of `_vpdpbusd`, in operations that any processor has."""
    as_bytes, wide = ir.VectorType(ir.IntType(8), 4 * LANES), ir.VectorType(_I32, 4 * LANES)
    unsigned = builder.zext(builder.bitcast(passages, as_bytes), wide)
    products = builder.mul(unsigned, builder.sext(builder.bitcast(query, as_bytes), wide))
    for byte in range(4):
        places = ir.Constant(_SUMS, [4 * lane + byte for lane in range(LANES)])
        sums = builder.add(sums, builder.shuffle_vector(products, ir.Constant(wide, ir.Undefined), places))
    return sums


def _emit_scores(
    builder: ir.IRBuilder, sums: list[ir.Value], inputs: tuple[ir.Value, ...], outputs: tuple[ir.Value, ...]
) -> None:
    """Scores of the sums, and the masks of those that reach their query's limit."""
    (scale, limit), (scores, masks) = inputs, outputs
    scales = [_load(builder, scale, _SCORES, v) for v in range(_REGISTERS)]
    for i in range(QUERIES):
        bound = _broadcast(builder, _load(builder, limit, ir.FloatType(), i), _SCORES)
        mask: ir.Value = ir.Constant(_I64, 0)
        for v in range(_REGISTERS):
            place = i * _REGISTERS + v
            score = builder.fmul(builder.sitofp(sums[place], _SCORES), scales[v])
            builder.store(score, _address(builder, scores, _SCORES, place), align=4)
            reached = builder.bitcast(builder.fcmp_ordered(">=", score, bound), ir.IntType(LANES))
            mask = builder.or_(mask, builder.shl(builder.zext(reached, _I64), ir.Constant(_I64, v * LANES)))
        builder.store(mask, _address(builder, masks, _I64, i), align=8)


def _address(builder: ir.IRBuilder, base: ir.Value, kind: ir.Type, place: ir.Value | int) -> ir.Value:
    """Address of item `place` of an array of `kind`."""
    index = place if isinstance(place, ir.Value) else ir.Constant(_I64, place)
    return builder.gep(builder.inttoptr(base, kind.as_pointer()), [index])


def _load(builder: ir.IRBuilder, base: ir.Value, kind: ir.Type, place: ir.Value | int) -> ir.Value:
    return builder.load(_address(builder, base, kind, place), align=4)


def _broadcast(builder: ir.IRBuilder, value: ir.Value, kind: ir.VectorType) -> ir.Value:
    """A register whose lanes all hold the value."""
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(_SUMS, [0] * LANES))
