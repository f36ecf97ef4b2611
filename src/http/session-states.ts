/**
 * The states of one HTTP/1.1 connection.
 *
 * A connection is two half-machines that step together: the request, written by the client, and the response,
 * written by the server. Both ends run the same pair; only who writes which differs.
 *
 *   request    idle ──head──▶ body ──end──▶ done ──reuse──▶ idle
 *   response   idle ──request──▶ awaiting ──head──▶ body ──end──▶ done ──reuse──▶ idle
 *
 * `reuse` happens to both at once, when both are done and both ends want to go on; otherwise a half that is
 * done retires and waits for the close. A 101 switches both. `error` is final for reading: after a framing
 * error no further byte is looked at.
 */
export type HalfState =
  | 'idle'
  | 'awaiting'
  | 'body'
  | 'done'
  | 'must-close'
  | 'closed'
  | 'switched'
  | 'error';

export type Step =
  | 'request'
  | 'informational'
  | 'head'
  | 'data'
  | 'end'
  | 'switch'
  | 'reuse'
  | 'retire'
  | 'close'
  | 'fail';

export type Half = 'request' | 'response';

type Table = Readonly<Record<Half, Readonly<Record<HalfState, Readonly<Partial<Record<Step, HalfState>>>>>>>;

export const TRANSITIONS = {
  request: {
    idle: { head: 'body', close: 'closed', retire: 'must-close', fail: 'error' },
    awaiting: {},
    body: { data: 'body', end: 'done', close: 'closed', fail: 'error' },
    done: { reuse: 'idle', retire: 'must-close', switch: 'switched', close: 'closed', fail: 'error' },
    'must-close': { retire: 'must-close', close: 'closed', fail: 'error' },
    closed: { close: 'closed', retire: 'closed', fail: 'error' },
    switched: {},
    error: { fail: 'error', close: 'error', retire: 'error' },
  },
  response: {
    // A server may refuse what it could not read as a request: head from idle.
    idle: { request: 'awaiting', head: 'body', close: 'closed', retire: 'must-close', fail: 'error' },
    awaiting: {
      informational: 'awaiting',
      head: 'body',
      switch: 'switched',
      close: 'closed',
      fail: 'error',
    },
    body: { data: 'body', end: 'done', close: 'closed', fail: 'error' },
    done: { reuse: 'idle', retire: 'must-close', close: 'closed', fail: 'error' },
    'must-close': { retire: 'must-close', close: 'closed', fail: 'error' },
    closed: { close: 'closed', retire: 'closed', fail: 'error' },
    switched: {},
    error: { fail: 'error', close: 'error', retire: 'error' },
  },
} as const satisfies Table;

/** Where `step` leads, or undefined when it is not allowed in `state`. */
export function after(half: Half, state: HalfState, step: Step): HalfState | undefined {
  const row: Partial<Record<Step, HalfState>> = TRANSITIONS[half][state];
  return row[step];
}
