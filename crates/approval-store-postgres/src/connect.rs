//! Connections, and who may listen to them.

use std::str::FromStr as _;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::NoTls;
use tokio_postgres::config::{Host, SslMode};

use crate::error::OpenError;
use crate::fault::{Fault, Remedy, told};
use crate::options::PostgresOptions;
use crate::schema::{self, Contents};
use crate::sql::{Schema, Session};
use crate::tls::Tls;

/// Opens a database, and makes its tables if they aren't there.
pub(crate) async fn open(options: &PostgresOptions, contents: Contents) -> Result<(Pool, Schema), OpenError> {
    let schema = Schema::new(&options.schema).ok_or_else(|| OpenError::Schema(options.schema.clone()))?;
    let pool = pool(options)?;
    let client = pool.get().await.map_err(|error| OpenError::Unusable(Fault::from(error).to_string()))?;
    schema::prepare(Session { client: &client, schema: &schema }, &contents).await?;
    drop(client);
    Ok((pool, schema))
}

/// Gives a connection back, unless another one may do what this one couldn't: what it was told when it was made, such as that it
/// may only read, holds for as long as it is kept.
pub(crate) fn give_back<T>(client: Object, done: Result<T, Fault>) -> Result<T, Fault> {
    if done.as_ref().is_err_and(|fault| fault.remedy() == Remedy::Reconnect) {
        drop(Object::take(client));
    }
    done
}

/// Makes a pool; no connection is opened yet.
fn pool(options: &PostgresOptions) -> Result<Pool, OpenError> {
    let mut config =
        tokio_postgres::Config::from_str(&options.address).map_err(|error| OpenError::Address(told(&error)))?;
    if config.get_ssl_mode() != SslMode::Require
        && let Some(host) = config.get_hosts().iter().find_map(remote)
    {
        return Err(OpenError::Plaintext(host));
    }
    config.connect_timeout(options.patience);
    // A server that has vanished without a word is noticed, whether or not somebody waits for an answer.
    config.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(options.patience);
    if config.get_application_name().is_none() {
        config.application_name("mutation-approval");
    }
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = if config.get_ssl_mode() == SslMode::Require {
        Manager::from_config(config, Tls::new(options.certificates.as_deref())?, recycling)
    } else {
        // Within one machine nobody listens; a server that offers TLS there mostly has no name to verify.
        config.ssl_mode(SslMode::Disable);
        Manager::from_config(config, NoTls, recycling)
    };
    Pool::builder(manager)
        .max_size(options.connections)
        .wait_timeout(Some(options.patience))
        .create_timeout(Some(options.patience))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| OpenError::Unusable(error.to_string()))
}

/// The name of a host that is another machine, as far as one can tell by it.
fn remote(host: &Host) -> Option<String> {
    match host {
        Host::Tcp(name) => {
            let loopback = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
            (!loopback).then(|| name.clone())
        }
        #[cfg(unix)]
        Host::Unix(_) => None,
    }
}
