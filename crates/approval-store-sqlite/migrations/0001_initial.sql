-- What is stored is sealed; the other columns are what it is found by. A decision uses the sealed part only, with which they
-- must agree. Times are milliseconds since the Unix epoch. Plans have ids in the order of time, so an index ends in one.

-- Every sealed record but the events. Most have the id of their plan, so that an index finds them side by side.
CREATE TABLE records (
    kind     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    plan     TEXT,
    revision INTEGER NOT NULL,
    sealed   BLOB    NOT NULL,
    UNIQUE (id, kind)
) STRICT;

CREATE INDEX records_by_plan ON records (plan) WHERE plan IS NOT NULL;

CREATE TABLE plans (
    plan       TEXT    NOT NULL PRIMARY KEY,
    requester  TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    shelf      TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    pruned     INTEGER NOT NULL CHECK (pruned IN (0, 1))
) STRICT, WITHOUT ROWID;

-- A page is put together from one look-up for each shelf, in the order of the index: few plans are found among many. A plan is
-- moved to another shelf when it ends or is pruned: its other steps touch no index.
CREATE INDEX plans_by_shelf ON plans (shelf, plan);
CREATE INDEX plans_by_requester ON plans (requester, shelf, plan);
CREATE INDEX plans_by_target ON plans (target, shelf, plan);
CREATE INDEX plans_live ON plans (requester, expires_at) WHERE shelf = 'live';

-- Whom plans ask for a decision.
CREATE TABLE asked (
    asked TEXT NOT NULL,
    shelf TEXT NOT NULL,
    plan  TEXT NOT NULL,
    PRIMARY KEY (asked, shelf, plan)
) STRICT, WITHOUT ROWID;

CREATE INDEX asked_by_plan ON asked (plan);

-- What the attempts of plans touch.
CREATE TABLE attempts (
    effect TEXT NOT NULL,
    plan   TEXT NOT NULL,
    PRIMARY KEY (effect, plan)
) STRICT, WITHOUT ROWID;

-- No position is ever given twice, even if somebody deletes the last events.
CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    writer   TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    plan     TEXT,
    sealed   BLOB    NOT NULL,
    UNIQUE (writer, sequence)
) STRICT;

CREATE INDEX events_by_plan ON events (plan, position) WHERE plan IS NOT NULL;

-- The writers of events: whether another one has named the last event of this one.
CREATE TABLE lanes (
    writer TEXT    NOT NULL PRIMARY KEY,
    named  INTEGER NOT NULL CHECK (named IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX lanes_unnamed ON lanes (writer) WHERE named = 0;

-- Sessions and logins under way, by tag.
CREATE TABLE transient (
    key        TEXT    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX transient_by_expiry ON transient (expires_at);
