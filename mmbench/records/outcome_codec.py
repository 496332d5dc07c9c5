"""Outcomes as a record keeps them: a short text from which every float32 comes back bit by bit.

The text is base64 of zlib of: a header (version, trials, examples, number of distinct values), the distinct values as
float32, then one index a trial and example: a bit where there are at most two values (accuracy), a byte up to 256
(F1 of a few labels), the float32 itself beyond that. The embedded lineup's 551 cells take 0.4 MB. What examples were
made from is packed as int64, after a header of its own.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadScores

VERSION = 1
HEADER = struct.Struct("<BIIH")
GROUPS = struct.Struct("<BIB")
MOST_BYTES = 1 << 30  # a text that unpacks to more is refused before it is unpacked


def pack(outcomes: NDArray[np.float32]) -> str:
    """Outcomes float32 ``[trials, examples]`` as ASCII text; ``unpack`` gives the same bits."""
    bits = np.ascontiguousarray(outcomes, np.float32).view(np.uint32)
    # Bit patterns, not numbers: -0.0 equals 0.0, and a value is never merged with its neighbour.
    values, index = np.unique(bits, return_inverse=True)
    if len(values) > 256:
        values, body = values[:0], bits.astype("<u4").tobytes()
    elif len(values) > 2:
        body = index.astype(np.uint8).tobytes()
    else:
        body = np.packbits(index.astype(bool)).tobytes()
    head = HEADER.pack(VERSION, *outcomes.shape, len(values))
    return base64.b64encode(zlib.compress(head + values.astype("<u4").tobytes() + body, 9)).decode("ascii")


def unpack(text: str, shape: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """Outcomes float32 ``[trials, examples]`` from ``pack``'s text; raises BadScores on anything else.

    ``shape`` is what the text is said to hold; another one is refused before anything is unpacked.
    """
    try:
        packed = base64.b64decode(text.encode("ascii"), validate=True)
        stream = zlib.decompressobj()
        head = stream.decompress(packed, HEADER.size)
        version, trials, examples, distinct = HEADER.unpack(head)
        if version != VERSION:
            raise BadScores(f"outcomes are packed as version {version}, and this mmbench reads version {VERSION}")
        if shape is not None and (trials, examples) != shape:
            raise BadScores(f"packed are {trials} trials on {examples} examples, and the cell says {shape}")
        size = 4 * distinct + _body_bytes(trials * examples, distinct)
        if size > MOST_BYTES or 4 * trials * examples > MOST_BYTES:
            raise BadScores(f"outcomes of {trials} trials on {examples} examples exceed the 1 GiB limit")
        # One byte more than there should be: a text that goes on is noticed without being unpacked.
        rest = stream.decompress(stream.unconsumed_tail, size + 1)
        if len(rest) != size or not stream.eof or stream.unused_data:
            raise BadScores(
                f"packed outcomes have the wrong length: expected {size} bytes for {trials} trials on "
                f"{examples} examples"
            )
    except (ValueError, binascii.Error, zlib.error, struct.error) as error:
        raise BadScores(f"outcomes cannot be unpacked: {error}") from error
    values, body = np.frombuffer(rest[: 4 * distinct], "<u4"), rest[4 * distinct :]
    return _bits(values, body, trials * examples).view(np.float32).reshape(trials, examples)


def pack_groups(groups: NDArray[np.int64]) -> str:
    """Groups int64 ``[n]`` or ``[n, k]`` as ASCII text; ``unpack_groups`` gives them back."""
    width = groups.shape[1] if groups.ndim == 2 else 0
    body = GROUPS.pack(VERSION, len(groups), width) + np.ascontiguousarray(groups, "<i8").tobytes()
    return base64.b64encode(zlib.compress(body, 9)).decode("ascii")


def unpack_groups(text: str) -> NDArray[np.int64]:
    """Groups from ``pack_groups``'s text; raises BadScores on anything else."""
    try:
        stream = zlib.decompressobj()
        head = stream.decompress(base64.b64decode(text.encode("ascii"), validate=True), GROUPS.size)
        version, examples, width = GROUPS.unpack(head)
        size = 8 * examples * max(width, 1)
        if version != VERSION or size > MOST_BYTES:
            raise BadScores(f"groups are packed as version {version}, {size} bytes; expected version {VERSION}, 1 GiB")
        rest = stream.decompress(stream.unconsumed_tail, size + 1)
        if len(rest) != size or not stream.eof or stream.unused_data:
            raise BadScores(f"packed groups have the wrong length: expected {size} bytes for {examples} examples")
    except (ValueError, binascii.Error, zlib.error, struct.error) as error:
        raise BadScores(f"groups of examples cannot be unpacked: {error}") from error
    found = np.frombuffer(rest, "<i8").astype(np.int64)
    return found.reshape(examples, width) if width else found


def _body_bytes(count: int, distinct: int) -> int:
    if distinct == 0:
        return 4 * count
    return (count + 7) // 8 if distinct <= 2 else count


def _bits(values: NDArray[np.uint32], body: bytes, count: int) -> NDArray[np.uint32]:
    if not len(values):
        return np.frombuffer(body, "<u4").astype(np.uint32)
    if len(values) <= 2:
        index = np.unpackbits(np.frombuffer(body, np.uint8), count=count)
    else:
        index = np.frombuffer(body, np.uint8)
    if len(index) and index.max() >= len(values):
        raise BadScores(f"outcomes name value {index.max()} of {len(values)}")
    return values[index].astype(np.uint32)
