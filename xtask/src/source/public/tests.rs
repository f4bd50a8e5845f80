use super::*;

fn scan(sources: &[(&str, &str)]) -> Findings {
    let files: Vec<_> =
        sources.iter().map(|(path, text)| SourceFile { path: path.into(), text: text.to_string() }).collect();
    mentions(&["time", "uuid"], &files).unwrap()
}

fn found(text: &str) -> Findings {
    scan(&[("lib.rs", text)])
}

#[test]
fn what_stays_inside_is_not_reported() {
    for text in [
        "use time::OffsetDateTime; pub struct Stamp(OffsetDateTime);",
        "pub struct Stamp { at: time::OffsetDateTime }",
        "fn parse(text: &str) -> uuid::Uuid { todo() }",
        "pub(crate) fn parse(text: &str) -> uuid::Uuid { todo() }",
        "pub fn parse(text: &str) -> Stamp { let at: time::OffsetDateTime = now(); at.into() }",
        "struct Own; impl From<time::OffsetDateTime> for Own { fn from(at: time::OffsetDateTime) -> Self { Own } }",
        "#[cfg(test)] mod tests { pub fn at() -> time::OffsetDateTime { now() } }",
        "mod time; pub fn now() -> time::Stamp { todo() }",
        "use crate::time::Timestamp; pub fn now() -> Timestamp { todo() }",
        "pub fn limit(lifetime: Duration, timeout: std::time::Duration) {}",
        "macro_rules! id { ($name:ident) => { pub struct $name(uuid::Uuid); impl $name { pub fn text(&self) -> String { self.0.to_string() } } }; }",
    ] {
        assert_eq!(found(text), Findings::default(), "{text}");
    }
}

#[test]
fn every_place_of_a_public_signature_is_seen() {
    for text in [
        "pub fn at() -> time::OffsetDateTime { now() }",
        "pub async fn at(when: Option<&time::OffsetDateTime>) {}",
        "pub fn at<T: Into<uuid::Uuid>>(id: T) {}",
        "pub fn at<T>(id: T) where T: From<uuid::Uuid> {}",
        "use time::{Date, OffsetDateTime as At}; pub fn at() -> At { now() }",
        "use uuid as ids; pub fn id() -> ids::Uuid { new() }",
        "use uuid::{self}; pub fn id() -> uuid::Uuid { new() }",
        "pub struct Plan { pub id: uuid::Uuid }",
        "pub struct Plan(pub uuid::Uuid);",
        "pub enum Error { Range(time::error::ComponentRange) }",
        "pub trait Clock { fn now(&self) -> time::OffsetDateTime; }",
        "pub trait Clock { type At: Into<time::Date>; }",
        "pub struct A; impl A { pub fn id(&self) -> uuid::Uuid { new() } }",
        "pub struct A; impl From<uuid::Uuid> for A { fn from(id: uuid::Uuid) -> Self { A } }",
        "pub struct A; impl Deref for A { type Target = uuid::Uuid; fn deref(&self) -> &Self::Target { &self.0 } }",
        "pub trait Own {} impl Own for uuid::Uuid {}",
        "pub type Id = uuid::Uuid;",
        "type Id = uuid::Uuid; pub fn id() -> Id { new() }",
        "type Id = uuid::Uuid; type Ids = Vec<Id>; pub fn ids() -> Ids { new() }",
        "pub const NIL: uuid::Uuid = uuid::Uuid::nil();",
        "pub use uuid::Uuid;",
        "pub use time;",
        "mod inner { pub fn id() -> uuid::Uuid { new() } }",
        "macro_rules! id { ($name:ident) => { pub struct $name(pub uuid::Uuid); }; }",
        "macro_rules! ids { ($($name:ident),*) => { $(pub fn $name() -> uuid::Uuid { new() })* }; }",
    ] {
        assert_eq!(found(text).mentions.len(), 1, "{text}: {:?}", found(text));
    }
}

#[test]
fn an_alias_is_followed_into_other_files() {
    let findings = scan(&[
        ("ids.rs", "pub(crate) type Id = uuid::Uuid;"),
        ("lib.rs", "mod ids; use ids::Id; pub fn id() -> Id { new() }"),
    ]);
    assert_eq!(findings.mentions, ["lib.rs: fn `id` names the alias `Id`"]);
}

#[test]
fn what_cannot_be_judged_is_said() {
    assert_eq!(found("use time::*; pub fn at() -> Date { now() }").unread.len(), 1);
    let unread = found("build! { pub => uuid::Uuid }").unread;
    assert_eq!(unread, ["lib.rs: macro `build` can't be read"]);
    assert_eq!(found("build! { => uuid::Uuid }"), Findings::default());
}
