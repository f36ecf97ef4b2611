import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { chooseCoding, chooseLanguage, chooseMediaType, readMediaType } from './negotiate.ts';

type Case = readonly [field: string | undefined, offered: readonly string[], chosen: string | undefined];

const HTML = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json';
const both = [JSON_TYPE, HTML];

const mediaTypes: readonly Case[] = [
  [undefined, both, JSON_TYPE],
  ['', both, JSON_TYPE],
  ['*/*', both, JSON_TYPE],
  ['text/html', both, HTML],
  ['TEXT/HTML', both, HTML],
  ['text/*', both, HTML],
  ['text/html, application/json', both, JSON_TYPE],
  ['text/html, application/json;q=0.9', both, HTML],
  ['text/html;q=0.2, */*;q=0.1', both, HTML],
  ['image/png', both, undefined],
  ['*/*;q=0', both, undefined],
  // The most specific range counts, whatever its weight and place: RFC 9110 section 12.5.1.
  ['application/json;q=0, */*', both, HTML],
  ['*/*, application/*;q=0.5', both, HTML],
  ['text/*;q=0.3, text/html;q=0.7', ['text/plain', 'text/html'], 'text/html'],
  [
    'text/*, text/plain, text/plain;format=flowed, */*',
    ['text/plain;format=flowed'],
    'text/plain;format=flowed',
  ],
  ['text/html;level=1', ['text/html'], undefined],
  [
    'text/html;level=1, text/html;q=0.7, */*;q=0.5',
    ['image/jpeg', 'text/html', 'text/html;level=1'],
    'text/html;level=1',
  ],
  [
    'text/html;level=2;q=0.4, text/html;q=0.7',
    ['text/html;level=2', 'text/html;level=3'],
    'text/html;level=3',
  ],
  ['text/html;charset=UTF-8', both, HTML],
  ['text/html;charset=latin1', both, undefined],
  // Nothing that can be understood: as if absent.
  ['text/html, image/gif, *; q=.2', both, JSON_TYPE],
  ['*/html', both, JSON_TYPE],
  ['text', both, JSON_TYPE],
  ['text/html;q=high', both, JSON_TYPE],
  // A browser.
  ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8', both, HTML],
];

const all = ['br', 'zstd', 'gzip'];

const codings: readonly Case[] = [
  [undefined, all, 'identity'],
  ['', all, 'identity'],
  ['gzip', all, 'gzip'],
  ['x-gzip', all, 'gzip'],
  ['gzip, deflate, br, zstd', all, 'br'],
  ['gzip, deflate', all, 'gzip'],
  ['deflate', all, 'identity'],
  ['compress;q=0.5, gzip;q=1.0', all, 'gzip'],
  ['gzip;q=1.0, br;q=0.9', all, 'gzip'],
  ['br;q=0, gzip', all, 'gzip'],
  ['*', all, 'br'],
  ['*;q=0.5, br;q=0', all, 'zstd'],
  ['gzip;q=0', all, 'identity'],
  ['gzip;q=0.5, identity', all, 'identity'],
  ['gzip;q=0.5, identity;q=0.5', all, 'gzip'],
  ['identity', all, 'identity'],
  ['identity;q=0', all, undefined],
  ['identity;q=0, gzip', all, 'gzip'],
  ['*;q=0', all, undefined],
  ['*;q=0, identity', all, 'identity'],
  ['*;q=0, gzip', all, 'gzip'],
  ['identity;q=0, deflate', all, undefined],
  ['gzip, br', ['gzip', 'br'], 'gzip'],
  ['gzip', [], 'identity'],
  ['gzip;;q=0', all, 'identity'],
  // Nothing that can be understood: nothing is coded.
  ['gzip br', all, 'identity'],
  ['gzip;q=2', all, 'identity'],
  ['identity;q=0;q=0', all, 'identity'],
  [`${'a,'.repeat(64)}gzip`, all, 'identity'],
];

const languages: readonly Case[] = [
  [undefined, ['en', 'de'], undefined],
  ['', ['en', 'de'], undefined],
  ['de', ['en', 'de'], 'de'],
  ['DE', ['en', 'de'], 'de'],
  ['da, en-gb;q=0.8, en;q=0.7', ['en', 'en-GB'], 'en-GB'],
  ['da, en-gb;q=0.8, en;q=0.7', ['en'], 'en'],
  ['fr', ['en', 'de'], undefined],
  ['en', ['en-US', 'de'], 'en-US'],
  ['e', ['en'], undefined],
  ['zh-Hant-CN-x-private1-private2', ['zh', 'zh-Hant'], 'zh-Hant'],
  ['zh-x-a', ['zh'], 'zh'],
  ['*', ['en', 'de'], 'en'],
  ['*, en;q=0', ['en', 'de'], 'de'],
  ['de;q=0', ['en', 'de'], undefined],
  ['en-US;q=0, en', ['en-US', 'en-GB'], 'en-GB'],
  ['de;q=0.5, en;q=0.6', ['de', 'en'], 'en'],
  ['de, en', ['en', 'de'], 'de'],
];

function tables(
  name: string,
  choose: (field: string | undefined, offered: readonly string[]) => unknown,
  cases: readonly Case[],
): void {
  for (const [field, offered, chosen] of cases) {
    const shown = JSON.stringify(field)?.slice(0, 80);
    test(`${name} ${shown} of ${offered.join(' | ')} → ${chosen}`, () => {
      assert.equal(choose(field, offered), chosen);
    });
  }
}

suite('negotiation', () => {
  tables('Accept', chooseMediaType, mediaTypes);
  tables('Accept-Encoding', chooseCoding, codings);
  tables('Accept-Language', chooseLanguage, languages);

  test('a media type is taken apart, or is none', () => {
    assert.deepEqual(readMediaType('Text/HTML; Charset="utf-8" ;a=b'), {
      name: 'text/html',
      parameters: [
        { name: 'charset', value: 'utf-8' },
        { name: 'a', value: 'b' },
      ],
    });
    for (const none of [
      '',
      'text',
      'text/',
      '/html',
      'text/html x',
      'text/html;a',
      'text/html, text/plain',
      'text /html',
    ]) {
      assert.equal(readMediaType(none), undefined, none);
    }
  });
});
