import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { essenceOf, mediaTypeOf } from './media-type.ts';
import { Fields } from './wire/fields.ts';

const read = (...values: string[]) =>
  mediaTypeOf(Fields.from(values.map((value) => ['Content-Type', value] as const)));

suite('the media type of a message', () => {
  test('has an essence in lower case and parameters', () => {
    assert.deepEqual(read('Application/JSON'), { essence: 'application/json', parameters: new Map() });
    assert.deepEqual(read('text/plain;charset=UTF-8 ; a="b;\\"c"'), {
      essence: 'text/plain',
      parameters: new Map([
        ['charset', 'UTF-8'],
        ['a', 'b;"c'],
      ]),
    });
  });

  test('may have semicolons without a parameter, which RFC 9110 allows', () => {
    for (const value of ['text/plain;', 'text/plain ; ', 'text/plain;;'])
      assert.deepEqual(read(value), { essence: 'text/plain', parameters: new Map() }, value);
    assert.equal(read('text/plain; ;charset=a;')?.parameters.get('charset'), 'a');
  });

  test('is none when it is absent, said twice or not to be read', () => {
    assert.equal(read(), undefined);
    assert.equal(read('text/plain', 'text/plain'), undefined);
    const malformed = [
      '',
      'text',
      'text/',
      '/plain',
      'a/b/c',
      'text/plain, text/html',
      'text /plain',
      'text/plain; charset',
      'text/plain; charset=a b',
      'text/plain; charset="a',
      'text/plain; a=1; A=2',
    ];
    for (const value of malformed) assert.equal(read(value), undefined, value);
  });
});

test('the essence of a type of our own', () => {
  assert.equal(essenceOf('Text/HTML; charset=utf-8'), 'text/html');
  assert.equal(essenceOf('image/png'), 'image/png');
});
