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
    check({"intent": intent}, [leaf for leaf in leaves if leaf["pointer"].startswith("/intent/")])
    intent = copy.deepcopy(intent)
    for leaf in leaves:
        if leaf["pointer"].startswith("/intent/"):
            container, step = place(intent, leaf["pointer"].removeprefix("/intent"))
            container[step] = leaf["value"]
    return intent


def check(documents, leaves):
    """The leaves that are kept are those that the documents list, each once, and each commitment is reproduced."""
    kept = {leaf["pointer"]: leaf for leaf in leaves}
    if len(kept) < len(leaves):
        raise Broken("a leaf twice")
    for name, document in documents.items():
        for pointer in document.get("secretLeaves", []):
            leaf = kept.pop(f"/{name}{pointer}", None)
            try:
                container, step = place(document, pointer)
                held = container[step]
            except (LookupError, TypeError, ValueError):
                raise Broken(pointer) from None
            if leaf is None or held != commitment(leaf["nonce"], leaf["value"]):
                raise Broken(pointer)
    if any(not pointer.startswith("/preview/") for pointer in kept):
        raise Broken("a leaf that is not listed")


def place(document, pointer):
    """The container that a JSON Pointer (RFC 6901) leads to, and the step into it."""
    *steps, last = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    for step in steps:
        document = document[int(step) if isinstance(document, list) else step]
    return document, int(last) if isinstance(document, list) else last
