//! Pages of the approval surface: what a plan's page takes beyond reading the plan, and what many plans make of an inbox.

use std::future::poll_fn;
use std::hint::black_box;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use approval_core::json::{Document, Limits};
use approval_core::record::Record as _;
use approval_core::transient::SealedTransient;
use approval_core::{Digest, PlanView};
use approval_testkit::{FakeDirectory, MemoryTransient, Room};
use approval_web::{Accounts, NewAccount, PasswordCost, Surface};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use http::{Request, StatusCode, header};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::plan;
use crate::report::Report;
use crate::stores::bed::Bed;
use crate::stores::million::multiply;
use crate::timing::medians;

/// The most that a plan's page may take, in units of parsing and digesting the plan's documents.
const MOST_PAGE: f64 = 5.0;

/// The most that an inbox may take among many plans, in units of what it takes among few.
const MOST_INBOX: f64 = 1.3;

/// Plans that wait: few, and many.
const FEW: u32 = 1000;
const MANY: u32 = 100_000;

const PASSWORD: &str = "correct horse battery";

/// A surface, and a browser's session on it.
struct Site {
    router: Router,
    cookie: String,
    host: String,
    _folder: TempDir,
}

/// Measures all of it.
pub(crate) fn measure(directory: &Path) -> Result<Report> {
    let runtime = Runtime::new()?;
    let mut report = Report::default();
    report.note("a plan's page, in units of parsing and digesting the plan:");
    for (name, bytes) in [("1 KiB", 1024), ("1 MiB", 1024 * 1024)] {
        page(&mut report, &runtime, name, bytes)?;
    }
    report.note(format!("the inbox among {MANY} plans that wait, in units of what it takes among {FEW}:"));
    inbox(&mut report, &runtime, directory)?;
    Ok(report)
}

/// A plan of about so many bytes, as it is stored: what runs and what is shown together.
fn page(report: &mut Report, runtime: &Runtime, name: &str, bytes: usize) -> Result<()> {
    let (room, site) = runtime.block_on(async {
        let room = Room::new().await;
        let site = Site::over(&room).await?;
        anyhow::Ok((room, site))
    })?;
    // A value stands in the arguments, in the step and among the changes.
    let value: Value = serde_json::from_str(&plan::text(bytes / 3))?;
    let (plan, documents) = runtime.block_on(async {
        let plan = room.plan("plan", value).await?;
        waits(&room, &plan).await?;
        let view = room.page(&plan, "alice").await?;
        let documents = [view.header.document()?, view.intent.document()?, view.review.document()?];
        anyhow::Ok((plan, documents.map(Document::into_bytes)))
    })?;
    let path = format!("/plans/{}", plan.header.plan_id);
    let size = runtime.block_on(site.get(&path))?;
    let [read, view, page] = medians([
        &mut || {
            for bytes in &documents {
                black_box(Document::parse(black_box(bytes), &Limits::PLAN).is_ok());
                black_box(Digest::of_bytes(bytes));
            }
        },
        &mut || {
            black_box(runtime.block_on(room.page(&plan, "alice")).is_ok());
        },
        &mut || {
            black_box(runtime.block_on(site.get(&path)).is_ok());
        },
    ]);
    let plan: usize = documents.iter().map(Vec::len).sum();
    let what = format!(
        "{name} ({plan} bytes, {:.0} µs, of which the service {:.0}; page of {size} bytes)",
        page / 1e3,
        view / 1e3
    );
    report.target(what, page / read, MOST_PAGE);
    Ok(())
}

fn inbox(report: &mut Report, runtime: &Runtime, directory: &Path) -> Result<()> {
    let place = tempfile::Builder::new().prefix("bench-web-").tempdir_in(directory)?;
    let [few, many] = ["few", "many"].map(|name| place.path().join(name));
    for path in [&few, &many] {
        std::fs::create_dir(path)?;
        runtime.block_on(async {
            let bed = Bed::on_sqlite(path).await?;
            for number in 0..FEW {
                let plan = bed.room.plan(&number.to_string(), Value::from(number)).await?;
                waits(&bed.room, &plan).await?;
            }
            anyhow::Ok(())
        })?;
    }
    multiply(&many.join("store.sqlite3"), MANY / FEW - 1)?;
    let open = async |path: &Path| {
        let bed = Bed::on_sqlite(path).await?;
        let site = Site::over(&bed.room).await?;
        anyhow::Ok((bed, site))
    };
    let ((_few_bed, few), (_many_bed, many)) =
        runtime.block_on(async { anyhow::Ok((open(&few).await?, open(&many).await?)) })?;
    let [of_few, of_many] = medians([
        &mut || {
            black_box(runtime.block_on(few.get("/")).is_ok());
        },
        &mut || {
            black_box(runtime.block_on(many.get("/")).is_ok());
        },
    ]);
    report.target(format!("what waits for a person, {:.0} µs", of_many / 1e3), of_many / of_few, MOST_INBOX);
    Ok(())
}

/// Puts a plan before a person.
async fn waits(room: &Room, plan: &PlanView) -> Result<()> {
    room.approvals.challenge(&Room::alice(), &plan.header.plan_id.to_string(), None).await?;
    Ok(())
}

impl Site {
    async fn over(room: &Room) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let accounts = Accounts::with_cost(folder.path().join("accounts.toml"), PasswordCost::dangerous_cheap());
        let person = FakeDirectory::identity("alice").person;
        accounts.add(&NewAccount { name: "alice".to_owned(), person, groups: [].into() }, PASSWORD)?;
        let approvals = room.approvals.clone();
        let transient = SealedTransient::new(
            Arc::new(MemoryTransient::default()),
            Arc::clone(&room.sealer) as _,
            approvals.audience().clone(),
        );
        let origin = approvals.surface().to_owned();
        let router = Surface::new(approvals, transient, Arc::clone(&room.sealer) as _, accounts)?.router();
        let host = origin.split_once("://").map_or("", |(_, host)| host).to_owned();
        let request = Request::post("/login")
            .header(header::HOST, &host)
            .header(header::ORIGIN, &origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("account=alice&password={}", PASSWORD.replace(' ', "+"))))?;
        let answer = router.clone().oneshot(request).await?;
        let cookie = answer.headers().get(header::SET_COOKIE).context("a login opens a session")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { router, cookie, host, _folder: folder })
    }

    /// The size of a page.
    async fn get(&self, path: &str) -> Result<usize> {
        let request = Request::get(path).header(header::HOST, &self.host).header(header::COOKIE, &self.cookie);
        let answer = self.router.clone().oneshot(request.body(Body::empty())?).await?;
        ensure!(answer.status() == StatusCode::OK, "{path} answers {}", answer.status());
        // As a server writes it: piece by piece, and not put together first.
        let (mut body, mut size) = (answer.into_body(), 0);
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            size += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(size)
    }
}
