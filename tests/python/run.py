#!/usr/bin/env python3
"""Drives the examples through PyPI's `mcp`, a client that shares no code with them.

The agent's part goes over 2025-11-25 on stdio and over 2026-07-28 on streamable HTTP; the person's part goes over the
pages, as a browser would send it. What was done is counted in the files themselves. Each `ok` line is a check.
"""

import asyncio
import contextlib
import functools
import html.parser
import http.cookiejar
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXTENSION = "io.github.mutation-approval/profile"
PERSON, PASSWORD = "alice", "a password for the test alone"
LIMIT = 60

results = {"passed": 0, "failed": 0}


def check(what, holds, seen=None):
    """Counts one check, and says how it went."""
    results["passed" if holds else "failed"] += 1
    print(f"ok {what}" if holds else f"not ok {what}: {seen!r}", flush=True)


class Forms(html.parser.HTMLParser):
    """The forms of a page: where each goes, its fields, its boxes (none is ticked), and its buttons."""

    def __init__(self, page):
        super().__init__()
        self.forms, self.open = [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.open = {"action": attributes["action"], "fields": {}, "boxes": {}, "buttons": []}
            self.forms.append(self.open)
        elif self.open is not None and "name" in attributes:
            if tag == "button":
                self.open["buttons"].append((attributes["name"], attributes.get("value", "")))
            elif attributes.get("type") == "checkbox":
                self.open["boxes"][attributes["name"]] = attributes.get("value", "on")
            elif tag in ("input", "textarea"):
                self.open["fields"][attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self.open = None

    def with_button(self, button):
        return next((form for form in self.forms if button in form["buttons"]), None)

    def with_field(self, field):
        return next((form for form in self.forms if field in form["fields"]), None)


class Browser:
    """A person's browser: it keeps cookies, and follows redirects."""

    def __init__(self):
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)

    def load(self, url, fields=None):
        """Gets a page, or posts a form; returns status, address and text."""
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(url, data)
        if data is not None:
            parts = urllib.parse.urlsplit(url)
            request.add_header("Origin", f"{parts.scheme}://{parts.netloc}")
        try:
            with self.opener.open(request, timeout=LIMIT) as response:
                return response.status, response.url, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.url, error.read().decode()

    def log_in(self, url):
        """Opens a page, fills in the login form that is shown instead, and returns the page that comes after it."""
        _, where, page = self.load(url)
        form = Forms(page).with_field("account")
        fields = {**form["fields"], "account": PERSON, "password": PASSWORD}
        return self.load(urllib.parse.urljoin(where, form["action"]), fields)

    def decide(self, url, verdict, password=PASSWORD):
        """Opens a plan's page and presses one of its buttons."""
        _, where, page = self.load(url)
        form = Forms(page).with_button(("verdict", verdict))
        fields = {**form["fields"], "verdict": verdict, "password": password}
        if "whole" in form["boxes"]:
            fields["whole"] = form["boxes"]["whole"]
        return self.load(urllib.parse.urljoin(where, form["action"]), fields)


async def answer(client, tool, arguments):
    """Calls a tool; the client itself holds the structured content against the listed schema."""
    result = await client.call_tool(tool, arguments, read_timeout_seconds=LIMIT)
    return result.structured_content, result.is_error


async def drive(label, client, directory):
    """Plan, challenge, execute, and what must not work."""

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

    browser = Browser()
    _, _, page = browser.load(challenge["url"])
    told("nothing is shown before the login", path.name not in page and Forms(page).with_field("account") is not None)
    _, _, page = browser.log_in(challenge["url"])
    told("after the login the plan is shown", path.name in page and "approved" in page and plan["planDigest"] in page)
    code, _, _ = browser.decide(challenge["url"], "approve", "not the password")
    status, _ = await answer(client, "approval_status", {"planId": plan["planId"]})
    told("a wrong password decides nothing", code >= 400 and status["state"] == "awaiting_approval", (code, status))
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
        browser = Browser()
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


@functools.cache
def program(package, variable):
    """An example: the one that was named, or a fresh build."""
    if named := os.environ.get(variable):
        return named
    build = ["cargo", "build", "--locked", "--package", package, "--message-format", "json-render-diagnostics"]
    output = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    messages = map(json.loads, output.splitlines())
    return next(message["executable"] for message in messages if message.get("executable"))


def quickstart():
    """The quickstart server."""
    return program("quickstart", "QUICKSTART_PROGRAM")


def typed_mutation():
    """The server of the typed mutation."""
    return program("typed-mutation", "TYPED_MUTATION_PROGRAM")


@contextlib.contextmanager
def installation(command, *arguments):
    """The command line of a server with a state directory of its own, and the directory that it writes to."""
    with tempfile.TemporaryDirectory() as root:
        directory = pathlib.Path(root) / "files"
        directory.mkdir()
        common = ["--dir", str(directory), "--state", f"{root}/state", "--person", PERSON, "--page", "127.0.0.1:0"]
        environment = {**os.environ, "QUICKSTART_PASSWORD": PASSWORD}
        yield [command, *common, *arguments], environment, directory


def status_without_bearer(url):
    """The status of a request that says nothing of who sends it."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, b"{}", timeout=LIMIT) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


async def typed():
    """The typed mutation, over standard input and output."""
    with tempfile.TemporaryDirectory() as root:
        file = pathlib.Path(root) / "flags.json"
        file.write_text(json.dumps({"dark-mode": {"percent": 10}}))
        arguments = ["--file", str(file), "--state", f"{root}/state", "--person", PERSON, "--page", "127.0.0.1:0"]
        environment = {**os.environ, "TYPED_MUTATION_PASSWORD": PASSWORD}
        async with Client(StdioServerParameters(command=typed_mutation(), args=arguments, env=environment)) as client:
            await drive_typed(client, file)


async def over_stdio():
    """2025-11-25, over standard input and output."""
    with installation(quickstart(), "--stdio") as (line, environment, directory):
        server = StdioServerParameters(command=line[0], args=line[1:], env=environment)
        async with Client(server, mode="legacy") as client:
            check("stdio: the session speaks 2025-11-25", client.protocol_version == "2025-11-25", client.protocol_version)
            await drive("stdio", client, directory)


async def over_http():
    """2026-07-28, over streamable HTTP."""
    with installation(quickstart(), "--http", "127.0.0.1:0") as (line, environment, directory):
        server = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            told = dict(server.stderr.readline().strip().rsplit(": ", 1) for _ in range(2))
            url, token = told["MCP"], told["the agent's bearer token"]
            check("http: without a bearer nothing is answered", status_without_bearer(url) == 401)
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=LIMIT) as http_client:
                async with Client(streamable_http_client(url, http_client=http_client)) as client:
                    version = client.protocol_version
                    check("http: the client speaks 2026-07-28", version == "2026-07-28", version)
                    await drive("http", client, directory)
        finally:
            server.terminate()
            server.wait(LIMIT)


def main():
    """Runs all of it; a part that breaks off is a failure, never a silence."""
    # Built before anybody waits for them.
    quickstart()
    typed_mutation()
    for part in (over_stdio, over_http, typed):
        try:
            asyncio.run(asyncio.wait_for(part(), 5 * LIMIT))
        except BaseException as error:
            check(f"{part.__name__} runs to its end", False, error)
            if not isinstance(error, Exception):
                raise
    print(f"{results['passed']} passed, {results['failed']} failed", flush=True)
    return 1 if results["failed"] or not results["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
