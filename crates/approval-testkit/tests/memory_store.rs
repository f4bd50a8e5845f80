//! The stores in memory keep the contracts.

use std::sync::Arc;

use approval_testkit::{MemoryStore, MemoryTransient, store_suite, transient_suite};

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_keeps_the_contract() {
    let ran = store_suite::test_all(|clock| async { MemoryStore::new(Arc::new(clock)) }).await;
    assert!(ran > 40, "{ran} checks ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_transient_keeps_the_contract() {
    let ran = transient_suite::test_all(|| async { MemoryTransient::default() }).await;
    assert_eq!(ran, 9);
}
