import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { Fields, type HeaderList } from '../../http/index.ts';
import { disguisedField, isLoop, type Passage, requestFields, responseFields } from './forwarding.ts';

const passage: Passage = {
  clientAddress: '192.0.2.7',
  secure: false,
  requestId: 'id-1',
  via: 'octet',
  version: '1.1',
  trusted: false,
};

function sent(headers: HeaderList, changes: Partial<Passage> = {}): Record<string, string> {
  const fields = requestFields(Fields.from(headers), { ...passage, ...changes });
  const names = fields.map(([name]) => name.toLowerCase());
  assert.equal(new Set(names).size, names.length, `a field comes twice: ${names}`);
  return Object.fromEntries(fields);
}

suite('a request on its way', () => {
  test('tells who asked, for what, and by which way', () => {
    assert.deepEqual(
      sent([
        ['Host', 'spells.test'],
        ['Accept', '*/*'],
      ]),
      {
        Host: 'spells.test',
        Accept: '*/*',
        Forwarded: 'for=192.0.2.7;host="spells.test";proto=http',
        'X-Forwarded-For': '192.0.2.7',
        'X-Forwarded-Proto': 'http',
        'X-Forwarded-Host': 'spells.test',
        'X-Request-Id': 'id-1',
        Via: '1.1 octet',
      },
    );
    assert.equal(sent([], { clientAddress: '2001:db8::1' })['Forwarded'], 'for="[2001:db8::1]";proto=http');
    assert.equal(sent([], { clientAddress: '::ffff:192.0.2.9' })['X-Forwarded-For'], '192.0.2.9');
    assert.equal(sent([], { secure: true })['X-Forwarded-Proto'], 'https');
    assert.equal(sent([['Via', '1.0 other']])['Via'], '1.0 other, 1.1 octet');
  });

  test('loses its hop-by-hop fields, and those that Connection names', () => {
    const fields = sent([
      ['Connection', 'close, X-Private , Upgrade'],
      ['X-Private', 'a'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'keep-alive'],
      ['Proxy-Authorization', 'Basic x'],
      ['Transfer-Encoding', 'chunked'],
      ['Trailer', 'X'],
      ['Upgrade', 'h2c'],
      ['HTTP2-Settings', 'x'],
      ['TE', 'gzip, trailers'],
      ['Expect', '100-continue'],
      ['Content-Length', '3'],
      ['X-Kept', 'b'],
    ]);
    for (const gone of ['Connection', 'X-Private', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authorization']) {
      assert.equal(fields[gone], undefined, gone);
    }
    for (const gone of ['Transfer-Encoding', 'Trailer', 'Upgrade', 'Expect', 'Content-Length']) {
      assert.equal(fields[gone], undefined, gone);
    }
    assert.equal(fields['TE'], 'trailers');
    assert.equal(fields['X-Kept'], 'b');
  });

  test('keeps what servers decide by, whatever Connection says', () => {
    const fields = sent([
      ['Connection', 'host, authorization, cookie, content-type, x-forwarded-for'],
      ['Host', 'a'],
      ['Authorization', 'Bearer x'],
      ['Cookie', 'a=b'],
      ['Content-Type', 'text/plain'],
    ]);
    assert.equal(fields['Host'], 'a');
    assert.equal(fields['Authorization'], 'Bearer x');
    assert.equal(fields['Cookie'], 'a=b');
    assert.equal(fields['Content-Type'], 'text/plain');
    assert.equal(fields['X-Forwarded-For'], '192.0.2.7');
  });

  const claimed: HeaderList = [
    ['Host', 'a'],
    ['X-Forwarded-For', '203.0.113.1'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'public'],
    ['Forwarded', 'for=203.0.113.1'],
    ['X-Real-IP', '203.0.113.1'],
  ];

  test('does not carry what a stranger claims about itself', () => {
    const fields = sent(claimed);
    assert.equal(fields['X-Forwarded-For'], '192.0.2.7');
    assert.equal(fields['X-Forwarded-Proto'], 'http');
    assert.equal(fields['X-Forwarded-Host'], 'a');
    assert.equal(fields['Forwarded'], 'for=192.0.2.7;host="a";proto=http');
    assert.equal(fields['X-Real-IP'], undefined);
  });

  test('extends what a trusted proxy says', () => {
    const fields = sent(claimed, { trusted: true });
    assert.equal(fields['X-Forwarded-For'], '203.0.113.1, 192.0.2.7');
    assert.equal(fields['X-Forwarded-Proto'], 'https');
    assert.equal(fields['X-Forwarded-Host'], 'public');
    assert.equal(fields['Forwarded'], 'for=203.0.113.1, for=192.0.2.7;host="a";proto=http');
  });

  test('is refused in disguise', () => {
    for (const name of ['X_Forwarded_For', 'x-forwarded_for', 'Content_Length', 'TRANSFER_ENCODING']) {
      assert.equal(disguisedField(Fields.from([[name, '1']])), name);
    }
    assert.equal(disguisedField(Fields.from([['my_field', '1']])), undefined);
  });

  test('is known when it comes again', () => {
    const loop = (via: string): boolean => isLoop(Fields.from([['Via', via]]), 'octet');
    assert.equal(loop('1.1 octet'), true);
    assert.equal(loop('1.0 a, HTTP/1.1 octet (x)'), true);
    assert.equal(loop('1.1 octet2'), false);
    assert.equal(isLoop(Fields.from([]), 'octet'), false);
  });
});

suite('a response on its way back', () => {
  test('loses its hop-by-hop fields and bears the request’s id', () => {
    const fields = responseFields(
      Fields.from([
        ['Connection', 'X-Private'],
        ['X-Private', 'a'],
        ['Keep-Alive', 'timeout=5'],
        ['Transfer-Encoding', 'chunked'],
        ['Set-Cookie', 'a=b'],
        ['Set-Cookie', 'c=d'],
      ]),
      'id-1',
    );
    assert.deepEqual(fields, [
      ['Set-Cookie', 'a=b'],
      ['Set-Cookie', 'c=d'],
      ['X-Request-Id', 'id-1'],
    ]);
    assert.deepEqual(responseFields(Fields.from([['X-Request-ID', 'own']]), 'id-1'), [
      ['X-Request-ID', 'own'],
    ]);
  });
});
