//! Servers that do wrong in one way each: what drives the clients must find it, and for the right reason.

use approval_rmcp::Gated;
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;

use super::notes::Notes;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// A call has its effect as it is planned.
    Early,
    /// A refusal has a member that its schema doesn't know.
    Misshapen,
    /// Whoever asks for the outcome again has a second effect.
    Twice,
}

/// The gated server, with a fault.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) gated: Gated<Notes>,
    pub(crate) fault: Fault,
}

impl ServerHandler for Faulty {
    fn get_info(&self) -> ServerConfig {
        self.gated.get_info()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.gated.get_tool(name)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.gated.list_tools(request, context).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut response = self.gated.call_tool(request, context).await?;
        let CallToolResponse::Complete(result) = &mut response else { return Ok(response) };
        let Some(content) = result.structured_content.as_mut().and_then(Value::as_object_mut) else {
            return Ok(response);
        };
        let is = |name: &str, value: Value| content.get(name) == Some(&value);
        match self.fault {
            Fault::Early if is("kind", "plan".into()) => self.gated.inner().append("early")?,
            Fault::Misshapen if is("kind", "refusal".into()) => drop(content.insert("surplus".to_owned(), true.into())),
            Fault::Twice if is("replayed", true.into()) => self.gated.inner().append("approved")?,
            _ => {}
        }
        Ok(response)
    }
}
