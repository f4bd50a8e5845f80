"""What an agent and a person do with a gated server, and what must not work. Each call goes through PyPI's `mcp`."""

import json
import urllib.parse

from checks import LIMIT, check
from person import PASSWORD, Forms, WithPassword

EXTENSION = "io.github.mutation-approval/profile"


async def answer(client, tool, arguments):
    """Calls a tool; the client itself holds the structured content against the listed schema."""
    result = await client.call_tool(tool, arguments, read_timeout_seconds=LIMIT)
    return result.structured_content, result.is_error


async def drive(label, client, directory, browser):
    """Plan, challenge, execute, and what must not work; `browser` is the person's."""

    def told(what, holds, seen=None):
        check(f"{label}: {what}", holds, seen)

    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    told("write_file is marked as gated", tools["write_file"].meta[EXTENSION]["gated"] is True)
    told("read_file is not", EXTENSION not in (tools["read_file"].meta or {}))
    told("the profile's tools are listed", {f"approval_{name}" for name in ("challenge", "status", "execute", "cancel")} <= set(tools))

    path = directory / f"{label}.txt"
    plan, is_error = await answer(client, "write_file", {"name": path.name, "content": "approved\n"})
    told("a gated call answers with a plan", plan["kind"] == "plan" and not is_error, plan)
    told("and writes nothing", not path.exists())
    handle = {"planId": plan["planId"], "planDigest": plan["planDigest"]}

    refusal, is_error = await answer(client, "approval_execute", handle)
    told("a plan that is before nobody can't run", refusal["reason"] == "approval_required" and is_error, refusal)
    challenge, _ = await answer(client, "approval_challenge", handle)
    told("a challenge has an address", challenge["kind"] == "challenge" and plan["planId"] in challenge["url"], challenge)
    refusal, _ = await answer(client, "approval_execute", handle)
    told("a pending plan can't run", refusal["reason"] == "approval_pending", refusal)
    status, _ = await answer(client, "approval_status", {"planId": plan["planId"]})
    told("a pending plan is awaiting approval", status["state"] == "awaiting_approval", status)

    _, _, page = browser.load(challenge["url"])
    told("nothing is shown before the login", path.name not in page and "Log in" in page)
    _, _, page = browser.log_in(challenge["url"])
    told("after the login the plan is shown", path.name in page and "approved" in page and plan["planDigest"] in page)
    code, _, _ = browser.fail_to_decide(challenge["url"], "approve")
    status, _ = await answer(client, "approval_status", {"planId": plan["planId"]})
    told("a wrong authentication decides nothing", code >= 400 and status["state"] == "awaiting_approval", (code, status))
    code, _, _ = browser.decide(challenge["url"], "approve")
    status, _ = await answer(client, "approval_status", {"planId": plan["planId"], "waitSeconds": 20})
    told("an approval is seen", code == 200 and status["state"] == "approved", (code, status))
    told("and alone writes nothing", not path.exists())

    execution, is_error = await answer(client, "approval_execute", handle)
    told("an approved plan runs", execution["outcome"] == "applied" and not execution["replayed"] and not is_error, execution)
    told("and writes what was approved", path.read_text() == "approved\n")
    path.write_text("written by somebody else\n")
    again, is_error = await answer(client, "approval_execute", handle)
    told("again, it answers with the record", again == {**execution, "replayed": True} and not is_error, again)
    told("and writes nothing", path.read_text() == "written by somebody else\n")
    result = await client.call_tool("read_file", {"name": path.name})
    told("a read-only tool runs at once", result.content[0].text == "written by somebody else\n", result)

    plan, _ = await answer(client, "write_file", {"name": path.name, "content": "late\n"})
    challenge, _ = await answer(client, "approval_challenge", {"planId": plan["planId"]})
    browser.decide(challenge["url"], "approve")
    path.write_text("changed after the review\n")
    refusal, _ = await answer(client, "approval_execute", {"planId": plan["planId"]})
    told("a file that changed after the review stops the plan", refusal["reason"] == "precondition_failed", refusal)
    told("and stays as it is", path.read_text() == "changed after the review\n")

    plan, _ = await answer(client, "write_file", {"name": path.name, "content": "rejected\n"})
    challenge, _ = await answer(client, "approval_challenge", {"planId": plan["planId"]})
    browser.decide(challenge["url"], "reject")
    refusal, _ = await answer(client, "approval_execute", {"planId": plan["planId"]})
    told("a rejected plan can't run", refusal["reason"] == "approval_rejected" and refusal["retry"] == "never", refusal)
    refusal, _ = await answer(client, "write_file", {"name": path.name, "content": "rejected, again\n"})
    told("and the same isn't planned again", refusal["reason"] == "recently_rejected", refusal)
    invented = "019ab12c-0000-7000-8000-000000000001"
    refusal, _ = await answer(client, "approval_execute", {"planId": invented})
    told("an invented plan isn't found", refusal["reason"] == "plan_not_found", refusal)
    told("the file is still as it was", path.read_text() == "changed after the review\n")
    told("there is no other file", [file.name for file in directory.iterdir()] == [path.name])


async def drive_typed(client, file):
    """The typed mutation: what its plan says, that it runs as it was approved, and what stops it."""

    def told(what, holds, seen=None):
        check(f"typed: {what}", holds, seen)

    def percent():
        return json.loads(file.read_text())["dark-mode"]["percent"]

    async def approved(arguments):
        plan, _ = await answer(client, "set_flag", arguments)
        challenge, _ = await answer(client, "approval_challenge", {"planId": plan["planId"]})
        browser = WithPassword()
        _, _, page = browser.log_in(challenge["url"])
        browser.decide(challenge["url"], "approve")
        return plan, page

    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["set_flag"].input_schema
    told("the type's schema is listed", schema["properties"]["percent"]["maximum"] == 100, schema)
    told("and nothing but it and the profile's tools", len(tools) == 5, list(tools))
    for arguments in ({"flag": "dark-mode", "percent": 101}, {"flag": "nothing", "percent": 1}, {"flag": "dark-mode", "percent": 1, "force": True}):
        refusal, is_error = await answer(client, "set_flag", arguments)
        told(f"{arguments} is refused", refusal["reason"] == "payload_invalid" and is_error, refusal)

    plan, page = await approved({"flag": "dark-mode", "percent": 50})
    told("a big step is a finding", [finding["code"] for finding in plan["findings"]] == ["big-step"], plan)
    told("the page shows the value before and after", "<del>10</del>" in page and "<ins>50</ins>" in page)
    told("an approval alone changes nothing", percent() == 10)
    execution, is_error = await answer(client, "approval_execute", {"planId": plan["planId"]})
    told("an approved plan runs", execution["outcome"] == "applied" and not is_error, execution)
    told("and answers in its own words", execution["toolResult"] == {"flag": "dark-mode", "percent": 50}, execution)
    told("and sets what was approved", percent() == 50)

    plan, _ = await approved({"flag": "dark-mode", "percent": 60})
    told("a small step is no finding", "findings" not in plan, plan)
    file.write_text(json.dumps({"dark-mode": {"percent": 55}}))
    refusal, _ = await answer(client, "approval_execute", {"planId": plan["planId"]})
    told("a flag that changed after the review stops the plan", refusal["reason"] == "precondition_failed", refusal)
    told("and stays as it is", percent() == 55)


# A name that turns around, what would be markup, what isn't there to be seen, and a space at an end.
HOSTILE = "a\u202egnp.txt"
MARKUP = "<script>alert(1)</script>\u200b&amp; "


async def drive_surface(client, browser):
    """A surface of one's own: what stands before its pages, what it shows, and what its form takes."""

    def told(what, holds, seen=None):
        check(f"own-surface: {what}", holds, seen)

    async def planned(name, content):
        plan, _ = await answer(client, "write_file", {"name": name, "content": content})
        challenge, _ = await answer(client, "approval_challenge", {"planId": plan["planId"]})
        return plan["planId"], challenge["url"]

    async def state(plan):
        status, _ = await answer(client, "approval_status", {"planId": plan})
        return status["state"]

    plan, url = await planned(HOSTILE, MARKUP)
    invented = url.replace(plan, "019ab12c-0000-7000-8000-000000000001")
    stranger = WithPassword()
    seen = [stranger.load(address)[2].replace(plan, "").replace(invented[-36:], "") for address in (url, invented)]
    told("before a login a plan looks as none does", seen[0] == seen[1], seen)
    code, _, page = stranger.log_in(url, "not the password")
    told("a wrong password logs nobody in", code == 401 and "Account or password is wrong." in page, (code, page))

    code, where, page = browser.log_in(url)
    told("a login leads on to the plan", code == 200 and where == url, (code, where))
    told("what can't be seen is named", "a⟨U+202E⟩gnp.txt" in page and "⟨U+200B⟩" in page and "⟨U+0020 ×1⟩" in page, page)
    told("and isn't there", "\u202e" not in page and "\u200b" not in page)
    told("a text is no markup", "<script" not in page and "&#60;script&#62;" in page, page)
    told("the documents are there whole", all(kind in page for kind in ("plan/v0", "intent/v0", "review/v0")), page)
    policy = browser.headers["Content-Security-Policy"]
    told("no script runs, and nobody frames it", "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, policy)
    others = [browser.headers[name] for name in ("Cache-Control", "Referrer-Policy", "X-Content-Type-Options")]
    told("no copy is kept, and no address told", others == ["no-store", "no-referrer", "nosniff"], others)
    told("none and not permitted are the same", browser.load(invented)[0] == browser.load(url + "0")[0] == 404)
    told("another host is turned away", browser.load(url, headers={"Host": "evil.example"})[0] == 421)

    form = Forms(page).with_button(("verdict", "approve"))
    fields = {**form["fields"], "verdict": "approve", "password": PASSWORD}
    told("the form's first button does nothing", page.index("<button") == page.index('<button type="submit" disabled hidden>'), page)
    for what, headers in {
        "another origin": {"Origin": "http://127.0.0.1:1"},
        "another site": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        "nobody knows where": {},
    }.items():
        code, _, _ = browser.load(url, fields, headers)
        told(f"a form from {what} is refused", code == 403 and await state(plan) == "awaiting_approval", code)
    code, _, _ = browser.load(f"{url}?{urllib.parse.urlencode(fields)}")
    told("what is got decides nothing", code == 200 and await state(plan) == "awaiting_approval", code)
    code, _, _ = browser.load(url, {**fields, "form": fields["form"][:-1] + ("A" if fields["form"][-1] != "A" else "B")})
    told("an edited form is refused", code == 403 and await state(plan) == "awaiting_approval", code)
    other = WithPassword()
    other.log_in(url)
    code, _, _ = other.load(url, fields)
    told("a form of another session is refused", code == 403 and await state(plan) == "awaiting_approval", code)
    elsewhere, its_url = await planned("other.txt", "other")
    code, _, _ = browser.load(its_url, fields)
    told("a form of another plan is refused", code == 403 and await state(elsewhere) == "awaiting_approval", code)
    code, _, page = browser.load(url, {**fields, "verdict": "reject"})
    told("the form, as it is, decides", code == 200 and await state(plan) == "rejected", code)
    told("and the page says what was decided", "rejected" in page and "reject at" in page, page)
    code, _, page = browser.load(url, fields)
    told("a form is good once", code == 403 and await state(plan) == "rejected", code)

    _, where, page = browser.load(urllib.parse.urljoin(url, "/"))
    told("the list shows what waits", elsewhere in page and plan not in page, page)
    kept = list(browser.jar)
    browser.send(where, Forms(page).that_goes_to("/logout"))
    for cookie in kept:
        browser.jar.set_cookie(cookie)
    _, where, _ = browser.load(url)
    told("a session is over on the server", "/login" in where, where)
    spray = [stranger.log_in(url, "not the password")[0] for _ in range(6)]
    told("passwords can't be tried without end", spray == [401] * 5 + [429], spray)
