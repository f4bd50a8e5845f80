//! Examples, held against the schemas.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::judge::Judge;
use crate::schemas::Schemas;

/// Documents by the name of their schema and their own.
pub(crate) type Examples = BTreeMap<(String, String), Value>;

/// Every example is valid, every counter-example is not, and every schema has some of both.
pub(crate) fn hold(schemas: &Schemas, examples: &Examples, counters: &Examples, judge: &mut Judge) -> Result<()> {
    for (name, schema) in schemas {
        let of = |examples: &Examples| {
            let found = examples.iter().filter(|((of, _), _)| of == name);
            found.map(|((_, example), value)| (example.clone(), value.clone())).collect::<Vec<_>>()
        };
        let (good, bad) = (of(examples), of(counters));
        let mut wrong = Vec::new();
        if good.is_empty() || bad.is_empty() {
            wrong.push(format!("{} examples and {} counter-examples", good.len(), bad.len()));
        }
        let validator =
            jsonschema::draft202012::new(schema).map_err(|error| anyhow!("the schema `{name}`: {error}"))?;
        for (example, value) in good {
            wrong.extend(validator.iter_errors(&value).map(|error| format!("{example}: {error}")));
        }
        for (example, value) in bad {
            if validator.is_valid(&value) {
                wrong.push(format!("refused/{example}: the schema takes it"));
            }
        }
        judge.check(&format!("{name}: the schema takes its examples and no counter-example"), &wrong);
    }
    let unknown: BTreeSet<_> =
        examples.keys().map(|(schema, _)| schema).filter(|name| !schemas.contains_key(*name)).collect();
    let unknown: Vec<_> = unknown.into_iter().map(|name| format!("there is no schema `{name}`")).collect();
    judge.check("every example has a schema", &unknown);
    Ok(())
}
