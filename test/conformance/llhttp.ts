/**
 * llhttp's fixtures (Markdown: bytes in, parser events out) against our session.
 *
 * What is compared: refused or not, and for what is not refused each message's method, target, fields and
 * content. llhttp is a parser only; where our session knows more (Host, the form of a target, what may follow
 * a switch) or is strict where the standard is, the outcome differs on purpose, and stands in `DEVIATIONS`
 * with its clause. A case whose deviation no longer happens fails, so the list cannot rot.
 *
 * HTTP/1.1 requests without Host are refused, so cases without one are run twice: as they are (must be
 * refused) and with a Host put in (compared).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_HTTP_LIMITS } from '../../src/http/limits.ts';
import { HttpSession, type SessionEvent } from '../../src/http/session.ts';
import type { ConformanceResult } from './suite.ts';

const SUITE = process.env['LLHTTP_SUITE'] ?? join(import.meta.dirname, '../../../shared/suites/llhttp/test');

/** One message as a parser saw it. */
interface Message {
  method: string;
  target: string;
  status: number;
  fields: [string, string][];
  content: string;
  /** Nothing behind it counts. */
  closes?: boolean;
}

interface Outcome {
  readonly messages: Message[];
  /** Why it was refused; undefined when it was not. */
  refusal: string | undefined;
  /** Messages begun, also those whose head is not complete. */
  begun: number;
}

interface Case {
  /** `request/method.md: title`. */
  readonly name: string;
  readonly role: 'request' | 'response';
  readonly lenient: boolean;
  readonly ended: boolean;
  readonly skipContent: boolean;
  readonly input: string;
  readonly expected: Outcome;
}

/** Runs every case. @returns failures as one line each; nothing passed or failed when the suite is not there */
export async function run(): Promise<ConformanceResult> {
  if (!existsSync(SUITE))
    return { passed: 0, total: 0, failures: [`skipped: no data at ${SUITE}`], passes: [] };
  const failures: string[] = [];
  const passes: string[] = [];
  const cases = readSuite();
  for (const one of cases) {
    const failure = judge(one);
    if (failure === undefined) passes.push(one.name);
    else failures.push(`${one.name}: ${failure}`);
  }
  for (const name of DEVIATIONS.keys()) {
    if (!cases.some((one) => one.name === name)) failures.push(`${name}: a deviation without a case`);
  }
  return { passed: cases.length - failures.length, total: cases.length, failures, passes };
}

function judge(one: Case): string | undefined {
  const deviation = DEVIATIONS.get(one.name);
  const needsHost = one.role === 'request' && withHost(one.input) !== one.input;
  const raw = needsHost ? parse(one, `${one.input}\r\n\r\n`) : undefined;
  if (raw !== undefined && raw.refusal === undefined && !raw.messages.every((message) => message.closes)) {
    return 'HTTP/1.1 without Host was not refused';
  }
  const ours = parse(one, needsHost ? withHost(one.input) : one.input);
  const difference = compare(one, ours);
  if (deviation === undefined) return difference;
  if (difference === undefined) return `deviates no more (${deviation})`;
  return undefined;
}

/** Cases in which we refuse, on purpose, what llhttp takes (or the other way about), with the clause. */
const DEVIATIONS: ReadonlyMap<string, string> = new Map([
  [
    'request/connection.md: CRLF between requests, implicit `keep-alive`',
    'RFC 9112 section 2.2: one empty line before a request is ignored; two are refused',
  ],
  [
    'request/content-length.md: Content-Length reset when no body is received',
    'a parser can be told to skip a request’s content; RFC 9112 section 6.3 knows no such request',
  ],
  [
    'request/invalid.md: HTTP protocol and ANNOUNCE method',
    'RFC 9110 section 9.1: the set of methods is open; whether one is known is for the handler to say (405, 501)',
  ],
  [
    'request/method.md: CONNECT with body',
    'RFC 9110 section 9.3.6: CONNECT has no content; where peers disagree about it, it is refused',
  ],
  ['request/method.md: M-SEARCH request', 'RFC 9112 section 3.2.4: the target * belongs to OPTIONS only'],
  ['request/method.md: SOURCE request with ICE', 'RFC 9112 section 2.3: the version is HTTP/…'],
  ['request/method.md: OPTIONS request with RTSP', 'RFC 9112 section 2.3: the version is HTTP/…'],
  ['request/method.md: ANNOUNCE request with RTSP', 'RFC 9112 section 2.3: the version is HTTP/…'],
  ['request/method.md: PRI request HTTP2', 'RFC 9113 section 3.4: the preface is no HTTP/1.1 request'],
  ['request/sample.md: No HTTP version', 'RFC 9112 section 2.3: HTTP/0.9 is not spoken'],
  [
    'request/transfer-encoding.md: Trailing headers',
    'RFC 9110 section 6.5.1: Vary and Content-Type are not taken from trailers',
  ],
  [
    'request/transfer-encoding.md: POST with `chunked` as last transfer-encoding',
    'RFC 9112 section 3.2: a target has no fragment',
  ],
  [
    'request/transfer-encoding.md: POST with `chunked` as last transfer-encoding (multiple headers)',
    'RFC 9112 section 3.2: a target has no fragment',
  ],
  ['request/uri.md: Fragment in URI', 'RFC 9112 section 3.2: a target has no fragment'],
  ['request/uri.md: `host:port` and basic auth', 'RFC 9110 section 4.2.4: userinfo in a target is an error'],
  [
    'response/connection.md: HTTP 101 response with Upgrade and Content-Length header',
    'RFC 9110 section 8.6: no Content-Length with 1xx',
  ],
  [
    'response/connection.md: HTTP 101 response with Upgrade and Transfer-Encoding header',
    'RFC 9112 section 6.1: no Transfer-Encoding with 1xx',
  ],
  [
    'response/connection.md: HTTP 304 with Content-Length',
    'RFC 9112 section 2.2: only before a request an empty line is ignored',
  ],
  [
    'response/connection.md: HTTP 100 first, then 400',
    'RFC 9112 section 2.2: only before a request an empty line is ignored',
  ],
  ['response/pipelining.md: Should parse multiple events', 'RFC 9112 section 2.2: only before a request …'],
  ['response/sample.md: Response starting with CRLF', 'RFC 9112 section 2.2: only before a request …'],
  ['response/sample.md: RTSP response', 'RFC 9112 section 2.3: the version is HTTP/…'],
  ['response/sample.md: ICE response', 'RFC 9112 section 2.3: the version is HTTP/…'],
  ['response/sample.md: HTTP version 0.9', 'RFC 9112 section 2.3: HTTP/0.9 is not spoken'],
  [
    'response/transfer-encoding.md: `chunked` before other transfer-encoding',
    'RFC 9112 section 6.1: only one plain `chunked` is understood; an unknown coding is not read past',
  ],
  [
    'response/transfer-encoding.md: multiple transfer-encoding where chunked is not the last one',
    'RFC 9112 section 6.1: only one plain `chunked` is understood',
  ],
  [
    'response/transfer-encoding.md: `chunkedchunked` transfer-encoding does not enable chunked enconding',
    'RFC 9112 section 6.1: an unknown coding is not read past',
  ],
]);

// ── Reading the Markdown ────────────────────────────────────────────────────────────────────────────────

function readSuite(): Case[] {
  const cases: Case[] = [];
  for (const role of ['request', 'response'] as const) {
    for (const file of readdirSync(join(SUITE, role)).sort()) {
      if (file.endsWith('.md')) cases.push(...readFixtures(role, file));
    }
  }
  return cases;
}

/** A fixture is a heading, a meta comment, the bytes in a fence, the events in another. */
function readFixtures(role: 'request' | 'response', file: string): Case[] {
  const lines = readFileSync(join(SUITE, role, file), 'latin1').split('\n');
  const cases: Case[] = [];
  const titles = new Map<string, number>();
  let title = '';
  let meta: Record<string, unknown> | undefined;
  let input: string | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if (line.startsWith('#')) title = line.replaceAll('#', '').trim();
    else if (line.startsWith('<!-- meta=')) meta = JSON.parse(line.slice(10, line.lastIndexOf('-->')));
    else if (line.startsWith('```http')) {
      const end = lines.indexOf('```', at + 1);
      input = unescapeInput(lines.slice(at + 1, end).join('\n'));
      at = end;
    } else if (line.startsWith('```log') && meta !== undefined && input !== undefined) {
      const end = lines.findIndex((text, index) => index > at && text.startsWith('```'));
      const count = (titles.get(title) ?? 0) + 1;
      titles.set(title, count);
      const name = `${role}/${file}: ${title}${count > 1 ? ` (${count})` : ''}`;
      cases.push(toCase(name, role, meta, input, lines.slice(at + 1, end)));
      at = end;
      input = undefined;
    }
  }
  return cases;
}

function toCase(
  name: string,
  role: 'request' | 'response',
  meta: Record<string, unknown>,
  input: string,
  log: readonly string[],
): Case {
  const type = String(meta['type']);
  return {
    name,
    role,
    lenient: type.includes('lenient'),
    ended: type.includes('finish'),
    skipContent: meta['skipBody'] === true,
    input,
    expected: readLog(log),
  };
}

/** As llhttp's own runner does: escaped newlines dropped, all others CRLF. */
function unescapeInput(text: string): string {
  return unescaped(text.replace(/\\(\r\n|\r|\n)/g, '').replace(/\r\n|\r|\n/g, '\r\n'));
}

function unescaped(text: string): string {
  return text
    .replaceAll('\\r', '\r')
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replaceAll('\\f', '\f')
    .replace(/\\x([0-9a-fA-F]+)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Errors by which llhttp only stops to let its caller look. */
const PAUSES: ReadonlySet<string> = new Set(['21', '22', '23', '31']);

function readLog(log: readonly string[]): Outcome {
  const outcome: Outcome = { messages: [], refusal: undefined, begun: 0 };
  let headComplete = true;
  let spans: { field: string; value: string; name: boolean } = { field: '', value: '', name: false };
  const message = (): Message => outcome.messages.at(-1)!;
  const flush = (): void => {
    if (spans.field !== '') message().fields.push([spans.field, spans.value.trimEnd()]);
    spans = { field: '', value: '', name: false };
  };
  for (const line of log) {
    const span = /span\[([a-z_]+)\]=(cr|lf|"(.*)")$/.exec(line);
    const failed = /error code=(\d+) reason="(.*)"/.exec(line);
    if (line.endsWith('message begin')) {
      outcome.messages.push({ method: '', target: '', status: 0, fields: [], content: '' });
      headComplete = false;
    } else if (failed !== null) {
      if (!PAUSES.has(failed[1]!)) outcome.refusal = failed[2]!;
    } else if (span !== null) {
      const text = span[2] === 'cr' ? '\r' : span[2] === 'lf' ? '\n' : unescaped(span[3]!);
      if (span[1] === 'method') message().method += text;
      else if (span[1] === 'url') message().target += text;
      else if (span[1] === 'body') message().content += text;
      else if (span[1] === 'header_value') spans.value += text;
      else if (span[1] === 'header_field') spans.field += text;
    } else if (/ header_value complete$/.test(line)) flush();
    else {
      if (line.includes(' headers complete')) headComplete = true;
      if (line.endsWith('finish=2')) outcome.refusal = 'unsafe to finish';
      const status = / status=(\d+)/.exec(line);
      if (status !== null) message().status = Number(status[1]);
    }
  }
  outcome.begun = outcome.messages.length;
  // A head of which only a part was given is no message yet.
  if (!headComplete) outcome.messages.pop();
  return outcome;
}

// ── Our side ────────────────────────────────────────────────────────────────────────────────────────────

/** Puts a Host into each HTTP/1.1 head that has none, equal to the authority of an absolute target. */
function withHost(input: string): string {
  return input.replace(
    /^([^\r\n ]+ ([^\r\n ]*) HTTP\/1\.1\r\n)((?:[^\r\n]+\r\n)*)/gm,
    (all, line, target, rest) => {
      if (/^host[ \t]*:/im.test(rest)) return all;
      const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(target)?.[1] ?? 'a';
      return `${line}Host: ${authority}\r\n${rest}`;
    },
  );
}

function parse(one: Case, input: string): Outcome {
  const session = new HttpSession(one.role === 'request' ? 'server' : 'client', DEFAULT_HTTP_LIMITS, 0);
  const outcome: Outcome = { messages: [], refusal: undefined, begun: 0 };
  if (one.role === 'response') ask(session, one.skipContent);
  session.receive(Buffer.from(input, 'latin1'), 0);
  pump(session, one, outcome);
  if ((one.lenient || one.expected.refusal !== undefined) && !one.ended && outcome.refusal === undefined) {
    // llhttp refuses at the byte, we when the head is complete: a cut head is completed.
    session.receive(Buffer.from('\r\n\r\n'), 0);
    pump(session, one, outcome);
  }
  if (one.ended) {
    session.receiveEnd(0);
    pump(session, one, outcome);
  }
  return outcome;
}

function ask(session: HttpSession, head: boolean): void {
  const method = head ? 'HEAD' : 'GET';
  session.sendRequest({ method, target: '/', headers: [], size: 'none', upgrade: 'any', timeoutMs: 1 }, 0);
  session.sendEnd(0);
}

function pump(session: HttpSession, one: Case, outcome: Outcome): void {
  for (;;) {
    const event = session.next(0);
    if (event.kind === 'need-data' || event.kind === 'closed' || event.kind === 'paused') return;
    note(event, outcome);
    if (event.kind === 'malformed' || event.kind === 'switched') return;
    if (event.kind !== 'end') continue;
    if (one.role === 'request') {
      session.sendResponse({ status: 204, headers: [], size: 0 });
      session.sendEnd(0);
    } else if (session.idle && session.pendingBytes > 0) {
      ask(session, one.skipContent);
    }
  }
}

function note(event: SessionEvent, outcome: Outcome): void {
  switch (event.kind) {
    case 'request':
      outcome.messages.push(messageOf(event.method, event.target, 0, event.fields));
      outcome.messages.at(-1)!.closes = !event.keepAlive;
      return;
    case 'response':
      outcome.messages.push(messageOf('', '', event.status, event.fields));
      return;
    case 'informational':
    case 'switched':
      outcome.messages.push(messageOf('', '', event.head.status, event.head.fields));
      return;
    case 'data':
      outcome.messages.at(-1)!.content += event.bytes.toString('latin1');
      return;
    case 'end':
      for (const [name, value] of event.trailers) outcome.messages.at(-1)!.fields.push([name, value]);
      return;
    case 'malformed':
      outcome.refusal = event.code;
      return;
    default:
  }
}

function messageOf(
  method: string,
  target: string,
  status: number,
  fields: Iterable<readonly [string, string]>,
): Message {
  return { method, target, status, fields: [...fields].map(([name, value]) => [name, value]), content: '' };
}

// ── Comparing ───────────────────────────────────────────────────────────────────────────────────────────

function compare(one: Case, ours: Outcome): string | undefined {
  const { expected } = one;
  const ignored = ours.messages.length < expected.begun;
  if (one.lenient)
    return ours.refusal === undefined && !ignored ? 'a leniency of llhttp was taken' : undefined;
  if (expected.refusal !== undefined) {
    // After `Connection: close` we read no more, which is a refusal without words.
    const silent =
      expected.refusal.startsWith('Data after') && ours.messages.length < expected.messages.length + 1;
    return ours.refusal === undefined && !silent ? `not refused (${expected.refusal})` : undefined;
  }
  if (ours.refusal !== undefined) return `refused (${ours.refusal})`;
  // A switch of protocols or a pause ends what llhttp reports before our session has to stop.
  for (const [at, message] of expected.messages.entries()) {
    const difference = compareMessages(message, ours.messages[at], one);
    if (difference !== undefined) return `message ${at + 1}: ${difference}`;
  }
  return undefined;
}

function compareMessages(expected: Message, ours: Message | undefined, one: Case): string | undefined {
  if (ours === undefined) return 'missing';
  if (expected.method !== ours.method) return `method ${ours.method} for ${expected.method}`;
  if (expected.status !== ours.status) return `status ${ours.status} for ${expected.status}`;
  const target = expected.target.replace(/^[a-z]+:\/\/[^/?]*/i, '');
  if (target !== ours.target && expected.target !== ours.target && `/${target}` !== ours.target) {
    return `target ${ours.target} for ${expected.target}`;
  }
  const theirs = JSON.stringify(expected.fields);
  const mine = JSON.stringify(withoutAddedHost(expected.fields, ours.fields));
  // The log shows bytes as UTF-8 where the input escapes them.
  if (theirs !== mine && Buffer.from(theirs, 'latin1').toString() !== mine)
    return `fields ${mine} for ${theirs}`;
  if (!one.skipContent && expected.content !== ours.content)
    return `content ${ours.content} for ${expected.content}`;
  return undefined;
}

function withoutAddedHost(
  expected: readonly [string, string][],
  ours: readonly [string, string][],
): [string, string][] {
  const had = expected.some(([name]) => name.toLowerCase() === 'host');
  return ours.filter(([name]) => had || name !== 'Host');
}
