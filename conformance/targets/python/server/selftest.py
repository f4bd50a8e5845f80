"""End to end over both transports, with the official SDK's client as the agent and plain HTML forms as the person.

    python3 -m server.selftest      (in the directory that holds the package)
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jsonschema
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

from . import strictjson
from .checking import check, run
from .selftest_gate import inside
from .tools import ANSWER_SCHEMA, EXTENSION

PASSWORD = "correct horse battery staple"


class FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.forms.append({"action": found.get("action", ""), "fields": {}, "buttons": []})
        elif tag == "input" and self.forms and found.get("name") and found.get("type") == "hidden":
            self.forms[-1]["fields"][found["name"]] = found.get("value") or ""
        elif tag == "button" and self.forms and found.get("name") == "verdict":
            self.forms[-1]["buttons"].append(found.get("value"))


class Browser:
    """A person's browser, as far as it is needed."""

    def __init__(self, origin: str) -> None:
        self.host = urlsplit(origin).netloc
        self.cookie: str | None = None

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None,
            headers: dict[str, str] | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, timeout=20)
        sent = dict(headers if headers is not None else {"Origin": f"http://{self.host}"} if method == "POST" else {})
        if self.cookie:
            sent["Cookie"] = self.cookie
        body = None
        if fields is not None:
            body = urlencode(fields)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        text = response.read().decode()
        check("CSP on every answer", "frame-ancestors 'none'" in (response.getheader("Content-Security-Policy") or ""))
        cookie = response.getheader("Set-Cookie")
        if cookie:
            self.cookie = cookie.split(";")[0]
        location = response.getheader("Location")
        connection.close()
        if response.status == 303 and location:
            return self.ask("GET", location)
        return response.status, text

    def forms(self, text: str) -> list[dict[str, Any]]:
        reader = FormReader()
        reader.feed(text)
        return reader.forms

    def log_in(self, path: str, account: str, password: str) -> tuple[int, str]:
        status, text = self.ask("GET", path)
        form = next(f for f in self.forms(text) if f["action"] == "/login")
        return self.ask("POST", form["action"], {**form["fields"], "account": account, "password": password})

    def decide(self, path: str, verdict: str, password: str = PASSWORD, **more: Any) -> tuple[int, str]:
        _, text = self.ask("GET", path)
        form = next(f for f in self.forms(text) if f["action"].endswith("/decision"))
        assert verdict in form["buttons"], form
        return self.ask("POST", form["action"], {**form["fields"], "verdict": verdict, "password": password}, **more)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    answer = result.structured_content
    assert isinstance(answer, dict)
    jsonschema.validate(answer, ANSWER_SCHEMA)
    wrong = answer["kind"] == "refusal" or (answer["kind"] == "execution" and answer["outcome"] != "applied")
    check("isError", bool(result.is_error) == wrong)
    check("16 KiB", len(json.dumps(result.model_dump(by_alias=True, exclude_none=True), ensure_ascii=False).encode()) <= 16384)
    return answer


def is_refusal(answer: dict[str, Any], reason: str) -> bool:
    return answer["kind"] == "refusal" and answer["reason"] == reason


async def flow(client: Client, directory: Path, assurance: str) -> None:
    """Plan, refused without approval, challenge, page, approve, execute, replay, changed file, reject, sticky."""
    listed = (await client.list_tools()).tools
    names = [tool.name for tool in listed]
    check("tools listed", names[0:2] == ["read_file", "write_file"] and names[2:] == [
        "approval_challenge", "approval_status", "approval_execute", "approval_cancel"])
    gated = listed[1].model_dump(by_alias=True)
    check("gated tool is marked", gated["_meta"] == {EXTENSION: {"gated": True}} and "approval" not in json.dumps(gated["inputSchema"]))

    plan = await call(client, "write_file", name="a.txt", content="hello\n")
    check("planned", plan["kind"] == "plan" and plan["next"]["tool"] == "approval_challenge")
    check("nothing was written", not (directory / "a.txt").exists())
    check("the plan digest can be recomputed", strictjson.digest(plan["header"]) == plan["planDigest"])
    check("assurance", plan["header"]["enforcement"]["requesterAssurance"] == assurance)
    ids = {"planId": plan["planId"], "planDigest": plan["planDigest"]}
    check("unasked", is_refusal(await call(client, "approval_execute", **ids), "approval_required"))

    challenge = await call(client, "approval_challenge", **ids)
    again = await call(client, "approval_challenge", planId=plan["planId"])
    check("one live challenge", challenge["challengeId"] == again["challengeId"] and plan["planId"] in challenge["url"])
    check("undecided", is_refusal(await call(client, "approval_execute", **ids), "approval_pending"))
    check("other digest", is_refusal(await call(client, "approval_execute", planId=plan["planId"],
                                                planDigest="sha256:" + "0" * 64), "approval_hash_mismatch"))
    check("digest in capitals", is_refusal(await call(client, "approval_execute", planId=plan["planId"],
                                                      planDigest=plan["planDigest"].upper()), "payload_invalid"))
    smuggled = await call(client, "approval_execute", **ids, content="x")
    check("smuggled argument", is_refusal(smuggled, "payload_invalid") and smuggled["member"] == "content")
    check("ill-formed plan", is_refusal(await call(client, "approval_status", planId="../x"), "plan_not_found"))
    check("invented plan", is_refusal(await call(client, "approval_status", planId="019b76da-a800-7bfa-b505-9be7821a2c63"),
                                      "plan_not_found"))

    origin = challenge["url"].split("/plans/")[0]
    path = challenge["url"].removeprefix(origin)
    person = Browser(origin)
    status, text = person.ask("GET", path)
    status_other, text_other = person.ask("GET", "/plans/019b76da-a800-7bfa-b505-9be7821a2c63")
    blank = re.compile(r'value="k1[^"]*"')
    check("nothing before a login", "a.txt" not in text and status == status_other
          and blank.sub("", text) == blank.sub("", text_other))
    check("wrong login", person.log_in(path, "alice", "wrong")[0] >= 400)
    status, text = person.log_in(path, "alice", PASSWORD)
    check("the plan's page after the login", status == 200 and plan["planDigest"] in text and "No digest covers" in text)
    check("not found for a plan that there isn't", person.ask("GET", "/plans/019b76da-a800-7bfa-b505-9be7821a2c63")[0] == 404)
    check("foreign page", person.decide(path, "approve", headers={"Origin": "https://evil.example"})[0] >= 400)
    check("cross-site", person.decide(path, "approve", headers={"Sec-Fetch-Site": "cross-site"})[0] >= 400)
    check("no password", person.decide(path, "approve", password="")[0] >= 400)
    check("wrong password", person.decide(path, "approve", password="wrong")[0] >= 400)
    check("still undecided", is_refusal(await call(client, "approval_execute", **ids), "approval_pending"))
    for name in ("header", "intent", "review"):
        status, text = person.ask("GET", f"{path}/{name}.json")
        expected = plan["planDigest"] if name == "header" else plan["header"][f"{name}Digest"]
        check("documents in canonical bytes", status == 200 and strictjson.digest_bytes(text.encode()) == expected)

    waiting = asyncio.create_task(call(client, "approval_status", planId=plan["planId"], waitSeconds=20))
    await asyncio.sleep(0.3)  # it may wait already, and needn't: nothing depends on it
    started = time.monotonic()
    status, text = await asyncio.to_thread(person.decide, path, "approve")
    check("approved", status == 200 and "You approved" in text)
    waited = await waiting
    check("a status that waits returns with the decision", waited["state"] == "approved" and time.monotonic() - started < 15)
    check("status", waited["approvals"] == 1 and waited["next"]["tool"] == "approval_execute")

    done = await call(client, "approval_execute", **ids)
    check("executed", done["kind"] == "execution" and done["outcome"] == "applied" and not done["replayed"])
    check("written", (directory / "a.txt").read_text() == "hello\n")
    (directory / "a.txt").write_text("mine\n")
    replay = await call(client, "approval_execute", **ids)
    check("replayed", replay["replayed"] is True and replay["claimId"] == done["claimId"])
    check("ran once", (directory / "a.txt").read_text() == "mine\n")

    moved = await call(client, "write_file", name="a.txt", content="two\n")
    check("changes shown to the requester", moved["changes"][0]["before"] == "mine\n")
    page = (await call(client, "approval_challenge", planId=moved["planId"]))["url"].removeprefix(origin)
    await asyncio.to_thread(person.decide, page, "approve")
    (directory / "a.txt").write_text("somebody else's\n")
    check("moved target", is_refusal(await call(client, "approval_execute", planId=moved["planId"]), "precondition_failed"))
    check("stale again", is_refusal(await call(client, "approval_execute", planId=moved["planId"]), "plan_stale"))
    check("untouched", (directory / "a.txt").read_text() == "somebody else's\n")

    cancelled = await call(client, "write_file", name="c.txt", content="")
    check("cancelled", (await call(client, "approval_cancel", planId=cancelled["planId"]))["state"] == "cancelled")
    check("no challenge for it", is_refusal(await call(client, "approval_challenge", planId=cancelled["planId"]), "plan_cancelled"))

    big = await call(client, "write_file", name="big.txt", content="x" * 30000)
    check("left out as a whole member", big["omitted"]["members"] == ["changes"] and "changes" not in big)

    refused = await call(client, "write_file", name="b.txt", content="<b>\u202e\u200b no</b>  \n")
    page = (await call(client, "approval_challenge", planId=refused["planId"]))["url"].removeprefix(origin)
    _, text = await asyncio.to_thread(person.ask, "GET", page)
    check("reversed text", "\u202e" not in text and "U+202E" in text and "U+200B" in text and "<b>" not in text)
    status, text = await asyncio.to_thread(person.decide, page, "reject")
    check("rejected", status == 200 and "You rejected" in text)
    check("rejection is executed as such", is_refusal(
        await call(client, "approval_execute", planId=refused["planId"]), "approval_rejected"))
    check("sticky", is_refusal(await call(client, "write_file", name="b.txt", content="please"), "recently_rejected"))
    check("bad name", is_refusal(await call(client, "write_file", name="../x", content=""), "payload_invalid"))
    check("too large", is_refusal(await call(client, "write_file", name="l.txt", content="x" * (2 * 1024 * 1024)),
                                  "payload_too_large"))
    read = await client.call_tool("read_file", {"name": "a.txt"})
    check("read_file is not gated", not read.is_error and read.content[0].text == "somebody else's\n")  # type: ignore[union-attr]
    try:
        await client.call_tool("no_such_tool", {})
        check("unknown tool", False)
    except MCPError as error:
        check("unknown tool", error.error.code == -32602)


def command(directory: Path, state: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "server", "--dir", str(directory), "--state", str(state), "--person", "alice",
            "--page", "127.0.0.1:0", "--isolation", "same-user", *more]


ENVIRONMENT = {**os.environ, "QUICKSTART_PASSWORD": PASSWORD, "PYTHONPATH": os.pathsep.join(
    [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])}


async def over_stdio(directory: Path, state: Path) -> None:
    line = command(directory, state, "--stdio")
    transport = stdio_client(StdioServerParameters(command=line[0], args=line[1:], env=ENVIRONMENT))
    async with Client(transport, mode="legacy") as client:
        check("2025-11-25", client.session.initialize_result.protocol_version == "2025-11-25")  # type: ignore[union-attr]
        await flow(client, directory, "environment")


def start_http(directory: Path, state: Path) -> tuple[subprocess.Popen[str], str, str]:
    process = subprocess.Popen(command(directory, state, "--http", "127.0.0.1:0"), env=ENVIRONMENT, text=True,
                               stderr=subprocess.PIPE)
    assert process.stderr is not None
    url = process.stderr.readline().strip().removeprefix("MCP: ")
    token = process.stderr.readline().strip().removeprefix("the agent's bearer token: ")
    return process, url, token


async def over_http(directory: Path, state: Path, mode: str) -> None:
    process, url, token = start_http(directory, state)
    try:
        async with create_mcp_http_client(headers={"Authorization": f"Bearer {token}"}) as web:
            async with Client(streamable_http_client(url, http_client=web), mode=mode) as client:
                discovered = client.session.discover_result
                check(f"mode {mode}", (discovered is not None) == (mode == "auto"))
                if discovered is not None:
                    advertised = (discovered.capabilities.extensions or {})[EXTENSION]
                    check("advertised", set(advertised) == {"version", "bindings", "digest", "audience", "approvalOrigin", "tools"})
                await flow(client, directory, "verified-token")
        raw_http(url, token)
    finally:
        process.terminate()
        process.wait(10)


def raw_http(url: str, token: str) -> None:
    """What an SDK doesn't send."""
    split = urlsplit(url)

    def post(body: str, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(split.netloc, timeout=10)
        connection.request("POST", "/mcp", body.encode(), {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if text.startswith(b"event:"):  # the answer is the last event
            text = text.strip().rpartition(b"data: ")[2]
        return response.status, json.loads(text) if text.startswith(b"{") else None
    bearer = {"Authorization": f"Bearer {token}"}
    listing = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    check("401 without a bearer", post(listing)[0] == 401 and post(listing, Authorization="Bearer x")[0] == 401)
    check("an Origin that is not configured", post(listing, **bearer, Origin="https://evil.example")[0] == 403)
    check("with the bearer", post(listing, **bearer)[0] == 200)

    def called(params: str) -> Any:
        return post('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":%s}' % params, **bearer)[1]
    check("arguments as an array", called('{"name":"write_file","arguments":[]}')["error"]["code"] == -32602)
    doubled = called('{"name":"write_file","arguments":{"name":"x","name":"y","content":""}}')
    check("doubled member in arguments", doubled["error"]["code"] == -32602 and doubled["id"] == 7)
    doubled = called('{"name":"read_file","name":"write_file","arguments":{}}')
    check("doubled member", doubled["error"]["code"] == -32602 and doubled["id"] == 7)
    loose = called('{"name":"write_file","arguments":{"name":"x","content":"","n":9007199254740992}}')
    check("not strict", is_refusal(loose["result"]["structuredContent"], "payload_invalid"))
    answered = called('{"name":"write_file","arguments":{"name":"x","content":""},"requestState":"s"}')
    check("unasked answer", is_refusal(answered["result"]["structuredContent"], "payload_invalid"))
    check("without an id", post('{"jsonrpc":"2.0","method":"tools/call","params":{"name":"write_file","arguments":'
                                '{"name":"x","content":""}}}', **bearer) == (202, None))


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for name in ("stdio", "http", "legacy", "inside", "state-inside"):
            (root / name).mkdir(mode=0o700)
        parts: list[tuple[str, Callable[[], None]]] = [
            ("stdio, 2025-11-25", lambda: asyncio.run(over_stdio(root / "stdio", root / "s1"))),
            ("streamable HTTP, 2026-07-28", lambda: asyncio.run(over_http(root / "http", root / "s2", "auto"))),
            ("streamable HTTP, 2025-11-25", lambda: asyncio.run(over_http(root / "legacy", root / "s3", "legacy"))),
            ("inside", lambda: inside(root / "inside", root / "state-inside"))]
        held = [run(*part) for part in parts]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
