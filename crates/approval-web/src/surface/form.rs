//! The form on which a person decides, sealed: to the session, the plan, its digest, the challenge and the moment. [FORM-001]

use approval_core::json::{Document, Limits};
use approval_core::record::Challenge;
use approval_core::seal::{Binding, Purpose, SealError, Sealer};
use approval_core::{Audience, ChallengeId, Digest, Entropy, Nonce, PlanId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::session::SessionId;

/// What a form says, and the browser can't change or read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Form {
    #[serde(rename = "type")]
    kind: FormType,
    /// Names the form: it is good once.
    pub(super) nonce: Nonce,
    /// The challenge that the page showed.
    pub(super) challenge_id: ChallengeId,
    /// The digest that the page showed.
    pub(super) plan_digest: Digest,
    /// When the page was rendered: for the first time, where it was shown again because something was missing or wrong.
    pub(super) rendered_at: Timestamp,
    /// Whether a part of the plan was folded, so that an approval asks for one more word.
    pub(super) folded: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum FormType {
    #[serde(rename = "mutation-approval/form/v0")]
    V0,
}

/// Makes forms and opens them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forms<'a> {
    pub(super) sealer: &'a dyn Sealer,
    pub(super) audience: &'a Audience,
}

impl Form {
    pub(super) fn new(
        challenge: &Challenge,
        rendered_at: Timestamp,
        folded: bool,
        entropy: &dyn Entropy,
    ) -> Result<Self, SealError> {
        let (challenge_id, plan_digest) = (challenge.challenge_id, challenge.plan_digest);
        let nonce = Nonce::generate(entropy)?;
        Ok(Self { kind: FormType::V0, nonce, challenge_id, plan_digest, rendered_at, folded })
    }
}

impl Forms<'_> {
    /// The form as the page carries it.
    pub(super) fn seal(&self, form: &Form, session: &SessionId, plan: PlanId) -> Result<String, SealError> {
        let document = Document::from_serialize(form, &Limits::ARGUMENTS)?;
        let session = session.digest().to_string();
        let sealed = self.sealer.seal(Purpose::Form, &self.binding(&session, plan), document.as_bytes())?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The form that came back; nothing where it is edited, or of another session, plan or installation.
    pub(super) fn open(&self, token: &str, session: &SessionId, plan: PlanId) -> Option<Form> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let session = session.digest().to_string();
        let bytes = self.sealer.open(Purpose::Form, &self.binding(&session, plan), &sealed).ok()?;
        Document::parse(&bytes, &Limits::ARGUMENTS).ok()?.read().ok()
    }

    fn binding<'a>(&'a self, session: &'a str, plan: PlanId) -> Binding<'a> {
        Binding { record: "form", version: 0, id: session, plan_id: Some(plan), revision: 0, audience: self.audience }
    }
}
