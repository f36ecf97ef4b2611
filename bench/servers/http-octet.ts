/** The HTTP library's side of the comparison in `bench/http.ts`: one JSON route behind the router, its parameter
 * validated. */
import { testHost } from '../../src/core/testing/host.ts';
import { createRouter, json, startHttpServer } from '../../src/http/index.ts';

const router = createRouter().add('GET', '/spells/:id<int>', (request) =>
  json(200, { id: request.params['id'], name: 'Lumos', effect: 'light' }),
);
const server = await startHttpServer({
  host: testHost('http'),
  address: { host: '127.0.0.1', port: 0 },
  handler: router.handle,
});
console.log(`listening on ${server.endpoint.port}`);
