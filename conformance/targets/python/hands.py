"""The hands of the tests in driven.py: the driver's process, an agent by raw messages, and persons by the forms of the pages."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import uuid
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

HERE: Final = Path(__file__).resolve().parent
WAIT: Final = 60
MODERN: Final = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
                 "io.modelcontextprotocol/clientInfo": {"name": "driven", "version": "1"}}
results = {"passed": 0, "failed": 0}


def check(what: str, holds: bool, seen: Any = None) -> None:
    results["passed" if holds else "failed"] += 1
    print(f"ok driven: {what}" if holds else f"not ok driven: {what}: {seen!r}"[:700], flush=True)


class Driver:
    """The driver's process; requests may be under way at the same time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "driver.py"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self._answers: dict[int, dict[str, Any]] = {}
        self._arrived = threading.Condition()
        self._last = 0
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: sys.stderr.writelines(self.process.stderr or ()), daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            answer = json.loads(line)
            with self._arrived:
                self._answers[answer["id"]] = answer
                self._arrived.notify_all()

    def __call__(self, op: str, **members: Any) -> dict[str, Any]:
        answer = self.ask(op, **members)
        if "ok" not in answer:
            raise AssertionError(f"{op}: {answer}")
        return answer["ok"]

    def ask(self, op: str, **members: Any) -> dict[str, Any]:
        with self._arrived:
            self._last += 1
            number = self._last
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"id": number, "op": op, **members}) + "\n")
            self.process.stdin.flush()
            self._arrived.wait_for(lambda: number in self._answers, WAIT)
            return self._answers.pop(number)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(WAIT)


class Agent:
    """One requester's agent, with raw messages of 2026-07-28."""

    def __init__(self, url: str, token: str) -> None:
        self.host, self.token = urlsplit(url).netloc, token

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, timeout=WAIT)
        connection.request("POST", "/mcp", body, {
            "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {self.token}", **headers})
        response = connection.getresponse()
        text = response.read().strip()
        connection.close()
        if response.getheader("Content-Type") == "text/event-stream":
            text = text.rpartition(b"data: ")[2]
        return response.status, json.loads(text) if text.startswith(b"{") else None

    def ask(self, method: str, **params: Any) -> Any:
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": MODERN}}
        return self.post(json.dumps(message).encode(), headers)[1]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = self.ask("tools/call", name=tool, arguments=arguments)["result"]
        answer: dict[str, Any] = result["structuredContent"]
        wrong = answer["kind"] == "refusal" or (answer["kind"] == "execution" and answer["outcome"] != "applied")
        if result["isError"] is not wrong:
            raise AssertionError(result)
        return answer

    def reason(self, tool: str, **arguments: Any) -> str:
        answer = self.call(tool, **arguments)
        return answer.get("reason") or f"{answer['kind']} {answer.get('outcome', '')} {answer.get('replayed', '')}".strip()

    def write(self, folder: str = "plain", **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Plans a note of another name each time: the arguments, and the answer."""
        arguments = {"folder": folder, "name": f"n-{uuid.uuid4().hex[:12]}", "text": "hello", **more}
        return arguments, self.call("write_note", **arguments)

    def challenge(self, plan: dict[str, Any]) -> str:
        return self.call("approval_challenge", planId=plan["planId"], planDigest=plan["planDigest"])["url"]

    def execute(self, plan: dict[str, Any]) -> str:
        return self.reason("approval_execute", planId=plan["planId"])


class Page(HTMLParser):
    """A page's forms, by section 6 of the protocol: fields, buttons by value, boxes, and what a label's `strong` says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self._form: dict[str, Any] | None = None
        self._strong: list[str] | None = None
        self._typed = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = {"action": found.get("action", ""), "fields": {}, "buttons": {}, "typed": {}, "password": None, "text": None}
            self.forms.append(self._form)
        elif tag == "strong":
            self._strong = []
        elif self._form is not None and tag in ("input", "button", "textarea"):
            kind = found.get("type", "text" if tag == "input" else "")
            if kind == "submit":
                self._form["buttons"][found.get("value")] = found.get("name")
            elif kind == "hidden":
                self._form["fields"][found["name"]] = found.get("value", "")
            elif kind == "password":
                self._form["password"] = found["name"]
            elif kind == "checkbox" and "required" in found:
                self._form["typed"][found["name"]] = found.get("value", "on")
            elif kind == "text" and "required" in found:
                self._form["typed"][found["name"]] = self._typed
            elif kind == "text":
                self._form["text"] = found["name"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "strong" and self._strong is not None:
            self._typed, self._strong = "".join(self._strong), None

    def handle_data(self, data: str) -> None:
        if self._strong is not None:
            self._strong.append(data)


class Person:
    """Somebody before a browser."""

    def __init__(self, account: str, password: str) -> None:
        self.account, self.password = account, password
        self.cookie: str | None = None

    def send(self, method: str, url: str, fields: dict[str, str] | None = None,
             headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
        split = urlsplit(url)
        connection = http.client.HTTPConnection(split.netloc, timeout=WAIT)
        sent = {"Origin": f"http://{split.netloc}"} if headers is None and method == "POST" else dict(headers or {})
        if self.cookie:
            sent["Cookie"] = self.cookie
        body = None
        if fields is not None:
            body, sent["Content-Type"] = urlencode(fields), "application/x-www-form-urlencoded"
        connection.request(method, split.path, body, sent)
        response = connection.getresponse()
        text = response.read().decode()
        found = {name.lower(): value for name, value in response.getheaders()}
        connection.close()
        if "set-cookie" in found:
            self.cookie = found["set-cookie"].split(";")[0]
        return response.status, found, text

    def open(self, url: str) -> tuple[int, str]:
        """A page, after the login where there has to be one."""
        status, _, text = self.send("GET", url)
        form = next((form for form in Page(text).forms if form["password"] and form["text"]), None)
        if form is not None:
            split = urlsplit(url)
            self.send("POST", f"{split.scheme}://{split.netloc}{form['action']}",
                      {**form["fields"], form["text"]: self.account, form["password"]: self.password})
            status, _, text = self.send("GET", url)
        return status, text

    def form(self, url: str, verdict: str) -> tuple[str, dict[str, str]] | None:
        for form in Page(self.open(url)[1]).forms:
            if verdict in form["buttons"]:
                split = urlsplit(url)
                typed = form["typed"] if verdict == "approve" else {}
                return f"{split.scheme}://{split.netloc}{form['action']}", {
                    **form["fields"], **typed, form["password"]: self.password, form["buttons"][verdict]: verdict}
        return None

    def decide(self, url: str, verdict: str = "approve") -> tuple[int, str]:
        form = self.form(url, verdict)
        if form is None:
            return 0, ""
        status, _, text = self.send("POST", *form)
        return status, text


class World:
    """The driver, the agents and the persons."""

    def __init__(self) -> None:
        self.driver = Driver()
        self.meet(self.driver("start"))

    def meet(self, told: dict[str, Any]) -> None:
        self.url = told["url"]
        self.agents = {name: Agent(told["url"], token) for name, token in told["tokens"].items()}
        self.persons = {name: Person(found["account"], found["password"]) for name, found in told["accounts"].items()}

    @property
    def alice(self) -> Agent:
        return self.agents["alice"]

    def approved(self, folder: str = "plain", *persons: str) -> tuple[dict[str, Any], dict[str, Any]]:
        arguments, plan = self.alice.write(folder)
        url = self.alice.challenge(plan)
        for name in persons or ("alice",):
            status, text = self.persons[name].decide(url)
            if status != 200 or "You approved" not in text:
                raise AssertionError((name, status, text[:2000]))
        return arguments, plan

    def effects(self, arguments: dict[str, Any], tool: str = "plain") -> int:
        return self.driver("observe", tool=tool, arguments=arguments)["effects"]

    def refused(self, case: str, plan: dict[str, Any], arguments: dict[str, Any], reason: str) -> None:
        """The answer is right, and nothing was done."""
        seen = self.alice.execute(plan), self.effects(arguments)
        check(case, seen == (reason, 0), seen)
