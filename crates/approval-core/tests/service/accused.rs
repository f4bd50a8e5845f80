//! Of two events that don't fit, the one that was changed is named: audits made line by line.

use approval_core::audit::{
    AuditFault, Chain, Checkpoint, CheckpointType, EventDraft, EventKind, Evidence, FaultCode, Head, verify,
    verify_lines,
};
use approval_core::json::{Document, Limits};
use approval_core::signing::{Signer as _, SigningPurpose, sign};
use approval_core::{Clock as _, Digest, PlanId, Timestamp, WriterId};
use approval_testkit::{FakeClock, test_signing_keys};

/// Writers, in the order of their ids.
const A: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const B: &str = "BBBBBBBBBBBBBBBBBBBBBA";
const C: &str = "CCCCCCCCCCCCCCCCCCCCCA";

fn writer(id: &str) -> WriterId {
    id.parse().unwrap()
}

fn plan() -> PlanId {
    "019ab12c-0000-7000-8000-000000000001".parse().unwrap()
}

fn bogus() -> Option<Digest> {
    Some(Digest::of_bytes(b"no event"))
}

/// An audit, as far as it is written.
#[derive(Default)]
struct Book {
    lines: Vec<String>,
    events: Vec<Head>,
}

impl Book {
    /// Adds a writer's next event, which says that it follows these.
    fn event(&mut self, id: &str, previous: Option<Digest>, draft: EventDraft, plan_previous: Option<Digest>) -> Head {
        let head = previous.map(|digest| Head { writer: writer(id), sequence: self.sequence(id), digest });
        let mut chain = Chain::at(writer(id), head, draft.plan_id.map(|plan| (plan, plan_previous)));
        let (_, document) = chain.append(draft, Timestamp::from_unix_millis(1_767_225_600_000)).unwrap();
        self.lines.push(document.as_str().to_owned());
        self.events.push(chain.head().unwrap().clone());
        chain.head().unwrap().clone()
    }

    fn sequence(&self, id: &str) -> u64 {
        self.last(id).map_or(0, |head| head.sequence)
    }

    fn last(&self, id: &str) -> Option<&Head> {
        self.events.iter().rev().find(|head| head.writer == writer(id))
    }

    /// Adds a writer's next event, about no plan, that follows the one before.
    fn next(&mut self, id: &str) -> Head {
        self.next_as(id, EventDraft::new(EventKind::ServerPaused))
    }

    fn next_as(&mut self, id: &str, draft: EventDraft) -> Head {
        let previous = self.last(id).map(|head| head.digest);
        self.event(id, previous, draft, None)
    }

    fn fault(&self) -> AuditFault {
        verify_lines(self.lines.join("\n").as_bytes()).unwrap_err()
    }
}

fn of_plan() -> EventDraft {
    EventDraft::of_plan(EventKind::ExecutionRefused, plan(), Digest::of_bytes(b"the plan"))
}

fn naming(heads: Vec<Head>) -> EventDraft {
    let mut started = EventDraft::new(EventKind::AuditStarted);
    started.heads = heads;
    started
}

fn named(fault: &AuditFault) -> (FaultCode, u64, Option<String>, Option<u64>) {
    let place = fault.place;
    (fault.code, place.line, place.writer.map(|writer| writer.to_string()), place.sequence)
}

#[test]
fn a_head_that_is_not_the_writers_last_event() {
    // [AUDIT-004, AUDIT-015]
    for (id, sequence, code, missing) in
        [(A, 5, FaultCode::EventMissing, 4), (A, 1, FaultCode::EventUnknown, 2), (B, 4, FaultCode::WriterMissing, 4)]
    {
        let mut book = Book::default();
        let [_, _, last] = [book.next(A), book.next(A), book.next(A)];
        let mut whole = Book { lines: book.lines.clone(), events: book.events.clone() };
        whole.next_as(C, naming(vec![last.clone()]));
        assert_eq!(verify_lines(whole.lines.join("\n").as_bytes()).unwrap().events, 4, "the control");
        book.next_as(C, naming(vec![Head { writer: writer(id), sequence, digest: last.digest }]));
        assert_eq!(named(&book.fault()), (code, 4, Some(id.to_owned()), Some(missing)));
    }
}

#[test]
fn a_writer_that_went_on_vouches_for_its_plans_event() {
    // [AUDIT-015]: so one that came between is not here.
    let mut book = Book::default();
    book.event(A, None, of_plan(), None);
    book.next(A);
    book.event(B, None, of_plan(), bogus());
    assert_eq!(named(&book.fault()), (FaultCode::PlanEventMissing, 3, Some(B.to_owned()), Some(1)));
    // Where nobody vouches for it, it is the one that was changed.
    book.lines.remove(1);
    assert_eq!(named(&book.fault()), (FaultCode::EventChanged, 1, Some(A.to_owned()), Some(1)));
}

#[test]
fn a_head_is_that_of_its_writer_and_its_number() {
    // [AUDIT-015]: others with the same number, or of the same writer, say nothing.
    let mut book = Book::default();
    let [_, ours] = [book.next(A), book.next(A)];
    book.next(B);
    let accuser = book.event(B, bogus(), EventDraft::new(EventKind::ServerPaused), None);
    book.next_as(C, naming(vec![ours, accuser]));
    assert_eq!(named(&book.fault()), (FaultCode::EventChanged, 3, Some(B.to_owned()), Some(1)));

    let mut book = Book::default();
    let accused = book.next(B);
    book.event(B, bogus(), EventDraft::new(EventKind::ServerPaused), None);
    book.next_as(C, naming(vec![accused]));
    let fault = book.fault();
    assert_eq!(named(&fault), (FaultCode::EventChanged, 2, Some(B.to_owned()), Some(2)));
    assert_eq!(fault.detail, "it does not link to line 1, as others do");
}

#[test]
fn the_plans_next_event_vouches_for_the_one_before() {
    // [AUDIT-015]: what comes first is what counts.
    let mut book = Book::default();
    book.event(A, None, of_plan(), None);
    let accuser = book.event(C, None, of_plan(), bogus());
    book.event(B, None, of_plan(), Some(accuser.digest));
    book.event(C, bogus(), EventDraft::new(EventKind::ServerPaused), None);
    assert_eq!(named(&book.fault()), (FaultCode::EventChanged, 1, Some(A.to_owned()), Some(1)));
    // Without it, its writer's next event says that it was changed.
    book.lines.remove(2);
    assert_eq!(named(&book.fault()), (FaultCode::EventChanged, 2, Some(C.to_owned()), Some(1)));
}

#[test]
fn a_plans_first_event_that_names_another_before_it() {
    // [AUDIT-015]: an event is missing, or it was changed itself, as its writer's next event says.
    for (previous, code) in [(None, FaultCode::PlanEventMissing), (bogus(), FaultCode::EventChanged)] {
        let mut book = Book::default();
        let accuser = book.event(B, None, of_plan(), bogus());
        book.next(A);
        book.event(B, previous.or(Some(accuser.digest)), EventDraft::new(EventKind::ServerPaused), None);
        assert_eq!(named(&book.fault()), (code, 1, Some(B.to_owned()), Some(1)));
    }
}

/// A signed checkpoint of these heads.
fn checkpoint(book: &Book, number: u64, previous: Option<Digest>, heads: Vec<Head>) -> String {
    let (signer, now) = (test_signing_keys(), FakeClock::new().now());
    let checkpoint = Checkpoint {
        kind: CheckpointType::V0,
        audience: signer.key_set().audience().clone(),
        number,
        previous,
        at: now,
        events: book.events.len() as u64,
        writers: 2,
        heads,
        order: Digest::of_bytes(b""),
    };
    let payload = Document::from_serialize(&checkpoint, &Limits::PLAN).unwrap();
    String::from_utf8(sign(&signer, SigningPurpose::Checkpoint, payload.as_bytes(), now).unwrap()).unwrap()
}

#[test]
fn a_signed_head_is_that_of_its_writer_and_its_number() {
    // [AUDIT-015, CKPT-010]
    let mut book = Book::default();
    book.next(A);
    book.next(B);
    let accuser = book.event(B, bogus(), EventDraft::new(EventKind::ServerPaused), None);
    let ours = book.next_as(A, EventDraft::new(EventKind::AuditCheckpoint));
    book.lines.push(checkpoint(&book, 1, None, vec![ours, accuser]));
    assert_eq!(named(&book.fault()), (FaultCode::EventChanged, 2, Some(B.to_owned()), Some(1)));
}

#[test]
fn a_checkpoint_follows_by_its_number_and_by_its_link() {
    // [CKPT-010, CKPT-012]
    for (number, previous) in [(2, None), (1, bogus())] {
        let mut book = Book::default();
        let head = book.next_as(A, EventDraft::new(EventKind::AuditCheckpoint));
        book.lines.push(checkpoint(&book, number, previous, vec![head]));
        let fault = book.fault();
        assert_eq!((fault.code, fault.place.line), (FaultCode::CheckpointChain, 2), "{fault}");
    }
}

#[test]
fn what_was_signed_of_a_writer_is_its_last_event() {
    // [CKPT-011]
    for (id, sequence, code, line, missing) in [
        (A, 5, FaultCode::EventMissing, 4, 4),
        (A, 1, FaultCode::EventUnknown, 3, 2),
        (C, 3, FaultCode::WriterMissing, 4, 3),
    ] {
        let mut book = Book::default();
        let [_, _] = [book.next(A), book.next(A)];
        let last = book.next_as(A, EventDraft::new(EventKind::AuditCheckpoint));
        let head = Head { writer: writer(id), sequence, digest: last.digest };
        book.lines.push(checkpoint(&book, 1, None, vec![head]));
        assert_eq!(named(&book.fault()), (code, line, Some(id.to_owned()), Some(missing)));
    }
}

#[test]
fn a_checkpoint_that_was_kept_elsewhere_is_cut_off_or_lost() {
    // [CKPT-012]
    let mut book = Book::default();
    let head = book.next(A);
    for (events, code) in [(2, FaultCode::TailMissing), (1, FaultCode::CheckpointLost)] {
        let signed = Book { lines: Vec::new(), events: vec![head.clone(); events] };
        let kept = checkpoint(&signed, 1, None, vec![head.clone()]);
        let evidence = Evidence { checkpoint: Some(kept.as_bytes()), ..Evidence::default() };
        assert_eq!(verify(book.lines.join("\n").as_bytes(), &evidence).unwrap_err().code, code);
    }
}
