import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import type { AcceptOptions } from './accept.ts';
import { WebSocketError } from './errors.ts';
import { WebSocketSet } from './set.ts';
import { hex } from './testing/frames.ts';
import { startWorld } from './testing/world.ts';

const { observer } = testHost('websocket');

/** The request of RFC 6455 section 1.2. */
const FIELDS: Readonly<Record<string, string>> = {
  Host: 'server.example.com',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  Origin: 'https://app.test',
  'Sec-WebSocket-Version': '13',
};

interface Changes {
  readonly line?: string;
  /** undefined takes a field away. */
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** Lines as they are. */
  readonly more?: string;
  readonly behind?: Buffer;
}

async function answerTo(changes: Changes, options: Partial<AcceptOptions> = {}): Promise<string> {
  await using world = await startWorld(observer, options);
  const peer = await Peer.connect(world.network, world.server.endpoint);
  const fields = Object.entries({ ...FIELDS, ...changes.fields })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  peer.send(`${changes.line ?? 'GET /chat HTTP/1.1'}\r\n${fields.join('')}${changes.more ?? ''}\r\n`);
  if (changes.behind !== undefined) peer.send(changes.behind);
  const head = await peer.untilText('\r\n\r\n');
  peer.close();
  return head;
}

const statusOf = (head: string): number => Number(head.slice(9, 12));

suite('a handshake', () => {
  test('is answered as in RFC 6455 section 1.3', async () => {
    const head = await answerTo({});
    assert.equal(statusOf(head), 101);
    assert.match(head, /\r\nUpgrade: websocket\r\n/);
    assert.match(head, /\r\nConnection: upgrade\r\n/i);
    assert.match(head, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    assert.doesNotMatch(head, /Sec-WebSocket-(Protocol|Extensions)/);
  });

  const accepted: readonly (readonly [string, Changes])[] = [
    ['without Origin, as from what is no browser', { fields: { Origin: undefined } }],
    [
      'with other letters',
      { fields: { Upgrade: 'WebSocket', Connection: 'keep-alive, UPGRADE', Origin: 'HTTPS://APP.test' } },
    ],
    ['that would take another protocol, too', { fields: { Upgrade: 'h2c, websocket' } }],
  ];
  for (const [name, changes] of accepted) {
    test(`is taken ${name}`, async () => assert.equal(statusOf(await answerTo(changes)), 101));
  }

  const refused: readonly (readonly [string, number, Changes])[] = [
    ['by POST', 405, { line: 'POST /chat HTTP/1.1', fields: { 'Content-Length': '0' } }],
    ['without Upgrade', 426, { fields: { Upgrade: undefined } }],
    ['for another protocol', 426, { fields: { Upgrade: 'h2c' } }],
    ['without Connection: upgrade', 426, { fields: { Connection: undefined } }],
    ['in HTTP/1.0', 426, { line: 'GET /chat HTTP/1.0' }],
    ['without a version', 426, { fields: { 'Sec-WebSocket-Version': undefined } }],
    ['of an old version', 426, { fields: { 'Sec-WebSocket-Version': '8' } }],
    ['of two versions', 426, { more: 'Sec-WebSocket-Version: 13\r\n' }],
    ['without a key', 400, { fields: { 'Sec-WebSocket-Key': undefined } }],
    ['with two keys', 400, { more: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' }],
    ['with a key that is too short', 400, { fields: { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' } }],
    ['with a key that is no base64', 400, { fields: { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j!!==' } }],
    ['with a key of stray bits', 400, { fields: { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZR==' } }],
    ['with content', 400, { fields: { 'Content-Length': '5' }, more: '' }],
    ['that speaks of content', 400, { fields: { 'Content-Length': '0' } }],
    ['with chunked content', 400, { fields: { 'Transfer-Encoding': 'chunked' } }],
    ['from a page of another origin', 403, { fields: { Origin: 'https://evil.test' } }],
    ['from a page whose origin begins like ours', 403, { fields: { Origin: 'https://app.test.evil.test' } }],
    ['from a page of our name by http', 403, { fields: { Origin: 'http://app.test' } }],
    ['from a page without an origin of its own', 403, { fields: { Origin: 'null' } }],
    ['of two origins', 403, { more: 'Origin: https://app.test\r\n' }],
    ['of an empty origin', 403, { fields: { Origin: '' } }],
    ['with a protocol that is no token', 400, { fields: { 'Sec-WebSocket-Protocol': 'a b' } }],
    ['with a protocol twice', 400, { fields: { 'Sec-WebSocket-Protocol': 'a, b, a' } }],
    ['with an empty list of protocols', 400, { fields: { 'Sec-WebSocket-Protocol': '' } }],
    ['with malformed extensions', 400, { fields: { 'Sec-WebSocket-Extensions': 'permessage-deflate;' } }],
  ];
  for (const [name, status, changes] of refused) {
    test(`is refused ${name}: ${status}`, async () => {
      let opened = 0;
      const head = await answerTo(changes, { open: () => opened++ });
      assert.equal(statusOf(head), status);
      assert.equal(opened, 0);
      if (status === 426) assert.match(head, /\r\nSec-WebSocket-Version: 13\r\n/);
      if (status === 426) assert.match(head, /\r\nUpgrade: websocket\r\n/);
    });
  }

  test('with any origin, where that is wished', async () => {
    assert.equal(
      statusOf(await answerTo({ fields: { Origin: 'https://evil.test' } }, { origins: 'any' })),
      101,
    );
    assert.equal(statusOf(await answerTo({ fields: { Origin: 'null' } }, { origins: ['null'] })), 101);
  });

  test('is given the first protocol of ours that it offers, or none', async () => {
    const protocols = ['v2', 'v1'];
    const offer = (value: string): Changes => ({ fields: { 'Sec-WebSocket-Protocol': value } });
    assert.match(await answerTo(offer('v1, v2'), { protocols }), /\r\nSec-WebSocket-Protocol: v2\r\n/);
    assert.match(await answerTo(offer('v0, v1'), { protocols }), /\r\nSec-WebSocket-Protocol: v1\r\n/);
    assert.doesNotMatch(await answerTo(offer('v0'), { protocols }), /Sec-WebSocket-Protocol/);
  });

  test('is given deflate only where that is wished', async () => {
    const offer: Changes = {
      fields: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
    };
    assert.doesNotMatch(await answerTo(offer), /Sec-WebSocket-Extensions/);
    assert.match(
      await answerTo(offer, { deflate: { client: { windowBits: 10 } } }),
      /\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n/,
    );
  });

  test('is refused when the set is full or closing', async () => {
    const set = new WebSocketSet();
    await set.close();
    assert.equal(statusOf(await answerTo({}, { set })), 503);
    const full = new WebSocketSet({ maxSockets: 1 });
    await using world = await startWorld(observer, { set: full });
    await world.connect();
    await assert.rejects(world.connect(), { code: 'refused', status: 503 });
    world.accepted[0]!.destroy();
    await world.accepted[0]!.closed;
    await world.connect();
  });

  test('cannot have a window that is none', async () => {
    const head = await answerTo({}, { deflate: { server: { windowBits: 16 } } });
    assert.equal(statusOf(head), 500);
    assert.ok(new WebSocketError('invalid-argument', '').fault === 'local');
  });
});

test('frames behind the handshake in the same write are not lost', async () => {
  await using world = await startWorld(observer, {
    open: (socket) => socket.attach({ message: (message) => void socket.send(message) }),
  });
  const peer = await Peer.connect(world.network, world.server.endpoint);
  const lines = Object.entries(FIELDS).map(([name, value]) => `${name}: ${value}\r\n`);
  peer.send(
    Buffer.concat([
      Buffer.from(`GET /chat HTTP/1.1\r\n${lines.join('')}\r\n`),
      hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'),
    ]),
  );
  await peer.untilText('\r\n\r\n');
  assert.equal((await peer.bytes(7)).toString('hex'), '810548656c6c6f');
  peer.close();
});
