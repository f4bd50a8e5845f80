// Text of others, made safe to look at: spec/v0/approval-surface.md, section 5.

/** Markup that this server made. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | undefined | false | Part[];

/** A template whose parts are shown as plain text of the server's own, or are markup already. */
export function html(parts: TemplateStringsArray, ...values: Part[]): Html {
  const shown = (value: Part): string => {
    if (value === undefined || value === false) return "";
    if (Array.isArray(value)) return value.map(shown).join("");
    return value instanceof Html ? value.text : escape(String(value));
  };
  return new Html(parts.reduce((text, part, at) => text + shown(values[at - 1]) + part));
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");

// The signs with which marks are written never stand for themselves; so no text can imitate a mark. [TEXT-002]
const [OPEN, CLOSE] = ["⟦", "⟧"];
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Co}\p{Cs}\p{Cn}\p{Me}⟦⟧]|(?! )\p{Zs}/u;
const COMBINING = /\p{M}/u;
const MOST_SPACES = 8;

const mark = (what: string): string => `<span class="mark">${OPEN}${what}${CLOSE}</span>`;
const codePoint = (character: string): string => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;

/** A text, all of which can be seen and read back. [TEXT-001..TEXT-004] */
export function hostile(text: string): Html {
  let shown = "";
  let combining = Infinity;
  const characters = [...text];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (character === " ") {
      let end = at;
      while (characters[end] === " ") end += 1;
      const last = end === characters.length || characters[end] === "\n";
      // [TEXT-003]
      shown += last || end - at > MOST_SPACES ? mark(`${end - at} × U+0020`) : " ".repeat(end - at);
      at = end - 1;
      combining = Infinity;
    } else if (COMBINING.test(character) && !HIDDEN.test(character)) {
      combining += 1;
      shown += combining > 2 ? mark(codePoint(character)) : character;
    } else if (HIDDEN.test(character)) {
      shown += mark(codePoint(character)) + (character === "\n" ? "\n" : "");
      combining = Infinity;
    } else {
      shown += escape(character);
      combining = 0;
    }
  }
  return new Html(`<span class="text">${shown}</span>`);
}

const SCRIPTS = ["Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Devanagari", "Thai", "Georgian", "Hangul", "Hiragana", "Katakana", "Han", "Cherokee"];

/** A name; beyond ASCII its code points stand beside it, and mixed scripts are told of. [TEXT-005] */
export function name(text: string): Html {
  if (/^[\x20-\x7e]*$/.test(text)) return html`<code>${hostile(text)}</code>`;
  const points = [...text].map((character) => (/[\x21-\x7e]/.test(character) ? character : codePoint(character))).join(" ");
  const scripts = SCRIPTS.filter((script) => new RegExp(`\\p{Script=${script}}`, "u").test(text));
  const mixed = scripts.length > 1 && html` <strong class="warn">mixes ${scripts.join(", ")}</strong>`;
  return html`<code>${hostile(text)}</code> <small>(${points})</small>${mixed}`;
}

/** A JSON value, in lines. Texts stand between quotes, with quotes and backslashes in them escaped. */
export function valueLines(value: unknown, indent = ""): Html[] {
  const inner = `${indent}  `;
  if (typeof value === "string") return [html`${indent}"${hostile(value.replaceAll("\\", "\\\\").replaceAll('"', '\\"'))}"`];
  if (value === null || typeof value !== "object") return [html`${indent}${JSON.stringify(value)}`];
  const isArray = Array.isArray(value);
  const members: [string, unknown][] = isArray ? value.map((element) => ["", element]) : Object.entries(value);
  const [open, close] = isArray ? ["[", "]"] : ["{", "}"];
  if (members.length === 0) return [html`${indent}${open}${close}`];
  const lines = members.flatMap(([member, element], at) => {
    const [first, ...rest] = valueLines(element, inner);
    const start = isArray ? first! : html`${inner}"${hostile(member.replaceAll("\\", "\\\\").replaceAll('"', '\\"'))}": ${trimmed(first!, inner)}`;
    const all = [start, ...rest];
    if (at < members.length - 1) all.push(html`${all.pop()!},`);
    return all;
  });
  return [html`${indent}${open}`, ...lines, html`${indent}${close}`];
}

const trimmed = (line: Html, indent: string): Html => new Html(line.text.slice(indent.length));

export const block = (value: unknown): Html => html`<pre>${lines(valueLines(value).map((line) => html`${line}`))}</pre>`;

const lines = (all: Html[]): Html => new Html(all.map(({ text }) => text).join("\n"));

/** What changes, line by line; absent before is created, absent after is removed. [SHOW-005, DIG-106] */
export function difference(before: unknown, after: unknown): Html {
  const [old, fresh] = [before, after].map((value) => (value === undefined ? [] : valueLines(value))) as [Html[], Html[]];
  let start = 0;
  while (start < Math.min(old.length, fresh.length) && old[start]!.text === fresh[start]!.text) start += 1;
  let end = 0;
  while (end < Math.min(old.length, fresh.length) - start && old.at(-1 - end)!.text === fresh.at(-1 - end)!.text) end += 1;
  const row = (sign: string, kind: string) => (line: Html): Html => html`<span class="${kind}">${sign} ${line}</span>`;
  return html`<pre>${lines([
    ...old.slice(0, start).map(row(" ", "kept")),
    ...old.slice(start, old.length - end).map(row("-", "removed")),
    ...fresh.slice(start, fresh.length - end).map(row("+", "added")),
    ...old.slice(old.length - end).map(row(" ", "kept")),
  ])}</pre>`;
}
