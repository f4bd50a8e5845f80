"""Answers texts with what the specification says of them, read by Python.

Standard input holds texts, each after three unsigned 32-bit integers, little-endian: the length of the text and the limits
of bytes and nodes. For each, one line goes to standard output: `admitted` and the digest, or `refused`, reason and offset.
"""

import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "spec/v0/vectors/check/python"))

from strict_json import Limits, Refused, admit  # noqa: E402

HEAD = struct.Struct("<III")
BATCH = 500


def answer(text, limits):
    try:
        return f"admitted {admit(text, limits).digest}\n"
    except Refused as refused:
        offset = "-" if refused.offset is None else refused.offset
        return f"refused {refused.reason} {offset}\n"


def main():
    source, answers = sys.stdin.buffer, []
    while head := source.read(HEAD.size):
        length, max_bytes, max_nodes = HEAD.unpack(head)
        answers.append(answer(source.read(length), Limits(max_bytes, max_nodes)))
        if len(answers) == BATCH:
            sys.stdout.write("".join(answers))
            sys.stdout.flush()
            answers.clear()
    sys.stdout.write("".join(answers))


main()
