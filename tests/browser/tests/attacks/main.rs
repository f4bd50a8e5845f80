//! What an attacker tries on the surface, in a real browser or with bytes that no browser would send. Each attempt is refused for
//! the right reason, changes nothing of what is stored, and has a control beside it: the same without its fault, which passes.

mod flooding;
mod foreign;
mod forms;
mod injection;
mod requests;
mod sessions;
