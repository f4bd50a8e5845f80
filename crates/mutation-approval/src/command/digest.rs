//! `digest`: the digest of a strict document.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use approval_core::json::{Document, Inadmissible, Limits};
use clap::Args;
use serde_json::json;

/// Print the digest of a strict JSON document: SHA-256 over its RFC 8785 bytes.
#[derive(Debug, Args)]
pub struct DigestArgs {
    /// The document; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Print `{"digest","canonical"}`, and a refusal as `{"reason","offset"}`.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &DigestArgs) -> io::Result<ExitCode> {
    let bytes = read(&args.file)?;
    let mut out = io::stdout().lock();
    match Document::parse(&bytes, &Limits::PLAN) {
        Ok(document) if args.json => {
            let digest = json!({ "digest": document.digest().to_string(), "canonical": document.as_str() });
            writeln!(out, "{digest}")?;
        }
        Ok(document) => writeln!(out, "{}", document.digest())?,
        Err(refusal) => {
            if args.json {
                writeln!(out, "{}", json!({ "reason": refusal.code(), "offset": refusal.offset() }))?;
            } else {
                say(&args.file, &refusal)?;
            }
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads at most one byte more than a document may have: a longer one is refused for its size all the same.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let limit = Limits::PLAN.max_bytes() as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", file.display()));
        File::open(file).map_err(named)?.take(limit).read_to_end(&mut bytes).map_err(named)?;
    }
    Ok(bytes)
}

fn say(file: &Path, refusal: &Inadmissible) -> io::Result<()> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { format!("`{}`", file.display()) };
    writeln!(io::stderr(), "error: {name} is refused: {refusal}")
}
