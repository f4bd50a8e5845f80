//! A browser: one profile, one window.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::element::NAME;
use super::{Driver, Element};

/// A Chromium of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Browser<'d> {
    driver: &'d Driver,
    session: String,
}

/// A key that isn't a character (WebDriver, "keyboard actions").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The arrow down.
    Down,
    /// To the end.
    End,
    /// Return.
    Enter,
    /// To the beginning.
    Home,
    /// The space bar.
    Space,
    /// The tabulator, with which the focus goes on.
    Tab,
    /// The arrow up.
    Up,
}

impl Key {
    fn code(self) -> char {
        match self {
            Self::Down => '\u{e015}',
            Self::End => '\u{e010}',
            Self::Enter => '\u{e007}',
            Self::Home => '\u{e011}',
            Self::Space => '\u{e00d}',
            Self::Tab => '\u{e004}',
            Self::Up => '\u{e013}',
        }
    }
}

/// Which colours the system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
}

impl Palette {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// As style sheets name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

impl<'d> Browser<'d> {
    pub(super) fn new(driver: &'d Driver, session: String) -> Self {
        Self { driver, session }
    }

    /// Opens an address, as if it had been typed, and waits until it is loaded.
    ///
    /// # Errors
    /// When nothing answers there.
    pub fn open(&self, url: &str) -> Result<()> {
        self.post("url", &json!({ "url": url })).map(drop)
    }

    /// The address of what is shown.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn url(&self) -> Result<String> {
        Ok(self.get("url")?.as_str().unwrap_or_default().to_owned())
    }

    /// The button that goes back.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn back(&self) -> Result<()> {
        self.post("back", &json!({})).map(drop)
    }

    /// The first element that the selector describes, once there is one.
    ///
    /// # Errors
    /// When there is none after a while.
    pub fn find(&self, selector: &str) -> Result<Element<'_>> {
        let found = self
            .post("element", &json!({ "using": "css selector", "value": selector }))
            .with_context(|| format!("`{selector}` on {}", self.url().unwrap_or_default()))?;
        self.element(&found)
    }

    /// How many elements the selector describes, now.
    ///
    /// # Errors
    /// When the selector isn't one.
    pub fn count(&self, selector: &str) -> Result<u64> {
        let found = self.run("return document.querySelectorAll(arguments[0]).length", &[json!(selector)])?;
        found.as_u64().context("no number")
    }

    /// The text of the whole page that can be seen.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn text(&self) -> Result<String> {
        self.find("body")?.text()
    }

    /// The status with which the server answered for the page that is shown.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn status(&self) -> Result<u64> {
        let status = self.run("return performance.getEntriesByType('navigation')[0].responseStatus", &[])?;
        status.as_u64().context("no status")
    }

    /// The value of a script. The page's own policy doesn't bind it: it is the driver's.
    ///
    /// # Errors
    /// When the script throws.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.post("execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The value that a script hands to the function that is its last argument.
    ///
    /// # Errors
    /// When the script throws, or takes too long.
    pub fn run_until_done(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.post("execute/async", &json!({ "script": script, "args": arguments }))
    }

    /// Waits until what was done before has had its turn: a task and a drawn frame later, a form is on its way or isn't.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn settle(&self) -> Result<()> {
        let script =
            "const done = arguments[0]; requestAnimationFrame(() => setTimeout(() => requestAnimationFrame(done)))";
        self.run_until_done(script, &[]).map(drop)
    }

    /// The first element that the selector describes, on a page to which others went on by themselves, once all of that page is
    /// there, styles included. The driver waits for no such page: what it finds while pages change is soon found no more.
    ///
    /// # Errors
    /// When there is none after a while.
    pub fn arrive(&self, selector: &str) -> Result<Element<'_>> {
        self.find(selector)?;
        let script = "const done = arguments[0];
            if (document.readyState === 'complete') done(); else addEventListener('load', () => done())";
        self.run_until_done(script, &[])?;
        self.find(selector)
    }

    /// Opens all that is folded but what has a thousand lines and more.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn unfold(&self) -> Result<()> {
        let script =
            "for (const fold of document.querySelectorAll('details')) fold.open = fold.childElementCount < 1000";
        self.run(script, &[]).map(drop)
    }

    /// Presses a key wherever the focus is.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn press(&self, key: Key) -> Result<()> {
        self.strike(key.code())
    }

    /// Types wherever the focus is.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn enter(&self, text: &str) -> Result<()> {
        text.chars().try_for_each(|character| self.strike(character))
    }

    /// The element that has the focus; the body, where none has.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn focused(&self) -> Result<Element<'_>> {
        let found = self.get("element/active")?;
        self.element(&found)
    }

    /// The text of the dialog that a script has opened, where there is one.
    #[must_use]
    pub fn dialog(&self) -> Option<String> {
        self.get("alert/text").ok().and_then(|text| text.as_str().map(str::to_owned))
    }

    /// Closes that dialog.
    ///
    /// # Errors
    /// When there is none.
    pub fn close_dialog(&self) -> Result<()> {
        self.post("alert/accept", &json!({})).map(drop)
    }

    /// Goes into a frame; what is asked afterwards is asked there.
    ///
    /// # Errors
    /// When it is no frame.
    pub fn into_frame(&self, frame: &Element<'_>) -> Result<()> {
        self.post("frame", &json!({ "id": frame.reference() })).map(drop)
    }

    /// Leaves all frames.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn out_of_frames(&self) -> Result<()> {
        self.post("frame", &json!({ "id": null })).map(drop)
    }

    /// The cookies that would be sent for the page that is shown, as a header holds them.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn cookies(&self) -> Result<String> {
        let cookies = self.get("cookie")?;
        let pair = |cookie: &Value| {
            let part = |name: &str| cookie.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{}={}", part("name"), part("value"))
        };
        Ok(cookies.as_array().into_iter().flatten().map(pair).collect::<Vec<_>>().join("; "))
    }

    /// So wide that a page of it is laid out as on a phone or a desk. A window has a least width; this has none.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn set_width(&self, width: u32) -> Result<()> {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)?;
        self.devtools("Emulation.setScrollbarsHidden", &json!({ "hidden": true })).map(drop)
    }

    /// From now on the system asks for these colours.
    ///
    /// # Errors
    /// When the window is gone.
    pub fn set_palette(&self, palette: Palette) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": palette.name() }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features })).map(drop)
    }

    /// A picture of the page from its top, at most so high, as PNG.
    ///
    /// # Errors
    /// When none can be taken.
    pub fn picture(&self, height: u64) -> Result<Vec<u8>> {
        let size = self.run("const e = document.documentElement; return [e.clientWidth, e.scrollHeight]", &[])?;
        let side = |number: usize| size.get(number).and_then(Value::as_u64).unwrap_or_default();
        let clip = json!({ "x": 0, "y": 0, "width": side(0), "height": side(1).min(height), "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = self.devtools("Page.captureScreenshot", &wanted)?;
        let data = taken.get("data").and_then(Value::as_str).context("no picture")?;
        Ok(STANDARD.decode(data)?)
    }

    /// One command of the Chrome DevTools protocol.
    fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn strike(&self, key: char) -> Result<()> {
        let actions = ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        self.act(&json!({ "type": "key", "id": "keyboard", "actions": actions }))
    }

    pub(super) fn act(&self, source: &Value) -> Result<()> {
        self.post("actions", &json!({ "actions": [source] })).map(drop)
    }

    pub(super) fn scroll_to(&self, element: &Element<'_>) -> Result<()> {
        self.run("arguments[0].scrollIntoView({ block: 'center' })", &[element.reference()]).map(drop)
    }

    fn element(&self, found: &Value) -> Result<Element<'_>> {
        let id = found.get(NAME).and_then(Value::as_str).unwrap_or_default();
        ensure!(!id.is_empty(), "`{found}` is no element");
        Ok(Element::new(self, id.to_owned()))
    }

    pub(super) fn get(&self, what: &str) -> Result<Value> {
        self.driver.call("GET", &format!("/session/{}/{what}", self.session), &Value::Null)
    }

    pub(super) fn post(&self, what: &str, parameters: &Value) -> Result<Value> {
        self.driver.call("POST", &format!("/session/{}/{what}", self.session), parameters)
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let _ = self.driver.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
    }
}
