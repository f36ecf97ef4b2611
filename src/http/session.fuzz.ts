/**
 * Whole connections at random, at both ends. A session takes what it is given or refuses it, throws nothing, gives
 * the same events however the bytes are cut and whether they are given or lent, and reads nothing behind a refusal.
 */
import { assert } from '../core/assert.ts';
import { SeededRandom } from '../core/random/seeded-random.ts';
import { DEFAULT_HTTP_LIMITS } from './limits.ts';
import { HttpSession } from './session.ts';
import { BAD_REQUESTS, BAD_RESPONSES } from './testing/attacks.ts';
import { cutAtRandom, mutated } from './testing/mutate.ts';
import type { Fields } from './wire/fields.ts';

const short = ({ bytes }: { bytes: string }): boolean => bytes.length < 300;
const REQUESTS = [
  'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x="y\\"z";w\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: u\r\nHost: b\r\n\r\n',
  'PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: a\r\n\r\nHEAD /c HTTP/1.0\r\n\r\n',
  '\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  ...BAD_REQUESTS.filter(short).map(({ bytes }) => bytes),
];
const RESPONSES = [
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\nX: y\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nuntil the end',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nrest',
  ...BAD_RESPONSES.filter(short).map(({ bytes }) => bytes),
];
const METHODS = ['GET', 'HEAD', 'POST'] as const;
const ENOUGH_EVENTS = 10_000;

export const fuzz = {
  name: 'session',
  /** @throws AssertionFailed naming what repeats the fault */
  run(seed: number, inputs: number): void {
    const random = new SeededRandom(seed);
    for (let round = 0; round < inputs; round++) {
      const isServer = random.chance(0.6);
      const bytes = Buffer.from(mutated(random, isServer ? REQUESTS : RESPONSES), 'latin1');
      const method = random.pick(METHODS);
      const read = isServer ? serve : (given: Given) => ask(given, method);
      const why = `seed ${seed}, round ${round}: ${JSON.stringify(bytes.toString('latin1'))}`;
      const whole = read({ pieces: [bytes], lent: false }, why);
      const pieces = random.chance(0.1) ? byteByByte(bytes) : cutAtRandom(random, bytes);
      const inPieces = read({ pieces, lent: random.chance(0.5) }, why);
      assert(inPieces === whole, `${why} is ${whole} whole, and in pieces ${inPieces}`);
    }
  },
};

/** What a session receives, and whether it is lent or given to keep. */
interface Given {
  readonly pieces: readonly Buffer[];
  readonly lent: boolean;
}

function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

/** What a server that answers each request at once makes of its input, then of the end of it. */
function serve(given: Given, why: string): string {
  const session = new HttpSession('server', DEFAULT_HTTP_LIMITS, 0);
  return read(session, given, why, () => {
    session.sendResponse({ status: 200, headers: [['X', 'y']], size: undefined });
    session.sendData('ok');
    session.sendEnd(0);
    assert(session.takeOutput().length > 0, why);
  });
}

function ask(given: Given, method: string): string {
  const session = new HttpSession('client', DEFAULT_HTTP_LIMITS, 0);
  session.sendRequest(
    { method, target: '/', headers: [['Host', 'a']], size: 'none', upgrade: 'x', timeoutMs: 1 },
    0,
  );
  session.sendEnd(0);
  return read(session, given, method, () => undefined);
}

/** The events, with the content of each message in one; `ended` is told of each message's end. */
function read(session: HttpSession, { pieces, lent }: Given, why: string, ended: () => void): string {
  const seen: string[] = [];
  let content: Buffer[] = [];
  let refused = false;
  const pump = (): void => {
    for (let count = 0; !refused; count++) {
      assert(count < ENOUGH_EVENTS, `endless events: ${why}`);
      const event = session.next(0);
      switch (event.kind) {
        case 'request':
          seen.push(`${event.method} ${event.target} ${event.version} ${shown(event.fields)}`);
          break;
        case 'response':
          seen.push(`${event.status} ${shown(event.fields)}`);
          break;
        case 'informational':
        case 'switched':
          seen.push(`${event.kind} ${event.head.status}`);
          break;
        case 'data':
          content.push(event.bytes);
          break;
        case 'end':
          seen.push(
            `content ${JSON.stringify(Buffer.concat(content).toString('latin1'))} ${shown(event.trailers)}`,
          );
          content = [];
          ended();
          break;
        case 'malformed':
          refused = true;
          seen.push(`refused ${event.status} ${event.code}`);
          break;
        default:
          return;
      }
    }
  };
  for (const piece of pieces) {
    if (lent) {
      const shared = Buffer.concat([piece, Buffer.from('GET ')]);
      session.lend(shared, piece.length, 0);
      pump();
      session.keep();
      shared.fill('x');
    } else {
      session.receive(piece, 0);
      pump();
    }
  }
  session.receiveEnd(0);
  pump();
  if (refused) {
    session.receive(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 0);
    const { kind } = session.next(0);
    assert(kind === 'closed' || kind === 'need-data', `read on behind a refusal: ${why}`);
  }
  return seen.join('\n');
}

function shown(fields: Fields): string {
  return JSON.stringify([...fields]);
}
