//! One cluster: how it is spoken to, and how it is told from every other.

mod answer;
mod discovery;
mod fault;
mod warning;

use std::path::Path;
use std::time::Duration;

use approval_core::Digest;
use approval_core::record::Target;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::{Client, Config};
use serde_json::{Map, Value};

pub(crate) use answer::{Answer, CREATED};
pub(crate) use discovery::Resource;
pub use fault::ApiStatus;
pub(crate) use fault::Fault;

use crate::object::ObjectReference;

/// An answer larger than this is not read: no object comes near it.
const MAX_ANSWER: usize = 32 << 20;

/// How long one answer may take. The API server itself gives up on a request after a minute.
const ANSWER_LIMIT: Duration = Duration::from_secs(75);

/// A cluster, and who this server is there.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    endpoint: Endpoint,
}

/// Where a cluster is, and by which certificates it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The name that persons know the cluster by.
    pub name: String,
    /// The API server's address.
    pub server: String,
    /// The digest of the certificates of authorities that it is verified by.
    pub authorities: Option<Digest>,
    /// The namespace of an object that names none.
    pub default_namespace: String,
}

/// Why a cluster can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The configuration can't be read, or no client can be made of it.
    #[error("{0}")]
    Configuration(String),
    /// The configuration switches the verification of the server's certificate off.
    #[error(
        "the configuration accepts any certificate: the cluster that is reviewed need not be the one that is written to"
    )]
    Unverified,
}

impl Endpoint {
    /// What a configuration says.
    #[must_use]
    pub fn of(name: impl Into<String>, config: &Config) -> Self {
        let authorities = config.root_cert.as_ref().map(|certificates| {
            let lengths = certificates
                .iter()
                .flat_map(|one| (one.len() as u64).to_be_bytes().into_iter().chain(one.iter().copied()));
            Digest::of_bytes(&lengths.collect::<Vec<_>>())
        });
        Self {
            name: name.into(),
            server: config.cluster_url.to_string(),
            authorities,
            default_namespace: config.default_namespace.clone(),
        }
    }
}

impl Cluster {
    /// A client of one's own. It must not send a request a second time by itself: whether the first one had its effect is
    /// not known to it.
    #[must_use]
    pub fn new(client: Client, endpoint: Endpoint) -> Self {
        Self { client, endpoint }
    }

    /// The cluster of a configuration. What kube would do by default and a write must not, it does not: send again.
    ///
    /// # Errors
    /// When no client can be made of the configuration, or it switches the verification of certificates off.
    pub fn connect(name: impl Into<String>, mut config: Config) -> Result<Self, ConnectError> {
        if config.accept_invalid_certs {
            return Err(ConnectError::Unverified);
        }
        config.default_retry = false;
        config.read_timeout = Some(ANSWER_LIMIT);
        config.reset_reader_on_write = true;
        let endpoint = Endpoint::of(name, &config);
        let client = Client::try_from(config).map_err(|error| ConnectError::Configuration(error.to_string()))?;
        Ok(Self::new(client, endpoint))
    }

    /// The cluster of a kubeconfig's current context.
    ///
    /// # Errors
    /// As [`Self::connect`], and when the file can't be read.
    pub async fn from_kubeconfig(name: impl Into<String>, path: &Path) -> Result<Self, ConnectError> {
        let unreadable = |error: &dyn std::fmt::Display| ConnectError::Configuration(error.to_string());
        let kubeconfig = kube::config::Kubeconfig::read_from(path).map_err(|error| unreadable(&error))?;
        let options = kube::config::KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unreadable(&error))?;
        Self::connect(name, config)
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What tells the cluster from every other, as it answers now: one that was set up anew under an old address is
    /// another cluster.
    pub(crate) async fn target(&self) -> Result<Target, Fault> {
        let system = ObjectReference {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: "kube-system".to_owned(),
        };
        let namespaces = Resource::core("namespaces", false);
        let live = self.read(&namespaces, &system).await?;
        let uid = live.as_ref().and_then(|live| live.pointer("/metadata/uid")).and_then(Value::as_str);
        let uid = uid.ok_or_else(|| Fault::Unreadable("the namespace `kube-system` has no UID".to_owned()))?;
        let mut identity = Map::new();
        identity.insert("server".to_owned(), self.endpoint.server.clone().into());
        if let Some(authorities) = self.endpoint.authorities {
            identity.insert("authorities".to_owned(), authorities.to_string().into());
        }
        identity.insert("kubeSystemUid".to_owned(), uid.into());
        Ok(Target { name: self.endpoint.name.clone(), identity })
    }

    /// An object as it is now; `None` where there is none.
    pub(crate) async fn read(&self, resource: &Resource, object: &ObjectReference) -> Result<Option<Value>, Fault> {
        self.get(&resource.path(object, None)).await
    }

    /// A subresource as it is now.
    pub(crate) async fn read_subresource(
        &self,
        resource: &Resource,
        object: &ObjectReference,
        subresource: &str,
    ) -> Result<Option<Value>, Fault> {
        self.get(&resource.path(object, Some(subresource))).await
    }

    async fn get(&self, path: &str) -> Result<Option<Value>, Fault> {
        match self.send(Method::GET, path, None).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(Fault::Refused(status)) if status.is_not_found() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Sends one request, once. The body comes with its media type.
    pub(crate) async fn send(&self, method: Method, uri: &str, body: Option<(&str, &Value)>) -> Result<Answer, Fault> {
        let mut request = Request::builder().method(method).uri(uri).header(http::header::ACCEPT, "application/json");
        let body = match body {
            None => Body::empty(),
            Some((media_type, body)) => {
                request = request.header(http::header::CONTENT_TYPE, media_type);
                Body::from(serde_json::to_vec(body).map_err(|error| Fault::NotSent(error.to_string()))?)
            }
        };
        let request = request.body(body).map_err(|error| Fault::NotSent(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|error| Fault::Lost(error.to_string()))?;
        let (parts, body) = response.into_parts();
        let warnings = warning::texts(&parts.headers);
        let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| Fault::Lost(error.to_string()))?;
        let body = body.to_bytes();
        if parts.status.is_success() {
            let body = serde_json::from_slice(&body)
                .map_err(|error| Fault::Unreadable(format!("the answer is not JSON: {error}")))?;
            return Ok(Answer { code: parts.status.as_u16(), body, warnings });
        }
        Err(Fault::Refused(ApiStatus::read(parts.status.as_u16(), &body)))
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
