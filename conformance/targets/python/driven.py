"""Tests driver.py and the server together, as the harness would: requests to the driver, raw messages to the server, forms to its
pages. Most are hostile cases of spec/v0/security.md, section 4, by their names.

    python3 -m driven      (in this directory)
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from hands import HERE, Person, World, check, results
from server import receipts
from server.doubt import Fault
from server.signing import KeySet
from server.verifier import verify


def wire(w: World) -> None:
    alice, driver = w.alice, w.driver
    for name in ("alice", "bob"):
        tools = {tool["name"]: tool for tool in w.agents[name].ask("tools/list")["result"]["tools"]}
        check("the list is the same for all", list(tools) == ["read_note", "write_note", "delete_note", "ask_clerk", *(
            f"approval_{role}" for role in ("challenge", "status", "execute", "cancel"))], list(tools))
    arguments, plan = w.approved()
    check("a control: it runs", alice.execute(plan) == "execution applied False" and w.effects(arguments) == 1)
    check("replay", alice.execute(plan) == "execution applied True" and w.effects(arguments) == 1)
    check("the client is quoted", "driven 1" in w.persons["alice"].open(alice.challenge(alice.write()[1]))[1])
    arguments, plan = alice.write()
    w.refused("unasked", plan, arguments, "approval_required")
    url = alice.challenge(plan)
    w.refused("undecided", plan, arguments, "approval_pending")
    w.persons["alice"].decide(url, "reject")
    w.refused("rejected", plan, arguments, "approval_rejected")
    check("asked-again", alice.reason("write_note", **arguments) == "recently_rejected")
    arguments, plan = w.approved("board", "carol")
    w.refused("half-decided", plan, arguments, "approval_pending")
    form = w.persons["carol"].form(alice.challenge(plan), "approve")
    check("who approved has no form to approve", form is None)
    w.persons["dave"].decide(alice.challenge(plan))
    check("a quorum", alice.execute(plan) == "execution applied False" and w.effects(arguments) == 1)
    arguments, plan = w.approved()
    w.persons["alice"].decide(alice.challenge(plan), "withdraw")
    w.refused("withdrawn", plan, arguments, "approval_withdrawn")
    arguments, plan = w.approved()
    check("cancel", alice.call("approval_cancel", planId=plan["planId"])["cause"] == "cancelled")
    w.refused("cancelled", plan, arguments, "plan_cancelled")
    for folder, reason in (("short-plan", "plan_expired"), ("short-approval", "approval_expired")):
        arguments, plan = w.approved(folder)
        time.sleep(3.2)
        w.refused(folder, plan, arguments, reason)
    arguments, plan = alice.write("short-challenge")
    alice.challenge(plan)
    time.sleep(3.2)
    w.refused("ran-out", plan, arguments, "challenge_expired")
    arguments, plan = alice.write("few-attempts")
    seen = [alice.execute(plan) for _ in range(4)]
    check("knocking", seen == ["approval_required"] * 3 + ["rate_limited"], seen)
    arguments, plan = alice.write("reviewed")
    url = alice.challenge(plan)
    check("own-plan", w.persons["alice"].open(url)[0] == 200 and w.persons["alice"].form(url, "approve") is None)
    check("stranger", w.persons["mallory"].open(url)[0] == 404)
    check("plan-of-another", w.agents["bob"].reason("approval_status", planId=plan["planId"]) == "plan_not_found")
    other, other_plan = alice.write("public")
    url = alice.challenge(other_plan)
    action, fields = w.persons["alice"].form(url, "approve") or ("", {})
    check("the target's name is typed", fields.get("target") == "notes", fields)
    status, _, _ = w.persons["alice"].send("POST", action, {**fields, "target": "Notes"})
    check("a name that isn't it decides nothing", status == 400 and alice.execute(other_plan) == "approval_pending", status)
    check("a high finding", w.persons["alice"].decide(url)[0] == 200 and alice.execute(other_plan) == "execution applied False")
    hidden = alice.write("hidden")[1]
    check("what the requester may not read is left out", "changes" not in hidden, hidden)
    for how, reason in (("moved", "precondition_failed"), ("previewed", "preview_changed"), ("refused", "dry_run_failed"),
                        ("replaced", "target_changed")):
        arguments, plan = w.approved()
        driver("drift", tool="plain", arguments=arguments, how=how)
        w.refused(f"drift: {how}", plan, arguments, reason)
        w.refused(f"drift: {how}, again", plan, arguments, "plan_stale")
    arguments, plan = w.approved()
    driver("drift", tool="plain", arguments=arguments, how="unreachable")
    w.refused("outage", plan, arguments, "target_unavailable")
    driver("drift", tool="plain", arguments=arguments, how="restored")
    check("and back", alice.execute(plan) == "execution applied False")
    for reason, tool, arguments in (
            ("policy_denied", "write_note", {"folder": "forbidden", "name": "x", "text": ""}),
            ("payload_invalid", "write_note", {"folder": "plain", "name": "x", "text": "", "colour": "red"}),
            ("requester_not_permitted", "delete_note", {"folder": "plain", "name": "kept"}),
            ("dry_run_failed", "write_note", {"folder": "locked", "name": "x", "text": ""}),
            ("target_unavailable", "write_note", {"folder": "away", "name": "x", "text": ""}),
            ("unsupported", "write_note", {"folder": "plain", "name": "*", "text": ""})):
        got = alice.reason(tool, **arguments)
        check(f"no plan: {reason}", got == reason, got)
    held(w)
    clerk(w)
    raw(w)
    pages(w)
    flood = [alice.reason("write_note", folder="few-plans", name=f"f{n}", text="") for n in range(21)]
    check("flood-of-plans", flood[-1] == "rate_limited", flood)


def held(w: World) -> None:
    arguments, plan = w.approved()
    _, other = arguments, w.alice.call("write_note", **arguments)
    w.persons["alice"].decide(w.alice.challenge(other))
    w.driver("hold", tool="plain", arguments=arguments)
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(w.alice.execute(plan)))
    thread.start()
    check("held", w.driver("held", tool="plain", arguments=arguments, seconds=20)["held"] and not w.effects(arguments))
    check("race", w.alice.execute(plan) == "execution_in_progress")
    check("collision", w.alice.execute(other) == "execution_in_progress")
    check("it is not cancelled", w.alice.reason("approval_cancel", planId=plan["planId"]) == "execution_in_progress")
    w.driver("release", tool="plain", arguments=arguments)
    thread.join()
    check("released", answers == ["execution applied False"] and w.effects(arguments) == 1, answers)


def clerk(w: World) -> None:
    def asked(how: str) -> dict[str, Any]:
        arguments = {"name": f"n-{uuid.uuid4().hex[:12]}", "wish": "file it"}
        plan = w.alice.call("ask_clerk", **arguments)
        w.persons["alice"].decide(w.alice.challenge(plan))
        w.driver("answer", tool="opaque", arguments=arguments, how=how)
        return w.alice.call("approval_execute", planId=plan["planId"])
    seen = {how: asked(how) for how in ("ordinary", "error", "protocol-error", "input")}
    check("an opaque tool", [seen[how]["outcome"] for how in seen] == ["applied", "unknown", "unknown", "unknown"], seen)
    check("its answer is kept", seen["ordinary"]["toolResult"]["structuredContent"] == {"wish": "file it"}
          and seen["protocol-error"]["toolResult"]["error"]["code"] == -32000, seen)


def raw(w: World) -> None:
    for version in ({}, {"MCP-Protocol-Version": "2025-11-25"}):
        def sent(params: str) -> Any:
            body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":%s}' % params
            return w.alice.post(body.encode(), version)[1]
        for case, params in (("malformed-call", '{"name":"write_note","arguments":[]}'), ("null", '{"name":"write_note","arguments":null}'),
                             ("params", "[]"), ("no name", "{}"), ("another tool", '{"name":"x"}'), ("name", '{"name":1,"arguments":{}}'),
                             ("doubled-member", '{"name":"write_note","arguments":{"folder":"a","folder":"b","name":"x","text":""}}'),
                             ("doubled-name", '{"name":"read_note","name":"write_note","arguments":{}}')):
            seen = sent(params)
            check(f"{case}: -32602", seen.get("id") == 7 and seen.get("error", {}).get("code") == -32602, seen)
        seen = sent('{"name":"write_note","arguments":{"folder":"plain","name":"x","text":"","rank":9007199254740992}}')
        check("not-strict", seen["result"]["structuredContent"]["reason"] == "payload_invalid", seen)
        seen = sent('{"name":"write_note","arguments":{"folder":"plain","name":"x","text":""},"requestState":"s"}')
        check("unasked-answer", seen["result"]["structuredContent"]["reason"] == "payload_invalid", seen)
    seen = w.alice.reason("write_note", folder="plain", name="x", text="x" * 2**21)
    check("too-large", seen == "payload_too_large", seen)
    deep: Any = 0
    for _ in range(70):
        deep = [deep]
    check("too deep", w.alice.reason("write_note", folder="plain", name="x", text="", extra=deep) == "payload_invalid")
    _, plan = w.alice.write(rank=1.5, extra={"null": None, "list": [None, 1.5e-9]})
    check("any value", plan["changes"][0]["after"]["extra"]["null"] is None, plan)
    status, seen = w.alice.post(b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read_note","arguments":{}}}', {})
    check("without an id", status == 202 and seen is None, (status, seen))
    check("another origin", w.alice.post(b"{}", {"Origin": "http://evil.example"})[0] == 403)
    check("nobody", w.alice.post(b"{}", {"Authorization": "Bearer x"})[0] == 401)


def pages(w: World) -> None:
    hostile = "a\u202eb\u200bc  \U000e0041\nd   \n\n<b>&amp;"
    _, plan = w.alice.write(text=hostile)
    url = w.alice.challenge(plan)
    alice = w.persons["alice"]
    _, text = alice.open(url)
    check("reversed-text", not re.search("[\u202e\u200b\U000e0041]|<b>", text) and all(
        f"U+{code}" in text for code in ("202E", "200B", "E0041")), text)
    action, fields = alice.form(url, "approve") or ("", {})
    password = next(name for name, value in fields.items() if value == alice.password)

    def nothing(case: str, status: int, sent: dict[str, str], headers: dict[str, str] | None = None, who: Person = alice) -> None:
        seen = who.send("POST", action, sent, headers)[0], w.alice.execute(plan)
        check(case, seen == (status, "approval_pending"), seen)
    nothing("no-password", 403, {**fields, password: ""})
    nothing("foreign-page", 403, fields, {"Origin": "http://evil.example"})
    nothing("a form from nowhere", 403, fields, {})
    seal = next(name for name in fields if name == "form")
    nothing("foreign-form: edited", 403, {**fields, seal: fields[seal][:-4] + "AAAA"})
    second = Person(alice.account, alice.password)
    second.open(url)
    nothing("foreign-form: another session", 403, fields, None, second)
    check("link", alice.send("GET", f"{action}?{urlencode(fields)}")[0] == 404 and w.alice.execute(plan) == "approval_pending")
    for method in ("GET", "HEAD", "PUT", "OPTIONS"):
        _, headers, _ = second.send(method, url)
        check(f"headers on every answer: {method}", "frame-ancestors 'none'" in headers.get("content-security-policy", "")
              and headers.get("cache-control") == "no-store", headers)
    check("another host", second.send("GET", url, None, {"Host": "evil.example"})[0] == 421)
    status, _, text = alice.send("POST", action, {**fields, fields_name(fields): "reject"})
    check("the form, as it is, decides", status == 200 and "You rejected" in text, (status, text[:300]))
    _, plan = w.alice.write()
    action, fields = alice.form(w.alice.challenge(plan), "reject") or ("", {})
    alice.send("POST", action, fields)
    check("foreign-form: used", alice.send("POST", action, fields)[0] == 409)


def fields_name(fields: dict[str, str]) -> str:
    return next(name for name, value in fields.items() if value == "approve")


def instruments(w: World) -> None:
    alice, driver = w.alice, w.driver
    driver("mute", person="alice", on=True)
    check("muted", alice.reason("write_note", folder="plain", name="m", text="") == "rate_limited")
    driver("mute", person="alice", on=False)
    arguments, plan = w.approved()
    driver("pause", on=True)
    w.refused("paused", plan, arguments, "paused")
    driver("pause", on=False)
    for what, more, reason in (("policy", {"tool": "plain"}, "policy_changed"), ("definition", {"tool": "plain"}, "tool_changed"),
                               ("enforcement", {}, "policy_changed"), ("disable", {"person": "alice"}, "requester_not_permitted")):
        arguments, plan = w.approved()
        driver("change", what=what, **more)
        w.refused(f"changed: {what}", plan, arguments, reason)
    driver("change", what="enable", person="alice")
    for what in ("disable", "regroup"):
        arguments, plan = w.approved("reviewed", "carol")
        driver("change", what=what, person="carol")
        w.refused(f"former-approver: {what}", plan, arguments, "approver_not_permitted")
        driver("change", what="enable", person="carol")
    arguments, plan = w.approved()
    driver("change", what="account", person="alice")
    check("another credential ends the session", "password" in w.persons["alice"].send("GET", alice.challenge(plan))[2])
    w.meet(driver("reset"))
    crashes(w)
    failures(w)
    try:
        check("the audit holds", verify([line.encode() for line in driver("audit")["lines"]]).events > 0)
    except Fault as fault:
        check("the audit holds", False, fault)
    signed(w)
    put_back(w)
    tampered(w)
    unsupported = driver.ask("juggle")
    check("what it can't do it says", "unsupported" in unsupported, unsupported)
    content = json.loads((HERE.parents[2] / "spec/v0/vectors/tags.json").read_text())
    answers = driver("vectors", file="tags.json", content=content)["answers"]
    check("vectors", answers == [vector["expect"] for vector in content["vectors"]])


def crashes(w: World) -> None:
    alice, driver = w.alice, w.driver
    for when, effects in (("before-effect", 0), ("after-effect", 1)):
        arguments, plan = w.approved()
        driver("kill", when=when)
        with contextlib.suppress(OSError, http.client.HTTPException):
            alice.execute(plan)
        driver("restart")
        waited = alice.call("approval_status", planId=plan["planId"], waitSeconds=10)
        check(f"after a crash {when}", waited["state"] == "unknown" and w.effects(arguments) == effects, waited)
        seen = alice.execute(plan)
        check(f"after-a-crash: {when}", seen == "execution unknown True" and w.effects(arguments) == effects, seen)
        again = alice.call("write_note", **arguments)
        check("it is marked", again.get("warnings", [{}])[0].get("planId") == plan["planId"], again)
        driver("reconcile", planId=plan["planId"], finding="not-applied")
        check("and not once it is resolved", "warnings" not in alice.call("write_note", **arguments))
    driver("prune", planId=plan["planId"])
    pruned = alice.execute(plan), alice.call("approval_status", planId=plan["planId"])["state"]
    check("pruned", pruned == ("already_executed", "unknown"), pruned)
    check("its page is gone", w.persons["alice"].open(f"{alice.challenge(again).rpartition('/')[0]}/{plan['planId']}")[0] == 404)
    driver("kill", when="now")
    driver("restart")
    check("killed and back", alice.write()[1]["kind"] == "plan")
    arguments, plan = w.approved()
    driver("advance-clock", seconds=901)
    w.refused("by the clock", plan, arguments, "approval_expired")
    arguments, plan = w.approved()
    driver("advance-clock", seconds=3601)
    w.refused("both have run out", plan, arguments, "plan_expired")


def signed(w: World) -> None:
    """A receipt, and a checkpoint of a process that was ended in good order."""
    arguments, plan = w.approved()
    check("no receipt before the end", "error" in w.driver.ask("receipt", planId=plan["planId"]))
    w.alice.execute(plan)
    told = w.driver("receipt", planId=plan["planId"])
    keys = KeySet.read(told["keys"].encode())
    taken = receipts.verify(told["receipt"].encode(), keys, None)
    check("a receipt", taken.claims == ["approved", "executed", "planned"] and taken.plan_digest == plan["planDigest"], taken)
    w.driver("restart")
    holds = verify([line.encode() for line in w.driver("audit")["lines"]], keys)
    check("a checkpoint proves what came before it", holds.checkpoints >= 1 and (holds.proven or 0) > 0, holds)


def tampered(w: World) -> None:
    alice, driver = w.alice, w.driver
    for record in ("header", "intent", "review", "challenge", "decision", "plan-state", "event"):
        arguments, plan = w.approved()
        other = w.approved()[1]["planId"]
        for case in ("edited-row", "transplanted-row", "missing-row"):
            driver("tamper", planId=plan["planId"], case=case, record=record, other=other)
            w.refused(f"{case}: {record}", plan, arguments, "integrity_failure")
    for record in ("header", "intent", "plan-state"):
        arguments, plan = w.approved()
        driver("tamper", planId=plan["planId"], case="edited-column", record=record)
        w.refused(f"edited-column: {record}", plan, arguments, "integrity_failure")
        status, text = w.persons["alice"].open(alice.challenge(alice.write()[1]).rpartition("/")[0] + f"/{plan['planId']}")
        check("it isn't shown, and the page says so", status == 409 and "doesn't hold together" in text, (status, text[:300]))
    arguments, plan = w.approved()
    alice.execute(plan)
    driver("tamper", planId=plan["planId"], case="edited-row", record="execution")
    check("edited-row: execution", alice.execute(plan) == "integrity_failure" and w.effects(arguments) == 1)


def put_back(w: World) -> None:
    alice, driver = w.alice, w.driver
    arguments, plan = w.approved()
    driver("keep")
    w.persons["alice"].decide(alice.challenge(plan), "withdraw")
    driver("put-back", what="plan-state", planId=plan["planId"])
    w.refused("older-state", plan, arguments, "integrity_failure")
    # A note that was written doesn't have the tag any more that the plan is for; so the plan is one that nothing else holds up.
    arguments = {"name": f"n-{uuid.uuid4().hex[:12]}", "wish": "file it"}
    plan = alice.call("ask_clerk", **arguments)
    w.persons["alice"].decide(alice.challenge(plan))
    rejected_arguments, rejected = w.approved()
    driver("keep")
    check("a control", alice.execute(plan) == "execution applied False")
    w.persons["alice"].decide(alice.challenge(rejected), "reject")
    driver("put-back", what="store")
    seen = alice.execute(plan), w.effects(arguments, "opaque")
    check("yesterdays-store", seen == ("execution unknown False", 1), seen)
    w.refused("undone-rejection", rejected, rejected_arguments, "approval_rejected")


def failures(w: World) -> None:
    alice, driver = w.alice, w.driver
    arguments, plan = w.approved()
    driver("fail-anchor", on=True)
    seen = alice.execute(plan), w.effects(arguments)
    check("mute-anchor", seen == ("execution failed False", 0), seen)
    driver("fail-anchor", on=False)
    arguments, plan = w.approved()
    driver("fail-store", on=True)
    w.refused("a store that takes nothing", plan, arguments, "store_unavailable")
    check("no plan either", alice.reason("write_note", **{**arguments, "name": "s"}) == "store_unavailable")
    driver("fail-store", on=False)
    check("and back", alice.execute(plan) == "execution applied False")
    arguments, plan = w.approved()
    driver("hold", tool="plain", arguments=arguments)
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(alice.execute(plan)))
    thread.start()
    driver("held", tool="plain", arguments=arguments, seconds=20)
    driver("fail-store", on=True)
    driver("release", tool="plain", arguments=arguments)
    thread.join()
    driver("fail-store", on=False)
    state = alice.call("approval_status", planId=plan["planId"], waitSeconds=10)["state"]
    check("an outcome that couldn't be recorded is, later", answers == ["store_unavailable"] and state in ("applied", "unknown"), (answers, state))


def main() -> int:
    world = World()
    parts: tuple[Callable[[World], None], ...] = (wire, instruments)
    try:
        for part in parts:
            try:
                part(world)
                check(f"{part.__name__} runs to its end", True)
            except Exception as error:
                traceback.print_exc()
                check(f"{part.__name__} runs to its end", False, error)
    finally:
        world.driver.close()
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
