//! The audit as a whole.

use anyhow::{Context as _, Result};
use approval_core::Approvals;
use approval_core::audit::{AuditReport, Evidence, verify};
use approval_core::signing::Signer as _;
use approval_testkit::test_signing_keys;

/// Signs a checkpoint, exports the whole audit, and verifies it as an outsider would: what is in it, and the export.
///
/// # Errors
/// Where it can't be exported, or doesn't hold.
pub async fn verify_audit(approvals: &Approvals) -> Result<(AuditReport, String)> {
    approvals.checkpoint().await?;
    let mut export = approvals.audit().export();
    let mut text = String::new();
    loop {
        let lines = export.lines(1000).await?;
        if lines.is_empty() {
            break;
        }
        lines.iter().for_each(|line| {
            text.push_str(line);
            text.push('\n');
        });
    }
    let keys = test_signing_keys();
    let evidence = Evidence { keys: Some(keys.key_set()), ..Evidence::default() };
    let report = verify(text.as_bytes(), &evidence).context("the audit")?;
    Ok((report, text))
}
