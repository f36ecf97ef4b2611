/** Honest messages, one byte at a time: every service must put them together and give the right answer. */
import { after, before, describe, test } from 'node:test';
import { type Attack, run } from './attack.ts';
import { greeted } from './attacks.ts';
import {
  AMQP_HEADER,
  AMQP_OPEN,
  amqpIds,
  amqpStartOk,
  dnsQuestion,
  framed,
  httpRequest,
  postgresMessage,
  postgresStartup,
  respCommand,
} from './bytes.ts';
import { type House, type Protocol, startHouse, type Target } from './house.ts';

const MAIL =
  'EHLO slow.test\r\nMAIL FROM:<a@octet.test>\r\nRCPT TO:<b@octet.test>\r\nDATA\r\nSubject: a\r\n\r\nb\r\n.\r\nQUIT\r\n';

const CONVERSATIONS: Readonly<Record<Protocol, (target: Target) => Omit<Attack, 'what'>>> = {
  dns: () => ({ send: framed(dnsQuestion('www.bad.test')), reply: /\xc0\x00\x02\x50/, ends: 'open' }),
  postgres: () => ({
    send: Buffer.concat([
      postgresStartup(),
      postgresMessage('Q', 'SELECT 6 * 7\0'),
      postgresMessage('X', ''),
    ]),
    // DataRow with one column of two characters.
    reply: /^R\x00\x00\x00\x08\x00{4}.*D\x00\x00\x00\x0c\x00\x01\x00\x00\x00\x0242C.*Z\x00\x00\x00\x05I$/s,
    ends: 'closed',
  }),
  resp: () => ({
    send: `${respCommand('AUTH', 'octet')}PING inline\r\n${respCommand('QUIT')}`,
    reply: /^\+OK\r\n\$6\r\ninline\r\n\+OK\r\n$/,
    ends: 'closed',
  }),
  amqp: () => ({
    open: async (peer) => {
      await peer.dribble(AMQP_HEADER);
      await peer.until((received) => received.includes(amqpIds(10, 10)) && received.at(-1) === 0xce);
      peer.take();
      await peer.dribble(amqpStartOk('octet', 'octet'));
      await peer.until((received) => received.includes(amqpIds(10, 30)) && received.at(-1) === 0xce);
    },
    send: AMQP_OPEN,
    reply: /^\x01\x00\x00\x00\x00\x00\x05\x00\x0a\x00\x29\x00\xce$/,
    ends: 'open',
  }),
  smtp: () => ({
    open: greeted,
    send: MAIL,
    reply: /\r\n354 .*\r\n250 2\.6\.0 .*\r\n221 2\.0\.0 bye\r\n$/,
    ends: 'closed',
  }),
  http: ({ path, fields }) => ({
    send: httpRequest(path, `${fields}Connection: close\r\n`),
    reply: /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Connection: close\r\n(.+\r\n)*\r\n./i,
    ends: 'closed',
  }),
};

describe('one byte at a time', () => {
  let house: House;
  before(async () => {
    house = await startHouse();
  });
  after(() => house[Symbol.asyncDispose]());

  test('every port', async (context) => {
    for (const target of house.targets) {
      const conversation = CONVERSATIONS[target.protocol](target);
      await context.test(target.name, () =>
        run(house, target, { what: 'a byte', dribbled: true, ...conversation }),
      );
    }
  });
});
