"""Secret leaves, as spec/v0/digest.md, section 7, lays them down. CC0 1.0."""

import copy

import rfc8785

from strict_json import digest


class Broken(ValueError):
    """A commitment that value and nonce do not reproduce."""


def commitment(nonce, value):
    committed = {"type": "mutation-approval/secret/v0", "nonce": nonce, "value": value}
    return {"$secret": digest(rfc8785.dumps(committed))}


def replace(document, leaves):
    """Takes the secrets out of a document."""
    document = copy.deepcopy(document)
    for leaf in leaves:
        container, step = place(document, leaf["pointer"])
        container[step] = commitment(leaf["nonce"], container[step])
    return document


def restore(intent, leaves):
    """Puts the secrets back into an intent, once each commitment has been recomputed."""
    intent = copy.deepcopy(intent)
    for pointer in intent.get("secretLeaves", []):
        leaf = next((leaf for leaf in leaves if leaf["pointer"] == f"/intent{pointer}"), None)
        try:
            container, step = place(intent, pointer)
            held = container[step]
        except (LookupError, TypeError, ValueError):
            raise Broken(pointer) from None
        if leaf is None or held != commitment(leaf["nonce"], leaf["value"]):
            raise Broken(pointer)
        container[step] = leaf["value"]
    return intent


def place(document, pointer):
    """The container that a JSON Pointer (RFC 6901) leads to, and the step into it."""
    *steps, last = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    for step in steps:
        document = document[int(step) if isinstance(document, list) else step]
    return document, int(last) if isinstance(document, list) else last
