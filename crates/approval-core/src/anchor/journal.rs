//! The lines of an anchor's file, and the file under them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AnchorEntry, AnchorError, AnchorKind, Entered, Standing};
use crate::entropy::Entropy;
use crate::id::{Audience, ClaimId, PlanId, WriterId};
use crate::instant::Timestamp;
use crate::json::{Document, Limits};
use crate::seal::Tag;
use crate::state_dir::files;

/// The file's first line: whose anchor it is, and which writing of the whole file this is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Head {
    r#type: HeadType,
    audience: Audience,
    /// Random, and new whenever the file is written anew: who has read so far into another one begins again.
    generation: WriterId,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum HeadType {
    #[serde(rename = "mutation-approval/anchor/v0")]
    V0,
}

/// Every other line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    r#type: LineType,
    plan_id: PlanId,
    kind: LineKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim_id: Option<ClaimId>,
    plan_expires_at: Timestamp,
    effects: Vec<Tag>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum LineType {
    #[serde(rename = "mutation-approval/anchor-entry/v0")]
    V0,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LineKind {
    Claimed,
    Rejected,
    Withdrawn,
}

/// The file, and what was read of it so far.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    audience: Audience,
    entropy: Arc<dyn Entropy>,
    known: Option<Known>,
}

/// What was read of one generation.
#[derive(Debug)]
struct Known {
    generation: WriterId,
    /// How many bytes were read: all of them whole lines.
    bytes: u64,
    /// How many lines these are.
    lines: u64,
    entries: BTreeMap<PlanId, AnchorEntry>,
}

impl Journal {
    pub(super) fn new(path: PathBuf, audience: Audience, entropy: Arc<dyn Entropy>) -> Self {
        Self { path, audience, entropy, known: None }
    }

    pub(super) fn standing(&mut self) -> Result<Standing, AnchorError> {
        let _lock = self.lock()?;
        match self.open()? {
            Some(file) => self.catch_up(file).map(|_| Standing::Kept),
            None => Ok(Standing::Missing),
        }
    }

    pub(super) fn begin(&mut self) -> Result<(), AnchorError> {
        let _lock = self.lock()?;
        match self.open()? {
            Some(_) => Ok(()),
            None => self.write_anew(BTreeMap::new()),
        }
    }

    /// All that is entered, by whichever process.
    pub(super) fn read(&mut self) -> Result<&BTreeMap<PlanId, AnchorEntry>, AnchorError> {
        let _lock = self.lock()?;
        let (_, known) = self.current()?;
        Ok(&known.entries)
    }

    /// [ANCHOR-001]
    pub(super) fn enter(&mut self, entry: AnchorEntry) -> Result<Entered, AnchorError> {
        let _lock = self.lock()?;
        let path = self.path.clone();
        let (mut file, known) = self.current()?;
        if let Some(present) = known.entries.get(&entry.plan) {
            return Ok(Entered::Present(present.clone()));
        }
        let line = line(&Line::from(&entry))?;
        let failed = |error| failed(&path, &error);
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        // Whatever fails from here on may leave some of the line: the next one to come takes that away.
        file.write_all(&line).map_err(failed)?;
        file.sync_data().map_err(failed)?; // [ANCHOR-011]
        known.bytes += line.len() as u64;
        known.lines += 1;
        known.entries.insert(entry.plan, entry);
        Ok(Entered::First)
    }

    /// [ANCHOR-007]
    pub(super) fn remove(&mut self, plans: &[PlanId]) -> Result<(), AnchorError> {
        let _lock = self.lock()?;
        let mut entries = self.current()?.1.entries.clone();
        let before = entries.len();
        entries.retain(|plan, _| !plans.contains(plan));
        if entries.len() == before { Ok(()) } else { self.write_anew(entries) }
    }

    /// The file as it is now, and all that is in it.
    fn current(&mut self) -> Result<(File, &mut Known), AnchorError> {
        match self.open()? {
            Some(file) => self.catch_up(file),
            None => Err(AnchorError(format!("`{}` is missing", self.path.display()))),
        }
    }

    /// Reads what was not read before, and mends what a crash left.
    fn catch_up(&mut self, mut file: File) -> Result<(File, &mut Known), AnchorError> {
        let path = self.path.clone();
        let failed = |error| failed(&path, &error);
        let mut first = Vec::new();
        BufReader::new(&file).take(LONGEST_HEAD).read_until(b'\n', &mut first).map_err(failed)?;
        let head: Head = first
            .strip_suffix(b"\n")
            .ok_or_else(|| damaged(&path, 1, "cut"))
            .and_then(|head| read(head).map_err(|why| damaged(&path, 1, &why)))?;
        if head.audience != self.audience {
            return Err(damaged(&path, 1, "another installation's anchor"));
        }
        let length = file.metadata().map_err(failed)?.len();
        let same = self.known.as_ref().filter(|known| known.generation == head.generation);
        if let Some(known) = same.filter(|known| known.bytes > length) {
            return Err(damaged(&path, known.lines, "entries that were there are gone"));
        }
        if same.is_none() {
            self.known = None;
        }
        let known = self.known.get_or_insert_with(|| Known {
            generation: head.generation,
            bytes: first.len() as u64,
            lines: 1,
            entries: BTreeMap::new(),
        });
        file.seek(SeekFrom::Start(known.bytes)).map_err(failed)?;
        let mut added = Vec::new();
        file.read_to_end(&mut added).map_err(failed)?;
        let whole = added.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (whole, torn) = added.split_at(whole);
        // Taken over only once all is read: what is known must not be half of what is there.
        let mut read = Vec::new();
        for text in whole.split_inclusive(|byte| *byte == b'\n') {
            let number = known.lines + 1 + read.len() as u64;
            let entry = entry(text.strip_suffix(b"\n").unwrap_or(text)).map_err(|why| damaged(&path, number, &why))?;
            if known.entries.contains_key(&entry.plan)
                || read.iter().any(|(_, other): &(_, AnchorEntry)| other.plan == entry.plan)
            {
                return Err(damaged(&path, number, "the plan has an entry already"));
            }
            read.push((text.len() as u64, entry));
        }
        for (bytes, entry) in read {
            known.bytes += bytes;
            known.lines += 1;
            known.entries.insert(entry.plan, entry);
        }
        if !torn.is_empty() {
            mend(&mut file, known, torn).map_err(failed)?;
        }
        Ok((file, known))
    }

    /// Writes the whole file: beside its place, and then at once into it.
    fn write_anew(&mut self, entries: BTreeMap<PlanId, AnchorEntry>) -> Result<(), AnchorError> {
        let generation = WriterId::generate(self.entropy.as_ref()).map_err(|error| AnchorError(error.to_string()))?;
        let mut bytes = line(&Head { r#type: HeadType::V0, audience: self.audience.clone(), generation })?;
        for entry in entries.values() {
            bytes.extend(line(&Line::from(entry))?);
        }
        files::write_bytes(&self.path, &bytes).map_err(|error| failed(&self.path, &error))?;
        let lines = 1 + entries.len() as u64;
        self.known = Some(Known { generation, bytes: bytes.len() as u64, lines, entries });
        Ok(())
    }

    fn open(&self) -> Result<Option<File>, AnchorError> {
        let file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&self.path, &error)),
        };
        files::check_owner_only(&self.path).map_err(|error| AnchorError(error.to_string()))?;
        Ok(Some(file))
    }

    /// Held while the file is read or written, by whichever process. Released when dropped. The lock has a file of its own,
    /// since the anchor's is replaced when it is written anew.
    fn lock(&self) -> Result<File, AnchorError> {
        let mut path = self.path.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let file = files::open_owner_only(&path).map_err(|error| failed(&path, &error))?;
        file.lock().map_err(|error| failed(&path, &error))?;
        Ok(file)
    }
}

/// The longest first line.
const LONGEST_HEAD: u64 = 64 << 10;

/// A process ended while it appended. The whole of a line but for its end is an entry: nobody can tell whether it was counted on.
/// Less than that was not: it is taken away. [ANCHOR-012]
fn mend(file: &mut File, known: &mut Known, torn: &[u8]) -> io::Result<()> {
    let whole = entry(torn).ok().filter(|entry| !known.entries.contains_key(&entry.plan));
    match whole {
        Some(entry) => {
            tracing::warn!(plan = %entry.plan, "the anchor's last line was cut at its end: it is whole again");
            file.seek(SeekFrom::End(0))?;
            file.write_all(b"\n")?;
            known.bytes += torn.len() as u64 + 1;
            known.lines += 1;
            known.entries.insert(entry.plan, entry);
        }
        None => {
            tracing::warn!(
                bytes = torn.len(),
                "a part of a line at the anchor's end was never counted on: it is taken away"
            );
            file.set_len(known.bytes)?;
        }
    }
    file.sync_data()
}

impl From<&AnchorEntry> for Line {
    fn from(entry: &AnchorEntry) -> Self {
        let (kind, claim_id) = match entry.kind {
            AnchorKind::Claimed(claim) => (LineKind::Claimed, Some(claim)),
            AnchorKind::Rejected => (LineKind::Rejected, None),
            AnchorKind::Withdrawn => (LineKind::Withdrawn, None),
        };
        Self {
            r#type: LineType::V0,
            plan_id: entry.plan,
            kind,
            claim_id,
            plan_expires_at: entry.plan_expires_at,
            effects: entry.effects.clone(),
        }
    }
}

fn line<T: Serialize>(record: &T) -> Result<Vec<u8>, AnchorError> {
    let document = Document::from_serialize(record, &Limits::PLAN).map_err(|error| AnchorError(error.to_string()))?;
    let mut bytes = document.into_bytes();
    bytes.push(b'\n');
    Ok(bytes)
}

fn entry(text: &[u8]) -> Result<AnchorEntry, String> {
    let Line { plan_id: plan, kind, claim_id, plan_expires_at, effects, .. } = read(text)?;
    let kind = match (kind, claim_id) {
        (LineKind::Claimed, Some(claim)) => AnchorKind::Claimed(claim),
        (LineKind::Rejected, None) => AnchorKind::Rejected,
        (LineKind::Withdrawn, None) => AnchorKind::Withdrawn,
        (LineKind::Claimed, None) => return Err("a claim without its id".to_owned()),
        (LineKind::Rejected | LineKind::Withdrawn, Some(_)) => {
            return Err("the claim of a plan that was not claimed".to_owned());
        }
    };
    Ok(AnchorEntry { plan, kind, plan_expires_at, effects })
}

fn read<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let document = Document::parse(text, &Limits::PLAN).map_err(|error| error.to_string())?;
    if document.as_bytes() != text {
        return Err("not in canonical form".to_owned());
    }
    document.read().map_err(|error| error.to_string())
}

fn damaged(path: &Path, line: u64, why: &str) -> AnchorError {
    AnchorError(format!("`{}`, line {line}: {why}", path.display()))
}

fn failed(path: &Path, error: &io::Error) -> AnchorError {
    AnchorError(format!("`{}`: {error}", path.display()))
}
