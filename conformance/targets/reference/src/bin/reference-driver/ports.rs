//! Ports that a server finds free again after it was stopped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// From here on, below those that connections get by themselves: none of these takes a server's port while it is down.
const FIRST: u16 = 20_000;

/// So many of them.
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address on loopback that nobody has.
pub(crate) fn free() -> Result<SocketAddr> {
    // Drivers that run beside each other begin elsewhere.
    let begin = std::process::id().wrapping_mul(7) % u32::from(COUNT);
    for _ in 0..COUNT {
        let next = u32::from(NEXT.fetch_add(1, Ordering::Relaxed) % COUNT);
        let port = FIRST + u16::try_from((begin + next) % u32::from(COUNT))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free between {FIRST} and {}", FIRST + COUNT)
}
