// Logins by local accounts: passwords, their attempts, sessions. spec/v0/approval-surface.md, sections 2 and 3.

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

import { SCRYPT, type Config } from "./config.ts";
import type { Ring } from "./seals.ts";

export type Session = { tag: string; account: string; person: string; credential: string; began: number; used: number };

const MINUTES = 60_000;
const [IDLE, ALTOGETHER] = [30 * MINUTES, 12 * 60 * MINUTES];

export class Accounts {
  /** In this process only: with it all sessions end. */
  readonly #sessions = new Map<string, Session>();
  readonly #attempts = new Map<string, { left: number; at: number }>();

  constructor(
    readonly config: Config,
    readonly ring: Ring,
  ) {}

  /** Checks a password; where the attempt is one at a decision, `session` is whose. All failures look alike. [AUTH-005, AUTH-006] */
  async isRight(name: string, password: string, session?: Session): Promise<boolean> {
    // Who can only reach the login uses up other attempts than who is logged in.
    const who = session === undefined ? `login ${name}` : `session ${session.tag}`;
    const all = session === undefined ? "logins" : "decisions";
    const attempts = [this.#take(who, 5, 30_000), this.#take(all, 200, 300)];
    if (attempts.includes(false)) return false;
    const account = this.config.account(name);
    const salt = account?.salt ?? "nobody";
    const hash = await new Promise<Buffer>((resolve, reject) =>
      scrypt(password.normalize("NFC"), salt, 32, SCRYPT, (error, key) => (error === null ? resolve(key) : reject(error))),
    );
    const right = timingSafeEqual(hash, account === undefined ? Buffer.alloc(32) : Buffer.from(account.hash, "base64url"));
    if (!right || account === undefined) return false;
    for (const key of [who, all]) this.#attempts.get(key)!.left += 1;
    return true;
  }

  /** `most` at once, then one in `pace` milliseconds. */
  #take(key: string, most: number, pace: number): boolean {
    const now = Date.now();
    if (this.#attempts.size > 10_000) this.#attempts.delete(this.#attempts.keys().next().value!);
    const { left, at } = this.#attempts.get(key) ?? { left: most, at: now };
    const filled = Math.min(most, left + (now - at) / pace);
    if (filled < 1) return false;
    this.#attempts.set(key, { left: filled - 1, at: now });
    return true;
  }

  /** A new session, by whose name the browser will know it; the one that it came with ends. [AUTH-001] */
  logIn(account: string, before: string | undefined): string {
    this.logOut(before);
    const name = randomBytes(32).toString("base64url");
    const { person, hash } = this.config.account(account)!;
    const tag = this.ring.tag("session-tag", name);
    const now = Date.now();
    for (const [tag, session] of this.#sessions) if (now - session.used > IDLE || now - session.began > ALTOGETHER) this.#sessions.delete(tag);
    this.#sessions.set(tag, { tag, account, person, credential: hash, began: now, used: now });
    return name;
  }

  logOut(name: string | undefined): void {
    if (name !== undefined) this.#sessions.delete(this.ring.tag("session-tag", name));
  }

  /** The session of a cookie, if it is still good. [AUTH-002, AUTH-003] */
  session(name: string | undefined): Session | undefined {
    const session = name === undefined ? undefined : this.#sessions.get(this.ring.tag("session-tag", name));
    if (session === undefined) return undefined;
    const now = Date.now();
    const account = this.config.account(session.account);
    const over = now - session.used > IDLE || now - session.began > ALTOGETHER;
    if (over || account?.person !== session.person || account.hash !== session.credential) {
      this.#sessions.delete(session.tag);
      return undefined;
    }
    session.used = now;
    return session;
  }
}
