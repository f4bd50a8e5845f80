//! A person at the surface, who is sent to log in elsewhere and comes back.

use anyhow::{Context as _, Result};
use approval_core::Digest;
use http::StatusCode;
use reqwest::Url;

use crate::browser::{Answer, Browser, From};
use crate::checks::{same, says};
use crate::site::{Kept, Plan, Site};

/// A window.
#[derive(Clone, Debug)]
pub(crate) struct Visitor<'a> {
    pub(crate) site: &'a Site,
    pub(crate) browser: Browser,
}

/// Where a browser is sent to log in.
#[derive(Clone, Debug)]
pub(crate) struct Left(pub(crate) Url);

impl Left {
    /// What the surface asks for.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.0.query_pairs().find(|(named, _)| named == name).map(|(_, value)| value.into_owned())
    }

    /// The address without these, as whoever sits before the browser can make it.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        self.changed(|name, value| (!names.contains(&name)).then(|| value.to_owned()))
    }

    /// The address with this in place of what was there.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        self.changed(|named, old| Some(if named == name { value } else { old }.to_owned()))
    }

    fn changed(&self, change: impl Fn(&str, &str) -> Option<String>) -> Self {
        Self(changed(&self.0, change))
    }
}

/// The same address with other parameters.
pub(crate) fn changed(url: &Url, change: impl Fn(&str, &str) -> Option<String>) -> Url {
    let mut other = url.clone();
    let pairs = url.query_pairs();
    let pairs = pairs.filter_map(|(name, value)| change(&name, &value).map(|value| (name.into_owned(), value)));
    other.query_pairs_mut().clear().extend_pairs(pairs.collect::<Vec<_>>());
    other
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(site: &'a Site) -> Result<Self> {
        Ok(Self { site, browser: Browser::new()? })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.browser.get(&self.site.page(path)?, From::Own).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        self.browser.post(&self.site.page(path)?, form).await
    }

    /// Presses the login's button.
    pub(crate) async fn leave(&mut self, next: &str) -> Result<Left> {
        self.leave_for("sso", next).await
    }

    /// Presses the button of this provider, where there are some.
    pub(crate) async fn leave_for(&mut self, provider: &str, next: &str) -> Result<Left> {
        Ok(Left(self.post(&format!("/login/at/{provider}"), &[("next", next)]).await?.onward()?))
    }

    pub(crate) async fn open(&mut self, plan: &Plan) -> Result<Answer> {
        self.get(&format!("/plans/{}", plan.id)).await
    }

    /// Opens a plan's page, fills its form in and sends it, once a login counts as newer than the challenge.
    pub(crate) async fn leave_to_decide(&mut self, plan: &Plan, verdict: &str) -> Result<Left> {
        self.leave_to_decide_with(plan, verdict, "").await
    }

    pub(crate) async fn leave_to_decide_with(&mut self, plan: &Plan, verdict: &str, comment: &str) -> Result<Left> {
        self.site.wait_for(plan).await?;
        let form = self.open(plan).await?.hidden("form")?;
        let filled = [("form", form.as_str()), ("verdict", verdict), ("comment", comment)];
        Ok(Left(self.post(&format!("/plans/{}", plan.id), &filled).await?.onward()?))
    }

    /// Comes back from the provider, which is another site.
    pub(crate) async fn come_back(&mut self, callback: &Url) -> Result<Answer> {
        self.browser.get(callback, From::Elsewhere).await
    }

    /// Has the last word, on the page that the login led back to.
    pub(crate) async fn confirm(&mut self, plan: &Plan, page: &Answer) -> Result<Answer> {
        let word = page.hidden("confirm")?;
        self.post(&format!("/plans/{}/confirm", plan.id), &[("confirm", &word)]).await
    }

    /// Whether the surface knows who this is.
    pub(crate) async fn is_logged_in(&mut self) -> Result<bool> {
        Ok(self.get("/").await?.status == StatusCode::OK)
    }

    /// That a login came to nothing: this is said, nobody is logged in who wasn't, and nothing is decided. [AUTH-010]
    pub(crate) async fn refused(
        &mut self,
        callback: &Url,
        status: StatusCode,
        words: &str,
        before: &Kept,
    ) -> Result<()> {
        let was_logged_in = self.is_logged_in().await?;
        let page = self.come_back(callback).await?;
        says(&page, status, words)?;
        same("whether there is a word to confirm with", page.hidden("confirm").is_ok(), false)?;
        same("whether somebody is logged in", self.is_logged_in().await?, was_logged_in)?;
        self.site.unchanged(before).await
    }

    /// That what the browser brings doesn't belong to a login of its own: this stands in the log. [AUTH-014]
    pub(crate) async fn unfit(&mut self, callback: &Url, why: &str, before: &Kept) -> Result<()> {
        self.site.heard.take();
        self.refused(callback, StatusCode::BAD_REQUEST, "not under way in this browser", before).await?;
        crate::checks::told(&self.site.heard.take(), why)
    }
}

/// The digest that a page names.
pub(crate) fn names(page: &Answer, digest: Digest) -> Result<()> {
    page.body.contains(&digest.to_string()).then_some(()).with_context(|| format!("`{digest}` isn't on the page"))
}
