//! JSON Patches (RFC 6902) of `add`, `remove` and `replace`.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// A value with a patch applied to it.
pub(super) fn applied(whole: &Value, change: &[Value]) -> Result<Value> {
    let mut changed = whole.clone();
    change.iter().try_for_each(|operation| apply(&mut changed, operation))?;
    Ok(changed)
}

fn apply(whole: &mut Value, operation: &Value) -> Result<()> {
    let text = |member: &str| operation.get(member).and_then(Value::as_str).context("no operation");
    let (name, path, value) = (text("op")?, text("path")?, operation.get("value").cloned());
    let Some((container, step)) = path.rsplit_once('/') else {
        *whole = value.context("no value")?;
        return Ok(());
    };
    let step = step.replace("~1", "/").replace("~0", "~");
    match (whole.pointer_mut(container), name, value) {
        (Some(Value::Object(members)), "add" | "replace", Some(value)) => drop(members.insert(step, value)),
        (Some(Value::Object(members)), "remove", _) => drop(members.remove(&step).context("no such member")?),
        (Some(Value::Array(items)), "add", Some(value)) => {
            let place = if step == "-" { items.len() } else { step.parse()? };
            if place > items.len() {
                bail!("no such place");
            }
            items.insert(place, value);
        }
        (Some(Value::Array(items)), "replace", Some(value)) => {
            *items.get_mut(step.parse::<usize>()?).context("no such item")? = value;
        }
        (Some(Value::Array(items)), "remove", _) => {
            let place: usize = step.parse()?;
            items.get(place).context("no such item")?;
            items.remove(place);
        }
        _ => bail!("what is no patch"),
    }
    Ok(())
}
