//! Wrong vectors, so that a checker can show that it finds them: these, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use approval_core::Entropy as _;
use approval_testkit::SeededEntropy;
use serde_json::Value;

use crate::file::say;
use crate::patch::child;

/// A byte of the input that decides about the answer, whatever it is changed to.
const DECISIVE: &[(&str, &str)] = &[
    ("accepted-documents", "/bytes/text"),
    ("digests", "/review/headline/text"),
    ("seals", "/sealed/base64"),
    ("secret-leaves", "/nonce"),
    ("tags", "/bytes/text"),
];

/// Copies every file, with one vector each of which the verdict, the reason, a byte of the answer or of the input is changed,
/// as far as there are such; prints the names of those, `CATEGORY/NAME`.
pub(crate) fn spoil(directory: &Path, copies: &Path, seed: u64) -> Result<()> {
    fs::create_dir_all(copies)?;
    let mut dice = Dice(SeededEntropy::new(seed));
    for entry in sorted(directory)? {
        let path = directory.join(&entry);
        let mut file: Value = serde_json::from_str(&fs::read_to_string(&path)?)
            .with_context(|| format!("reading `{}`", path.display()))?;
        let category = file["category"].as_str().context("a category")?.to_owned();
        let vectors = file["vectors"].as_array_mut().context("vectors")?;
        let reasons: BTreeSet<String> = vectors.iter().filter_map(reason).collect();
        let mut spoiled = BTreeSet::new();
        for fault in [Fault::Verdict, Fault::Reason, Fault::Answer, Fault::Input] {
            let able: Vec<usize> = (0..vectors.len())
                .filter(|number| !spoiled.contains(number))
                .filter(|number| vectors.get(*number).is_some_and(|vector| fault.fits(vector, &category, &reasons)))
                .collect();
            let Some(&number) = dice.pick(&able)? else { continue };
            let vector = vectors.get_mut(number).context("a vector")?;
            fault.inflict(vector, &category, &reasons, &mut dice)?;
            say(&format!("{category}/{}", vector["name"].as_str().context("a name")?));
            spoiled.insert(number);
        }
        ensure!(!spoiled.is_empty(), "nothing of {category} can be spoiled");
        fs::write(copies.join(&entry), serde_json::to_string(&file)?)?;
    }
    Ok(())
}

fn sorted(directory: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            names.insert(name);
        }
    }
    Ok(names)
}

fn reason(vector: &Value) -> Option<String> {
    vector["expect"]["reason"].as_str().map(ToOwned::to_owned)
}

/// What is made wrong.
#[derive(Clone, Copy)]
enum Fault {
    Answer,
    Input,
    Reason,
    Verdict,
}

impl Fault {
    fn fits(self, vector: &Value, category: &str, reasons: &BTreeSet<String>) -> bool {
        match self {
            Self::Answer => text_of_answer(&vector["expect"]).is_some(),
            // What is refused may be refused for the same reason with another byte.
            Self::Input => {
                let text = decisive(category).and_then(|at| vector["input"].pointer(at)).and_then(Value::as_str);
                reason(vector).is_none() && text.is_some_and(|text| letters(text).len() > 1)
            }
            Self::Reason => reason(vector).is_some() && reasons.len() > 1,
            Self::Verdict => vector["expect"]["verdict"].is_string(),
        }
    }

    fn inflict(self, vector: &mut Value, category: &str, reasons: &BTreeSet<String>, dice: &mut Dice) -> Result<()> {
        match self {
            Self::Answer => {
                let at = text_of_answer(&vector["expect"]).context("a text")?;
                change(vector["expect"].pointer_mut(&at), dice)
            }
            Self::Input => change(vector["input"].pointer_mut(decisive(category).context("a place")?), dice),
            Self::Reason => {
                let right = reason(vector);
                let others: Vec<&String> = reasons.iter().filter(|other| right.as_ref() != Some(*other)).collect();
                vector["expect"]["reason"] = dice.pick(&others)?.context("another reason")?.as_str().into();
                Ok(())
            }
            Self::Verdict => {
                let refused = vector["expect"]["verdict"] == "refused";
                vector["expect"]["verdict"] = if refused { "accepted" } else { "refused" }.into();
                Ok(())
            }
        }
    }
}

fn decisive(category: &str) -> Option<&'static str> {
    DECISIVE.iter().find(|(known, _)| *known == category).map(|(_, at)| *at)
}

/// A text in an answer that is neither verdict nor reason.
fn text_of_answer(expect: &Value) -> Option<String> {
    fn within(value: &Value, at: &str) -> Option<String> {
        match value {
            Value::String(text) if letters(text).len() > 1 => Some(at.to_owned()),
            Value::Object(members) => members.iter().find_map(|(name, inner)| within(inner, &child(at, name))),
            _ => None,
        }
    }
    let members = expect.as_object()?;
    let others = members.iter().filter(|(name, _)| *name != "verdict" && *name != "reason");
    others.into_iter().find_map(|(name, value)| within(value, &format!("/{name}")))
}

/// The places of the letters. A digit may stand where it makes no difference, as in the exponent of zero.
fn letters(text: &str) -> Vec<usize> {
    text.chars().enumerate().filter(|(_, c)| c.is_ascii_alphabetic()).map(|(number, _)| number).collect()
}

/// One letter becomes another one.
fn change(text: Option<&mut Value>, dice: &mut Dice) -> Result<()> {
    let place = text.context("a text")?;
    let text = place.as_str().context("a text")?;
    let able = letters(text);
    // Not the last one, of which base64 may not use all bits.
    let able = able.get(..able.len().saturating_sub(1)).unwrap_or_default();
    let mut changed: Vec<char> = text.chars().collect();
    let letter = changed.get_mut(*dice.pick(able)?.context("a letter")?).context("a letter")?;
    *letter = match *letter {
        'z' => 'y',
        'Z' => 'Y',
        other => char::from_u32(u32::from(other) + 1).context("the next letter")?,
    };
    *place = changed.into_iter().collect::<String>().into();
    Ok(())
}

struct Dice(SeededEntropy);

impl Dice {
    fn pick<'a, T>(&mut self, from: &'a [T]) -> Result<Option<&'a T>> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        let length = u64::try_from(from.len())?.max(1);
        Ok(from.get(usize::try_from(u64::from_le_bytes(bytes) % length)?))
    }
}
