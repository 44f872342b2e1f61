"""Splits SQL text into statements by the rules of psql: quotes, comments, dollar quotes, parentheses, BEGIN ATOMIC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<estring>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)
    | (?P<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
    | (?P<number>\d[\w.]*)
    | (?P<mark>[();])
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Statement:
    """One statement without its surrounding comments and without the semicolon."""

    text: str
    line: int
    words: tuple[str, ...]  # leading keywords in lower case, as many as tell what it is


def _end_of_block_comment(text: str, position: int) -> int:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, position):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def split(text: str) -> Iterator[Statement]:
    """The statements of a file, each with the line it starts on."""
    position, start, end = 0, -1, 0
    parens = atomic = 0
    words: list[str] = []

    def statement() -> Statement:
        return Statement(text[start:end], text.count("\n", 0, start) + 1, tuple(words[:8]))

    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:  # cannot happen: "other" takes any character
            break
        kind, found, position = match.lastgroup, match[0], match.end()
        if kind in {"line", "space"}:
            continue
        if kind == "block":
            position = _end_of_block_comment(text, position)
            continue
        if kind == "mark" and found == ";" and parens == 0 and atomic == 0:
            if start >= 0:
                yield statement()
            start, words = -1, []
            continue
        if start < 0:
            start = match.start()
        if kind == "dollar":
            close = text.find(found, position)
            position = len(text) if close < 0 else close + len(found)
        elif kind == "mark":
            parens = max(0, parens + {"(": 1, ")": -1, ";": 0}[found])
        elif kind == "word" and parens == 0:
            word = found.lower()
            if len(words) < 8:
                words.append(word)
            if words[0] == "create" and {"function", "procedure"} & set(words[1:4]):
                if word == "begin" or (word == "case" and atomic):
                    atomic += 1
                elif word == "end" and atomic:
                    atomic -= 1
        elif kind == "quoted" and parens == 0 and len(words) < 8:
            words.append(found)
        end = position
    if start >= 0:
        yield statement()
