"""The innermost step of the int8 scan: 8 queries × 48 passages, in the AVX-512 VNNI instruction `vpdpbusd`.

It multiplies 64 pairs of bytes (passage unsigned, query signed), adds them up in fours and adds the sums to 16 int32:
four times the products per instruction of float32. numba does not find it by itself, so it is written out here.
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

llvmlite.binding.initialize_native_asmparser()  # numba does not, as it writes no assembly

LANES = 16
_VECTORS = PASSAGES // LANES


def supported() -> bool:
    """Whether this processor has the instruction."""
    features = llvmlite.binding.get_host_cpu_features()
    return bool(features.get("avx512f") and features.get("avx512vnni"))


@intrinsic
def tile(
    typing: Any, queries: Any, panel: Any, steps: Any, bias: Any, scale: Any, limit: Any, scores: Any, masks: Any
) -> Any:
    """Score a tile.

    Args:
        typing: numba's.
        queries: address of int8 [steps, 8, 4].
        panel: address of uint8 [steps, 48, 4].
        steps: four-byte steps of a vector, at least 1.
        bias: address of int32 [8], where a query's sums start.
        scale: address of float32 [48], by which a passage's sums are multiplied.
        limit: address of float32 [8].
        scores: address of float32 [8, 48], written.
        masks: address of uint64 [8], written: bit j says that passage j's score is at or above the limit.
    """
    return types.void(*[types.intp] * 8), _emit


@intrinsic
def lowest_bit(typing: Any, mask: Any) -> Any:
    """Place of the lowest bit that is set in a uint64 other than 0, as an int64."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), emit


def _emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
    queries, panel, steps, bias, scale, limit, scores, masks = arguments
    i32, i64, f32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
    sums_type, score_type = ir.VectorType(i32, LANES), ir.VectorType(f32, LANES)
    dot = ir.FunctionType(sums_type, [sums_type, sums_type, sums_type])

    def at(base: ir.Value, kind: ir.Type, place: ir.Value | int) -> ir.Value:
        index = place if isinstance(place, ir.Value) else ir.Constant(i64, place)
        return builder.gep(builder.inttoptr(base, kind.as_pointer()), [index])

    def load(base: ir.Value, kind: ir.Type, place: ir.Value | int) -> ir.Value:
        return builder.load(at(base, kind, place), align=4)

    def spread(value: ir.Value, kind: ir.VectorType) -> ir.Value:
        empty = ir.Constant(kind, ir.Undefined)
        one = builder.insert_element(empty, value, ir.Constant(i32, 0))
        return builder.shuffle_vector(one, empty, ir.Constant(sums_type, [0] * LANES))

    starts = [spread(load(bias, i32, i), sums_type) for i in range(QUERIES) for _ in range(_VECTORS)]
    before = builder.block
    loop, after = builder.append_basic_block("step"), builder.append_basic_block("scored")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(i64)
    step.add_incoming(ir.Constant(i64, 0), before)
    sums = [builder.phi(sums_type) for _ in starts]
    for one, start in zip(sums, starts, strict=True):
        one.add_incoming(start, before)
    first = builder.mul(step, ir.Constant(i64, _VECTORS))
    passages = [load(panel, sums_type, builder.add(first, ir.Constant(i64, v))) for v in range(_VECTORS)]
    place = builder.mul(step, ir.Constant(i64, QUERIES))
    after_step = []
    for i in range(QUERIES):
        query = spread(load(queries, i32, builder.add(place, ir.Constant(i64, i))), sums_type)
        for v in range(_VECTORS):
            given = [passages[v], query, sums[i * _VECTORS + v]]
            after_step.append(builder.asm(dot, "vpdpbusd $2, $1, $0", "=v,v,v,0", given, False))
    following = builder.add(step, ir.Constant(i64, 1))
    step.add_incoming(following, loop)
    for one, value in zip(sums, after_step, strict=True):
        one.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, steps), loop, after)
    builder.position_at_end(after)
    scales = [load(scale, score_type, v) for v in range(_VECTORS)]
    for i in range(QUERIES):
        bound = spread(load(limit, f32, i), score_type)
        mask: ir.Value = ir.Constant(i64, 0)
        for v in range(_VECTORS):
            score = builder.fmul(builder.sitofp(after_step[i * _VECTORS + v], score_type), scales[v])
            builder.store(score, at(scores, score_type, i * _VECTORS + v), align=4)
            reached = builder.bitcast(builder.fcmp_ordered(">=", score, bound), ir.IntType(LANES))
            shifted = builder.shl(builder.zext(reached, i64), ir.Constant(i64, v * LANES))
            mask = builder.or_(mask, shifted)
        builder.store(mask, at(masks, i64, i), align=8)
    return context.get_dummy_value()
