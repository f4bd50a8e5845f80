"""The approval surface: login, inbox, a plan's page, the decision (approval-surface.md)."""

from __future__ import annotations

import html
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs

from . import clock, pages
from .accounts import Accounts, Session
from .decisions import Authentication
from .gate import Gate
from .plans import Plan
from .refusals import Refusal
from .seals import SealBroken
from .store import StoreUnavailable
from .web import Handler, say_where

MAX_REQUEST: Final = 64 * 1024  # [SURF-021]
MAX_COMMENT: Final = 2000
MUTE_SECONDS: Final = 3600
FORM_SECONDS: Final = 3600
_PLAN_PATH: Final = re.compile(r"/plans/([^/]{1,64})(?:/(decision|header\.json|intent\.json|review\.json|receipt\.json))?\Z")
_HEADERS: Final = {  # on every answer [SURF-015]
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none';"
                               " base-uri 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
    "X-Frame-Options": "DENY"}


def surface_handler(gate: Gate, accounts: Accounts, origin: list[str]) -> type[Handler]:
    """The handler; `origin` holds the surface's own once its port is known."""
    keys = gate.keys

    class SurfaceHandler(Handler):
        session_name: str | None = None
        session: Session | None = None

        # ---- requests

        def do_GET(self) -> None:
            self.serve(self.get)

        do_HEAD = do_GET  # it changes no decision either [SURF-012]

        def do_POST(self) -> None:
            self.serve(self.post)

        def turned_away(self, code: int) -> None:
            self.page(code, "Not that way", "<p>That can't be asked for here.</p>")

        def serve(self, what: Any) -> None:
            try:
                gate.configuration.refresh()
                if self.one("Host") != origin[0].partition("//")[2]:  # [SURF-014], before any login
                    self.close_connection = True
                    return self.page(421, "Another host", "<p>This is not the host that you asked for.</p>")
                self.session_name = self.cookie()
                self.session = accounts.session(self.session_name)
                what()
            except Refusal as refusal:
                self.refused(refusal)
            except StoreUnavailable:
                self.refused(Refusal("store_unavailable"))
            except (ConnectionError, TimeoutError):
                self.close_connection = True
            except Exception as error:
                say_where(error)
                self.close_connection = True
                self.page(500, "Internal error", "<p>Something went wrong; nothing was decided by this answer.</p>")

        def get(self) -> None:
            path = self.path.split("?")[0]
            if path == "/style.css":
                return self.answer(200, pages.STYLE.encode(), "text/css; charset=utf-8")
            if self.session is None:  # [SURF-010] [SURF-011]
                return self.login_page(path)
            if path in ("/", "/login"):
                return self.page(200, "Inbox", pages.inbox(gate.inbox(self.session.person), self.session.person))
            match = _PLAN_PATH.match(path)
            if match is None or match[2] == "decision":
                return self.not_found()
            plan = gate.view(match[1], self.session.person)
            if match[2] == "receipt.json":  # [RCPT-030]
                return self.answer(200, gate.receipt(plan.plan_id), "application/json")
            if match[2] is not None:  # [DIG-113]
                document = {"header.json": plan.header, "intent.json": plan.intent, "review.json": plan.review}[match[2]]
                if document is None:
                    return self.not_found()
                return self.answer(200, document.canonical, "application/json")
            self.plan_page(200, plan)

        def post(self) -> None:
            body = self.body(MAX_REQUEST)
            if body is None:
                return self.page(413, "Too large", "<p>The request is too large.</p>")
            if not self.same_origin():  # [FORM-003]
                return self.page(403, "Another origin", "<p>The form was sent from another page. Nothing was decided.</p>")
            path = self.path.split("?")[0]
            form = self.fields(body)
            if form is None:
                return self.page(400, "Not a form", "<p>The form can't be read.</p>")
            if path == "/login":
                return self.log_in(form)
            if self.session is None:
                return self.login_page(path, 401)
            if path == "/logout":
                assert self.session_name is not None
                accounts.log_out(self.session_name)  # [AUTH-002]
                return self.redirect("/login")
            match = _PLAN_PATH.match(path)
            if match is None or match[2] != "decision":
                return self.not_found()
            self.decide(match[1], form)

        # ---- login

        def login_page(self, path: str, status: int = 200, wrong: bool = False) -> None:
            """The same for every address, whether there is such a plan or not."""
            match = _PLAN_PATH.match(path)
            back = f"/plans/{match[1]}" if match is not None and clock.PLAN_ID.match(match[1]) else "/"
            sealed = keys.seal_form("form", "login-form", {"back": back})
            said = "<p class=\"warn\">That account or password is not right, or there were too many attempts.</p>" if wrong else ""
            self.page(status, "Log in", f"{said}{pages.login(sealed)}", logged_in=False)

        def log_in(self, form: dict[str, str]) -> None:
            try:
                back = keys.open_form("form", "login-form", form.get("form", ""))["back"]  # [AUTH-007]
            except (SealBroken, ValueError, KeyError):
                back = "/"
            name = accounts.log_in(form.get("account", ""), form.get("password", ""), self.session_name)
            if name is None:
                return self.login_page(back, 403, wrong=True)
            self.redirect(back, {"Set-Cookie": f"session={name}; Path=/; HttpOnly; SameSite=Strict"})  # [AUTH-004]

        # ---- the plan and the decision

        def plan_page(self, status: int, plan: Plan, said: str = "") -> None:
            assert self.session is not None
            person = self.session.person
            beside = gate.beside(plan, person)
            form = None
            if gate.configuration.may_approve(person, plan.policy["rule"], plan.requester) and plan.challenge is not None:
                state = plan.state["state"]
                approved = person in plan.approvers()
                verdicts = []
                if state in ("awaiting_approval", "approved"):
                    verdicts.append("reject")
                    if approved:
                        verdicts.append("withdraw")
                    elif state == "awaiting_approval":
                        verdicts.append("approve")
                if verdicts:
                    form = pages.decision(plan, verdicts, self.form_for(plan))
            self.page(status, "Plan", said + pages.plan(plan, form, beside))

        def form_for(self, plan: Plan) -> str:
            """Sealed to session, plan, digest, challenge and this moment [FORM-001]."""
            assert plan.challenge is not None and self.session_name is not None
            return keys.seal_form("form", "decision-form", {
                "session": keys.tag("session-tag", self.session_name.encode()), "planId": plan.plan_id,
                "planDigest": plan.digest, "challengeId": plan.challenge["challengeId"], "renderedAt": clock.now(),
                "nonce": clock.b64(secrets.token_bytes(16))})

        def decide(self, plan_id: str, form: dict[str, str]) -> None:
            assert self.session is not None and self.session_name is not None
            plan = gate.view(plan_id, self.session.person)
            try:
                sealed = keys.open_form("form", "decision-form", form.get("form", ""))
            except (SealBroken, ValueError):
                return self.nothing(plan, "The form isn't one of this page.", 403)
            mine = keys.tags("session-tag", self.session_name.encode())
            if sealed["session"] not in mine or sealed["planId"] != plan_id:
                return self.nothing(plan, "The form is of another session or plan.", 403)
            if sealed["nonce"] in self.session.forms or clock.now() - sealed["renderedAt"] > 1000 * FORM_SECONDS:
                return self.nothing(plan, "The form was used already, or is too old.", 409)
            verdict, comment = form.get("verdict", ""), form.get("comment", "").replace("\r\n", "\n").strip()
            if verdict not in ("approve", "reject", "withdraw") or len(comment) > MAX_COMMENT:
                return self.nothing(plan, "That is no decision, or its comment is too long.", 400)
            if verdict == "approve" and not self.read_whole(plan, form):  # [FORM-006]
                return self.nothing(plan, "The target's name has to be typed as it is shown.", 400)
            if not accounts.confirm(self.session, form.get("password", "")):  # [AUTH-010]
                return self.nothing(plan, "The password is not right, or there were too many attempts.", 403)
            if not accounts.use_up(self.session, sealed["nonce"]):  # [FORM-002]
                return self.nothing(plan, "The form was used already.", 409)
            who = Authentication(accounts.identity(self.session), clock.now())
            try:
                decided = gate.decide(who, plan_id, sealed["planDigest"], sealed["challengeId"], verdict, comment or None,
                                      sealed["renderedAt"])
            except Refusal as refusal:
                if refusal.reason in ("plan_not_found", "store_unavailable", "internal"):
                    raise
                return self.nothing(gate.view(plan_id, self.session.person),
                                    f"The decision was refused: {refusal.reason}.", 409)
            if verdict == "reject" and form.get("mute") == "yes":  # [FORM-009]
                gate.mute(decided.requester, MUTE_SECONDS, self.session.person)
            word = {"approve": "You approved this plan.", "reject": "You rejected this plan.",
                    "withdraw": "You withdrew your approval."}[verdict]
            self.plan_page(200, gate.view(plan_id, self.session.person), f'<p class="said">{word}</p>')  # [FORM-010]

        @staticmethod
        def read_whole(plan: Plan, form: dict[str, str]) -> bool:
            assert plan.review is not None and plan.intent is not None
            high = any(f["severity"] == "high" for f in plan.review.value.get("findings", []))
            return not high or form.get("target", "") == plan.intent.value["target"]["name"]

        def nothing(self, plan: Plan, why: str, status: int) -> None:
            self.plan_page(status, plan, f'<p class="warn">Nothing was decided. {html.escape(why)}</p>')

        # ---- answers

        def refused(self, refusal: Refusal) -> None:
            if refusal.reason == "plan_not_found":  # [SURF-001]
                return self.not_found()
            status = 503 if refusal.reason == "store_unavailable" else 409
            self.page(status, "Not shown", "<p class=\"warn\">This plan doesn't hold together, or can't be read now "
                                           f"({html.escape(refusal.reason)}). It is not shown.</p>")  # [SHOW-001]

        def not_found(self) -> None:
            self.page(404, "Not found", "<p>There is no such page.</p>")

        def redirect(self, where: str, headers: dict[str, str] | None = None) -> None:
            self.send(303, b"", {**_HEADERS, "Location": where, **(headers or {})})

        def page(self, status: int, title: str, content: str, logged_in: bool = True) -> None:
            self.answer(status, pages.frame(title, content, logged_in and self.session is not None).encode("utf-8"),
                        "text/html; charset=utf-8")

        def answer(self, status: int, content: bytes, kind: str) -> None:
            self.send(status, content, {**_HEADERS, "Content-Type": kind})

        # ---- reading a request

        def cookie(self) -> str | None:
            try:
                found = SimpleCookie(self.one("Cookie") or "").get("session")
            except CookieError:
                return None
            return None if found is None else found.value

        def same_origin(self) -> bool:
            """By what the browser says of the form's origin; one that says nothing is refused too."""
            site, sent = self.headers.get_all("Sec-Fetch-Site"), self.headers.get_all("Origin")
            return (site or sent) is not None and site in (None, ["same-origin"]) and sent in (None, [origin[0]])

        def fields(self, body: bytes) -> dict[str, str] | None:
            """A form's fields, each once."""
            if (self.one("Content-Type") or "").split(";")[0].strip() != "application/x-www-form-urlencoded":
                return None
            try:
                found = parse_qs(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body),
                                 errors="strict", max_num_fields=20)
            except ValueError:
                return None
            return {name: values[0] for name, values in found.items()} if all(
                len(values) == 1 for values in found.values()) else None

    return SurfaceHandler
