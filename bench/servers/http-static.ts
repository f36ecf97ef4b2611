/** The HTTP library's side of the comparison in `bench/http-static.ts`: the files of the folder it is given. */
import { systemFiles } from '../../src/core/files/system-files.ts';
import { testHost } from '../../src/core/testing/host.ts';
import { createStaticFiles } from '../../src/http/content/index.ts';
import { startHttpServer } from '../../src/http/index.ts';

const root = process.argv[2];
if (root === undefined) throw new Error('which folder?');
const host = testHost('http-static', { files: systemFiles });
const { handle } = createStaticFiles({ ...host, root });
const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler: handle });
console.log(`listening on ${server.endpoint.port}`);
