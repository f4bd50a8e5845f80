// The approval surface: its own origin, its own login, and the pages on which a person decides. spec/v0/approval-surface.md.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { randomBytes } from "node:crypto";

import type { Accounts, Session } from "./accounts.ts";
import { LOCAL } from "./config.ts";
import { Refusal, type Plan } from "./gate.ts";
import { canonical, type Json } from "./json.ts";
import * as pages from "./pages.ts";
import type { Plans } from "./plans.ts";
import { receipt } from "./receipts.ts";
import type { Verdict } from "./records.ts";
import { equal } from "./seals.ts";
import { html, type Html } from "./text.ts";
import { read } from "./transport.ts";

/** [SURF-015] */
const HEADERS = {
  "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};
/** [SURF-021] */
const MOST_BYTES = 64 * 1024;
const MOST_COMMENT = 2000;
const MUTE_SECONDS = 3600;

type Form = { session: string; planId: string; planDigest: string; challengeId: string; renderedAt: string };

export class Surface {
  /** Forms that were used up, in this process; their sessions end with it. [FORM-002] */
  readonly #used = new Set<string>();

  constructor(
    readonly plans: Plans,
    readonly accounts: Accounts,
    readonly url: () => string,
  ) {}

  serve(): Server {
    return createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        console.error("surface:", error);
        const status = error instanceof Refusal ? 503 : 500;
        if (!response.headersSent) this.#send(response, status, pages.message("Something went wrong", html`<p>Nothing was decided by this request.</p>`));
        else response.end();
      });
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const own = new URL(this.url());
    if (request.headers.host !== own.host) return this.#send(response, 421, pages.message("Another host", html`<p>This is ${own.host}.</p>`)); // [SURF-014]
    const { pathname, searchParams } = new URL(request.url ?? "/", own);
    const cookie = this.#cookie(request);
    const session = this.accounts.session(cookie);
    if (request.method === "GET" || request.method === "HEAD") {
      // [SURF-012]: from here on nothing is written but what the clock has done.
      if (pathname === "/style.css") return this.#sendAs(response, 200, "text/css; charset=utf-8", pages.STYLE);
      if (pathname === "/login") return this.#send(response, 200, pages.login(local(searchParams.get("next"))));
      if (session === undefined) return this.#redirect(response, `/login?next=${encodeURIComponent(local(pathname))}`); // [SURF-011]
      return this.#show(response, pathname, session);
    }
    if (request.method !== "POST") return this.#send(response, 405, pages.message("Not here", html`<p>There is no such thing to do.</p>`));
    if (!isOwnPage(request, own.origin)) return this.#send(response, 403, pages.message("From elsewhere", html`<p>The form came from another site. Nothing was done.</p>`)); // [FORM-003]
    const body = await read(request, MOST_BYTES);
    if (body === undefined) return this.#send(response, 413, pages.message("Too much", html`<p>That is more than a form holds.</p>`));
    const fields = new URLSearchParams(body.toString("utf8"));
    if (pathname === "/login") return this.#logIn(response, fields, cookie);
    if (session === undefined) return this.#redirect(response, `/login?next=${encodeURIComponent(local(pathname))}`);
    if (pathname === "/logout") {
      this.accounts.logOut(cookie); // [AUTH-002]
      return this.#redirect(response, "/login", this.#setCookie("", 0));
    }
    return this.#decide(response, pathname, session, fields);
  }

  async #logIn(response: ServerResponse, fields: URLSearchParams, cookie: string | undefined): Promise<void> {
    const next = local(fields.get("next"));
    const account = fields.get("account") ?? "";
    if (!(await this.accounts.isRight(account, fields.get("password") ?? ""))) return this.#send(response, 403, pages.login(next, true));
    this.#redirect(response, next, this.#setCookie(this.accounts.logIn(account, cookie))); // [AUTH-007]
  }

  #show(response: ServerResponse, pathname: string, session: Session): void {
    if (pathname === "/") return this.#send(response, 200, pages.inbox(session, this.#inbox(session.person)));
    const [, planId, document] = /^\/plans\/([^/]*)(?:\/(header|intent|review|receipt)\.json)?$/.exec(pathname) ?? [];
    const plan = this.#plan(response, planId, session);
    if (plan === undefined) return;
    if (document === "receipt") return this.#receipt(response, plan);
    // [DIG-113]
    if (document !== undefined) return this.#sendAs(response, 200, "application/json", canonical(plan[document as "header"] as unknown as Json));
    this.#send(response, 200, this.#page(plan, session));
  }

  /** [RCPT-030] */
  #receipt(response: ServerResponse, plan: Plan): void {
    try {
      this.#sendAs(response, 200, "application/json", receipt(plan, this.plans.parts.audit.signing));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#send(response, 409, pages.message("No receipt yet", html`<p>The plan hasn't ended (${error.reason}).</p>`));
    }
  }

  /** The plan that a person may see; otherwise the answer was sent. [SURF-001] */
  #plan(response: ServerResponse, planId: string | undefined, session: Session): Plan | undefined {
    try {
      const plan = planId === undefined ? undefined : this.plans.page(planId, session.person);
      if (plan === undefined) this.#send(response, 404, pages.message("No such page", html`<p>There is no such page, or it isn't yours to see.</p>`));
      return plan;
    } catch (error) {
      if (!(error instanceof Refusal) || !["integrity_failure", "approval_hash_mismatch"].includes(error.reason)) throw error;
      // [SHOW-001]
      this.#send(response, 409, pages.message("The plan doesn't hold together", html`<p>Its records were changed (${error.reason}). It isn't shown, and it can't be decided or executed.</p>`));
      return undefined;
    }
  }

  #page(plan: Plan, session: Session, said?: Html): Html {
    const { person } = session;
    const may = this.plans.mayDecide(plan, person);
    const verdicts = pages.verdicts(plan, person, may);
    const form = verdicts.length === 0 ? undefined : { seal: this.#sealed(plan, session), verdicts }; // [SHOW-013]
    return pages.plan(plan, session, this.#others(plan, person), form, said);
  }

  /** [FORM-001] */
  #sealed(plan: Plan, session: Session): string {
    const id = randomBytes(16).toString("base64url");
    const { planId, planDigest } = plan;
    const form: Form = { session: session.tag, planId, planDigest, challengeId: plan.challenge!.challengeId, renderedAt: new Date().toISOString() };
    return `${id}.${this.plans.parts.ring.seal("form", { record: "form", id, planId, revision: 0 }, Buffer.from(JSON.stringify(form))).toString("base64url")}`;
  }

  async #decide(response: ServerResponse, pathname: string, session: Session, fields: URLSearchParams): Promise<void> {
    const plan = this.#plan(response, /^\/plans\/([^/]*)$/.exec(pathname)?.[1], session);
    if (plan === undefined) return;
    const again = (status: number, said: string): void => this.#send(response, status, this.#page(this.plans.load(plan.planId), session, html`${said}`));
    const [id = "", sealed = ""] = (fields.get("seal") ?? "").split(".");
    let form: Form;
    try {
      const bytes = Buffer.from(sealed, "base64url");
      if (bytes.toString("base64url") !== sealed) throw new Error("not base64url");
      form = JSON.parse(this.plans.parts.ring.open("form", { record: "form", id, planId: plan.planId, revision: 0 }, bytes).toString()) as Form;
      if (!equal(form.session, session.tag)) throw new Error("of another session");
    } catch {
      return again(403, "The form isn't one of this page and login. Nothing was decided.");
    }
    const verdict = ["approve", "reject", "withdraw"].find((verdict) => fields.get("verdict") === verdict) as Verdict | undefined;
    const comment = (fields.get("comment") ?? "").replaceAll("\r\n", "\n");
    if (verdict === undefined || [...comment].length > MOST_COMMENT || /\p{Cs}/u.test(comment)) return again(400, "The form isn't whole. Nothing was decided.");
    if (this.#used.has(id)) return again(403, "The form was used before. Nothing was decided.");
    // [AUTH-010, FORM-008]: the password with the decision; a session alone decides nothing.
    if (!(await this.accounts.isRight(session.account, fields.get("password") ?? "", session))) return again(403, "The password is wrong. Nothing was decided.");
    const authTime = new Date().toISOString();
    if (this.#used.has(id)) return again(403, "The form was used before. Nothing was decided.");
    this.#used.add(id);
    const { findings, name } = { findings: plan.review?.findings ?? [], name: plan.intent?.target.name };
    if (verdict === "approve" && findings.some(({ severity }) => severity === "high") && fields.get("target") !== name)
      return again(403, "The target's name wasn't typed as it is. Nothing was decided."); // [FORM-006]
    const approver = { person: session.person, issuer: LOCAL, subject: session.account, authTime };
    try {
      this.plans.decide(form, approver, verdict, comment);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return again(409, `The decision was not taken: ${error.message}. Nothing was decided.`);
    }
    if (verdict === "reject" && fields.get("mute") === "yes") this.plans.mute(plan.header.requester.person, MUTE_SECONDS, session.person); // [FORM-009]
    const done = { approve: "approved", reject: "rejected", withdraw: "withdrawn" }[verdict];
    const now = this.plans.load(plan.planId);
    this.#send(response, 200, this.#page(now, session, html`You have ${done} this plan. It is now ${now.state.state}.`)); // [FORM-010]
  }

  /** [SURF-003] */
  #inbox(person: string): { own: Plan[]; waiting: Plan[] } {
    const plans = this.plans.plansOf().flatMap((planId) => {
      try {
        return this.plans.page(planId, person) ?? [];
      } catch {
        return [];
      }
    });
    const decides = (plan: Plan): boolean => this.plans.mayDecide(plan, person) && plan.state.state === "awaiting_approval";
    return { own: plans.filter((plan) => plan.header.requester.person === person && !decides(plan)), waiting: plans.filter(decides) };
  }

  /** The requester's other open plans, and their recent rejections on the same effect keys. [SHOW-012, SHOW-014] */
  #others(plan: Plan, person: string): pages.Others {
    const { planId, header, intent } = plan;
    const seen = (ids: string[]): { plans: Plan[]; hidden: boolean } => {
      const plans = ids.flatMap((id) => {
        try {
          return this.plans.page(id, person) ?? [];
        } catch {
          return [];
        }
      });
      return { plans, hidden: plans.length < ids.length };
    };
    const since = Date.now() - 30 * 24 * 3600 * 1000;
    const all = this.plans.plansOf(header.requester.person, false).filter((id) => id !== planId);
    const rejected = all.filter((id) => {
      if (this.plans.parts.store.table("index").get(id)!["state"] !== "rejected") return false;
      try {
        const other = this.plans.load(id);
        const shared = other.intent?.effectKeys.some((key) => intent?.effectKeys.includes(key)) === true;
        return shared && Date.parse(other.decisions.at(-1)!.decidedAt) > since;
      } catch {
        return false;
      }
    });
    return { open: seen(this.plans.openPlans(header.requester.person).filter((id) => id !== planId)), rejected: seen(rejected) };
  }

  #cookie(request: IncomingMessage): string | undefined {
    const cookies = (request.headers.cookie ?? "").split(/; */).map((cookie) => cookie.split("="));
    return cookies.find(([name]) => name === this.#cookieName)?.[1];
  }

  get #secure(): boolean {
    return this.url().startsWith("https:");
  }

  get #cookieName(): string {
    return this.#secure ? "__Host-session" : "session";
  }

  /** [AUTH-004] */
  #setCookie(value: string, age?: number): string {
    const more = `${this.#secure ? "; Secure" : ""}${age === undefined ? "" : `; Max-Age=${age}`}`;
    return `${this.#cookieName}=${value}; Path=/; HttpOnly; SameSite=Strict${more}`;
  }

  #redirect(response: ServerResponse, to: string, cookie?: string): void {
    response.writeHead(303, { ...HEADERS, Location: to, ...(cookie !== undefined && { "Set-Cookie": cookie }) }).end();
  }

  #send(response: ServerResponse, status: number, page: Html): void {
    this.#sendAs(response, status, "text/html; charset=utf-8", page.text);
  }

  #sendAs(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
    response.writeHead(status, { ...HEADERS, "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
    response.end(response.req.method === "HEAD" ? undefined : body);
  }
}

/** A page of the surface's own, whatever is named. [AUTH-007] */
function local(path: string | null): string {
  return path !== null && /^\/(?:plans\/[0-9a-f-]{1,64})?$/.test(path) ? path : "/";
}

/** By what the browser says; a request that says nothing isn't from a page of ours. [FORM-003] */
function isOwnPage({ headers }: IncomingMessage, origin: string): boolean {
  const site = headers["sec-fetch-site"];
  if (site === undefined && headers.origin === undefined) return false;
  return (site === undefined || site === "same-origin") && (headers.origin === undefined || headers.origin === origin);
}
