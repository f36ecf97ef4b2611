/**
 * Everything the API refuses, as problem details (RFC 9457): what the database said, in HTTP's terms.
 */
import { codeOf, messageOf, OctetError } from '../core/errors.ts';
import { HttpError, type HttpResponse, problem, problemOf } from '../http/index.ts';

export type ApiCode = 'bad-option';

/** Options that contradict one another. */
export class ApiError extends OctetError<ApiCode> {}

/** SQLSTATE classes and codes (PostgreSQL manual, appendix A) → status. */
const byState: readonly (readonly [prefix: string, status: number, title: string])[] = [
  ['23505', 409, 'A row with this value exists already'],
  ['23503', 409, 'A row refers to this one'],
  ['23502', 422, 'A column that must have a value has none'],
  ['23', 422, 'The row breaks a rule of its table'],
  ['22', 422, 'A value does not fit its column'],
  ['40', 503, 'The database was busy with a conflicting change; try again'],
  ['42P01', 404, 'There is no such table'],
  ['53', 503, 'The database has no room'],
  ['57', 503, 'The database is not available'],
  ['08', 503, 'The database cannot be reached'],
];

/** The answer to anything thrown while a request was served. Unknown errors give nothing away. */
export function responseOf(thrown: unknown): HttpResponse {
  if (thrown instanceof HttpError) return problemOf(thrown);
  const state = stateOf(thrown);
  const known = byState.find(([prefix]) => state?.startsWith(prefix));
  if (known !== undefined) {
    const [, status, title] = known;
    // The database's words on a bad value help who sent it; on its own troubles they do not.
    return problem(status, status < 500 ? { title, detail: messageOf(thrown) } : { title });
  }
  if (thrown instanceof OctetError && thrown.retryable) {
    return problem(503, {
      title: 'A service behind the API cannot be reached',
      detail: String(codeOf(thrown)),
    });
  }
  return problem(500, { title: 'The request failed' });
}

/** The database knows no table of the name. */
export function isMissingTable(thrown: unknown): boolean {
  return stateOf(thrown) === '42P01';
}

function stateOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('sqlState' in thrown)) return codeOf(thrown);
  return typeof thrown.sqlState === 'string' ? thrown.sqlState : undefined;
}
