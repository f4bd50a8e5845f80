-- What is remembered outside the store. Times are milliseconds since the Unix epoch. `@` stands for the schema.

-- Whose memory it is. Without a row it was never begun, or is gone.
CREATE TABLE @memory (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    audience    text COLLATE "C" NOT NULL
);

CREATE TABLE @entries (
    plan       text COLLATE "C" PRIMARY KEY,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('claimed', 'rejected', 'withdrawn')),
    claim      text COLLATE "C" CHECK ((claim IS NOT NULL) = (kind = 'claimed')),
    expires_at bigint NOT NULL,
    effects    text[] COLLATE "C" NOT NULL
);

CREATE INDEX claims_by_effect ON @entries USING gin (effects) WHERE kind = 'claimed';

-- The last checkpoint of the audit.
CREATE TABLE @checkpoint (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    number      bigint NOT NULL,
    digest      text COLLATE "C" NOT NULL
);
