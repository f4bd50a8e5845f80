-- What is stored is sealed; the other columns are what it is found by. A decision uses the sealed part only, with which they
-- must agree. Times are milliseconds since the Unix epoch. Plans have ids in the order of time, so an index ends in one.
-- `@` stands for the schema.

-- Every sealed record but the events. Most have the id of their plan, so that an index finds them side by side.
CREATE TABLE @records (
    kind     text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    plan     text COLLATE "C",
    revision bigint NOT NULL,
    sealed   bytea  NOT NULL,
    PRIMARY KEY (id, kind)
) WITH (fillfactor = 70);

CREATE INDEX records_by_plan ON @records (plan) WHERE plan IS NOT NULL;

-- With room in each page for what a row becomes: as long as no indexed column changes, no index is touched.
CREATE TABLE @plans (
    plan       text COLLATE "C" PRIMARY KEY,
    requester  text COLLATE "C" NOT NULL,
    target     text COLLATE "C" NOT NULL,
    shelf      text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL,
    revision   bigint NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    pruned     boolean NOT NULL
) WITH (fillfactor = 70);

-- A page is put together from one look-up for each shelf, in the order of the index: few plans are found among many. A plan is
-- moved to another shelf when it ends or is pruned.
CREATE INDEX plans_by_shelf ON @plans (shelf, plan);
CREATE INDEX plans_by_requester ON @plans (requester, shelf, plan);
CREATE INDEX plans_by_target ON @plans (target, shelf, plan);
CREATE INDEX plans_live ON @plans (requester, expires_at) WHERE shelf = 'live';

-- Whom plans ask for a decision.
CREATE TABLE @asked (
    asked text COLLATE "C" NOT NULL,
    shelf text COLLATE "C" NOT NULL,
    plan  text COLLATE "C" NOT NULL,
    PRIMARY KEY (asked, shelf, plan)
);

CREATE INDEX asked_by_plan ON @asked (plan);

-- What the attempts of plans touch.
CREATE TABLE @attempts (
    effect text COLLATE "C" NOT NULL,
    plan   text COLLATE "C" NOT NULL,
    PRIMARY KEY (effect, plan)
);

-- `entry` is the order in which events of one plan, or of one writer, were written. Events of different ones may be
-- committed in another order than they were written in.
CREATE TABLE @events (
    entry    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    writer   text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    plan     text COLLATE "C",
    xact     xid8   NOT NULL DEFAULT pg_current_xact_id(),
    sealed   bytea  NOT NULL,
    UNIQUE (writer, sequence)
);

CREATE INDEX events_by_plan ON @events (plan, entry) WHERE plan IS NOT NULL;
CREATE INDEX events_by_xact ON @events (xact);

-- The order of the whole audit, without gaps. Whoever reads the audit numbers the events that nobody has numbered yet, so that
-- those who write it don't wait for each other.
CREATE TABLE @positions (
    position bigint CONSTRAINT positions_are_given_once PRIMARY KEY,
    entry    bigint NOT NULL CONSTRAINT events_are_numbered_once UNIQUE
);

-- Every event of a transaction before this one has been numbered.
CREATE TABLE @numbered (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    before      xid8    NOT NULL
);

INSERT INTO @numbered (before) VALUES ('0');

-- The writers of events: whether another one has named the last event of this one.
CREATE TABLE @lanes (
    writer text COLLATE "C" PRIMARY KEY,
    named  boolean NOT NULL
);

CREATE INDEX lanes_unnamed ON @lanes (writer) WHERE NOT named;

-- Sessions and logins under way, by tag.
CREATE TABLE @transient (
    key        text COLLATE "C" PRIMARY KEY,
    expires_at bigint NOT NULL,
    sealed     bytea  NOT NULL
);

CREATE INDEX transient_by_expiry ON @transient (expires_at);
