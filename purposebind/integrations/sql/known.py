"""What is known to be harmless: functions that read no table by themselves, system relations, settings, pragmas.

What this module keeps: these are lists of what is allowed. What is on none of them is refused, so a list that is too
short costs an error that says what to register, never a read.
"""

from __future__ import annotations

from typing import Final

from .catalog import Dialect

__all__ = [
    "BARE",
    "COLUMNS",
    "FUNCTIONS",
    "PRAGMAS",
    "SETTINGS",
    "SYNTAX",
    "SYSTEM",
    "is_system",
    "shows_data",
]


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


SYNTAX: Final = _listed(
    "all and any array as asc between by case check conflict cross cube distinct else end except excluded exists filter"
    " for from full grouping group groups having if ilike in inner insert intersect into is isnull join key lateral"
    " left like limit materialized natural not notnull nothing of offset on only or order outer over partition primary"
    " range recursive references returning right rollup row rows select sets set similar some tablesample then to union"
    " unique update using values when where window with within ordinality bernoulli system matched merge glob"
    " overlaps zone symmetric repeatable regexp match escape collate interval cast try_cast fetch first next"
    # types that take a length
    " bit char character varchar varying nvarchar nchar text numeric decimal float real double precision time timestamp"
    " timestamptz timetz integer int bigint smallint boolean bool vector halfvec geometry geography binary blob"
    " datetime date"
)
"""Words that may stand before a parenthesis without being a function."""

_BOTH: Final = _listed(
    "abs avg ceil ceiling coalesce concat concat_ws count cume_dist current_date current_time current_timestamp date"
    " dense_rank exp first_value floor format iif lag last_value lead length ln log lower ltrim max min mod ntile"
    " nullif nth_value now octet_length percent_rank power pow radians degrees random rank replace round row_number"
    " rtrim sign sqrt sin cos tan asin acos atan atan2 pi string_agg substr substring sum trim trunc upper greatest"
    " least"
)
_POSTGRESQL: Final = _listed(
    "age array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position"
    " array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper ascii bit_and"
    " bit_count bit_length bit_or bit_xor bool_and bool_or btrim cardinality casefold cbrt char_length"
    " character_length chr clock_timestamp convert convert_from convert_to corr covar_pop covar_samp current_catalog"
    " current_database current_role current_schema current_schemas current_setting current_user date_bin date_part"
    " date_trunc daterange decode div encode every extract factorial format_type gcd gen_random_bytes gen_random_uuid"
    " generate_series generate_subscripts hashtext get_byte get_bit initcap int4range int8range isempty isfinite"
    " json_agg json_array json_array_elements json_array_elements_text json_array_length json_arrayagg"
    " json_build_array json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object"
    " json_object_agg json_object_keys json_objectagg json_populate_record json_populate_recordset json_query"
    " json_scalar json_strip_nulls json_to_record json_to_recordset json_typeof json_value json_exists jsonb_agg"
    " jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each"
    " jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg"
    " jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array"
    " jsonb_path_query_first jsonb_populate_record jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls"
    " jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lastval lcm left"
    " localtime localtimestamp lower_inc lower_inf lpad make_date make_interval make_time make_timestamp"
    " make_timestamptz md5 mode multirange nextval normalize numrange obj_description col_description overlay"
    " parse_ident percentile_cont percentile_disc phraseto_tsquery plainto_tsquery position quote_ident"
    " quote_literal quote_nullable range_agg range_merge regexp_count regexp_instr regexp_like regexp_match"
    " regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_count regr_slope"
    " repeat reverse right row row_to_json rpad session_user setval setseed setweight sha224 sha256 sha384 sha512"
    " digest hmac crypt gen_salt similarity word_similarity unaccent levenshtein soundex metaphone split_part"
    " starts_with statement_timestamp stddev stddev_pop stddev_samp string_to_array string_to_table strip strpos"
    " timeofday timezone to_char to_date to_hex to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector"
    " transaction_timestamp translate trim_array ts_headline ts_rank ts_rank_cd tsquery_phrase tsrange tstzrange unistr"
    " unnest upper_inc upper_inf user uuid_generate_v4 uuidv4 uuidv7 uuid_extract_timestamp var_pop var_samp variance"
    " version websearch_to_tsquery width_bucket xmlagg xmlelement xmlforest any_value"
    " currval pg_advisory_lock pg_advisory_unlock pg_advisory_unlock_all pg_advisory_xact_lock"
    " pg_advisory_lock_shared pg_advisory_unlock_shared pg_advisory_xact_lock_shared pg_try_advisory_lock"
    " pg_try_advisory_xact_lock pg_backend_pid pg_cancel_backend pg_client_encoding pg_column_size pg_notify"
    " pg_database_size pg_encoding_to_char pg_get_constraintdef pg_get_expr pg_get_indexdef pg_get_serial_sequence"
    " pg_get_userbyid pg_get_viewdef pg_has_role pg_is_in_recovery pg_postmaster_start_time pg_relation_size"
    " pg_size_pretty pg_table_is_visible pg_table_size pg_total_relation_size pg_type_is_visible pg_typeof"
    " pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible pg_operator_is_visible"
    " pg_opfamily_is_visible pg_statistics_obj_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible"
    " pg_opclass_is_visible pg_get_keywords pg_sleep shobj_description has_table_privilege"
    " has_column_privilege has_schema_privilege has_any_column_privilege has_sequence_privilege"
    " has_function_privilege has_database_privilege txid_current pg_current_xact_id to_regclass to_regtype"
    " to_regnamespace to_regrole to_regproc num_nulls num_nonnulls inet_client_addr inet_server_addr host network"
    " masklen family set_masklen"
    " abbrev akeys array_sample array_shuffle avals btrim cosine_distance date_add date_subtract erf erfc hstore"
    " hstore_to_json hstore_to_jsonb inet_client_port inet_merge inet_same_family inet_server_port inner_product"
    " jsonb_path_query_tz l1_distance l2_distance l2_norm lca merge_action min_scale nlevel numnode pg_blocking_pids"
    " pg_conf_load_time pg_current_snapshot pg_current_wal_insert_lsn pg_current_wal_lsn pg_export_snapshot"
    " pg_get_functiondef pg_get_partition_constraintdef pg_get_partkeydef pg_get_ruledef pg_get_triggerdef"
    " pg_get_statisticsobjdef pg_get_wal_replay_pause_state pg_indexes_size pg_is_wal_replay_paused"
    " pg_is_other_temp_schema pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp"
    " pg_my_temp_schema pg_partition_ancestors pg_partition_root pg_partition_tree pg_safe_snapshot_blocking_pids"
    " pg_size_bytes pg_stat_clear_snapshot pg_terminate_backend pg_try_advisory_lock_shared"
    " pg_try_advisory_xact_lock_shared pg_tablespace_size pg_wal_lsn_diff pg_input_is_valid point querytree"
    " random_normal scale show_trgm slice sinh cosh tanh asinh acosh atanh strict_word_similarity subltree subpath"
    " subvector svals system_user text2ltree to_regcollation to_regoperator trim_scale ts_delete ts_filter"
    " tsvector_to_array txid_current_if_assigned txid_status uuid_extract_version uuid_generate_v1 uuid_generate_v1mc"
    " uuid_generate_v3 uuid_generate_v5 uuid_nil vector_dims vector_norm xmlcomment xmlconcat xpath xpath_exists box"
    " circle line lseg path polygon area center diameter radius isclosed isopen npoints"
    " has_any_column_privilege has_type_privilege has_language_privilege has_tablespace_privilege row_security_active"
)
_SQLITE: Final = _listed(
    "acos acosh asinh atanh changes char cosh current_timestamp datetime generate_series glob group_concat hex ifnull"
    " instr json json_array json_array_length json_each json_error_position json_extract json_group_array"
    " json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set"
    " json_tree json_type json_valid jsonb jsonb_array jsonb_each jsonb_extract jsonb_group_array jsonb_group_object"
    " jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree julianday"
    " last_insert_rowid like likelihood likely log10 log2 printf quote randomblob sinh soundex"
    " sqlite_compileoption_used"
    " sqlite_version strftime"
    " time timediff total total_changes typeof unhex unicode unixepoch unlikely zeroblob median regexp match bm25"
    " highlight snippet tanh if"
)
FUNCTIONS: Final = {"postgresql": _BOTH | _POSTGRESQL, "sqlite": _BOTH | _SQLITE}

_PG_CATALOG: Final = _listed(
    "pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extensions pg_cast pg_class"
    " pg_collation pg_constraint pg_conversion pg_database pg_default_acl pg_depend pg_description pg_enum"
    " pg_event_trigger pg_extension pg_index pg_indexes pg_inherits pg_language pg_locks pg_matviews pg_namespace"
    " pg_opclass pg_operator pg_opfamily pg_partitioned_table pg_policies pg_policy pg_proc pg_range pg_rewrite"
    " pg_roles pg_rules pg_seclabel pg_sequence pg_sequences pg_settings pg_shdepend pg_shdescription"
    " pg_stat_all_indexes pg_stat_all_tables pg_stat_database pg_stat_user_indexes pg_stat_user_tables"
    " pg_statio_user_tables pg_tables pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_trigger pg_ts_config"
    " pg_type pg_user pg_views"
)
_DATA: Final = _listed(
    "pg_stats pg_stats_ext pg_stats_ext_exprs pg_statistic pg_statistic_ext pg_statistic_ext_data pg_stat_activity"
    " pg_stat_statements pg_largeobject pg_largeobject_metadata pg_prepared_statements pg_cursors pg_authid pg_shadow"
    " pg_stat_get_activity sqlite_stat3 sqlite_stat4 sqlite_dbpage dbstat bytecode tables_used"
)
_SCHEMA: Final = ("type", "name", "tbl_name", "rootpage", "sql")
SYSTEM: Final = {
    "sqlite_master": _SCHEMA,
    "sqlite_schema": _SCHEMA,
    "sqlite_temp_master": _SCHEMA,
    "sqlite_temp_schema": _SCHEMA,
    "sqlite_sequence": ("name", "seq"),
    "sqlite_stat1": ("tbl", "idx", "stat"),
}
"""The columns of SQLite's own relations, for a star that passes them on."""
COLUMNS: Final = {
    "postgresql": _listed("ctid xmin xmax cmin cmax tableoid oid"),
    "sqlite": _listed("rowid oid _rowid_"),
}
"""Columns that every table has."""

BARE: Final = _listed("current_role current_schema current_user localtime localtimestamp session_user user")
"""Functions that are called without parentheses, and read as columns."""

PRAGMAS: Final = _listed(
    "analysis_limit application_id auto_vacuum automatic_index busy_timeout cache_size case_sensitive_like"
    " cell_size_check collation_list compile_options data_version database_list defer_foreign_keys encoding"
    " foreign_key_check foreign_key_list foreign_keys freelist_count fullfsync function_list ignore_check_constraints"
    " index_info index_list index_xinfo integrity_check journal_mode journal_size_limit legacy_alter_table"
    " locking_mode max_page_count mmap_size module_list optimize page_count page_size pragma_list query_only"
    " quick_check read_uncommitted recursive_triggers schema_version secure_delete synchronous table_info table_list"
    " table_xinfo temp_store threads user_version wal_autocheckpoint wal_checkpoint"
)
SETTINGS: Final = _listed(
    "application_name bytea_output client_encoding client_min_messages commit_delay constraints cursor_tuple_fraction"
    " datestyle deadlock_timeout default_transaction_deferrable default_transaction_isolation"
    " default_transaction_read_only effective_cache_size extra_float_digits geqo"
    " idle_in_transaction_session_timeout idle_session_timeout intervalstyle jit lc_monetary lc_numeric lc_time"
    " constraint_exclusion cpu_tuple_cost default_statistics_target default_table_access_method default_tablespace"
    " effective_io_concurrency force_parallel_mode from_collapse_limit gin_fuzzy_search_limit hash_mem_multiplier"
    " join_collapse_limit max_parallel_maintenance_workers"
    " max_parallel_workers max_parallel_workers_per_gather debug_parallel_query temp_tablespaces"
    " lock_timeout maintenance_work_mem parallel_leader_participation plan_cache_mode random_page_cost seed"
    " seq_page_cost server_version standard_conforming_strings statement_timeout synchronous_commit"
    " names tcp_keepalives_idle temp_buffers time timezone transaction transaction_isolation transaction_read_only"
    " transaction_timeout tcp_user_timeout work_mem"
)
"""Settings that may be set; `standard_conforming_strings` may only be shown."""


def is_system(name: str, schema: str | None, dialect: Dialect) -> bool:
    """Whether a relation describes the database and shows no data of tables."""
    if dialect == "sqlite":
        known = name in SYSTEM or (name.startswith("pragma_") and name[7:] in PRAGMAS)
        return known and schema in (None, "main", "temp")
    if schema == "information_schema":
        return True
    return schema in (None, "pg_catalog") and name in _PG_CATALOG


def shows_data(name: str) -> bool:
    """Whether a system relation shows values of other tables, or statements that hold them."""
    return name in _DATA
