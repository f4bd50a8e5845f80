//! What the server asks of the system before it says that something is kept: a trace of its calls tells.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::Clock as _;
use approval_testkit::FakeClock;

/// What must have been synced before a line is said, since the line before it: so many commits, and so many entries in the
/// anchor.
const BEFORE: &[(&str, usize, usize)] = &[
    // The challenge and the decision.
    ("approved", 2, 0),
    // The claim and the outcome, and the claim in the anchor between them.
    ("applied", 2, 1),
    ("planned", 1, 0),
    ("rejected", 2, 1),
];

/// Runs a server under `strace`, and looks at the order of its calls.
pub(crate) fn look() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace");
    let now = FakeClock::new().now().unix_millis().to_string();
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--decode-fds=path", "--string-limit=80", "--trace=fsync,fdatasync,write"]);
    command.arg("--output").arg(&trace).arg("--").arg(std::env::current_exe()?).arg("serve").arg(directory.path());
    command.args(["--now", &now, "--stop", "0", "--plans", "4"]).stdout(Stdio::null());
    let ended = command.status().context("`strace` can't be run")?;
    ensure!(ended.success(), "the server under `strace` ended with {ended}");
    let said = read(&std::fs::read_to_string(&trace)?)?;
    ensure!(said.len() == 4 + 3 + 3 + 1, "it has said {} things", said.len());
    for (word, commits, entries) in said {
        let (_, least, anchored) = BEFORE.iter().find(|(line, ..)| *line == word).context("a word of ours")?;
        ensure!(
            commits >= *least && entries >= *anchored,
            "before it said `{word}`, {commits} commits and {entries} entries were synced, not {least} and {anchored}"
        );
        println!("ok `{word}` was said after {commits} commits and {entries} entries were synced");
    }
    Ok(())
}

/// What was said, and how much had been synced since the line before: in the write-ahead log, and in the anchor.
fn read(trace: &str) -> Result<Vec<(String, usize, usize)>> {
    let mut said = Vec::new();
    let (mut commits, mut entries) = (0, 0);
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').context("a line without a process")?;
        let call = call.trim_start();
        let synced = if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            if call.ends_with("<unfinished ...>") {
                unfinished.insert(process, call);
                continue;
            }
            ensure!(call.ends_with("= 0"), "a sync failed: {call}");
            call
        } else if call.starts_with("<... fsync resumed>") || call.starts_with("<... fdatasync resumed>") {
            ensure!(call.ends_with("= 0"), "a sync failed: {call}");
            unfinished.remove(process).context("a call that ends without having begun")?
        } else {
            if let Some((_, text)) = call.split_once(", \"")
                && call.starts_with("write(1<")
                && let Some((word, _)) = text.split_once(' ')
                && BEFORE.iter().any(|(said, ..)| *said == word)
            {
                said.push((word.to_owned(), std::mem::take(&mut commits), std::mem::take(&mut entries)));
            }
            continue;
        };
        commits += usize::from(synced.contains("store.sqlite3-wal>"));
        entries += usize::from(synced.contains("anchor.jsonl>"));
    }
    if said.is_empty() {
        bail!("the trace tells of nothing that was said");
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_was_synced_is_counted_until_something_is_said() {
        let trace = "\
            7 fsync(3</d/store.sqlite3-wal>) = 0\n\
            8 fdatasync(4</d/anchor.jsonl> <unfinished ...>\n\
            7 fsync(3</d/store.sqlite3-wal> <unfinished ...>\n\
            8 <... fdatasync resumed>)          = 0\n\
            9 write(1</dev/null>, \"applied 019b\\n\", 45) = 45\n\
            7 <... fsync resumed>)              = 0\n\
            9 write(1</dev/null>, \"planned 019c\\n\", 45) = 45\n\
            9 write(5</d/effects>, \"019c\\n\", 45) = 45\n";
        let said = [("applied".to_owned(), 1, 1), ("planned".to_owned(), 1, 0)];
        assert_eq!(read(trace).unwrap(), said);
        assert!(read("7 fsync(3</d/store.sqlite3-wal>) = -1 EIO (Input/output error)\n").is_err());
        assert!(read("").is_err());
    }
}
