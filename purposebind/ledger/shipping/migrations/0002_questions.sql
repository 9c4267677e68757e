-- The questions that a ledger answers, answered for all that was shipped.
--
-- People are counted by their keyed hash, which means nothing beside one made with another key. So the view counts by
-- key, and the function refuses to count across several.

CREATE VIEW purposebind.matrix AS
SELECT
    n.field,
    n.purposes,
    n.decision,
    s.keys,
    count(DISTINCT r.person) AS people,
    sum(r.times)::bigint AS reads,
    coalesce(sum(r.times) FILTER (WHERE r.person IS NULL), 0)::bigint AS unknown_reads,
    min(r.first) AS first,
    max(r.last) AS last
FROM purposebind.reads r
JOIN purposebind.names n ON n.what = r.what
JOIN purposebind.shipped s ON s.id = r.shipped
GROUP BY n.field, n.purposes, n.decision, s.keys;
COMMENT ON VIEW purposebind.matrix IS
    'For each field, set of active purposes and decision: how many people, and how often. Exact. Rows overlap: the same
person is in many, so that people of several rows cannot be added. Ask affected() for these';

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
        count(p.person),
        coalesce(sum(p.times), 0)::bigint,
        coalesce(sum(p.times) FILTER (WHERE p.person IS NULL), 0)::bigint,
        min(p.first),
        max(p.last)
    FROM (
        SELECT r.person, sum(r.times) AS times, min(r.first) AS first, max(r.last) AS last
        FROM reads r
        WHERE r.what IN (
                SELECT n.what
                FROM names n
                WHERE (affected.field IS NULL OR n.field = affected.field OR starts_with(n.field, affected.field || '.'))
                  AND (affected.decision IS NULL OR n.decision = affected.decision)
                  AND (affected.site IS NULL OR n.site = affected.site)
                  AND (affected.purpose IS NULL OR EXISTS (
                      SELECT FROM unnest(n.purposes) AS q
                      WHERE q = affected.purpose OR starts_with(q, affected.purpose || '.')))
            )
          AND (affected.key IS NULL OR r.shipped IN (SELECT s.id FROM shipped s WHERE affected.key = ANY (s.keys)))
          AND (affected.since IS NULL OR r.last >= affected.since)
          AND (affected.until IS NULL OR r.first < affected.until)
        GROUP BY r.person
    ) AS p;
END
$$;
COMMENT ON FUNCTION purposebind.affected IS
    'How many people were affected, exactly and distinct; filters as of Ledger.affected: a field or a whole model, a
purpose with its descendants, a decision, the times [since, until), a site, and one key';
