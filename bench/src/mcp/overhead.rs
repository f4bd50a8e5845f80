//! What a gate adds to a call that passes it, in one process. The round trip is what a client sees, and holds all that the gate
//! changes for rmcp; the two handlers called by themselves are free of the transport's noise. Both are held against the target.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use approval_rmcp::Gated;
use approval_testkit::Room;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use serde_json::Value;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::runtime::{Builder, Runtime};

use super::handlers::{Listing, Notes, READ, read};
use super::wire::Wire;
use crate::report::Report;
use crate::timing::medians;

/// The most that the gate may add to a call, in microseconds.
const MOST_ADDED: f64 = 20.0;

/// The bytes that fit into a transport at once.
const BUFFER: usize = 1 << 16;

/// Measures a server that finds its tools by name, and one that only lists them.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    // One thread: client and server take turns, and nobody is woken elsewhere.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    report.note(
        "µs that the gate adds to a read-only call: over a transport in memory, the same tool's round trip with the gate less \
         the one without; and without a transport, by calling the two handlers:",
    );
    added(report, &runtime, "a tool that is found by its name", &Notes)?;
    added(report, &runtime, "one of 20 that are only listed", &Listing::new())
}

fn added<H: ServerHandler + Clone>(report: &mut Report, runtime: &Runtime, what: &str, handler: &H) -> Result<()> {
    let gate = async || Gated::builder(handler.clone(), Room::new().await.approvals).build();
    let (gated, context) = runtime.block_on(async { anyhow::Ok((gate().await?, context().await?)) })?;
    let (mut plain_wire, mut gated_wire) =
        runtime.block_on(async { anyhow::Ok((open(handler.clone()).await?, open(gate().await?).await?)) })?;
    let requests = [plain_wire.request(READ, &read()), gated_wire.request(READ, &read())];
    let Value::Object(arguments) = read() else { anyhow::bail!("arguments are an object") };
    let request = CallToolRequestParams::new(READ).with_arguments(arguments);
    for wire in [&mut plain_wire, &mut gated_wire] {
        runtime.block_on(wire.call(READ, &read()))?;
    }
    let [plain_request, gated_request] = &requests;
    let [plain_round, gated_round, plain_call, gated_call] = medians([
        &mut || {
            black_box(runtime.block_on(plain_wire.ask(plain_request)).is_ok());
        },
        &mut || {
            black_box(runtime.block_on(gated_wire.ask(gated_request)).is_ok());
        },
        &mut || {
            black_box(runtime.block_on(handler.call_tool(request.clone(), context.clone())).is_ok());
        },
        &mut || {
            black_box(runtime.block_on(gated.call_tool(request.clone(), context.clone())).is_ok());
        },
    ]);
    let rounds = format!("{what}, a round trip of {:.1} µs", gated_round / 1e3);
    report.target(rounds, (gated_round - plain_round) / 1e3, MOST_ADDED);
    let calls = format!("{what}, a call of {:.1} µs", gated_call / 1e3);
    report.target(calls, (gated_call - plain_call) / 1e3, MOST_ADDED);
    Ok(())
}

type InMemory = Wire<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

async fn open<H: ServerHandler>(handler: H) -> Result<InMemory> {
    let (ours, theirs) = duplex(BUFFER);
    tokio::spawn(async move { handler.serve(theirs).await?.waiting().await.map_err(anyhow::Error::from) });
    let (reader, writer) = split(ours);
    Wire::open(reader, writer).await
}

/// The context of a request, which only a transport can make.
async fn context() -> Result<RequestContext<RoleServer>> {
    let taken = Taken::default();
    open(taken.clone()).await?.call(READ, &read()).await?;
    let context = taken.context.lock().unwrap_or_else(PoisonError::into_inner).take();
    context.context("the server was not called")
}

/// A server that keeps the context of what it was called in.
#[derive(Clone, Default)]
struct Taken {
    context: Arc<Mutex<Option<RequestContext<RoleServer>>>>,
}

impl ServerHandler for Taken {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        *self.context.lock().unwrap_or_else(PoisonError::into_inner) = Some(context);
        Ok(CallToolResult::success(Vec::new()).into())
    }
}
