//! Text of others, made safe to look at (approval-surface.md, section 5).

use std::collections::BTreeMap;

use super::acts::{comment_field, readable, shown, squeezed, with};
use super::documents::documents;
use crate::check::{Check, Level, Scope, run};
use crate::driver::{Page, PersonVerdict};
use crate::scene::{Call, Scene};
use crate::target::{Rule, Tool};
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "reversed-text",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["TEXT-002", "TEXT-004"],
        case: Some("reversed-text"),
        tries: "Texts with control and bidirectional characters, zero-width and tag characters, odd spaces, variation selectors, private and unassigned code points, enclosing marks and combining marks are planned, in each tool that takes any text.",
        expects: "Wherever the page shows the text, each such character is replaced by a mark with its code point, and no two of them look alike.",
        run: run!(reversed),
    },
    Check {
        id: "reversed-comment",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["TEXT-002", "TEXT-001"],
        case: Some("reversed-text"),
        tries: "One of a quorum approves with a comment that holds bidirectional, zero-width and tag characters and markup, and the other approver opens the page.",
        expects: "Wherever the page shows the comment, each character is replaced by a mark with its code point, and the markup is text.",
        run: run!(comment),
    },
    Check {
        id: "mark-can-not-be-imitated",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["TEXT-002"],
        case: Some("reversed-text"),
        tries: "What the page shows in place of U+202E is sent as a text.",
        expects: "It is shown otherwise than the character was.",
        run: run!(imitated),
    },
    Check {
        id: "markup-is-text",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["TEXT-001", "SURF-015"],
        case: Some("reversed-text"),
        tries: "A text of scripts, elements, attributes, links, entities and comments of HTML is planned, in each tool that takes any text.",
        expects: "It stands on the page as it was sent; the page has no script, attribute or link more than for a plain text.",
        run: run!(markup),
    },
    Check {
        id: "spaces-are-counted",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["TEXT-003", "TEXT-004"],
        case: None,
        tries: "Lines that end in no space, in three and in four, and gaps of one space, of sixty and of sixty-one are planned.",
        expects: "The page shows them differently, white space apart.",
        run: run!(spaces),
    },
    Check {
        id: "name-tells-its-code-points",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["TEXT-005"],
        case: None,
        tries: "A text that becomes a name (of an object or an effect key) has a Cyrillic letter among Latin ones.",
        expects: "The page has the letter's code point beside it.",
        run: run!(name),
    },
];

/// What stands before a character, and the character.
type Hostile = (&'static str, char);

/// Each group is a text of its own.
const GROUPS: &[&[Hostile]] = &[
    // Control characters.
    &[
        ("", '\u{1}'),
        ("", '\u{7}'),
        ("", '\u{8}'),
        ("", '\t'),
        ("", '\u{b}'),
        ("", '\u{c}'),
        ("", '\r'),
        ("", '\u{1b}'),
        ("", '\u{7f}'),
        ("", '\u{85}'),
        ("", '\u{9b}'),
    ],
    // What turns the direction.
    &[
        ("", '\u{61c}'),
        ("", '\u{200e}'),
        ("", '\u{200f}'),
        ("", '\u{202a}'),
        ("", '\u{202b}'),
        ("", '\u{202c}'),
        ("", '\u{202d}'),
        ("", '\u{202e}'),
        ("", '\u{2066}'),
        ("", '\u{2067}'),
        ("", '\u{2068}'),
        ("", '\u{2069}'),
    ],
    // What isn't to be seen.
    &[
        ("", '\u{ad}'),
        ("", '\u{34f}'),
        ("", '\u{115f}'),
        ("", '\u{180e}'),
        ("", '\u{200b}'),
        ("", '\u{200c}'),
        ("", '\u{200d}'),
        ("", '\u{2060}'),
        ("", '\u{2065}'),
        ("", '\u{3164}'),
        ("", '\u{feff}'),
        ("", '\u{ffa0}'),
    ],
    // Separators, and spaces other than U+0020.
    &[
        ("", '\u{a0}'),
        ("", '\u{1680}'),
        ("", '\u{2002}'),
        ("", '\u{2009}'),
        ("", '\u{2028}'),
        ("", '\u{2029}'),
        ("", '\u{202f}'),
        ("", '\u{205f}'),
        ("", '\u{3000}'),
    ],
    // Variation selectors and tags.
    &[("", '\u{fe00}'), ("", '\u{fe0f}'), ("", '\u{e0001}'), ("", '\u{e0041}'), ("", '\u{e007f}'), ("", '\u{e0100}')],
    // Of private use, and not assigned.
    &[
        ("", '\u{e000}'),
        ("", '\u{f8ff}'),
        ("", '\u{f0000}'),
        ("", '\u{378}'),
        ("", '\u{fdd0}'),
        ("", '\u{fffe}'),
        ("", '\u{10ffff}'),
    ],
    // Marks: enclosing ones, a third on one base, one without a base.
    &[("", '\u{20dd}'), ("", '\u{20e3}'), ("\u{301}\u{302}", '\u{303}'), ("\n", '\u{304}')],
];

async fn reversed(scene: &Scene) -> Checked {
    let mut seen: BTreeMap<String, char> = BTreeMap::new();
    let mut complaints: Vec<String> = Vec::new();
    for tool in taking_text(scene)? {
        for group in GROUPS {
            let text: String = group
                .iter()
                .enumerate()
                .map(|(at, (before, character))| between(at, &format!("{before}{character}")))
                .collect();
            let page = page_of(scene, &tool, &text).await?;
            complaints.extend(judge(&page, group, &mut seen));
        }
    }
    complaints.dedup();
    complaints.truncate(6);
    ensure(complaints.is_empty(), || complaints.join("; "))
}

async fn comment(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.ruled(Rule::Quorum)?);
    let approvers = scene.approvers(&agent, &call)?;
    let (Some(one), Some(other)) = (approvers.first(), approvers.get(1)) else {
        return Err(Stop::NotApplicable("the quorum is of one person".to_owned()));
    };
    let (_, challenge) = scene.challenged(&agent, &call).await?;
    let form = scene.must_form(one, &challenge.url, PersonVerdict::Approve).await?;
    let group: &[Hostile] = &[("", '\u{202e}'), ("", '\u{200b}'), ("", '\u{e0041}'), ("", '\u{1b}')];
    let text: String =
        group.iter().enumerate().map(|(at, (_, character))| between(at, &character.to_string())).collect();
    let text = format!("{text} <img src=x onerror=alert(1)>");
    scene.send(Some(one), &with(&form, comment_field(&form)?, &text)).await?;
    let page = shown(scene, other, &challenge.url).await?.page;
    let complaints = judge(&page, group, &mut BTreeMap::new());
    ensure(complaints.is_empty(), || complaints.join("; "))?;
    ensure(page.inline.is_empty() && squeezed(&page.text).contains("<imgsrc=xonerror=alert(1)>"), || {
        "a comment's markup isn't shown as it was written".to_owned()
    })
}

async fn imitated(scene: &Scene) -> Checked {
    let tool = taking_text(scene)?.into_iter().next();
    let tool = tool.ok_or_else(|| Stop::NotApplicable("no tool declares `text`".to_owned()))?;
    let page = page_of(scene, &tool, &between(0, "\u{202e}")).await?;
    let real = segments(&page, 0);
    let mark = real.first().ok_or_else(|| Stop::fail("a text with U+202E doesn't stand on the page"))?;
    let page = page_of(scene, &tool, &between(0, mark)).await?;
    let false_ones = segments(&page, 0);
    ensure(!false_ones.is_empty(), || format!("the text `{mark}` doesn't stand on the page"))?;
    let imitates = false_ones.iter().any(|shown| real.contains(shown));
    ensure(!imitates, || format!("the text `{mark}` is shown as the mark of U+202E is: a text can imitate it"))
}

/// Markup in pieces that fit into a name.
const MARKUP: &[&str] = &[
    "<script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)><style>*{display:none}</style>",
    "</pre></code></textarea></title><iframe src=https://elsewhere.example/frame></iframe>",
    "<a href=https://elsewhere.example/link>l</a> https://elsewhere.example/plain javascript:alert(4)",
    "&lt;b&gt;&#x202e;&amp;&nbsp; ]]><!-- --!><?x?></p></div></blockquote>",
];

async fn markup(scene: &Scene) -> Checked {
    for tool in taking_text(scene)? {
        let plain = page_of(scene, &tool, "plain").await?;
        for markup in MARKUP {
            let page = page_of(scene, &tool, markup).await?;
            ensure(page.scripts == plain.scripts && page.inline == plain.inline, || {
                format!("a text brought {:?} and {:?} onto the page", page.scripts, page.inline)
            })?;
            let link = page.links.iter().chain(&page.assets).find(|link| link.contains("elsewhere.example"));
            ensure(link.is_none(), || format!("a text has become the link {link:?}"))?;
            ensure(squeezed(&page.text).contains(&squeezed(markup)), || {
                format!("the text `{markup}` of the tool `{}` doesn't stand on the page as it was sent", tool.use_of)
            })?;
        }
    }
    Ok(())
}

async fn spaces(scene: &Scene) -> Checked {
    let tool = taking_text(scene)?.into_iter().next();
    let tool = tool.ok_or_else(|| Stop::NotApplicable("no tool declares `text`".to_owned()))?;
    let space = |count: usize| " ".repeat(count);
    let texts = ["\n".to_owned(), format!("{}\n", space(3)), format!("{}\n", space(4)), space(1), space(60), space(61)];
    let text: String = texts.iter().enumerate().map(|(at, text)| between(at, text)).collect();
    let page = page_of(scene, &tool, &text).await?;
    let shown: Vec<Vec<String>> = (0..texts.len()).map(|at| segments(&page, at)).collect();
    for (one, other, what) in [
        (0, 1, "a line that ends in three spaces is shown as one that ends in none"),
        (1, 2, "three spaces at the end of a line are shown as four are"),
        (3, 4, "sixty spaces in a row are shown as one is"),
        (4, 5, "sixty spaces in a row are shown as sixty-one are"),
    ] {
        let (Some(one), Some(other)) = (shown.get(one), shown.get(other)) else { continue };
        ensure(!one.is_empty() && !other.is_empty(), || "a text with spaces doesn't stand on the page".to_owned())?;
        // Where a notation writes the line break (`\n`), spaces before it stand between what is visible, and are at no line's end.
        let is_alike = one.iter().any(|shown| other.contains(shown) && !shown.contains(r"\n"));
        ensure(!is_alike, || what.to_owned())?;
    }
    Ok(())
}

async fn name(scene: &Scene) -> Checked {
    let agent = scene.agent().await?;
    for tool in taking_text(scene)? {
        let call = texted(scene, &tool, "c\u{430}rol")?;
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let person = scene.approver(&agent, &call)?;
        let documents = documents(scene, &person, &plan, &challenge).await?;
        let steps = documents.intent.get("steps").and_then(serde_json::Value::as_array).into_iter().flatten();
        let objects: Vec<String> = steps.filter_map(|step| step.get("object")).map(ToString::to_string).collect();
        let keys = documents.intent.get("effectKeys").map(ToString::to_string).unwrap_or_default();
        if !objects.iter().chain([&keys]).any(|name| name.contains('\u{430}')) {
            continue;
        }
        let page = shown(scene, &person, &challenge.url).await?;
        return ensure(page.text.to_ascii_lowercase().contains("0430"), || {
            format!("the name `{}` has a Cyrillic letter, and the page doesn't tell its code point", "c\u{430}rol")
        });
    }
    Err(Stop::NotApplicable("no text that is declared becomes a name".to_owned()))
}

/// What is wrong with how the page shows the characters of a group, wherever it shows them.
fn judge(page: &Page, group: &[Hostile], seen: &mut BTreeMap<String, char>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, (before, character)) in group.iter().enumerate() {
        let (point, shown) = (u32::from(*character), segments(page, at));
        if shown.is_empty() {
            complaints.push(format!("the text with U+{point:04X} doesn't stand on the page"));
        }
        for shown in shown {
            // A name that the planner derives (an address) may have it in an encoding of its own, which is as visible.
            if shown.eq_ignore_ascii_case(&percent(&format!("{before}{character}"))) {
                continue;
            }
            if shown.contains(*character) {
                complaints.push(format!("U+{point:04X} stands on the page as it is"));
            } else if !shown.to_ascii_lowercase().contains(&format!("{point:x}")) {
                complaints.push(format!("in place of U+{point:04X} the page shows `{shown}`, which doesn't name it"));
            }
            let other = seen.entry(shown.clone()).or_insert(*character);
            if other != character {
                let other = u32::from(*other);
                complaints.push(format!("U+{point:04X} and U+{other:04X} are both shown as `{shown}`"));
            }
        }
    }
    complaints
}

/// A text as an address has it.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A text between letters by which it can be found again.
fn between(at: usize, text: &str) -> String {
    format!("m{at}na{text}bm{at}o ")
}

/// What the page shows between those letters, everywhere.
fn segments(page: &Page, at: usize) -> Vec<String> {
    // Of white space only what a reader of HTML collapses: the others are what it is about.
    let text: String = page.text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let (begin, end) = (format!("m{at}na"), format!("bm{at}o"));
    let parts = text.split(&begin).skip(1);
    parts.filter_map(|part| Some(part.split_once(&end)?.0.to_owned())).collect()
}

/// The tools that take any text, one for each place of an argument.
fn taking_text(scene: &Scene) -> Checked<Vec<Tool>> {
    let mut found: Vec<Tool> = Vec::new();
    for tool in readable(scene)?.into_iter().filter(|tool| tool.text.is_some()) {
        if !found.iter().any(|known| known.name == tool.name && known.text == tool.text) {
            found.push(tool);
        }
    }
    if found.is_empty() {
        return Err(Stop::NotApplicable("no tool declares `text`".to_owned()));
    }
    Ok(found)
}

/// A call with `text` in its place.
fn texted(scene: &Scene, tool: &Tool, text: &str) -> Checked<Call> {
    let call = scene.call_of(tool);
    let pointer = tool.text.clone().unwrap_or_default();
    // Where the text is what names the object, it has to be another one each time.
    let text = format!("{} {text}", call.unique);
    call.with(&pointer, text.into())
}

/// The page of a plan whose text this is.
async fn page_of(scene: &Scene, tool: &Tool, text: &str) -> Checked<Page> {
    let (agent, call) = (scene.agent().await?, texted(scene, tool, text)?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let person = scene.approver(&agent, &call)?;
    let page = shown(scene, &person, &challenge.url).await?.page;
    agent.cancel(&plan).await?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::{between, segments};
    use crate::driver::Page;

    #[test]
    fn what_stands_between_is_found_again() {
        let page = Page::read(&format!("<p>{}<b>{}</b>", between(1, "x"), between(11, " <span>y</span>\u{a0}")));
        assert_eq!(segments(&page, 1), ["x"]);
        assert_eq!(segments(&page, 11), ["y\u{a0}"]);
        assert!(segments(&page, 2).is_empty());
    }
}
