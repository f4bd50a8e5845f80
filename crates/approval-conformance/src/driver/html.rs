//! What a page says and asks: its text and its forms, as somebody without scripts would use them.

use html5gum::{StartTag, Token, Tokenizer};

/// A page, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// Its forms, in their order.
    pub(crate) forms: Vec<PageForm>,
    /// Its visible text, elements parted by a space.
    pub(crate) text: String,
    /// The elements that would run or load something, each as `name` and its `src`, where it has one.
    pub(crate) scripts: Vec<(String, Option<String>)>,
    /// What has the focus from the beginning: the element's name and its value.
    pub(crate) focus: Vec<(String, String)>,
    /// Attributes that are scripts (`onclick` …), and addresses of `javascript:`.
    pub(crate) inline: Vec<String>,
    /// Where its links lead.
    pub(crate) links: Vec<String>,
    /// What it loads besides scripts: style sheets, images.
    pub(crate) assets: Vec<String>,
}

/// A form.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageForm {
    /// Where it goes, as it stands there.
    pub(crate) action: String,
    /// What is filled in.
    pub(crate) fields: Vec<Field>,
    /// What sends it.
    pub(crate) buttons: Vec<Button>,
}

/// A field of a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) id: String,
    pub(crate) is_required: bool,
    pub(crate) is_checked: bool,
    /// What the label says is to be typed: its `strong` element.
    pub(crate) expected: Option<String>,
}

/// A button.
#[derive(Clone, Debug, Default)]
pub(crate) struct Button {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) is_disabled: bool,
    /// A key presses it, wherever the focus is.
    pub(crate) has_key: bool,
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(body: &str) -> Self {
        let mut reader = Reader::default();
        for token in Tokenizer::new(body).flatten() {
            match token {
                Token::StartTag(tag) => reader.start(&tag),
                Token::EndTag(tag) => reader.end(&String::from_utf8_lossy(&tag.name)),
                Token::String(text) => reader.text(&String::from_utf8_lossy(&text)),
                _ => {}
            }
        }
        reader.finish()
    }

    /// The form to log in with: a password, and one visible text field.
    pub(crate) fn login(&self) -> Option<&PageForm> {
        self.forms
            .iter()
            .find(|form| form.password().is_some() && form.verdicts().is_empty() && form.account().is_some())
    }

    /// The form with a button of this verdict.
    pub(crate) fn decision(&self, verdict: &str) -> Option<&PageForm> {
        self.forms.iter().find(|form| form.button(verdict).is_some())
    }
}

impl PageForm {
    /// The field that takes a password.
    pub(crate) fn password(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.kind == "password")
    }

    /// The one field that takes a line of text.
    pub(crate) fn account(&self) -> Option<&Field> {
        let mut lines = self.fields.iter().filter(|field| matches!(field.kind.as_str(), "text" | "email"));
        let first = lines.next()?;
        lines.next().is_none().then_some(first)
    }

    /// The button of a verdict.
    pub(crate) fn button(&self, verdict: &str) -> Option<&Button> {
        self.buttons.iter().find(|button| button.value == verdict)
    }

    /// The verdicts that it can send.
    pub(crate) fn verdicts(&self) -> Vec<&str> {
        let values = self.buttons.iter().map(|button| button.value.as_str());
        values.filter(|value| matches!(*value, "approve" | "reject" | "withdraw")).collect()
    }
}

#[derive(Default)]
struct Reader {
    page: Page,
    form: Option<PageForm>,
    /// Labels: what they are for, and the text of their `strong` element.
    labels: Vec<(String, String)>,
    label: Option<(String, String)>,
    is_strong: bool,
    /// The element whose text isn't shown.
    silent: Option<String>,
    area: Option<Field>,
}

impl Reader {
    fn start(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        let attribute = |name: &str| {
            tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(&value.value).into_owned())
        };
        for (attribute, value) in &tag.attributes {
            let attribute = String::from_utf8_lossy(attribute);
            let value = String::from_utf8_lossy(&value.value);
            if attribute.starts_with("on") || value.trim_start().to_ascii_lowercase().starts_with("javascript:") {
                self.page.inline.push(format!("<{name} {attribute}>"));
            }
        }
        if attribute("autofocus").is_some() {
            self.page.focus.push((name.clone(), attribute("value").unwrap_or_default()));
        }
        self.page.text.push(' ');
        match name.as_str() {
            "a" => self.page.links.extend(attribute("href")),
            "img" => self.page.assets.extend(attribute("src")),
            "link" => self.page.assets.extend(attribute("href")),
            // A block of data is no script.
            "script" if attribute("type").is_some_and(|kind| !is_script(&kind)) => self.silent = Some(name),
            "script" | "iframe" | "object" | "embed" | "style" | "template" | "title" => {
                self.page.scripts.push((name.clone(), attribute("src")));
                self.silent = Some(name);
            }
            "form" => {
                let action = attribute("action").unwrap_or_default();
                self.form = Some(PageForm { action, ..PageForm::default() });
            }
            "label" => self.label = Some((attribute("for").unwrap_or_default(), String::new())),
            "strong" => self.is_strong = true,
            "input" | "button" | "textarea" | "select" => {
                let default = match name.as_str() {
                    "button" => "submit",
                    "input" => "text",
                    other => other,
                };
                let kind = attribute("type").unwrap_or_else(|| default.to_owned()).to_ascii_lowercase();
                let value = attribute("value").unwrap_or_default();
                if matches!(kind.as_str(), "submit" | "image" | "button") {
                    let is_disabled = attribute("disabled").is_some();
                    let (name, has_key) = (attribute("name").unwrap_or_default(), attribute("accesskey").is_some());
                    let button = Button { name, value, is_disabled, has_key };
                    self.form.iter_mut().for_each(|form| form.buttons.push(button.clone()));
                    return;
                }
                let field = Field {
                    name: attribute("name").unwrap_or_default(),
                    kind,
                    value,
                    id: attribute("id").unwrap_or_default(),
                    is_required: attribute("required").is_some(),
                    is_checked: attribute("checked").is_some(),
                    expected: None,
                };
                if name == "textarea" {
                    self.area = Some(field);
                } else if !field.name.is_empty() {
                    self.form.iter_mut().for_each(|form| form.fields.push(field.clone()));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        self.page.text.push(' ');
        if self.silent.as_deref() == Some(name) {
            self.silent = None;
        }
        match name {
            "form" => self.page.forms.extend(self.form.take()),
            "label" => self.labels.extend(self.label.take()),
            "strong" => self.is_strong = false,
            "textarea" => {
                if let (Some(field), Some(form)) = (self.area.take(), self.form.as_mut()) {
                    form.fields.push(field);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.silent.is_some() {
            return;
        }
        if let Some(area) = &mut self.area {
            area.value.push_str(text.strip_prefix('\n').unwrap_or(text));
            return;
        }
        self.page.text.push_str(text);
        if let (true, Some((_, strong))) = (self.is_strong, self.label.as_mut()) {
            strong.push_str(text);
        }
    }

    fn finish(mut self) -> Page {
        self.page.forms.extend(self.form.take());
        self.page.scripts.retain(|(name, _)| !matches!(name.as_str(), "style" | "template" | "title"));
        for form in &mut self.page.forms {
            for field in &mut form.fields {
                let label = self.labels.iter().find(|(id, strong)| *id == field.id && !strong.is_empty());
                field.expected = label.map(|(_, strong)| strong.trim().to_owned());
            }
        }
        self.page
    }
}

/// Whether a `script` of this type runs.
fn is_script(kind: &str) -> bool {
    let kind = kind.trim().to_ascii_lowercase();
    kind.is_empty() || kind == "module" || kind.contains("javascript") || kind.contains("ecmascript")
}

#[cfg(test)]
mod tests {
    use super::Page;

    const LOGIN: &str = r#"<!doctype html><title>Hidden</title><h1>Log in</h1><form method="post" action="/login">
        <input type="hidden" name="next" value="/plans/1"><label for="a">Account</label><input id="a" name="account" required>
        <input type=password name=password autofocus><button type="submit">Log in</button></form>"#;

    const PLAN: &str = r#"<p>write &lt;b&gt; &amp; more</p><form method=post action="/plans/1#decide"><button disabled hidden></button>
        <input type=hidden name=form value=sealed><p><input id=whole name=whole type=checkbox value=yes required>
        <label for=target>type <strong>notes</strong></label><input id=target name=target required>
        <textarea name=comment>
so it goes</textarea><input type=password name=password>
        <button name=verdict value=reject>Reject</button><button name=verdict value=approve>Approve</button></form>
        <script src="/a.js"></script><a href="/inbox" onclick="x()">Inbox</a>"#;

    #[test]
    fn a_login_is_told_from_a_decision() {
        let page = Page::read(LOGIN);
        let login = page.login();
        assert_eq!(login.map(|form| form.action.as_str()), Some("/login"));
        assert_eq!(login.and_then(super::PageForm::account).map(|field| field.name.as_str()), Some("account"));
        assert!(page.decision("approve").is_none());
        assert!(!page.text.contains("Hidden"));
        let page = Page::read(PLAN);
        assert!(page.login().is_none());
        let form = page.decision("approve").cloned().unwrap_or_default();
        assert_eq!(form.verdicts(), ["reject", "approve"]);
        let expected: Vec<_> =
            form.fields.iter().map(|field| (field.name.as_str(), field.expected.as_deref())).collect();
        let target =
            [("form", None), ("whole", None), ("target", Some("notes")), ("comment", None), ("password", None)];
        assert_eq!(expected, target);
        assert_eq!(form.fields.get(3).map(|field| field.value.as_str()), Some("so it goes"));
        assert!(page.text.contains("write <b> & more"));
        assert_eq!(page.scripts, [("script".to_owned(), Some("/a.js".to_owned()))]);
        assert_eq!(page.inline, ["<a onclick>"]);
        assert_eq!(page.links, ["/inbox"]);
    }
}
