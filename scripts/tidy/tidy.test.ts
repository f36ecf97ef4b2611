/** Every rule fires on a planted violation, and stays silent on the lawful neighbour. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tidy, withoutComments } from './tidy.ts';

/** What is wrong with one file; that nobody imports it is not the question here. */
function complaintsOf(file: string, text: string): string[] {
  return tidy(new Map([[file, text]]))
    .map((complaint) => complaint.text)
    .filter((one) => !one.startsWith('nobody'));
}

const refused: [rule: string, file: string, text: string][] = [
  ['core knows no service', 'src/core/net/x.ts', "import { a } from '../../dns/index.ts';"],
  ['the kernel has layers', 'src/core/files/x.ts', "import { a } from '../store/store.ts';"],
  ['bytes are pure', 'src/core/bytes/x.ts', "import fs from 'node:fs';"],
  ['http imports only core', 'src/http/x.ts', "import { a } from '../cache/index.ts';"],
  ['HTTP/2 stays in its room', 'src/http/server.ts', "import http2 from 'node:http2';"],
  ['its room opens no sockets', 'src/http/http2/x.ts', "import net from 'node:net';"],
  ['http is met at its faces', 'src/api/server.ts', "import { a } from '../http/session.ts';"],
  ['not every folder is a face', 'src/api/server.ts', "import { a } from '../http/router/index.ts';"],
  ['a face is its index.ts', 'src/api/server.ts', "import { a } from '../http/content/coding.ts';"],
  ['the command knows faces only', 'src/cli/x.ts', "import { a } from '../http/client/index.ts';"],
  ['messages take what is pure of http', 'src/objects/wire/x.ts', "import { a } from '../../http/index.ts';"],
  [
    'the engine knows no http',
    'src/objects/engine/x.ts',
    "import { a } from '../../http/conditional/index.ts';",
  ],
  ['sessions know no http', 'src/dns/session.ts', "import { a } from '../http/conditional/index.ts';"],
  ['http has pure folders', 'src/http/conditional/x.ts', "import { a } from '../content/coding.ts';"],
  ['they call nothing of Node', 'src/http/wire/x.ts', "import zlib from 'node:zlib';"],
  ['and have no clock', 'src/http/wire/x.ts', "import { a } from '../../core/time/clock.ts';"],
  ['wire does not know its session', 'src/dns/wire/x.ts', "import { a } from '../session.ts';"],
  ['wire opens no sockets', 'src/dns/wire/x.ts', "import net from 'node:net';"],
  ['session does not know its server', 'src/queue/session.ts', "import { a } from './server.ts';"],
  ['engine opens no files', 'src/mail/engine/x.ts', "import { a } from '../../core/files/system-files.ts';"],
  ['no service touches node:net', 'src/cache/server.ts', "import net from 'node:net';"],
  ['client does not know the engine', 'src/cache/client.ts', "import { a } from './engine/keyspace.ts';"],
  ['no arrow from cache to queue', 'src/cache/server.ts', "import { a } from '../queue/index.ts';"],
  ['services meet at index.ts', 'src/api/server.ts', "import { a } from '../database/client.ts';"],
  ['octet.ts knows public faces only', 'src/octet.ts', "import { a } from './dns/server.ts';"],
  ['packages are wrapped', 'src/mail/server.ts', "import { pino } from 'pino';"],
  ['unknown packages', 'src/mail/server.ts', "import x from 'left-pad';"],
  ['dynamic imports count', 'src/cache/server.ts', "const q = await import('../queue/index.ts');"],
  ['test rooms stay in tests', 'src/dns/server.ts', "import { a } from '../core/testing/peer.ts';"],
  ['time is passed in', 'src/dns/server.ts', 'const t = Date.now();'],
  ['timers are passed in', 'src/dns/server.ts', 'setTimeout(run, 5);'],
  ['randomness is passed in', 'src/dns/server.ts', 'Math.random();'],
  ['no console', 'src/dns/server.ts', "console.log('x');"],
  ['no environment', 'src/dns/server.ts', "process.env['X'];"],
  ['names say something', 'src/dns/utils.ts', 'export {};'],
  ['places are in the design', 'src/stuff/x.ts', 'export {};'],
];

for (const [rule, file, text] of refused) {
  test(`tidy refuses: ${rule}`, () => {
    assert.equal(complaintsOf(file, text).length, 1, complaintsOf(file, text).join('; '));
  });
}

const allowed: [why: string, file: string, text: string][] = [
  ['wire reads bytes', 'src/dns/wire/x.ts', "import { a } from '../../core/bytes/reader.ts';"],
  ['HTTP/2 has a room', 'src/http/http2/x.ts', "import http2 from 'node:http2';"],
  ['http has a face', 'src/api/server.ts', "import { a } from '../http/index.ts';"],
  ['its folders have faces too', 'src/queue/server/x.ts', "import { a } from '../../http/events/index.ts';"],
  [
    'messages have conditions',
    'src/objects/wire/x.ts',
    "import { a } from '../../http/conditional/index.ts';",
  ],
  ['conditions have dates', 'src/http/conditional/x.ts', "import { a } from '../wire/date.ts';"],
  ['server joins its rooms', 'src/dns/server.ts', "import { a } from './engine/zone.ts';"],
  ['api uses clients', 'src/api/server.ts', "import { a } from '../database/index.ts';"],
  [
    'tests import anything',
    'src/dns/x.test.ts',
    "import { a } from '../core/testing/peer.ts'; setTimeout(a, 1);",
  ],
  ['comments are free', 'src/dns/server.ts', "// Date.now() and import x from 'left-pad'\n/* setTimeout */"],
  ['core reads the clock', 'src/core/time/x.ts', 'Date.now();'],
];

for (const [why, file, text] of allowed) {
  test(`tidy allows: ${why}`, () => assert.deepEqual(complaintsOf(file, text), []));
}

test('tidy finds files that nobody imports', () => {
  const files = new Map([
    ['src/octet.ts', "import { a } from './dns/index.ts';"],
    ['src/dns/index.ts', 'export const a = 1;'],
    ['src/dns/dead.ts', 'export const b = 1;'],
    ['test/x.ts', "import '../src/octet.ts';"],
  ]);
  assert.deepEqual(tidy(files), [{ file: 'src/dns/dead.ts', line: 1, text: 'nobody imports this file' }]);
});

test('withoutComments keeps strings and lines', () => {
  assert.equal(withoutComments("a('//') // b\n/* c\n */ d"), "a('//') \n    \n    d");
});
