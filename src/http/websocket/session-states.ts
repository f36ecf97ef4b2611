/**
 * The states of one WebSocket, which are the same at both ends. RFC 6455 section 7.
 *
 *   open     messages both ways
 *   closing  our close frame is sent; what still comes is checked and dropped, until the peer's close frame
 *   closed   both close frames were sent, each once: the server ends the connection, the client waits for that
 *   failed   the peer broke a rule: our close frame tells it which, and nothing more is read
 *   lost     the connection ended, or its time did, without a close handshake
 *
 * `receive` and `send` are of data frames.
 */
export type WebSocketState = 'open' | 'closing' | 'closed' | 'failed' | 'lost';

export type Step = 'receive' | 'send' | 'close' | 'peer-close' | 'fail' | 'lose';

type Table = Readonly<Record<WebSocketState, Readonly<Partial<Record<Step, WebSocketState>>>>>;

export const TRANSITIONS = {
  open: {
    receive: 'open',
    send: 'open',
    close: 'closing',
    'peer-close': 'closed',
    fail: 'failed',
    lose: 'lost',
  },
  closing: { receive: 'closing', 'peer-close': 'closed', fail: 'failed', lose: 'lost' },
  closed: {},
  failed: {},
  lost: {},
} as const satisfies Table;

/** Where `step` leads, or undefined when it is not allowed in `state`. */
export function after(state: WebSocketState, step: Step): WebSocketState | undefined {
  const row: Partial<Record<Step, WebSocketState>> = TRANSITIONS[state];
  return row[step];
}
