//! The file of an anchor.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::known::Known;
use super::lines::{AnchorRecord, Head, line, read, without_end};
use super::{AnchorEntry, AnchorError, CheckpointMark, Entered, Standing};
use crate::entropy::Entropy;
use crate::id::{Audience, PlanId, WriterId};
use crate::state_dir::files;

/// The longest first line.
const LONGEST_HEAD: u64 = 64 << 10;

/// From how many lines about checkpoints on, of which the last one counts, the file is written anew.
const MARKS: u64 = 256;

/// The file, and what was read of it so far.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    audience: Audience,
    entropy: Arc<dyn Entropy>,
    known: Option<Known>,
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
            None => self.write_anew(Vec::new(), None),
        }
    }

    /// All that is entered, by whichever process.
    pub(super) fn known(&mut self) -> Result<&Known, AnchorError> {
        let _lock = self.lock()?;
        Ok(self.current()?.1)
    }

    /// All that is entered, where one look at the file says that there is nothing that wasn't read. Entries only ever make a file
    /// longer, and are counted on once they are there; whoever takes some away puts another file in its place.
    pub(super) fn known_to_be_current(&self) -> Option<&Known> {
        self.known.as_ref().filter(|known| known.is_all_of(&self.path))
    }

    /// Enters each of these, unless its plan has an entry. [ANCHOR-001]
    pub(super) fn enter(&mut self, entries: Vec<AnchorEntry>) -> Result<Vec<Entered>, AnchorError> {
        let _lock = self.lock()?;
        let path = self.path.clone();
        let (mut file, known) = self.current()?;
        let (mut new, mut entered) = (Vec::<AnchorEntry>::new(), Vec::new());
        for entry in entries {
            let mut before = known.entry(entry.plan).into_iter().chain(new.iter().filter(|new| new.plan == entry.plan));
            match before.next() {
                Some(present) => entered.push(Entered::Present(present.clone())),
                None => {
                    entered.push(Entered::First);
                    new.push(entry);
                }
            }
        }
        append(&path, &mut file, known, new.into_iter().map(AnchorRecord::Entry))?;
        Ok(entered)
    }

    /// [ANCHOR-007]
    pub(super) fn remove(&mut self, plans: &[PlanId]) -> Result<(), AnchorError> {
        let _lock = self.lock()?;
        let known = self.current()?.1;
        if !plans.iter().any(|plan| known.entry(*plan).is_some()) {
            return Ok(());
        }
        let kept = known.entries().filter(|entry| !plans.contains(&entry.plan)).cloned().collect();
        let mark = known.last_checkpoint();
        self.write_anew(kept, mark)
    }

    pub(super) fn remember(&mut self, mark: CheckpointMark) -> Result<(), AnchorError> {
        let _lock = self.lock()?;
        let path = self.path.clone();
        let (mut file, known) = self.current()?;
        if known.last_checkpoint().is_some_and(|known| known.number >= mark.number) {
            return Ok(());
        }
        if known.marks >= MARKS {
            let entries = known.entries().cloned().collect();
            return self.write_anew(entries, Some(mark));
        }
        append(&path, &mut file, known, [AnchorRecord::Checkpoint(mark)])
    }

    pub(super) fn reset_checkpoint(&mut self, mark: Option<CheckpointMark>) -> Result<(), AnchorError> {
        let _lock = self.lock()?;
        let entries = self.current()?.1.entries().cloned().collect();
        self.write_anew(entries, mark)
    }

    /// The file as it is now, and all that is in it.
    fn current(&mut self) -> Result<(File, &mut Known), AnchorError> {
        match self.open()? {
            Some(file) => {
                let (file, known) = self.catch_up(file)?;
                known.keep_open(&file);
                Ok((file, known))
            }
            None => Err(AnchorError(format!("`{}` is missing", self.path.display()))),
        }
    }

    /// Reads what was not read before, and mends what a crash left. [ANCHOR-012]
    fn catch_up(&mut self, mut file: File) -> Result<(File, &mut Known), AnchorError> {
        let path = self.path.clone();
        let failed = |error| failed(&path, &error);
        let mut first = Vec::new();
        BufReader::new(&file).take(LONGEST_HEAD).read_until(b'\n', &mut first).map_err(failed)?;
        let head = first.strip_suffix(b"\n").ok_or_else(|| damaged(&path, 1, "cut"))?;
        let head: Head = read(head).map_err(|why| damaged(&path, 1, &why))?;
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
        let known = self.known.get_or_insert_with(|| Known::at(head.generation, first.len() as u64));
        file.seek(SeekFrom::Start(known.bytes)).map_err(failed)?;
        let mut added = Vec::new();
        file.read_to_end(&mut added).map_err(failed)?;
        let whole = added.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (whole, torn) = added.split_at(whole);
        // Taken over only once all is read: what is known must not be half of what is there.
        let (mut records, mut plans) = (Vec::new(), BTreeSet::new());
        for (text, number) in whole.split_inclusive(|byte| *byte == b'\n').zip(known.lines + 1..) {
            let record = AnchorRecord::read(without_end(text)).map_err(|why| damaged(&path, number, &why))?;
            if record.plan().is_some_and(|plan| known.entry(plan).is_some() || !plans.insert(plan)) {
                return Err(damaged(&path, number, "the plan has an entry already"));
            }
            records.push((record, text.len() as u64));
        }
        records.into_iter().for_each(|(record, bytes)| known.take(record, bytes));
        if !torn.is_empty() {
            mend(&mut file, known, torn).map_err(failed)?;
        }
        Ok((file, known))
    }

    /// Writes the whole file: beside its place, and then at once into it.
    fn write_anew(&mut self, entries: Vec<AnchorEntry>, mark: Option<CheckpointMark>) -> Result<(), AnchorError> {
        let generation = WriterId::generate(self.entropy.as_ref()).map_err(|error| AnchorError(error.to_string()))?;
        let mut bytes = line(&Head::new(self.audience.clone(), generation))?;
        let mut known = Known::at(generation, bytes.len() as u64);
        let records = entries.into_iter().map(AnchorRecord::Entry).chain(mark.map(AnchorRecord::Checkpoint));
        for record in records {
            let line = record.line()?;
            known.take(record, line.len() as u64);
            bytes.extend(line);
        }
        files::write_bytes(&self.path, &bytes).map_err(|error| failed(&self.path, &error))?;
        self.known = Some(known);
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

/// Some lines more, on the disk before they count. [ANCHOR-011]
fn append(
    path: &Path,
    file: &mut File,
    known: &mut Known,
    records: impl IntoIterator<Item = AnchorRecord>,
) -> Result<(), AnchorError> {
    let (mut text, mut lines) = (Vec::new(), Vec::new());
    for record in records {
        let line = record.line()?;
        lines.push((record, line.len() as u64));
        text.extend(line);
    }
    if lines.is_empty() {
        return Ok(());
    }
    let failed = |error| failed(path, &error);
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    // Whatever fails from here on may leave some of it: the next one to come takes away what isn't a whole line.
    file.write_all(&text).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    lines.into_iter().for_each(|(record, bytes)| known.take(record, bytes));
    Ok(())
}

/// A process ended while it appended. The whole of a line but for its end counts: nobody can tell whether it was counted on. Less
/// than that was not: it is taken away. [ANCHOR-012]
fn mend(file: &mut File, known: &mut Known, torn: &[u8]) -> io::Result<()> {
    let is_new = |record: &AnchorRecord| record.plan().is_none_or(|plan| known.entry(plan).is_none());
    match AnchorRecord::read(torn).ok().filter(is_new) {
        Some(record) => {
            tracing::warn!("the anchor's last line was cut at its end: it is whole again");
            file.seek(SeekFrom::End(0))?;
            file.write_all(b"\n")?;
            known.take(record, torn.len() as u64 + 1);
        }
        None => {
            let bytes = torn.len();
            tracing::warn!(bytes, "a part of a line at the anchor's end was never counted on: it is taken away");
            file.set_len(known.bytes)?;
        }
    }
    file.sync_data()
}

fn damaged(path: &Path, line: u64, why: &str) -> AnchorError {
    AnchorError(format!("`{}`, line {line}: {why}", path.display()))
}

fn failed(path: &Path, error: &io::Error) -> AnchorError {
    AnchorError(format!("`{}`: {error}", path.display()))
}
