//! What the tools with a preview take.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

/// A note, and the name under which it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// What it is called: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it says.
    pub text: String,
    /// On which shelf it stands. Which rule holds for it may depend on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelf: Option<String>,
    /// What it is locked with. Nobody gets to see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// How many of them there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    pub count: Option<Number>,
    /// Whatever else there is to it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
}

impl Note {
    /// What is written under the name: everything else.
    pub(super) fn content(&self) -> Map<String, Value> {
        let mut content = Map::from_iter([("text".to_owned(), self.text.clone().into())]);
        let mut put = |member: &str, value: Option<Value>| value.map(|value| content.insert(member.to_owned(), value));
        put("shelf", self.shelf.clone().map(Value::from));
        put("password", self.password.clone().map(Value::from));
        put("count", self.count.clone().map(Value::from));
        put("extra", self.extra.clone());
        content
    }
}

/// What is there, `null` too: that is another value than none.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
