//! The methods that MCP itself defines for requests to a server.

/// Every request of 2025-11-25 and 2026-07-28, and of the extensions that rmcp knows.
const REQUESTS: [&str; 24] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/directory/read",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "skills/get",
    "skills/list",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
    "tools/resolve",
];

/// Those that are no methods any more in 2026-07-28.
const REMOVED: [&str; 7] = [
    "initialize",
    "logging/setLevel",
    "ping",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/list",
    "tasks/result",
];

/// Whether 2026-07-28 has removed a method.
pub(crate) fn is_removed(method: &str) -> bool {
    REMOVED.contains(&method)
}

/// Whether a method is one of MCP's own. Everything below `tools/` counts as such: nothing there may pass unseen.
pub(crate) fn is_core(method: &str) -> bool {
    method.starts_with("tools/") || REQUESTS.contains(&method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::*;

    #[test]
    fn every_method_that_rmcp_types_is_core() {
        for method in [
            CallToolRequestMethod::VALUE,
            CancelTaskMethod::VALUE,
            CompleteRequestMethod::VALUE,
            DiscoverRequestMethod::VALUE,
            GetPromptRequestMethod::VALUE,
            GetSkillRequestMethod::VALUE,
            GetTaskMethod::VALUE,
            InitializeResultMethod::VALUE,
            ListPromptsRequestMethod::VALUE,
            ListResourcesRequestMethod::VALUE,
            ListResourceTemplatesRequestMethod::VALUE,
            ListSkillsRequestMethod::VALUE,
            ListToolsRequestMethod::VALUE,
            PingRequestMethod::VALUE,
            ReadResourceDirectoryRequestMethod::VALUE,
            ReadResourceRequestMethod::VALUE,
            SetLevelRequestMethod::VALUE,
            SubscribeRequestMethod::VALUE,
            SubscriptionsListenRequestMethod::VALUE,
            UnsubscribeRequestMethod::VALUE,
            UpdateTaskMethod::VALUE,
        ] {
            assert!(is_core(method), "{method}");
        }
        assert!(is_core("tools/anything"));
        assert!(REMOVED.into_iter().all(is_core));
        for method in ["acme/reindex", "tools", "Tools/call", "notifications/cancelled"] {
            assert!(!is_core(method), "{method}");
        }
    }
}
