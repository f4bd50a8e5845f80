//! What the gate answers: the whole of what it looks at, described as plain records, and its answer.

mod cases;
mod order;
pub(crate) mod scene;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::file::Category;
use crate::gate::scene::{Base, Scene};
use crate::seals;

/// [GATE-001, GATE-003, GATE-005, GATE-006, GATE-007, GATE-010, GATE-011, GATE-020, GATE-030, GATE-031, GATE-040, GATE-041]
/// [GATE-042, GATE-043, GATE-050, GATE-051, GATE-052, GATE-060, GATE-070, GATE-071, GATE-080, GATE-081, GATE-082, GATE-083]
/// [GATE-090, GATE-091, GATE-092, GATE-093, GATE-094, GATE-095, GATE-100, GATE-101, GATE-103, ANCHOR-002, ANCHOR-005]
/// [ANCHOR-008, STORE-008, REC-040, RULE-001, RULE-002, RULE-003, RULE-005]
pub(crate) async fn gate() -> Result<Category> {
    let mut scenes = Map::new();
    for base in Base::ALL {
        scenes.insert(base.name().to_owned(), Scene::set(base).await?.described().await?);
    }
    let mut vectors = cases::cases(&scenes).await?;
    vectors.extend(order::pairs(&scenes).await?);
    let category = Category::new(
        "gate",
        "An execution is asked for. `scene` names a whole scene of `scenes`, to which the JSON Patch `change` (RFC 6902) is applied: `stored` is what is stored of the plan, as the records that were sealed (`broken` names those whose seal doesn't hold) and the columns of `index`; `attempts` is the same of other plans that the store finds as attempts on the effect keys; `anchor` is what the anchor remembers of this plan and of others on its effect keys, and whether the store holds a claim; `pause` is the record of that type; `directory`, `policy`, `enforcement`, `tool` and `target` say how things are now, `freshness` what a look at the target finds. The answer is a permit, the recorded outcome, an outcome that is recorded without a permit (`settled`), or a refusal; `state` is the plan's state after a refusal of steps 5 to 10.",
        vectors,
    )?;
    Ok(category.sharing("keys", seals::test_keys()).sharing("scenes", Value::Object(scenes)))
}

fn permitted() -> Value {
    json!({ "verdict": "permitted" })
}
