//! Another program's reading: texts go in, verdicts come out, in the order of the texts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use hostile::Case;

/// Batches of texts under way before the sender waits.
const UNDER_WAY: usize = 2;

/// A running oracle.
pub(crate) struct Oracle {
    pub(crate) name: String,
    child: Child,
    /// Nothing once there are no more texts.
    texts: Option<SyncSender<Arc<[u8]>>>,
    verdicts: Receiver<String>,
}

impl Oracle {
    /// Starts one. What it says on standard error goes to ours.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the oracle `{name}`"))?;
        let mut input = child.stdin.take().context("its input was asked for")?;
        let output = child.stdout.take().context("its output was asked for")?;
        let (texts, batches) = sync_channel::<Arc<[u8]>>(UNDER_WAY);
        thread::spawn(move || {
            // It may end early: then its verdicts end too, which the other side reports.
            while let Ok(batch) = batches.recv() {
                if input.write_all(&batch).is_err() {
                    return;
                }
            }
        });
        let (sender, verdicts) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name: name.to_owned(), child, texts: Some(texts), verdicts })
    }

    /// Hands over a batch, and waits only where the oracle is far behind.
    pub(crate) fn send(&self, batch: &Arc<[u8]>) -> Result<()> {
        let texts = self.texts.as_ref().context("the oracle was told that there are no more texts")?;
        texts.send(Arc::clone(batch)).with_context(|| format!("the oracle `{}` takes no more texts", self.name))
    }

    /// The next verdict.
    pub(crate) fn verdict(&self) -> Result<String> {
        self.verdicts.recv().with_context(|| format!("the oracle `{}` ended early", self.name))
    }

    /// Says that there are no more texts, so that it gives what verdicts it still holds back.
    pub(crate) fn close(&mut self) {
        self.texts = None;
    }

    /// Waits for its end, which must be a good one and after the last verdict.
    pub(crate) fn end(mut self) -> Result<()> {
        ensure!(self.verdicts.recv().is_err(), "the oracle `{}` gave more verdicts than it got texts", self.name);
        let status = self.child.wait()?;
        ensure!(status.success(), "the oracle `{}`: {status}", self.name);
        Ok(())
    }
}

/// Texts as the oracles read them.
pub(crate) fn batch(cases: &[&Case]) -> Result<Arc<[u8]>> {
    let mut bytes = Vec::new();
    for case in cases {
        for number in [case.text.len(), case.max_bytes, case.max_nodes] {
            bytes.extend_from_slice(&u32::try_from(number).context("a number of 32 bits")?.to_le_bytes());
        }
        bytes.extend_from_slice(&case.text);
    }
    Ok(bytes.into())
}
