"""What was checked, and how it went: one line for each check."""

# Seconds that anything may take.
LIMIT = 60

results = {"passed": 0, "failed": 0}


def check(what, holds, seen=None):
    """Counts one check, and says how it went."""
    results["passed" if holds else "failed"] += 1
    print(f"ok {what}" if holds else f"not ok {what}: {seen!r}", flush=True)


def skip(what, why):
    """Says that something can't be checked here."""
    print(f"skip {what}: {why}", flush=True)
