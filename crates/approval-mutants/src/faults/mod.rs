//! The faults, by what each replaces.

mod anchor;
mod announce;
mod answers;
mod bearers;
mod clock;
mod directory;
mod entrance;
mod gate;
mod listing;
mod pages;
mod policy;
mod requesters;
mod requests;
mod sealer;
mod signer;
mod store;
mod tools;
mod transient;

use crate::fault::Fault;

pub(crate) const ALL: &[&[Fault]] = &[
    anchor::ALL,
    announce::ALL,
    answers::ALL,
    bearers::ALL,
    clock::ALL,
    directory::ALL,
    entrance::ALL,
    gate::ALL,
    listing::ALL,
    pages::ALL,
    policy::ALL,
    requesters::ALL,
    requests::ALL,
    sealer::ALL,
    signer::ALL,
    store::ALL,
    tools::ALL,
    transient::ALL,
];
