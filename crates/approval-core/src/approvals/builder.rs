//! Putting a service together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::anchored::Begun;
use super::lane::{Lane, open_other_head};
use super::ledger::Ledger;
use super::running::Running;
use super::{Approvals, Service};
use crate::anchor::{Anchor, CheckpointMark, NoAnchor};
use crate::audit::{EventDraft, EventKind};
use crate::clock::{Clock, SystemClock, Timer};
use crate::directory::Directory;
use crate::entropy::{Entropy, OsEntropy};
use crate::id::{Audience, ClaimId, WriterId};
use crate::policy::Policy;
use crate::record::{Enforcement, Isolation, RequesterAssurance};
use crate::refusal::Refusal;
use crate::seal::Sealer;
use crate::signing::Signer;
use crate::store::{Reads, Store, Transition, Write};
use crate::vault::Vault;

/// Everything that a service is made of.
///
/// One thing has no default: whether the agent runs as the same operating-system user. Say it, or nothing starts. [ENF-002]
#[derive(Debug)]
pub struct ApprovalsBuilder {
    audience: Audience,
    store: Arc<dyn Store>,
    sealer: Arc<dyn Sealer>,
    directory: Arc<dyn Directory>,
    timer: Arc<dyn Timer>,
    policy: Policy,
    surface: String,
    isolation: Option<Isolation>,
    anchor: Arc<dyn Anchor>,
    new_anchor: bool,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    signer: Option<Arc<dyn Signer>>,
}

/// The parts of a service that have no default.
#[derive(Debug)]
pub struct Parts {
    /// The installation.
    pub audience: Audience,
    /// Where plans are kept.
    pub store: Arc<dyn Store>,
    /// What seals them.
    pub sealer: Arc<dyn Sealer>,
    /// Who is who.
    pub directory: Arc<dyn Directory>,
    /// How to wait, on the embedder's runtime.
    pub timer: Arc<dyn Timer>,
    /// Who must approve what.
    pub policy: Policy,
    /// The absolute URL of the approval surface, without a trailing slash: `https://approvals.example`. Plain http is for loopback
    /// addresses only.
    pub surface: String,
}

/// Why a service can't start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The store holds claims, and what remembers them outside the store is gone.
    #[error(
        "the store holds claims, but the anchor is missing: restore it from a backup, or begin it anew, knowing that a store put \
         back to an older copy goes unnoticed then (`dangerous_new_anchor`)"
    )]
    AnchorMissing,
    /// Nobody said whether the agent runs under another user.
    #[error("say whether the agent is kept apart: `separate_user` or `dangerous_same_user`")]
    IsolationUnknown,
    /// The store can't be used, or doesn't hold together.
    #[error("the service can't start: {0}")]
    Refused(#[from] Refusal),
    /// The address of the surface is no URL that a browser can be sent to, or one at which everybody on the way reads along.
    #[error("`{0}` is not the URL of an approval surface: https, or http on a loopback address")]
    Surface(String),
}

impl ApprovalsBuilder {
    /// A service of these parts, with the machine's clock and randomness, no anchor, and nothing that signs.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { audience, store, sealer, directory, timer, policy, surface } = parts;
        Self {
            audience,
            store,
            sealer,
            directory,
            timer,
            policy,
            surface,
            isolation: None,
            anchor: Arc::new(NoAnchor),
            new_anchor: false,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            signer: None,
        }
    }

    /// The operator says: key, store, credentials and configuration are out of reach of the agent's operating-system user.
    #[must_use]
    pub fn separate_user(mut self) -> Self {
        self.isolation = Some(Isolation::Separate);
        self
    }

    /// The agent may run as the same operating-system user, and so read the key and approve by itself. Every plan, page and
    /// receipt says so. [ENF-002]
    #[must_use]
    pub fn dangerous_same_user(mut self) -> Self {
        self.isolation = Some(Isolation::SameUser);
        self
    }

    /// Another anchor than none.
    #[must_use]
    pub fn anchor(mut self, anchor: Arc<dyn Anchor>) -> Self {
        self.anchor = anchor;
        self
    }

    /// The operator says: where the anchor is missing though the store holds claims, begin it anew. What it remembered is lost: a
    /// store that was put back to an older copy before that goes unnoticed. The audit tells of it. [ANCHOR-006]
    #[must_use]
    pub fn dangerous_new_anchor(mut self) -> Self {
        self.new_anchor = true;
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of randomness than the operating system's.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// What signs receipts and checkpoints. Without it there are none.
    #[must_use]
    pub fn signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Begins the audit's lane of this process, records what became of attempts whose lease has passed, and returns the
    /// service.
    ///
    /// # Errors
    /// When isolation wasn't declared, the surface is no URL, or the store can't be used.
    pub async fn start(self) -> Result<Approvals, BuildError> {
        let isolation = self.isolation.ok_or(BuildError::IsolationUnknown)?;
        let surface = self.surface.trim_end_matches('/').to_owned();
        if !is_surface(&surface) {
            return Err(BuildError::Surface(self.surface));
        }
        let writer = WriterId::generate(self.entropy.as_ref()).map_err(crate::vault::internal)?;
        let service = Service {
            vault: Vault::new(self.sealer, self.audience),
            store: self.store,
            directory: self.directory,
            anchor: self.anchor,
            policy: self.policy,
            clock: self.clock,
            entropy: self.entropy,
            timer: self.timer,
            signer: self.signer,
            isolation,
            surface,
            lane: Lane::new(writer),
            running: Running::default(),
            unsigned: AtomicU64::new(0),
        };
        let approvals = Approvals { service: Arc::new(service) };
        let begun = approvals.begin_anchor(self.new_anchor).await?;
        let forgotten = approvals.forgotten_claims().await?;
        let lost = approvals.forgotten_checkpoint().await?;
        approvals.begin_lane(begun == Begun::Anew, forgotten, lost).await?;
        if lost.is_some() {
            approvals.forget_lost_checkpoint().await?;
        }
        approvals.recover().await?;
        approvals.catch_up_anchor().await?;
        Ok(approvals)
    }
}

impl Approvals {
    /// The first event of this process: it names the heads of other writers that nobody has named yet. [AUDIT-004]
    async fn begin_lane(
        &self,
        renewed: bool,
        forgotten: Vec<ClaimId>,
        lost: Option<CheckpointMark>,
    ) -> Result<(), Refusal> {
        let service = &self.service;
        let enforcement = Enforcement {
            isolation: service.isolation,
            rollback: service.anchor.rollback(),
            requester_assurance: RequesterAssurance::Environment,
        };
        let (vault, lane) = (service.vault.clone(), service.lane.clone());
        let reads = Reads { lane: Some(lane.writer), unnamed_heads: true, ..Reads::default() };
        let transition = Transition::new("start", reads, move |snapshot| {
            let mut heads = BTreeMap::new();
            for row in &snapshot.heads {
                let head = open_other_head(&vault, row)?;
                heads.insert(head.writer, head);
            }
            let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
            let mut started = EventDraft::new(EventKind::AuditStarted);
            started.enforcement = Some(enforcement); // [AUDIT-007]
            started.forgotten = forgotten.clone(); // [ANCHOR-009]
            started.forgotten_checkpoint = lost.map(|mark| mark.digest); // [CKPT-004]
            started.heads = heads.values().cloned().collect();
            ledger.tell(started)?;
            if renewed {
                ledger.tell(EventDraft::new(EventKind::AnchorRenewed))?; // [ANCHOR-006]
            }
            ledger.write(Write::NameHeads(heads.into_keys().collect()));
            Ok(ledger.finish())
        });
        self.commit(transition).await
    }
}

/// An absolute https URL with a host, or an http one on loopback, without query, fragment or user information. [SURF-013]
fn is_surface(url: &str) -> bool {
    let (is_https, rest) = match url.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        _ => return false,
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let is_whole = !rest.chars().any(|c| matches!(c, '?' | '#' | '@') || c.is_whitespace() || c.is_control());
    is_whole && !authority.is_empty() && (is_https || is_loopback(authority))
}

/// Whether a host, with or without a port, is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_is_reached_by_https_or_on_loopback() {
        // [SURF-013]
        for url in [
            "https://approvals.example",
            "https://approvals.example:8443/approve",
            "http://localhost:8080",
            "http://LOCALHOST/approve",
            "http://127.0.0.1",
            "http://127.8.8.8:80",
            "http://[::1]:8080",
        ] {
            assert!(is_surface(url), "{url}");
        }
        for url in [
            "http://approvals.example",
            "http://10.0.0.1:8080",
            "http://0.0.0.0",
            "http://[::]:8080",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://user@localhost",
            "http://evil.example/localhost",
            "https://",
            "https:///approve",
            "https://approvals.example?a",
            "ftp://localhost",
            "approvals.example",
            "",
        ] {
            assert!(!is_surface(url), "{url}");
        }
    }
}
