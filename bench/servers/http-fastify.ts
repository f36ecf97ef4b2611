/** Fastify's side of the comparison in `bench/http.ts`: the same route, with schemas of its parameter and its answer.
 * The argument is where it lies. */
import { createRequire } from 'node:module';

/** As far as it is used here. */
interface Fastify {
  get(
    path: string,
    options: object,
    handler: (request: { params: { id: string } }) => Promise<unknown>,
  ): void;
  listen(address: { host: string; port: number }): Promise<string>;
}

const [, , location = ''] = process.argv;
const fastify = (createRequire(import.meta.url)(location) as () => Fastify)();

const text = { type: 'string' };
const schema = {
  params: { type: 'object', properties: { id: { type: 'integer' } } },
  response: { 200: { type: 'object', properties: { id: text, name: text, effect: text } } },
};
fastify.get('/spells/:id', { schema }, async ({ params }) => ({
  id: params.id,
  name: 'Lumos',
  effect: 'light',
}));
const url = await fastify.listen({ host: '127.0.0.1', port: 0 });
console.log(`listening on ${new URL(url).port}`);
