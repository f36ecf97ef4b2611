import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import { IncomingBody } from '../body.ts';
import { createHttpClient } from '../client/client.ts';
import type { FormLimits } from '../limits.ts';
import { json } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import type { Handler } from '../types.ts';
import { Fields, NO_FIELDS } from '../wire/fields.ts';
import { type FormPart, readMultipart } from './index.ts';

const field = (parameters: string): string => `Content-Disposition: form-data; ${parameters}\r\n`;
const THREE = [
  `--b\r\n${field('name=a')}\r\nfirst\r\n`,
  `--b\r\n${field('name=f; filename="x.txt"')}Content-Type: text/plain\r\n\r\n${'second'.repeat(100)}\r\n`,
  `--b\r\n${field('name=c')}\r\nthird\r\n--b--\r\n`,
].join('');

interface Sent {
  readonly headers: Fields;
  readonly body: IncomingBody;
  /** How many chunks were asked for. */
  readonly wanted: () => number;
  readonly discarded: () => boolean;
}

/** A request whose body comes in chunks of `chunkBytes`, each only when it is asked for. */
function request(content: string, chunkBytes = 16, type = 'multipart/form-data; boundary=b'): Sent {
  const bytes = Buffer.from(content, 'latin1');
  let at = 0;
  let wanted = 0;
  let discarded = false;
  const body: IncomingBody = new IncomingBody(
    {
      wanted: () => {
        wanted++;
        if (at >= bytes.length) return body.finish(NO_FIELDS);
        body.push(bytes.subarray(at, at + chunkBytes));
        at += chunkBytes;
      },
      discarded: () => {
        discarded = true;
      },
    },
    undefined,
  );
  const headers = Fields.from([['Content-Type', type]]);
  return { headers, body, wanted: () => wanted, discarded: () => discarded };
}

async function names(parts: AsyncIterable<FormPart>): Promise<string[]> {
  const found: string[] = [];
  for await (const part of parts) found.push(part.name);
  return found;
}

suite('the parts of a form', () => {
  test('come one after the other, with their content', async () => {
    for (const chunkBytes of [1, 7, 100_000]) {
      const seen: unknown[] = [];
      for await (const part of readMultipart(request(THREE, chunkBytes))) {
        seen.push([part.name, part.filename, part.contentType, await part.text()]);
      }
      assert.deepEqual(seen, [
        ['a', undefined, undefined, 'first'],
        ['f', 'x.txt', 'text/plain', 'second'.repeat(100)],
        ['c', undefined, undefined, 'third'],
      ]);
    }
  });

  test('are skipped where they are not read, or only in part', async () => {
    for (const chunkBytes of [1, 7, 100_000]) {
      assert.deepEqual(await names(readMultipart(request(THREE, chunkBytes))), ['a', 'f', 'c']);
      const started: string[] = [];
      for await (const part of readMultipart(request(THREE, chunkBytes))) {
        for await (const bytes of part) {
          started.push(`${part.name} ${bytes.subarray(0, 1)}`);
          break;
        }
      }
      assert.deepEqual(started, ['a f', 'f s', 'c t']);
    }
  });

  test('are not read ahead', async () => {
    const sent = request(THREE, 16);
    const parts = readMultipart(sent);
    const nothing = sent.wanted();
    await parts.next();
    const head = sent.wanted();
    const file = (await parts.next()).value as FormPart;
    const before = sent.wanted();
    const content = file[Symbol.asyncIterator]();
    await content.next();
    const one = sent.wanted();
    await content.next();
    const two = sent.wanted();
    assert.equal(nothing, 0);
    assert.ok(head <= 4 && before <= 12, `${head} ${before}`);
    // A piece of content is a chunk of the body, and nothing is asked for behind it.
    assert.ok(one - before <= 1 && two - one <= 1, `${before} ${one} ${two}`);
  });

  test('let go of the body when the handler stops early', async () => {
    const sent = request(THREE);
    for await (const part of readMultipart(sent)) if (part.name === 'a') break;
    assert.equal(sent.discarded(), true);
    const failing = request(THREE);
    await assert.rejects(async () => {
      for await (const _ of readMultipart(failing)) throw new Error('mine');
    }, /mine/);
    assert.equal(failing.discarded(), true);
  });

  test('are read once, in order, one at a time', async () => {
    const parts = readMultipart(request(THREE));
    const first = (await parts.next()).value as FormPart;
    const second = (await parts.next()).value as FormPart;
    await assert.rejects(first.bytes(), { status: 500 });
    // Whichever of the two comes to the parser while the other reads, or after the part has passed, is told.
    const outcomes = await Promise.allSettled([second.bytes(), parts.next()]);
    const refused = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason.status] : [],
    );
    assert.deepEqual(refused, [500]);
  });

  test('are refused with the status of what is wrong', async () => {
    const read = (content: string, limits: Partial<FormLimits> = {}) =>
      names(readMultipart(request(content), limits));
    await assert.rejects(read(THREE.slice(0, -6)), { status: 400 });
    await assert.rejects(read('a=1'), { status: 400 });
    await assert.rejects(read(THREE, { parts: 2 }), { status: 413 });
    await assert.rejects(read(THREE, { fileBytes: 100 }), { status: 413 });
    await assert.rejects(
      async () => {
        for await (const part of readMultipart(request(THREE))) await part.bytes(5);
      },
      { status: 413 },
    );
    const notText = `--b\r\n${field('name=a')}\r\n\xff\r\n--b--`;
    await assert.rejects(
      async () => {
        for await (const part of readMultipart(request(notText))) await part.text();
      },
      { status: 400 },
    );
  });

  test('fail as their body fails', async () => {
    const sent = request(THREE, 64);
    const parts = readMultipart(sent);
    await parts.next();
    sent.body.fail(new Error('the client is gone'));
    await assert.rejects(async () => void (await parts.next()), /the client is gone/);
  });

  const types: readonly [type: string, status: number][] = [
    ['multipart/mixed; boundary=b', 415],
    ['text/plain', 415],
    ['multipart/form-data; boundary=b; boundary=c', 415],
    ['multipart/form-data, multipart/form-data; boundary=b', 415],
    ['multipart/form-data; boundary="b', 415],
    ['multipart/form-data', 400],
    ['multipart/form-data; boundary=""', 400],
    [`multipart/form-data; boundary=${'b'.repeat(71)}`, 400],
    ['multipart/form-data; boundary="b "', 400],
    ['multipart/form-data; boundary="b\\""', 400],
    ['multipart/form-data; boundary="b\xe9"', 400],
  ];
  for (const [type, status] of types) {
    test(`are refused by the type ${type.slice(0, 60)}`, () => {
      assert.throws(() => readMultipart(request(THREE, 16, type)), { status });
    });
  }

  test('are found by a quoted boundary', async () => {
    const type = 'Multipart/Form-Data; charset=utf-8; BOUNDARY="b"';
    assert.equal((await names(readMultipart(request(THREE, 16, type)))).length, 3);
  });
});

test('a form as the platform writes it is read as it was meant', async () => {
  const form = new FormData();
  const nasty = 'a"\r\n%22é\\😀; filename=evil';
  form.append(nasty, 'line\nline\r\nline');
  form.append('__proto__', '');
  form.append(
    'file',
    new Blob([Buffer.from([0, 13, 10, 45, 45, 255])], { type: 'image/png' }),
    'C:\\x\\"y";z.png',
  );
  const written = new Response(form);
  const sent = request(
    Buffer.from(await written.clone().arrayBuffer()).toString('latin1'),
    5,
    written.headers.get('content-type') ?? '',
  );
  const seen: unknown[] = [];
  for await (const part of readMultipart(sent)) {
    seen.push([part.name, part.filename, part.contentType, (await part.bytes()).toString('latin1')]);
  }
  assert.deepEqual(seen, [
    // %22 of the name itself is what browsers do not tell apart from a quote.
    ['a"\r\n"é\\😀; filename=evil', undefined, undefined, 'line\r\nline\r\nline'],
    ['__proto__', undefined, undefined, ''],
    ['file', 'C:\\x\\"y";z.png', 'image/png', '\0\r\n--\xff'],
  ]);
});

suite('over a connection', () => {
  test('a file streams through, and its sender waits for the handler', async () => {
    const host = testHost('http');
    const gate = Promise.withResolvers<void>();
    const handler: Handler = async (incoming) => {
      const sizes: Record<string, number> = {};
      for await (const part of readMultipart(incoming)) {
        await gate.promise;
        let size = 0;
        for await (const bytes of part) size += bytes.length;
        sizes[`part ${part.name}`] = size;
      }
      return json(200, sizes);
    };
    const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
    const client = createHttpClient({ network: host.network, clock: host.clock });
    let sent = 0;
    const pieceBytes = 65_536;
    async function* content(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`--b\r\n${field('name=f; filename=f')}\r\n`);
      for (; sent < 512; sent++) yield Buffer.alloc(pieceBytes, 'a');
      yield Buffer.from(`\r\n--b\r\n${field('name=a')}\r\n1\r\n--b--\r\n`);
    }
    const answered = client.request({
      url: `http://127.0.0.1:${server.endpoint.port}/`,
      method: 'POST',
      headers: [['Content-Type', 'multipart/form-data; boundary=b']],
      body: content(),
    });
    // The sender comes to rest long before the end: only what socket buffers and bounds take has been made.
    let before = -1;
    for (let quiet = 0; quiet < 50; quiet = sent === before ? quiet + 1 : 0) {
      before = sent;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const held = sent;
    gate.resolve();
    const response = await answered;
    assert.deepEqual(JSON.parse(await response.body.text(1_000)), {
      'part f': 512 * pieceBytes,
      'part a': 1,
    });
    assert.ok(held < 512, `${held} pieces were taken while nobody read`);
    await client.close();
    await server.close(0);
  });

  test('a form without end is answered 400, one over its bounds 413', async () => {
    const host = testHost('http');
    const handler: Handler = async (incoming) =>
      json(200, await names(readMultipart(incoming, { parts: 2 })));
    const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
    const client = createHttpClient({ network: host.network, clock: host.clock });
    const post = async (body: string): Promise<number> => {
      const url = `http://127.0.0.1:${server.endpoint.port}/`;
      const headers = [['Content-Type', 'multipart/form-data; boundary=b']] as const;
      const response = await client.request({ url, method: 'POST', headers, body });
      response.body.discard();
      return response.status;
    };
    assert.equal(await post('--b--'), 200);
    assert.equal(await post(THREE), 413);
    assert.equal(await post(THREE.slice(0, 30)), 400);
    assert.equal(await post(`--b\r\n${'X: y\r\n'.repeat(2_000)}`), 413);
    await client.close();
    await server.close(0);
  });
});
