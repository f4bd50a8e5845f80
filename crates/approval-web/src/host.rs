//! One address for the surface of an installation, however many processes serve it.
//!
//! The address belongs to the state directory. The first process binds it; a later one that finds the same installation there
//! stands by, and takes over when it goes. So several MCP servers over stdio can share one installation.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use approval_core::state_dir::{StateDir, StateDirError};
use approval_core::{Audience, Entropy};
use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long another process may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it is until the port is tried again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The longest answer that is read of somebody who may be anybody.
const LONGEST_ANSWER: u64 = 4096;

/// The address of an installation's surface, held by this process or by another one of the same installation.
#[derive(Debug)]
pub struct SurfaceHost {
    address: String,
    audience: Audience,
    listener: Option<TcpListener>,
}

/// Why the surface can't be served at its address.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The address can't be bound.
    #[error("the approval surface can't be served at `{address}`: {error}")]
    Bind {
        /// The address.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// Another program has the port.
    #[error(
        "`{address}` is the address of this installation's approval surface, but another program is listening there: stop \
         it, or change `surface` in `instance.json`"
    )]
    Foreign {
        /// The address.
        address: String,
    },
    /// The state directory can't be used.
    #[error(transparent)]
    State(#[from] StateDirError),
}

/// Who listens at the installation's address.
enum Neighbour {
    /// Somebody else.
    Another,
    /// A process of this installation.
    Ours,
    /// Nobody who answers, for the moment.
    Silent,
}

impl SurfaceHost {
    /// Finds the installation's address, and binds it unless another process of the installation has it. An installation that
    /// has no address yet gets a free port on loopback, for good.
    ///
    /// # Errors
    /// When another program has the port, or it can't be bound.
    pub async fn claim(state: &StateDir, entropy: &dyn Entropy) -> Result<Self, HostError> {
        let instance = state.instance(entropy)?;
        let (listener, address, audience) = match instance.surface {
            Some(address) => (None, address, instance.audience),
            None => {
                let free = "127.0.0.1:0";
                let failed = |error| HostError::Bind { address: free.to_owned(), error };
                let listener = TcpListener::bind(free).await.map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?.to_string();
                let instance = state.claim_surface(&bound, entropy)?;
                // Another process may have been first: then the address is its own.
                let address = instance.surface.unwrap_or_else(|| bound.clone());
                ((address == bound).then_some(listener), address, instance.audience)
            }
        };
        let mut host = Self { address, audience, listener };
        if host.listener.is_none() {
            host.listener = host.bind_or_recognise().await?;
        }
        Ok(host)
    }

    /// The address: host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether this process serves the pages now; otherwise another one of the same installation does.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.listener.is_some()
    }

    /// Serves the pages, at once or as soon as the process that serves them now is gone. Ends only with an error.
    ///
    /// # Errors
    /// When the address can't be bound, or another program has taken it.
    pub async fn serve(mut self, pages: Router) -> Result<(), HostError> {
        loop {
            if let Some(listener) = self.listener.take() {
                let address = self.address.clone();
                // Logins are counted by where they come from.
                let pages = pages.into_make_service_with_connect_info::<SocketAddr>();
                let served = axum::serve(listener, pages).await;
                return served.map_err(|error| HostError::Bind { address, error });
            }
            self.until_gone().await;
            self.listener = self.bind_or_recognise().await?;
            if self.listener.is_some() {
                tracing::info!(address = self.address, "this process serves the approval surface now");
            }
        }
    }

    async fn bind_or_recognise(&self) -> Result<Option<TcpListener>, HostError> {
        let foreign = || HostError::Foreign { address: self.address.clone() };
        let deciding = async {
            let mut again = tokio::time::interval(LOOK_AGAIN);
            loop {
                match TcpListener::bind(&self.address).await {
                    Ok(listener) => return Ok(Some(listener)),
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                    Err(error) => return Err(HostError::Bind { address: self.address.clone(), error }),
                }
                match self.neighbour().await {
                    Neighbour::Another => return Err(foreign()),
                    Neighbour::Ours => return Ok(None),
                    // A process that ends closes its connections before it gives up its port.
                    Neighbour::Silent => again.tick().await,
                };
            }
        };
        tokio::time::timeout(PATIENCE, deciding).await.unwrap_or_else(|_| Err(foreign()))
    }

    /// Who listens at the address, by their own word.
    async fn neighbour(&self) -> Neighbour {
        let answer = match ask(&self.address).await {
            Ok(answer) if !answer.is_empty() => answer,
            _ => return Neighbour::Silent,
        };
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let said: Option<serde_json::Value> = serde_json::from_str(body.trim()).ok();
        let audience = said.as_ref().and_then(|said| said.get("audience")).and_then(serde_json::Value::as_str);
        if audience == Some(self.audience.as_str()) { Neighbour::Ours } else { Neighbour::Another }
    }

    /// Returns once the process at the address has closed a connection that was left open for that: when it ends, or sooner.
    async fn until_gone(&self) {
        if let Ok(mut connection) = TcpStream::connect(&self.address).await {
            let mut nothing = [0];
            let _ = connection.read(&mut nothing).await;
        }
    }
}

/// Asks for the health of whoever listens at the address.
async fn ask(address: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
