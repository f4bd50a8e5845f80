//! An element of a page.

use anyhow::Result;
use serde_json::{Value, json};

use super::Browser;

/// The member that names an element on the wire (WebDriver, "web element identifier").
pub(super) const NAME: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An element of the page that the browser shows.
#[derive(Debug)]
pub struct Element<'b> {
    browser: &'b Browser<'b>,
    id: String,
}

impl<'b> Element<'b> {
    pub(super) fn new(browser: &'b Browser<'_>, id: String) -> Self {
        Self { browser, id }
    }

    /// As an argument of a script.
    #[must_use]
    pub fn reference(&self) -> Value {
        json!({ NAME: self.id })
    }

    /// Clicks in its middle, after it was scrolled into sight.
    ///
    /// # Errors
    /// When it can't be clicked by a person: it is hidden, or something lies over it.
    pub fn click(&self) -> Result<()> {
        self.post("click", &json!({})).map(drop)
    }

    /// Types into it.
    ///
    /// # Errors
    /// When it can't be typed into by a person.
    pub fn enter(&self, text: &str) -> Result<()> {
        self.post("value", &json!({ "text": text })).map(drop)
    }

    /// Empties a field.
    ///
    /// # Errors
    /// When it is no field.
    pub fn clear(&self) -> Result<()> {
        self.post("clear", &json!({})).map(drop)
    }

    /// The text in it that can be seen.
    ///
    /// # Errors
    /// When it is gone.
    pub fn text(&self) -> Result<String> {
        Ok(self.get("text")?.as_str().unwrap_or_default().to_owned())
    }

    /// One of its properties.
    ///
    /// # Errors
    /// When it is gone.
    pub fn property(&self, name: &str) -> Result<Value> {
        self.get(&format!("property/{name}"))
    }

    /// Its value, as that of a field.
    ///
    /// # Errors
    /// When it is gone.
    pub fn value(&self) -> Result<String> {
        Ok(self.property("value")?.as_str().unwrap_or_default().to_owned())
    }

    /// A chain of clicks, as fast as they can be made: a double click, and more.
    ///
    /// # Errors
    /// When it is gone.
    pub fn click_times(&self, times: usize) -> Result<()> {
        let mut actions =
            vec![json!({ "type": "pointerMove", "duration": 0, "origin": self.reference(), "x": 0, "y": 0 })];
        for _ in 0..times {
            actions.push(json!({ "type": "pointerDown", "button": 0 }));
            actions.push(json!({ "type": "pointerUp", "button": 0 }));
        }
        self.browser.scroll_to(self)?;
        self.browser.act(&json!({ "type": "pointer", "id": "mouse", "actions": actions }))
    }

    fn get(&self, what: &str) -> Result<Value> {
        self.browser.get(&format!("element/{}/{what}", self.id))
    }

    fn post(&self, what: &str, parameters: &Value) -> Result<Value> {
        self.browser.post(&format!("element/{}/{what}", self.id), parameters)
    }
}
