"""Secret leaves (digest.md, section 7): a commitment stands where a secret was, and the secret is kept apart.

A leaf's pointer begins with the document that it is in: `/intent`, `/review`, or `/preview` for what a dry run gave.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from . import clock, records, strictjson

Leaf = dict[str, Any]  # pointer, nonce and value, as the record `secrets` has it


class Broken(Exception):
    """What is listed, kept and committed to doesn't belong together [LEAF-006]."""


def commitment(nonce: str, value: Any) -> dict[str, str]:
    """What stands in a value's place [LEAF-002] [LEAF-003]."""
    return {"$secret": strictjson.digest({"type": records.type_of("secret"), "nonce": nonce, "value": value})}


def leaf(document: Any, pointer: str) -> Leaf:
    """A leaf of its own, with a fresh nonce [LEAF-004]."""
    container, step = _place(document, pointer)
    return {"pointer": pointer, "nonce": clock.new_salt(), "value": container[step]}


def put(document: Any, values: dict[str, Callable[[Any], Any]]) -> Any:
    """A copy in which something is made of what stands at some pointers."""
    document = _copied(document)
    for pointer, made_of in values.items():
        container, step = _place(document, pointer)
        container[step] = made_of(container[step])
    return document


def replace(document: Any, leaves: list[Leaf]) -> Any:
    """With commitments in the places of secrets [LEAF-002]."""
    return put(document, {each["pointer"]: partial(commitment, each["nonce"]) for each in leaves})


def restore(intent: dict[str, Any], leaves: list[Leaf]) -> dict[str, Any]:
    """What is executed: the intent with its secrets in place, once each commitment was recomputed [LEAF-008]."""
    own = of("intent", leaves)
    check(intent, own)
    return cast(dict[str, Any], put(intent, {each["pointer"]: partial(_value_of, each) for each in own}))


def _value_of(each: Leaf, held: Any) -> Any:
    return each["value"]


def of(name: str, leaves: list[Leaf]) -> list[Leaf]:
    """The leaves in one document, by pointers into it."""
    return [{**each, "pointer": each["pointer"].removeprefix(f"/{name}")} for each in leaves
            if each["pointer"].startswith(f"/{name}/")]


def check(document: dict[str, Any], leaves: list[Leaf]) -> None:
    """The leaves that are kept of a document are those that it lists, and make its commitments [LEAF-006]."""
    listed: list[str] = document.get("secretLeaves", [])
    if sorted(listed) != sorted(each["pointer"] for each in leaves):
        raise Broken
    for each in leaves:
        container, step = _place(document, each["pointer"])
        try:
            holds = container[step] == commitment(each["nonce"], each["value"])
        except (LookupError, TypeError):
            raise Broken from None
        if not holds:
            raise Broken


def _copied(value: Any) -> Any:
    """In which no two places are one object, as in what is stored."""
    if isinstance(value, dict):
        return {name: _copied(member) for name, member in value.items()}
    return [_copied(element) for element in value] if isinstance(value, list) else value


def _place(document: Any, pointer: str) -> tuple[Any, str | int]:
    """The container that a JSON Pointer leads to, and the step into it (RFC 6901)."""
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]] or [""]
    try:
        for step in way:
            document = document[int(step) if isinstance(document, list) else step]
        return document, int(last) if isinstance(document, list) else last
    except (LookupError, TypeError, ValueError):
        raise Broken from None
