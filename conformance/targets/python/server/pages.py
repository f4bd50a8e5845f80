"""The HTML of the approval surface. Every text that isn't this module's goes through `text`."""

from __future__ import annotations

import difflib
import html
from typing import Any, Final

from . import clock, leaves, strictjson, text
from .plans import OPEN, SETTLED, Plan

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #111; background: #fff }
pre, code { font: 14px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
pre { background: #f4f4f4; padding: .5rem; margin: .3rem 0 }
.mark { background: #7a0026; color: #fff; border-radius: .2rem; padding: 0 .2rem }
.warn, .high { background: #fff0d0; border-left: .4rem solid #c60; padding: .3rem .6rem }
.high { background: #ffd9d9; border-color: #a00 }
.info, .said { background: #e8f1ff; border-left: .4rem solid #36c; padding: .3rem .6rem }
ins, del { text-decoration: none } .added { background: #dfd } .removed { background: #fdd }
blockquote { border-left: .3rem solid #999; margin: .5rem 0; padding: .1rem .8rem }
dl dl, dd ol { border-left: .1rem solid #ccc; padding-left: .6rem; margin: .2rem 0 } section { margin: 1.5rem 0 } .live { border: 2px dashed #777; padding: .5rem 1rem }
dt { font-weight: 600 } .points { color: #555; font-size: .85em }
label { display: block; margin: .5rem 0 } button { margin-right: .7rem; padding: .3rem .9rem }
"""
_WORST_FIRST: Final = {"high": 0, "warn": 1, "info": 2}
_ENFORCED: Final = {"on-write": "enforced by the target, as part of the write",
                    "before-write": "checked by the server just before the write; another writer may come between",
                    "none": "not enforced by anything"}


def frame(title: str, content: str, logged_in: bool) -> str:
    out = '<form method="post" action="/logout"><button type="submit">Log out</button></form>' if logged_in else ""
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f'<link rel="stylesheet" href="/style.css"></head><body><main>{content}</main>{out}</body></html>')


def login(sealed: str) -> str:
    return ('<h1>Log in</h1><form method="post" action="/login">'
            f'<input type="hidden" name="form" value="{html.escape(sealed)}">'
            '<label>Account <input name="account" type="text" autocomplete="username"></label>'
            '<label>Password <input name="password" type="password" autocomplete="current-password"></label>'
            '<button type="submit">Log in</button></form>')


def inbox(found: list[Plan], person: str) -> str:
    """A person's own plans, and those that wait for them [SURF-003]."""
    rows = []
    for plan in found:
        assert plan.review is not None
        rows.append(f'<li><a href="/plans/{plan.plan_id}">{text.show(plan.review.value["headline"]["text"])}</a>'
                    f' – {html.escape(plan.state["state"])}, asked for by {text.name(plan.requester)}</li>')
    return f"<h1>Plans</h1><p>You are {text.name(person)}.</p><ul>{''.join(rows) or '<li>none</li>'}</ul>"


class _Secret(str):
    """A commitment, which stands in a secret's place and is not shown [SHOW-006]."""


def _secret(commitment: dict[str, str]) -> _Secret:
    return _Secret(commitment["$secret"])


def _marked(document: dict[str, Any]) -> dict[str, Any]:
    """A document in which the leaves that it lists, and no others, are known as secrets [LEAF-005]."""
    return leaves.put(document, dict.fromkeys(document.get("secretLeaves", []), _secret))


def _value(value: Any) -> str:
    """A value as what it is: its texts as texts, and beside them of what kind they are."""
    if isinstance(value, _Secret):
        return '<p class="points">a secret, which is not shown</p>'
    if isinstance(value, str):
        return f'{text.block(value)}<p class="points">a text of {len(value)} characters</p>'
    if isinstance(value, list):
        items = "".join(f"<li>{_value(item)}</li>" for item in value)
        return f'<ol start="0">{items}</ol>' if value else '<p class="points">an empty list</p>'
    if isinstance(value, dict):
        members = "".join(f"<dt>{text.name(name)}</dt><dd>{_value(member)}</dd>" for name, member in sorted(value.items()))
        return f"<dl>{members}</dl>" if value else '<p class="points">an object without members</p>'
    kind = "" if value is None else "a truth value" if isinstance(value, bool) else "a number"
    return f'<code>{html.escape(strictjson.canonical(value).decode("utf-8"))}</code> <span class="points">{kind}</span>'


def _items(pairs: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{label}</dt><dd>{shown}</dd>" for label, shown in pairs) + "</dl>"


def _change(change: dict[str, Any]) -> str:
    """A difference of the values before and after, rendered and never stored [SHOW-005] [DIG-106]."""
    name = text.name(change["object"])
    if "before" not in change and "after" not in change:
        return f"<h4>{name}: nothing before and nothing after</h4>"
    if "before" not in change:
        return f'<h4>{name} <strong>is created</strong></h4>{_added(change["after"])}'
    if "after" not in change:
        return f'<h4>{name} <strong>is removed</strong></h4>{_removed(change["before"])}'
    before, after = change["before"], change["after"]
    if _same(before, after):
        return f"<h4>{name}: stays as it is</h4>{_value(after)}"
    return f"<h4>{name} <strong>is changed</strong></h4>{_difference(before, after)}"


def _same(before: Any, after: Any) -> bool:
    return strictjson.canonical(before) == strictjson.canonical(after)


def _added(value: Any) -> str:
    return f'<ins class="added">{_value(value)}</ins>'


def _removed(value: Any) -> str:
    return f'<del class="removed">{_value(value)}</del>'


def _difference(before: Any, after: Any) -> str:
    """Of objects member by member, of texts line by line, of everything else the one and the other."""
    if isinstance(before, dict) and isinstance(after, dict):
        parts = []
        for member in sorted(before.keys() | after.keys()):
            label = text.name(member)
            if member not in before:
                parts.append(f"<dt>{label} <strong>is created</strong></dt><dd>{_added(after[member])}</dd>")
            elif member not in after:
                parts.append(f"<dt>{label} <strong>is removed</strong></dt><dd>{_removed(before[member])}</dd>")
            elif _same(before[member], after[member]):
                parts.append(f"<dt>{label}: stays as it is</dt><dd>{_value(after[member])}</dd>")
            else:
                parts.append(f"<dt>{label} <strong>is changed</strong></dt><dd>{_difference(before[member], after[member])}</dd>")
        return f"<dl>{''.join(parts)}</dl>"
    if isinstance(before, _Secret) and isinstance(after, _Secret):
        return '<p class="points">another secret than before; neither is shown</p>'
    if not isinstance(before, str) or not isinstance(after, str) or isinstance(before, _Secret) or isinstance(after, _Secret):
        return f"<p>before:</p>{_removed(before)}<p>after:</p>{_added(after)}"
    old, new = before.split("\n"), after.split("\n")
    if len(old) + len(new) > 4000:  # a difference of long texts costs too much; both are shown whole
        return f"<p>before:</p>{_removed(before)}<p>after:</p>{_added(after)}"
    lines = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += [f"  {text.show(line)}" for line in old[a:b]]
        else:
            lines += [f'<del class="removed">- {text.show(line)}</del>' for line in old[a:b]]
            lines += [f'<ins class="added">+ {text.show(line)}</ins>' for line in new[c:d]]
    return f"<pre>{chr(10)}{chr(10).join(lines)}</pre>"


def _step(number: int, step: dict[str, Any]) -> str:
    """Exactly what will run, and how it is held [SHOW-002] [SHOW-010]."""
    held = "".join(
        f"<li>{text.name(c['kind'])} has to be {_value(c['expected'])}: {_ENFORCED[c['enforcement']]}</li>"
        for c in step.get("preconditions", [])) or '<li class="warn">no precondition: whatever is there is overwritten</li>'
    preview = (f"reviewed preview <code>{html.escape(step['previewDigest'])}</code>" if "previewDigest" in step
               else '<span class="warn">this step can\'t be previewed</span>')
    body = _value(step["body"]) if "body" in step else "<p>no body</p>"
    return (f"<h4>step {number}: {text.name(step['action'])} {text.name(step['object'])}</h4>{body}"
            f"<ul>{held}</ul><p>{preview}</p>")


def _documents(shown: Plan) -> tuple[str, ...]:
    ended = shown.state["state"] not in (*OPEN, "executing")
    return ("header", "intent", "review", "receipt") if ended else ("header", "intent", "review")


def plan(shown: Plan, form: str | None, beside: tuple[list[str], list[dict[str, Any]], bool]) -> str:
    """A plan's page: the stored documents, then what is live [SHOW-002] [SHOW-011]."""
    assert shown.intent is not None and shown.review is not None
    header, intent, review = shown.header.value, _marked(shown.intent.value), _marked(shown.review.value)
    parts = [f"<h1>{text.show(review['headline']['text'])}</h1>"]  # the server's own words first [SHOW-003]
    for finding in sorted(review.get("findings", []), key=lambda f: _WORST_FIRST[f["severity"]]):  # [SHOW-004]
        parts.append(f'<p class="{finding["severity"]}"><strong>{finding["severity"]}</strong>'
                     f' ({text.name(finding["code"])}): {text.show(finding["text"])}</p>')
    parts.append("<ol>" + "".join(f"<li>{text.show(step['text'])}</li>" for step in review["steps"]) + "</ol>")
    for warning in review.get("warnings", []):  # [SHOW-008]
        parts.append(f'<p class="high">Unresolved attempt on the same thing: plan <code>{html.escape(warning["planId"])}'
                     f"</code>, outcome {html.escape(warning['outcome'])}</p>")
    if header["enforcement"]["isolation"] == "same-user":  # [SHOW-009]
        parts.append('<p class="warn">The agent is not known to run as another user than this server: this approval is '
                     "a check of what it does, and no boundary.</p>")
    parts.append("<section><h2>Changes</h2>" + ("".join(map(_change, review.get("changes", []))) or "<p>none shown</p>")
                 + "</section>")
    for quote in review.get("quotes", []):
        parts.append(f"<blockquote><p>words of: {html.escape(quote['source'])}</p>{text.block(quote['text'])}</blockquote>")
    parts.append("<section><h2>What will run</h2>")
    parts += [_step(number, step) for number, step in enumerate(intent["steps"], 1)]
    parts.append(f"<h4>arguments, as the agent sent them</h4>{_value(intent['arguments'])}")
    parts.append(f"<h4>generated when the plan was made</h4>{_value(intent['generated'])}" if "generated" in intent
                 else "<p>nothing was generated when the plan was made</p>")
    normaliser = intent.get("normaliser")
    parts.append(f"<p>normaliser {text.name(normaliser['name'])}</p>{_value(normaliser['exclusions'])}" if normaliser
                 else "<p>previews are compared as they are, without a normaliser and without exclusions</p>")
    rule = header["policy"]["rule"]
    groups = ", ".join(text.name(g) for g in rule.get("groups", [])) or "any"
    who = header["requester"]
    parts.append("</section><section><h2>The plan</h2>" + _items([
        ("target", text.name(intent["target"]["name"]) + _value(intent["target"]["identity"])),
        ("tool", f"{text.name(intent['tool']['name'])}, definition <code>{intent['tool']['definitionDigest']}</code>"),
        ("effect keys", ", ".join(text.name(key) for key in intent["effectKeys"])),
        ("requester", f"{text.name(who['person'])}, as {text.name(who['subject'])} of {text.name(who['issuer'])}"),
        ("rule", f"{html.escape(rule['kind'])}, {rule['required']} required, groups: {groups}"),
        ("policy", _value(header["policy"])), ("enforcement", _value(header["enforcement"])),
        ("made, runs out", f"{header['createdAt']}, {header['expiresAt']}"),
        ("plan", f"<code>{shown.plan_id}</code> of {text.name(header['audience'])}"),
        ("plan digest", f"<code>{shown.header.digest}</code>"),
        ("intent digest", f"<code>{shown.intent.digest}</code>"),
        ("review digest", f"<code>{shown.review.digest}</code>"),
        ("documents", " ".join(f'<a href="/plans/{shown.plan_id}/{n}.json">{n}</a>' for n in _documents(shown))),
    ]) + "</section>")
    parts.append(_live(shown, *beside))
    if form is not None:
        parts.append(form)
    elif shown.state["state"] == "planned":
        parts.append("<p>No challenge is open: nothing can be decided until the agent asks for a decision (again).</p>")
    return "".join(parts)


def _live(shown: Plan, others: list[str], rejections: list[dict[str, Any]], hidden: bool) -> str:
    """What no digest covers [SHOW-011] [SHOW-012] [SHOW-014]."""
    state = shown.state
    pairs = [("state", html.escape(state["state"]) + (f" ({html.escape(state['cause'])})" if "cause" in state else ""))]
    until = {"awaiting_approval": shown.challenge["expiresAt"] if shown.challenge else None,
             "approved": state.get("approvalExpiresAt")}.get(state["state"]) or shown.header.value["expiresAt"]
    if state["state"] in OPEN:
        pairs.append(("time left", f"{max(0, clock.read_stamp(until) - clock.now()) // 1000} seconds (until {until})"))
    pairs.append(("approvals", f"{len(shown.approvers())} of {shown.policy['rule']['required']}"))
    for decision in shown.decisions:
        said = text.block(decision["comment"]) if "comment" in decision else ""
        pairs.append(("decision", f"{html.escape(decision['verdict'])} by {text.name(decision['approver']['person'])}, "
                                  f"{decision['decidedAt']}" + (f"<blockquote>{said}</blockquote>" if said else "")))
    if shown.execution is not None and state["state"] in SETTLED:
        steps = ", ".join(html.escape(s["outcome"]) + (f" ({text.show(s['code'])})" if "code" in s else "")
                          for s in shown.execution.get("steps", [])) or "none reported"
        pairs.append(("outcome", f"{html.escape(shown.execution['outcome'])}, {shown.execution['settledAt']}; steps: {steps}"))
    if shown.reconciliation is not None:
        pairs.append(("an operator found", f"{html.escape(shown.reconciliation['finding'])}, {shown.reconciliation['at']}"))
    pairs.append(("the requester's other open plans, of the fifty latest",
                  ", ".join(f'<a href="/plans/{i}">{i}</a>' for i in others) or "none"))
    pairs.append(("recent rejections on the same thing",
                  ", ".join(f'plan <code>{r["planId"]}</code>, sticks until {r["until"]}' for r in rejections) or "none"))
    if hidden:
        pairs.append(("besides", "there are some that are not yours to read"))
    return f'<section class="live"><h2>Now</h2><p>No digest covers this part.</p>{_items(pairs)}</section>'


def decision(shown: Plan, verdicts: list[str], sealed: str) -> str:
    """The form. Its first button does nothing, so that no key decides [FORM-005]; saying no takes only the password."""
    assert shown.review is not None and shown.intent is not None
    high = any(f["severity"] == "high" for f in shown.review.value.get("findings", []))
    name = shown.intent.value["target"]["name"]
    typed = (f'<label>To approve, type the target\'s name: <strong>{text.show(name)}</strong>'
             ' <input name="target" type="text" autocomplete="off" required></label>'
             if high and "approve" in verdicts else "")
    words = {"reject": "Reject", "withdraw": "Withdraw my approval", "approve": "Approve"}
    # What an approval takes is not asked of a rejection or a withdrawal [FORM-008].
    buttons = "".join(f'<button type="submit" name="verdict" value="{v}"{"" if v == "approve" else " formnovalidate"}>{words[v]}'
                      "</button>" for v in verdicts)
    return (f'<section><h2>Decide</h2><form method="post" action="/plans/{shown.plan_id}/decision">'
            '<button type="submit" disabled hidden></button>'
            f'<input type="hidden" name="form" value="{html.escape(sealed)}">{typed}'
            '<label>Comment (up to 2000 characters) <textarea name="comment" maxlength="2000"></textarea></label>'
            '<label>Your password <input name="password" type="password" autocomplete="off"></label>'
            '<label>With a rejection <select name="mute"><option value="no" selected>nothing else</option>'
            '<option value="yes">take no plans from this requester for an hour</option></select></label>'
            f"{buttons}</form></section>")
