import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { suite, test } from 'node:test';
import { type LeanSocket, LeanSockets, type Receiver } from './lean-socket.ts';

async function accepted(): Promise<{ server: net.Server; client: net.Socket; socket: net.Socket }> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  return { server, client, socket };
}

/** Wants bytes to keep. */
const keeping = (received: (chunk: Buffer) => void): Receiver => ({ lent: () => false, received });
const deaf = keeping(() => undefined);

suite('a lean socket', () => {
  test('takes the place of the accepted socket: bytes, end and close', async () => {
    const { server, client, socket } = await accepted();
    let text = '';
    const adopted = new LeanSockets().adopt(
      socket,
      keeping((chunk) => {
        text += chunk.toString();
      }),
    );
    assert.ok(adopted !== undefined, 'this Node has the handle that is needed');
    assert.equal(adopted.remotePort, client.localPort);
    client.end('to the server');
    adopted.resume();
    await once(adopted, 'end');
    assert.equal(text, 'to the server');
    adopted.end('to the client');
    assert.equal(String((await once(client, 'data'))[0]), 'to the client');
    // The server counts the socket that it made: one that is over must not keep it from closing.
    server.close();
    await once(server, 'close');
  });

  test('gives chunks that keep little more than themselves', async () => {
    const { server, client, socket } = await accepted();
    const chunks: Buffer[] = [];
    const adopted = new LeanSockets().adopt(
      socket,
      keeping((chunk) => {
        chunks.push(chunk);
        adopted?.emit('received');
      }),
    ) as LeanSocket;
    adopted.resume();
    const sizes = [1, 100, 1_024, 1_025, 5_000, ...Array<number>(20).fill(1_000)];
    for (const [index, size] of sizes.entries()) {
      client.write(Buffer.alloc(size, index));
      await once(adopted, 'received');
    }
    assert.deepEqual(
      chunks.map((chunk) => chunk.length),
      sizes,
    );
    // What came later has not been written over what came before.
    for (const [index, chunk] of chunks.entries()) assert.ok(chunk.every((byte) => byte === index));
    for (const { buffer, length } of chunks)
      assert.ok(buffer.byteLength <= Math.max(8_192, length), `${length} bytes keep ${buffer.byteLength}`);
    client.destroy();
    adopted.destroy();
    server.close();
    await once(server, 'close');
  });

  test('lends all sockets the same memory', async () => {
    const sockets = new LeanSockets();
    const seen: Buffer[] = [];
    for (const word of ['one', 'other']) {
      const { server, client, socket } = await accepted();
      const adopted = sockets.adopt(socket, {
        lent(shared, length) {
          assert.equal(shared.toString('latin1', 0, length), word);
          seen.push(shared);
          adopted?.emit('lent');
          return true;
        },
        received: () => assert.fail('it was lent'),
      });
      adopted?.resume();
      client.write(word);
      await once(adopted!, 'lent');
      client.destroy();
      adopted!.destroy();
      server.close();
      await once(server, 'close');
    }
    assert.equal(seen[0], seen[1]);
  });

  test('leaves a socket alone whose handle is not what is expected', async () => {
    const { server, client, socket } = await accepted();
    const sockets = new LeanSockets();
    const stranger = Object.create(socket, { _handle: { value: {} } }) as net.Socket;
    assert.equal(sockets.adopt(stranger, deaf), undefined);
    assert.equal(socket.destroyed, false);
    client.destroy();
    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  test('writes in order what the system takes at once, what it does not, and what is written meanwhile', async () => {
    const { server, client, socket } = await accepted();
    const lean = new LeanSockets().adopt(socket, deaf) as LeanSocket;
    client.pause();
    assert.equal(lean.write('first', 'latin1'), true);
    assert.equal(lean.unsentBytes, 0);
    const large = Buffer.alloc(8 * 1024 * 1024, 'x');
    assert.equal(lean.write(large), false, 'the system cannot have taken it');
    assert.equal(lean.unsentBytes, large.length);
    assert.equal(lean.write('behind', 'latin1'), true);
    assert.ok(lean.unsentBytes > large.length);
    const drained = once(lean, 'drain');
    const parts: Buffer[] = [];
    client.on('data', (part: Buffer) => parts.push(part));
    client.resume();
    await drained;
    lean.end('last', 'latin1');
    await once(client, 'end');
    assert.equal(lean.unsentBytes, 0);
    const all = Buffer.concat(parts);
    assert.equal(all.length, 5 + large.length + 6 + 4);
    assert.equal(all.toString('latin1', 0, 6), 'firstx');
    assert.equal(all.toString('latin1', all.length - 11), 'xbehindlast');
    client.destroy();
    lean.destroy();
    server.close();
    await once(server, 'close');
  });

  test('ends only when what is under way is out', async () => {
    const { server, client, socket } = await accepted();
    const lean = new LeanSockets().adopt(socket, deaf) as LeanSocket;
    client.pause();
    lean.write(Buffer.alloc(8 * 1024 * 1024));
    lean.end();
    let size = 0;
    client.on('data', (part) => {
      size += part.length;
    });
    client.resume();
    await once(client, 'end');
    assert.equal(size, 8 * 1024 * 1024);
    client.destroy();
    lean.destroy();
    server.close();
    await once(server, 'close');
  });

  test('is destroyed by a peer that is gone, with the reason', async () => {
    const { server, client, socket } = await accepted();
    const lean = new LeanSockets().adopt(socket, deaf) as LeanSocket;
    client.pause();
    lean.write(Buffer.alloc(8 * 1024 * 1024));
    const failed = once(lean, 'error');
    client.resetAndDestroy();
    const [error] = (await failed) as [NodeJS.ErrnoException];
    assert.match(String(error.code), /^(ECONNRESET|EPIPE)$/);
    assert.equal(lean.destroyed, true);
    assert.equal(lean.write('too late', 'latin1'), false);
    server.close();
    await once(server, 'close');
  });

  test('tells nobody to write more once it has ended or is destroyed', async () => {
    for (const stop of ['end', 'destroy'] as const) {
      const { server, client, socket } = await accepted();
      const lean = new LeanSockets().adopt(socket, deaf) as LeanSocket;
      client.pause();
      assert.equal(lean.write(Buffer.alloc(8 * 1024 * 1024)), false);
      let drains = 0;
      lean.on('drain', () => drains++);
      const over = stop === 'end' ? once(lean, 'finish') : once(lean, 'close');
      lean[stop]();
      client.on('data', () => undefined);
      client.on('error', () => undefined);
      client.resume();
      await over;
      assert.equal(lean.unsentBytes, 0);
      assert.equal(drains, 0, stop);
      client.destroy();
      lean.destroy();
      server.close();
      await once(server, 'close');
    }
  });
});
