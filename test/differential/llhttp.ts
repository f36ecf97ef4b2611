/**
 * llhttp as Node carries it, without a leniency. Node keeps its parser to itself; this is the one place that
 * reaches for it, for in a server of node:http the refusals would come out of sockets.
 */
import { createRequire } from 'node:module';
import type { Message, Outcome } from './outcome.ts';

interface NodeParser {
  initialize(type: number, resource: object, maxHeaderBytes: number, lenient: number): void;
  /** @returns bytes taken, or the error */
  execute(bytes: Buffer): number | (Error & { readonly code?: string });
  [callback: number]: unknown;
}

interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly kOnMessageBegin: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const { HTTPParser, methods } = createRequire(import.meta.url)('node:_http_common') as {
  HTTPParser: NodeParserClass;
  methods: readonly string[];
};
/** Refusals of the fields that frame. */
const FRAMING: ReadonlySet<string> = new Set([
  'HPE_INVALID_CONTENT_LENGTH',
  'HPE_UNEXPECTED_CONTENT_LENGTH',
  'HPE_INVALID_TRANSFER_ENCODING',
]);
const MAX_HEADER_BYTES = 32_768;

export const LLHTTP_METHODS: ReadonlySet<string> = new Set(methods);

export function parseByLlhttp(bytes: Buffer): Outcome {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, MAX_HEADER_BYTES, 0);
  const messages: Message[] = [];
  let flat: string[] = [];
  let method = '';
  let target = '';
  let content = '';
  let switched = false;
  let ended = false;
  let inHead = true;
  parser[HTTPParser.kOnHeaders] = (more: string[], url: string): void => {
    // Trailers come this way, too.
    if (!inHead) return;
    flat.push(...more);
    target += url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    _minor: number,
    fields: string[] | undefined,
    methodNumber: number,
    url: string,
    _status: number,
    _reason: string,
    upgrade: boolean,
    keepAlive: boolean,
  ): number => {
    if (fields !== undefined) flat.push(...fields);
    method = methods[methodNumber] ?? '';
    target += url ?? '';
    content = '';
    inHead = false;
    switched ||= upgrade;
    ended = !keepAlive;
    return 0;
  };
  parser[HTTPParser.kOnBody] = (part: Buffer): void => {
    content += part.toString('latin1');
  };
  parser[HTTPParser.kOnMessageComplete] = (): void => {
    const fields: [string, string][] = [];
    for (let at = 0; at < flat.length; at += 2) fields.push([flat[at]!.toLowerCase(), flat[at + 1]!]);
    messages.push({ method, target, fields, content });
    flat = [];
    target = '';
    inHead = true;
  };
  const result = parser.execute(bytes);
  const code = typeof result === 'number' ? undefined : result.code;
  // Behind a last message llhttp refuses what we ignore: the same in effect.
  const refused = code !== undefined && !ended;
  if (ended && messages.at(-1)?.fields.some(([name]) => name === 'proxy-connection'))
    return { messages, refused, halt: 'proxy-connection' };
  if (switched) return { messages, refused, halt: 'switched' };
  return { messages, refused, halt: !inHead && FRAMING.has(code ?? '') ? 'framing-trailer' : undefined };
}
