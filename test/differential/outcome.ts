/** What a parser made of one input, in a form that compares. */
export interface Outcome {
  /** Those that came to their end. */
  readonly messages: readonly Message[];
  readonly refused: boolean;
  /** Why it takes no more, although it refuses nothing that we know to be bad. */
  readonly halt?: Halt | undefined;
}

export interface Message {
  readonly method: string;
  readonly target: string;
  /** Names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly content: string;
  /** An empty line stood before it. Only ours tells. */
  readonly behindEmptyLine?: boolean;
}

/** Known ways to stop, with the reason why that is no fault of ours. */
export const HALTS = {
  closed: 'h11 keeps no HTTP/1.0 connection; RFC 9112 section 9.3 lets `keep-alive` keep one',
  switched: 'llhttp stops behind a request to switch protocols; RFC 9110 section 7.8 lets a server decline',
  'proxy-connection':
    'llhttp closes at Proxy-Connection: close; RFC 9112 appendix C.2.2 knows the field as a mistake',
  'framing-trailer':
    'both refuse Content-Length or Transfer-Encoding in trailers, if not every one; RFC 9110 section 6.5.1 has them ignored',
} as const;

export type Halt = keyof typeof HALTS;
