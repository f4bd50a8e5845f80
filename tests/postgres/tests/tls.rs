//! A server on a network is talked to in private, and only if it is the one that was meant.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use approval_core::store::Store as _;
use approval_store_postgres::{OpenError, PostgresOptions, PostgresStore};
use postgres::{Certified, Durability, Server};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// Vouches for servers.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A certificate for whoever is called so, until this year.
    fn certify(&self, name: &str, until: i32) -> Certified {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certified { certificate, key: key.serialize_pem() }
    }
}

fn options(host: &str, port: u16, trusted: &Authority) -> PostgresOptions {
    let address = format!("host={host} port={port} user=postgres dbname=postgres sslmode=require");
    PostgresOptions::new(address)
        .certificates(trusted.certificate.as_bytes())
        .patience(std::time::Duration::from_secs(1))
}

/// Why it can't be opened.
async fn refused(options: PostgresOptions) -> String {
    match PostgresStore::open(options).await {
        Err(error @ OpenError::Unusable(_)) => error.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_authority_has_certified_under_that_name() {
    // [STORE-001]: the controls come first.
    let (ours, another) = (Authority::new("ours"), Authority::new("another"));
    let mut server = Server::start(Durability::Unsynced).unwrap();
    let port = server.listen(Some(&ours.certify("localhost", 2999))).unwrap();
    let store = PostgresStore::open(options("localhost", port, &ours)).await.unwrap();
    assert!(store.executing().await.unwrap().is_empty());
    let ours_is_private = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                           WHERE application_name = 'mutation-approval'";
    assert_eq!(server.tell(ours_is_private).unwrap(), "t");
    drop(store);

    let stranger = refused(options("localhost", port, &another)).await;
    assert!(stranger.contains("invalid peer certificate: UnknownIssuer"), "{stranger}");
    let elsewhere = refused(options("127.0.0.1", port, &ours)).await;
    assert!(elsewhere.contains("certificate not valid for name"), "{elsewhere}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_has_expired() {
    let ours = Authority::new("ours");
    let mut server = Server::start(Durability::Unsynced).unwrap();
    let port = server.listen(Some(&ours.certify("localhost", 2020))).unwrap();
    let expired = refused(options("localhost", port, &ours)).await;
    assert!(expired.contains("invalid peer certificate: certificate expired"), "{expired}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_talks_in_public() {
    let ours = Authority::new("ours");
    let mut server = Server::start(Durability::Unsynced).unwrap();
    let port = server.listen(None).unwrap();
    let public = refused(options("localhost", port, &ours)).await;
    assert!(public.contains("TLS"), "{public}");
    // The control: it is there. What stays within one machine may be public.
    let address = format!("host=localhost port={port} user=postgres dbname=postgres");
    PostgresStore::open(PostgresOptions::new(address)).await.unwrap();
}
