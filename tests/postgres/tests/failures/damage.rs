//! What is there can't be read: damaged pages, the keys of another installation, a newer version.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use approval_core::seal::{KeyRing, KeyState, MasterKey};
use approval_core::{KeyId, Reason};
use approval_testkit::SeededEntropy;
use postgres::Ending;

use crate::support::{SCHEMA, Stand, admin, audited, refusal, unavailable};

/// A page of PostgreSQL.
const PAGE: usize = 8192;

/// The file of a table.
async fn file(stand: &Stand, table: &str) -> PathBuf {
    let path = format!("SELECT pg_relation_filepath('{SCHEMA}.{table}')");
    let path: String = admin(&stand.server).await.query_one(&path, &[]).await.unwrap().get(0);
    stand.server.data().join(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_overwritten() {
    // [GATE-006, GATE-031]
    let stand = Stand::new().await;
    let Stand { server, room, plan, .. } = &stand;
    let (before, events) = (stand.stored().await, audited(&room.approvals).await);
    let file = file(&stand, "records").await;
    server.stop(Ending::Fast).unwrap();
    let whole = fs::read(&file).unwrap();
    let overwrite = |bytes: &[u8]| {
        fs::OpenOptions::new().write(true).open(&file).unwrap().write_all_at(bytes, 0).unwrap();
    };
    for (what, byte, refused) in [
        ("noise", 0xa5, unavailable("db error: ERROR: invalid page in block 0 of relation a file")),
        // To PostgreSQL a page of zeroes is one that was never written: the records on it are gone.
        ("zeroes", 0, (Reason::IntegrityFailure, "the plan's header is missing".to_owned())),
    ] {
        overwrite(&vec![byte; PAGE]);
        server.resume().unwrap();
        for _ in 0..2 {
            assert_eq!(refusal(room.execute(plan).await), refused, "{what}");
        }
        assert_eq!(room.target.effects(), 0, "{what}");
        server.stop(Ending::Fast).unwrap();
        overwrite(&whole);
        server.resume().unwrap();
        let found = stand.stored().await;
        // The refusal of a plan that does not hold together is told of.
        assert!(before.iter().filter(|row| !row.starts_with("lanes")).all(|row| found.contains(row)), "{what}");
        assert!(audited(&room.approvals).await >= events);
        server.stop(Ending::Fast).unwrap();
    }
    server.resume().unwrap();
    stand.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_another_installation() {
    // [SEAL-003, SEAL-005]
    let stand = Stand::new().await;
    let before = stand.stored().await;
    let last = format!("SELECT writer || '.' || sequence FROM {SCHEMA}.events ORDER BY entry DESC LIMIT 1");
    let last: String = admin(&stand.server).await.query_one(&last, &[]).await.unwrap().get(0);
    for (id, told) in [("other", "sealed under the unknown key `test`"), ("test", "the seal does not hold")] {
        let key = (KeyId::from(id), MasterKey::from_bytes([1; 32]), KeyState::Active);
        let sealer = Arc::new(KeyRing::new([key], Arc::new(SeededEntropy::new(1))).unwrap());
        let refused = stand.begin(&sealer).await.unwrap_err();
        assert_eq!(refused, format!("the service can't start: integrity_failure: event `{last}`: {told}"));
        assert_eq!(stand.stored().await, before, "nothing is written under another key");
    }
    assert_eq!(stand.room.target.effects(), 0);
    stand.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version() {
    let stand = Stand::new().await;
    let version = async |version: u32| stand.run(&format!("UPDATE {SCHEMA}.version SET version = {version}")).await;
    let before = stand.stored().await;
    version(2).await;
    let told = "the schema `mutation_approval` was made by a newer version of this program: it has version 2, the newest \
                known is 1";
    assert_eq!(stand.begin(&stand.room.sealer).await.unwrap_err(), told);
    version(1).await;
    assert_eq!(stand.stored().await, before);
    stand.begin(&stand.room.sealer).await.unwrap();
    stand.goes_on().await;
}
