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

/** The steps by number, so that what a state leads to is an element of a list. */
export const STEP = {
  request: 0,
  informational: 1,
  head: 2,
  data: 3,
  end: 4,
  switch: 5,
  reuse: 6,
  retire: 7,
  close: 8,
  fail: 9,
} as const satisfies Record<Step, number>;

export type StepIndex = (typeof STEP)[Step];

const STEPS = Object.keys(STEP) as Step[];

export function stepName(step: StepIndex): Step {
  return STEPS[step]!;
}

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

/** A state of one half. */
export interface State {
  readonly name: HalfState;
  /** By `StepIndex`: the state that the step leads to; undefined where it is not allowed. */
  readonly after: readonly (State | undefined)[];
}

/** The table as states that know each other: eight steps are taken for a request, so that looking them up by name shows. */
export const STATES = { request: statesOf('request'), response: statesOf('response') } as const;

function statesOf(half: Half): Readonly<Record<HalfState, State>> {
  const table: Table[Half] = TRANSITIONS[half];
  const states = {} as Record<HalfState, { name: HalfState; after: (State | undefined)[] }>;
  for (const name of Object.keys(table) as HalfState[]) states[name] = { name, after: [] };
  for (const { name, after } of Object.values(states)) {
    for (const step of STEPS) {
      const to = table[name][step];
      after.push(to && states[to]);
    }
  }
  return states;
}
