/**
 * Errors in PostgreSQL's own terms: a five-character SQLSTATE, a message, and the optional fields of an
 * ErrorResponse (position, detail, hint, the object concerned). One class; `wire/notice.ts` puts it on the wire.
 *
 * PostgreSQL manual, Appendix A (codes) and section 55.8 (fields).
 */
import { type ErrorDetails, OctetError } from '../core/errors.ts';

/** The conditions this service raises: SQLSTATE → condition name. */
export const SQLSTATES = {
  '00000': 'successful_completion',
  '01000': 'warning',
  '08000': 'connection_exception',
  '08006': 'connection_failure',
  '08007': 'transaction_resolution_unknown',
  '08P01': 'protocol_violation',
  '0A000': 'feature_not_supported',
  '21000': 'cardinality_violation',
  '22000': 'data_exception',
  '22001': 'string_data_right_truncation',
  '22003': 'numeric_value_out_of_range',
  '22004': 'null_value_not_allowed',
  '22007': 'invalid_datetime_format',
  '22008': 'datetime_field_overflow',
  '22009': 'invalid_time_zone_displacement_value',
  '22011': 'substring_error',
  '22012': 'division_by_zero',
  '2200H': 'sequence_generator_limit_exceeded',
  '2201B': 'invalid_regular_expression',
  '2201E': 'invalid_argument_for_logarithm',
  '2201F': 'invalid_argument_for_power_function',
  '2201W': 'invalid_row_count_in_limit_clause',
  '2201X': 'invalid_row_count_in_result_offset_clause',
  '22021': 'character_not_in_repertoire',
  '22023': 'invalid_parameter_value',
  '22025': 'invalid_escape_sequence',
  '22P02': 'invalid_text_representation',
  '22P03': 'invalid_binary_representation',
  '22P05': 'untranslatable_character',
  '23502': 'not_null_violation',
  '23503': 'foreign_key_violation',
  '23505': 'unique_violation',
  '23514': 'check_violation',
  '25000': 'invalid_transaction_state',
  '25001': 'active_sql_transaction',
  '25006': 'read_only_sql_transaction',
  '25P01': 'no_active_sql_transaction',
  '25P02': 'in_failed_sql_transaction',
  '25P03': 'idle_in_transaction_session_timeout',
  '26000': 'invalid_sql_statement_name',
  '28000': 'invalid_authorization_specification',
  '28P01': 'invalid_password',
  '2BP01': 'dependent_objects_still_exist',
  '34000': 'invalid_cursor_name',
  '3B001': 'invalid_savepoint_specification',
  '3D000': 'invalid_catalog_name',
  '3F000': 'invalid_schema_name',
  '40001': 'serialization_failure',
  '40P01': 'deadlock_detected',
  '42501': 'insufficient_privilege',
  '42601': 'syntax_error',
  '42602': 'invalid_name',
  '42622': 'name_too_long',
  '42701': 'duplicate_column',
  '42702': 'ambiguous_column',
  '42703': 'undefined_column',
  '42704': 'undefined_object',
  '42710': 'duplicate_object',
  '42712': 'duplicate_alias',
  '42725': 'ambiguous_function',
  '42723': 'duplicate_function',
  '42803': 'grouping_error',
  '42804': 'datatype_mismatch',
  '42809': 'wrong_object_type',
  '42846': 'cannot_coerce',
  '42883': 'undefined_function',
  '42939': 'reserved_name',
  '428C9': 'generated_always',
  '42P01': 'undefined_table',
  '42P02': 'undefined_parameter',
  '42P03': 'duplicate_cursor',
  '42P05': 'duplicate_prepared_statement',
  '42P06': 'duplicate_schema',
  '42P07': 'duplicate_table',
  '42P08': 'ambiguous_parameter',
  '42P09': 'ambiguous_alias',
  '42P10': 'invalid_column_reference',
  '42P16': 'invalid_table_definition',
  '42P17': 'invalid_object_definition',
  '42P18': 'indeterminate_datatype',
  '42P22': 'indeterminate_collation',
  '53000': 'insufficient_resources',
  '53100': 'disk_full',
  '53200': 'out_of_memory',
  '53300': 'too_many_connections',
  '53400': 'configuration_limit_exceeded',
  '54000': 'program_limit_exceeded',
  '54001': 'statement_too_complex',
  '54011': 'too_many_columns',
  '54023': 'too_many_arguments',
  '55000': 'object_not_in_prerequisite_state',
  '55006': 'object_in_use',
  '55P02': 'cant_change_runtime_param',
  '55P03': 'lock_not_available',
  '57014': 'query_canceled',
  '57P01': 'admin_shutdown',
  '57P03': 'cannot_connect_now',
  '57P05': 'idle_session_timeout',
  '58030': 'io_error',
  XX000: 'internal_error',
  XX001: 'data_corrupted',
} as const;

export type SqlState = keyof typeof SQLSTATES;

export type Severity = 'ERROR' | 'FATAL' | 'PANIC' | 'WARNING' | 'NOTICE' | 'INFO' | 'LOG' | 'DEBUG';

/** The optional fields of an ErrorResponse or NoticeResponse. */
export interface ErrorFields extends ErrorDetails {
  /** Offset into the SQL text in UTF-16 units, from 0; the wire carries characters from 1. */
  readonly at?: number | undefined;
  readonly severity?: Severity;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly dataType?: string | undefined;
  readonly constraint?: string | undefined;
  /** PostgreSQL's internal routine, where drivers key on it. */
  readonly routine?: string | undefined;
}

/** One failure of one statement or connection, in PostgreSQL's terms. */
export class DatabaseError extends OctetError<SqlState> {
  readonly fields: ErrorFields;

  constructor(code: SqlState, message: string, fields: ErrorFields = {}) {
    super(code, message, { fault: 'remote', retryable: RETRYABLE.has(code), ...fields });
    this.fields = fields;
  }

  get severity(): Severity {
    return this.fields.severity ?? 'ERROR';
  }

  /** The same error with a position, unless it has one. */
  positioned(at: number | undefined): DatabaseError {
    if (at === undefined || this.fields.at !== undefined) return this;
    return new DatabaseError(this.code, this.message, { ...this.fields, at });
  }
}

const RETRYABLE: ReadonlySet<SqlState> = new Set([
  '40001',
  '40P01',
  '53000',
  '53100',
  '53300',
  '55P03',
  '57P03',
]);

/** 0A000 for something PostgreSQL has and this service has not. */
export function notSupported(feature: string, at?: number): DatabaseError {
  return new DatabaseError('0A000', `${feature} is not supported`, { at });
}

/** Anything thrown, as a DatabaseError: a bug of ours becomes XX000. */
export function asDatabaseError(thrown: unknown): DatabaseError {
  if (thrown instanceof DatabaseError) return thrown;
  if (thrown instanceof RangeError && /call stack/i.test(thrown.message))
    return new DatabaseError('54001', 'stack depth limit exceeded', { cause: thrown });
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new DatabaseError('XX000', `internal error: ${message}`, { fault: 'local', cause: thrown });
}
