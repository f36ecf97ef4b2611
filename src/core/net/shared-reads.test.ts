import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { suite, test } from 'node:test';
import { SharedReads } from './shared-reads.ts';

async function accepted(): Promise<{ server: net.Server; client: net.Socket; socket: net.Socket }> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  return { server, client, socket };
}

suite('reading into one buffer', () => {
  test('takes the place of the accepted socket: bytes, end and close', async () => {
    const { server, client, socket } = await accepted();
    let text = '';
    const adopted = new SharedReads().adopt(socket, (chunk) => {
      text += chunk.toString();
    });
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

  test('leaves a socket alone whose handle is not what is expected', async () => {
    const { server, client, socket } = await accepted();
    const reads = new SharedReads();
    const stranger = Object.create(socket, { _handle: { value: {} } }) as net.Socket;
    assert.equal(
      reads.adopt(stranger, () => undefined),
      undefined,
    );
    assert.equal(socket.destroyed, false);
    client.destroy();
    socket.destroy();
    server.close();
    await once(server, 'close');
  });
});
