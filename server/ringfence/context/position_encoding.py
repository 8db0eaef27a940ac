"""Columns in the units of an editor: conversion from and to code points, within one line."""

from __future__ import annotations

from enum import StrEnum


class PositionEncoding(StrEnum):
    """The unit in which an editor counts columns; the words of LSP."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


_BYTES_PER_UNIT = {PositionEncoding.UTF8: 1, PositionEncoding.UTF16: 2, PositionEncoding.UTF32: 4}
_CODECS = {
    PositionEncoding.UTF8: "utf-8",
    PositionEncoding.UTF16: "utf-16-le",
    PositionEncoding.UTF32: "utf-32-le",
}


def units_to_code_points(text: str, units: int, encoding: PositionEncoding) -> int:
    """Return the code points that the first ``units`` units of ``text`` hold.

    A count inside a character is rounded down to its start; one past the end gives
    the length of ``text``, and a negative one 0.
    """
    if units <= 0:
        return 0
    if encoding is PositionEncoding.UTF32 or text.isascii():
        return min(units, len(text))
    encoded = text.encode(_CODECS[encoding], "surrogatepass")
    head = encoded[: units * _BYTES_PER_UNIT[encoding]]
    return len(head.decode(_CODECS[encoding], "ignore"))


def code_points_to_units(text: str, code_points: int, encoding: PositionEncoding) -> int:
    """Return how many units the first ``code_points`` code points of ``text`` take."""
    head = text[: max(code_points, 0)]
    if encoding is PositionEncoding.UTF32 or head.isascii():
        return len(head)
    encoded = head.encode(_CODECS[encoding], "surrogatepass")
    return len(encoded) // _BYTES_PER_UNIT[encoding]
