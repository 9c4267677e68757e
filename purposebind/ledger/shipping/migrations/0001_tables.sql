-- What a ledger's batches hold, a table for each of their files, and what was shipped.
--
-- Numbers that are unsigned 64 bits wide in a ledger (what, activity, around, place) are bigint here: the same bits, so
-- that one above 9223372036854775807 shows as negative.
--
-- A person is a uuid: 16 bytes without a header, compared, sorted and hashed as such. It is no identifier that anybody
-- assigned, but the keyed hash that the ledger holds. As two bigint, people are counted eleven times slower (as rows),
-- and one of them could be forgotten; as bytea or numeric they take 15 % more room.
--
-- There is no foreign key from reads: it would ask once for each of a hundred million rows what was checked once for the
-- whole batch before it was sent.

CREATE TABLE purposebind.shipped (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger text NOT NULL,
    batch text NOT NULL,
    keys text[] NOT NULL,
    chain_n bigint NOT NULL,
    chain_hash text NOT NULL,
    rows bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (ledger, batch)
);
COMMENT ON TABLE purposebind.shipped IS
    'A row for each batch that is here, whole. A batch is its ledger (the hash of the first line of its chain) and its id';
COMMENT ON COLUMN purposebind.shipped.keys IS 'By which keys its people were hashed; other keys, other hashes';
COMMENT ON COLUMN purposebind.shipped.chain_hash IS 'With chain_n an anchor: verify --anchor chain_n:chain_hash';
COMMENT ON COLUMN purposebind.shipped.rows IS 'How many rows of reads it has';

CREATE TABLE purposebind.heads (
    ledger text NOT NULL,
    n bigint NOT NULL,
    hash text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ledger, n)
);
COMMENT ON TABLE purposebind.heads IS 'The end of each ledger''s chain as it was when something was shipped: anchors';

CREATE TABLE purposebind.segments (
    segment text PRIMARY KEY,
    shipped integer NOT NULL REFERENCES purposebind.shipped
);
COMMENT ON TABLE purposebind.segments IS
    'Of which batch each segment is part: one that was packed into two, after a backup was restored, is refused';

CREATE TABLE purposebind.dropped (
    shipped integer PRIMARY KEY REFERENCES purposebind.shipped,
    at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE purposebind.dropped IS 'Batches whose rows were removed, because retention dropped them from the ledger';

CREATE TABLE purposebind.names (
    what bigint PRIMARY KEY,
    decision text NOT NULL,
    field text NOT NULL,
    purposes text[] NOT NULL,
    site text,
    reason text,
    allowed text[],
    break_glass text,
    by text,
    handovers jsonb
);
COMMENT ON TABLE purposebind.names IS 'What a row of reads is about; one dictionary for all ledgers';

CREATE TABLE purposebind.activities (
    shipped integer NOT NULL,
    activity bigint NOT NULL,
    segment text NOT NULL,
    purposes text[] NOT NULL,
    entered text[],
    site text,
    handovers jsonb,
    trace text,
    around bigint,
    started timestamptz,
    ended timestamptz,
    continued boolean,
    break_glass text,
    by text,
    pid integer,
    host text,
    service text
);
COMMENT ON TABLE purposebind.activities IS
    'One entry of a scope; one that went on in another segment has a row for each, the later ones marked continued';

CREATE TABLE purposebind.reads (
    shipped integer NOT NULL,
    what bigint NOT NULL,
    activity bigint NOT NULL,
    person uuid,
    times bigint NOT NULL,
    first timestamptz NOT NULL,
    last timestamptz NOT NULL
);
COMMENT ON TABLE purposebind.reads IS
    'All reads of one person, by one name, in one activity, between two times that its process told; person is null
where unknown. A read counts at the time in last';

CREATE TABLE purposebind.lost (
    shipped integer NOT NULL,
    segment text NOT NULL,
    at timestamptz NOT NULL,
    reads bigint NOT NULL
);
COMMENT ON TABLE purposebind.lost IS 'Reads that were let through and could not be recorded';

CREATE TABLE purposebind.damage (
    shipped integer NOT NULL,
    segment text NOT NULL,
    place bigint,
    what text,
    records bigint
);
COMMENT ON TABLE purposebind.damage IS 'What could not be read in a segment';

-- Rows of a batch lie together, so that these small indexes find them when they are to be removed.
CREATE INDEX reads_of_batch ON purposebind.reads USING brin (shipped);
CREATE INDEX activities_of_batch ON purposebind.activities USING brin (shipped);
CREATE INDEX activities_by_id ON purposebind.activities (activity);
