-- The questions that a ledger answers, answered for all that was shipped.
--
-- People are counted by their keyed hash, which means nothing beside one made with another key. So the view counts by
-- key, and the function refuses to count across several.

CREATE VIEW purposebind.matrix AS
SELECT
    n.field,
    p.purpose,
    n.decision,
    s.keys,
    count(DISTINCT r.person) AS people,
    sum(r.times)::bigint AS reads,
    coalesce(sum(r.times) FILTER (WHERE r.person IS NULL), 0)::bigint AS unknown_reads,
    min(r.last) AS first,
    max(r.last) AS last
FROM purposebind.reads r
JOIN purposebind.names n ON n.what = r.what
JOIN purposebind.shipped s ON s.id = r.shipped
LEFT JOIN LATERAL unnest(n.purposes) AS p (purpose) ON true
GROUP BY n.field, p.purpose, n.decision, s.keys;
COMMENT ON VIEW purposebind.matrix IS
    'For each field, active purpose and decision: how many people, and how often. Exact. As in Ledger.matrix, reads for
several purposes are in the row of each, and a person is in many rows: rows cannot be added up. Ask affected() for that';

CREATE FUNCTION purposebind.is_at(site text, wanted text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT site = wanted OR bool_or(place = wanted OR right(replace(place, '\', '/'), length(wanted) + 1) = '/' || wanted)
    FROM (SELECT regexp_replace(site, ' in [^/\\]*$', '') AS line) AS l,
        LATERAL (VALUES (l.line), (regexp_replace(l.line, ':\d+$', ''))) AS places (place)
$$;
COMMENT ON FUNCTION purposebind.is_at IS
    'Whether a site is the wanted one: as the ledger tells it, or the end of its path, with the line or without';

CREATE FUNCTION purposebind.affected(
    field text DEFAULT NULL,
    purpose text DEFAULT NULL,
    decision text DEFAULT NULL,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL,
    site text DEFAULT NULL,
    key text DEFAULT NULL
)
RETURNS TABLE (people bigint, reads bigint, unknown_reads bigint, first timestamptz, last timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, purposebind
AS $$
#variable_conflict use_column
DECLARE
    found text[];
BEGIN
    SELECT array_agg(DISTINCT k ORDER BY k) INTO found
    FROM shipped s, unnest(s.keys) AS k
    WHERE s.id NOT IN (SELECT d.shipped FROM dropped d)
      AND (affected.key IS NULL OR affected.key = ANY (s.keys));
    IF cardinality(found) > 1 THEN
        RAISE EXCEPTION 'People cannot be counted across keys: the same person has another hash under each of %', found
            USING HINT = 'Count them for one key: affected(key => ''...''). A fleet shares one key.';
    END IF;
    RETURN QUERY
    SELECT
        count(DISTINCT r.person),
        coalesce(sum(r.times), 0)::bigint,
        coalesce(sum(r.times) FILTER (WHERE r.person IS NULL), 0)::bigint,
        min(r.last),
        max(r.last)
    FROM reads r
    WHERE r.what IN (
            SELECT n.what
            FROM names n
            WHERE (affected.field IS NULL OR n.field = affected.field OR starts_with(n.field, affected.field || '.'))
              AND (affected.decision IS NULL OR n.decision = ANY (string_to_array(affected.decision, ',')))
              AND (affected.site IS NULL OR is_at(n.site, affected.site))
              AND (affected.purpose IS NULL OR EXISTS (
                  SELECT FROM unnest(n.purposes) AS q
                  WHERE q = affected.purpose OR starts_with(q, affected.purpose || '.')))
        )
      AND (affected.key IS NULL OR r.shipped IN (SELECT s.id FROM shipped s WHERE affected.key = ANY (s.keys)))
      AND (affected.since IS NULL OR r.last >= affected.since)
      AND (affected.until IS NULL OR r.last < affected.until);
END
$$;
COMMENT ON FUNCTION purposebind.affected IS
    'How many people were affected, exactly and distinct; filters as of Ledger.affected: a field or a whole model, a
purpose with its descendants, a decision or several with commas between, the times [since, until), a site; and one key';
