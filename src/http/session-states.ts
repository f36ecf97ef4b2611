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

/** All steps in the same order, so that what leads from each state has the same layout. */
const NOWHERE: Readonly<Record<Step, undefined>> = {
  request: undefined,
  informational: undefined,
  head: undefined,
  data: undefined,
  end: undefined,
  switch: undefined,
  reuse: undefined,
  retire: undefined,
  close: undefined,
  fail: undefined,
};

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

/** A state of one half, and the states that each step leads to from there; undefined where a step is not allowed. */
export interface State {
  readonly name: HalfState;
  readonly after: Readonly<Record<Step, State | undefined>>;
}

/** The table as states that know each other, so that a step is one look-up: eight of them are taken for a request. */
export const STATES = { request: statesOf('request'), response: statesOf('response') } as const;

function statesOf(half: Half): Readonly<Record<HalfState, State>> {
  const table: Table[Half] = TRANSITIONS[half];
  const states = {} as Record<HalfState, { name: HalfState; after: State['after'] }>;
  for (const name of Object.keys(table) as HalfState[]) states[name] = { name, after: NOWHERE };
  for (const [name, row] of Object.entries(table) as [HalfState, Table[Half][HalfState]][]) {
    const leads = Object.entries(row).map(([step, to]) => [step, states[to]] as const);
    states[name].after = { ...NOWHERE, ...Object.fromEntries(leads) };
  }
  return states;
}
