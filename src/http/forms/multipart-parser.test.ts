import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { chunkings } from '../../core/testing/chunkings.ts';
import { DEFAULT_FORM_LIMITS } from '../limits.ts';
import { isBoundary, type MultipartLimits, MultipartParser } from './index.ts';
import { fuzz } from './multipart.fuzz.ts';

type Seen =
  | { part: string; filename?: string; type?: string; content: string; whole: boolean }
  | 'end'
  | { refused: string; status: number };

function collect(parser: MultipartParser, seen: Seen[]): void {
  for (;;) {
    const event = parser.next();
    const last = seen.at(-1);
    switch (event.kind) {
      case 'part': {
        const { name, filename, contentType } = event.head;
        const more = {
          ...(filename === undefined ? {} : { filename }),
          ...(contentType === undefined ? {} : { type: contentType }),
        };
        seen.push({ part: name, ...more, content: '', whole: false });
        break;
      }
      case 'data':
        assert.ok(typeof last === 'object' && 'part' in last && !last.whole && event.bytes.length > 0);
        last.content += event.bytes.toString('latin1');
        break;
      case 'part-end':
        assert.ok(typeof last === 'object' && 'part' in last && !last.whole);
        last.whole = true;
        break;
      case 'end':
        seen.push('end');
        return;
      case 'malformed':
        seen.push({ refused: event.code, status: event.status });
        return;
      default:
        return;
    }
  }
}

function parse(chunks: readonly Buffer[], limits: Partial<MultipartLimits> = {}, boundary = 'b'): Seen[] {
  const parser = new MultipartParser(boundary, limits);
  const seen: Seen[] = [];
  let received = 0;
  for (const chunk of chunks) {
    parser.receive(chunk);
    received += chunk.length;
    collect(parser, seen);
    assert.ok(parser.heldBytes <= (limits.partHeadBytes ?? DEFAULT_FORM_LIMITS.partHeadBytes));
    assert.ok(parser.examinedBytes <= 2 * received);
    const last = seen.at(-1);
    if (typeof last === 'object' && 'refused' in last) return seen;
  }
  parser.finish();
  collect(parser, seen);
  return seen;
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const field = (parameters: string): string => `Content-Disposition: form-data; ${parameters}\r\n`;
const one = (head: string, content = 'x'): string => `--b\r\n${head}\r\n${content}\r\n--b--\r\n`;
const part = (name: string, content = 'x'): Seen => ({ part: name, content, whole: true });

suite('a multipart form is read', () => {
  const cases: readonly [name: string, bytes: string, seen: Seen[]][] = [
    ['without parts', '--b--\r\n', ['end']],
    ['with a field', one(field('name="a"'), 'x\r\ny'), [part('a', 'x\r\ny'), 'end']],
    [
      'with a field and a file, as browsers send it',
      `--b\r\n${field('name="a"')}\r\n1\r\n--b\r\n${field('name="f"; filename="x.png"')}Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\r\n--b--\r\n`,
      [
        part('a', '1'),
        { part: 'f', filename: 'x.png', type: 'image/png', content: '\x89PNG\r\n\x1a\n', whole: true },
        'end',
      ],
    ],
    [
      'with a file input left empty',
      one(`${field('name="f"; filename=""')}Content-Type: application/octet-stream\r\n`, ''),
      [{ part: 'f', filename: '', type: 'application/octet-stream', content: '', whole: true }, 'end'],
    ],
    ['with content of no bytes', one(field('name=a'), ''), [part('a', ''), 'end']],
    ['with no content and no line end for it', `--b\r\n${field('name=a')}\r\n--b--`, [part('a', ''), 'end']],
    [
      'with preamble and epilogue',
      `pre\r\namble\r\n${one(field('name=a'))}epi\r\n--b\r\nlogue`,
      [part('a'), 'end'],
    ],
    ['with an empty line first', `\r\n${one(field('name=a'))}`, [part('a'), 'end']],
    ['with blanks behind boundaries', `--b \t\r\n${field('name=a')}\r\nx\r\n--b-- \t`, [part('a'), 'end']],
    [
      'with content that is nearly a delimiter',
      one(field('name=a'), '\r\r\n\r\n-\r\n--\r--b\n--b\r\n -b\r\n--\xb6--b--'),
      [part('a', '\r\r\n\r\n-\r\n--\r--b\n--b\r\n -b\r\n--\xb6--b--'), 'end'],
    ],
    [
      'with a name twice',
      one(field('name=a')).replace('--b--\r\n', one(field('name=a'), 'y')),
      [part('a'), part('a', 'y'), 'end'],
    ],
    [
      'with unusual names',
      one(`content-disposition:FORM-DATA ;\tNAME="__proto__" ; x=y\r\nX-Other: z\r\n`),
      [part('__proto__'), 'end'],
    ],
    ['with a name of no characters', one(field('name=""')), [part(''), 'end']],
    [
      'with what browsers escape',
      one(field('name="a%22%0D%0Ab%41%"; filename="%2522.txt"')),
      [{ part: 'a"\r\nb%41%', filename: '%2522.txt', content: 'x', whole: true }, 'end'],
    ],
    [
      'with what others escape',
      one(field('name="a\\"b"; filename="c\\\\d.txt"')),
      [{ part: 'a"b', filename: 'c\\d.txt', content: 'x', whole: true }, 'end'],
    ],
    [
      'with a path, which stays a label',
      one(field('name=f; filename="C:\\temp\\..\\a;b.txt"')),
      [{ part: 'f', filename: 'C:\\temp\\..\\a;b.txt', content: 'x', whole: true }, 'end'],
    ],
    [
      'with names in UTF-8',
      one(
        field(
          `name="${Buffer.from('é').toString('latin1')}"; filename="${Buffer.from('魔法').toString('latin1')}"`,
        ),
      ),
      [{ part: 'é', filename: '魔法', content: 'x', whole: true }, 'end'],
    ],
    [
      'with a harmless transfer encoding',
      one(`${field('name=a')}Content-Transfer-Encoding: Binary\r\n`),
      [part('a'), 'end'],
    ],
  ];
  for (const [name, bytes, seen] of cases) {
    test(name, () => {
      for (const chunks of chunkings(latin1(bytes))) assert.deepEqual(parse(chunks), seen);
    });
  }

  test('with other boundaries', () => {
    for (const boundary of ['-', '--', 'bb', "'()+_,-./:=? x", 'a'.repeat(70)]) {
      const bytes = latin1(one(field('name=a'), '\r\n--\r\n-x').replaceAll('--b', `--${boundary}`));
      const seen = parse([bytes], {}, boundary);
      assert.deepEqual(seen, [part('a', '\r\n--\r\n-x'), 'end']);
      for (const chunks of chunkings(bytes)) assert.deepEqual(parse(chunks, {}, boundary), seen);
    }
  });
});

suite('a multipart form is refused', () => {
  const bad = (refused: string): Seen => ({ refused, status: 400 });
  const cases: readonly [name: string, bytes: string, last: Seen][] = [
    ['empty', '', bad('truncated')],
    ['cut in content', `--b\r\n${field('name=a')}\r\nx`, bad('truncated')],
    ['cut in a delimiter', `--b\r\n${field('name=a')}\r\nx\r\n--b`, bad('truncated')],
    ['cut in the last delimiter', `--b\r\n${field('name=a')}\r\nx\r\n--b-`, bad('truncated')],
    ['cut in a head', `--b\r\n${field('name=a')}`, bad('truncated')],
    ['without a delimiter', 'a=1&b=2', bad('truncated')],
    ['whose delimiter goes on', `--b\r\n${field('name=a')}\r\nx\r\n--bb\r\n`, bad('bad-delimiter')],
    ['whose last delimiter goes on', `--b\r\n${field('name=a')}\r\nx\r\n--b--x`, bad('bad-delimiter')],
    ['whose delimiter has one dash', `--b\r\n${field('name=a')}\r\nx\r\n--b-x`, bad('bad-delimiter')],
    ['whose dashes follow blanks', `--b\r\n${field('name=a')}\r\nx\r\n--b --\r\n`, bad('bad-delimiter')],
    [
      'whose first delimiter ends in LF',
      '--b\nContent-Disposition: form-data; name=a\n\nx\n--b--',
      bad('bad-delimiter'),
    ],
    [
      'whose delimiter ends in CR',
      '--b\rContent-Disposition: form-data; name=a\r\n\r\nx',
      bad('bad-delimiter'),
    ],
    ['with LF in a head', one('Content-Disposition: form-data; name=a\n'), bad('bad-part-head')],
    ['with CR in a head', one('X: a\rb\r\nContent-Disposition: form-data; name=a\r\n'), bad('bad-part-head')],
    ['with folding', one('Content-Disposition: form-data;\r\n name=a\r\n'), bad('bad-part-head')],
    ['with NUL in a head', one(field('name="a\0"')), bad('bad-part-head')],
    [
      'with a space before the colon',
      one('Content-Disposition : form-data; name=a\r\n'),
      bad('bad-part-head'),
    ],
    ['with a field without colon', one(`${field('name=a')}X\r\n`), bad('bad-part-head')],
    [
      'with two types',
      one(`${field('name=a')}Content-Type: a/b\r\nContent-Type: a/b\r\n`),
      bad('bad-part-head'),
    ],
    ['without a head', one(''), bad('bad-disposition')],
    ['without disposition', one('Content-Type: text/plain\r\n'), bad('bad-disposition')],
    ['with two dispositions', one(field('name=a') + field('name=a')), bad('bad-disposition')],
    ['with another disposition', one('Content-Disposition: attachment; name=a\r\n'), bad('bad-disposition')],
    ['without a name', one(field('filename=a')), bad('bad-disposition')],
    ['with two names', one(field('name=a; NAME=b')), bad('bad-disposition')],
    ['with two file names', one(field('name=a; filename=b; filename=c')), bad('bad-disposition')],
    [
      'with an extended file name',
      one(field("name=a; filename=a; filename*=UTF-8''b")),
      bad('bad-disposition'),
    ],
    ['with an extended name', one(field("name*=UTF-8''b; name=a")), bad('bad-disposition')],
    ['with an open quote', one(field('name="a')), bad('bad-disposition')],
    ['with a quote escaped at the end', one(field('name="a\\"')), bad('bad-disposition')],
    ['with text behind a quote', one(field('name="a"b')), bad('bad-disposition')],
    ['with a bare name', one(field('name')), bad('bad-disposition')],
    ['with an empty value', one(field('name=')), bad('bad-disposition')],
    ['with a semicolon too many', one(field('name=a;')), bad('bad-disposition')],
    ['with a name that is not UTF-8', one(field('name="\xff"')), bad('bad-disposition')],
    ['with a name in an overlong form', one(field('name="\xc0\xaf"')), bad('bad-disposition')],
    ['with a file name that is not UTF-8', one(field('name=a; filename="\xe9"')), bad('bad-disposition')],
    [
      'with base64',
      one(`${field('name=a')}Content-Transfer-Encoding: base64\r\n`),
      bad('bad-transfer-encoding'),
    ],
    [
      'with two encodings',
      one(`${field('name=a')}Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 8bit\r\n`),
      bad('bad-transfer-encoding'),
    ],
  ];
  for (const [name, bytes, last] of cases) {
    test(name, () => {
      const whole = parse([latin1(bytes)]);
      assert.deepEqual(whole.at(-1), last);
      for (const chunks of chunkings(latin1(bytes))) assert.deepEqual(parse(chunks), whole);
    });
  }

  test('and a part is not called whole by a delimiter that is none', () => {
    for (const delimiter of ['', '-', '-x', 'b', 'b\r\n', ' --', '\r', '\n', '\rx']) {
      const seen = parse([latin1(`--b\r\n${field('name=a')}\r\nx\r\n--b${delimiter}`)]);
      assert.deepEqual(seen[0], { part: 'a', content: 'x', whole: false }, JSON.stringify(delimiter));
    }
  });

  test('and says so again', () => {
    const parser = new MultipartParser('b');
    parser.receive(latin1('--bx'));
    assert.equal(parser.next().kind, 'malformed');
    parser.receive(latin1(one(field('name=a'))));
    assert.equal(parser.next().kind, 'malformed');
    assert.equal(parser.heldBytes, 0);
  });
});

suite('a multipart form has bounds', () => {
  const large = (refused: string): Seen => ({ refused, status: 413 });
  const cases: readonly [
    name: string,
    limits: Partial<MultipartLimits>,
    fits: string,
    exceeds: string,
    last: Seen,
  ][] = [
    [
      'in parts',
      { parts: 2 },
      `${`--b\r\n${field('name=a')}\r\n\r\n`.repeat(2)}--b--`,
      `${`--b\r\n${field('name=a')}\r\n\r\n`.repeat(3)}--b--`,
      large('too-many-parts'),
    ],
    [
      'in bytes of a head',
      { partHeadBytes: 43 },
      one(field('name=ab')),
      one(field('name=abc')),
      large('part-head-too-large'),
    ],
    [
      'in fields of a head',
      { partFields: 2 },
      one(`${field('name=a')}X: y\r\n`),
      one(`${field('name=a')}X: y\r\nX: y\r\n`),
      large('part-head-too-large'),
    ],
    [
      'in bytes of a field',
      { fieldBytes: 4 },
      one(field('name=a'), '\r\n12'),
      one(field('name=a'), '\r\n123'),
      large('field-too-large'),
    ],
    [
      'in bytes of a file',
      { fileBytes: 4 },
      one(field('name=a; filename=b'), '1234'),
      one(field('name=a; filename=b'), '12345'),
      large('file-too-large'),
    ],
    [
      'in bytes of all fields, without the files',
      { fieldsBytes: 4 },
      `--b\r\n${field('name=a')}\r\n12\r\n--b\r\n${field('name=f; filename=f')}\r\n12345\r\n${one(field('name=b'), '34')}`,
      `--b\r\n${field('name=a')}\r\n12\r\n--b\r\n${field('name=f; filename=f')}\r\n12345\r\n${one(field('name=b'), '345')}`,
      large('field-too-large'),
    ],
    [
      'before it',
      { marginBytes: 4 },
      `1234\r\n${one(field('name=a'))}`,
      `12345\r\n${one(field('name=a'))}`,
      large('margin-too-large'),
    ],
    [
      'behind it',
      { marginBytes: 4 },
      `${one(field('name=a'))}1234`,
      `${one(field('name=a'))}12345`,
      large('margin-too-large'),
    ],
    ['in blanks', { paddingBytes: 2 }, '--b--  ', '--b--   ', { refused: 'bad-delimiter', status: 400 }],
  ];
  for (const [name, limits, fits, exceeds, last] of cases) {
    test(name, () => {
      for (const chunks of chunkings(latin1(fits))) assert.equal(parse(chunks, limits).at(-1), 'end');
      const whole = parse([latin1(exceeds)], limits);
      assert.deepEqual(whole.at(-1), last);
      for (const chunks of chunkings(latin1(exceeds))) assert.deepEqual(parse(chunks, limits), whole);
    });
  }

  test('in a head that never ends', () => {
    const parser = new MultipartParser('b');
    parser.receive(latin1('--b\r\n'));
    let sent = 0;
    while (parser.next().kind === 'need-data' && sent < 1_000_000) {
      parser.receive(latin1('X: aaaaaaaaaaaa\r\n'));
      sent += 17;
    }
    assert.ok(sent <= 8_192 + 17);
  });

  test('in a boundary', () => {
    for (const boundary of ['a', '0', "'()+_,-./:=?", 'a b', 'a'.repeat(70)]) assert.ok(isBoundary(boundary));
    for (const boundary of ['', 'a ', 'a'.repeat(71), 'a\r', 'a"', 'é', 'a;', 'a\\', '@', '[', '`', '{'])
      assert.ok(!isBoundary(boundary), boundary);
  });
});

suite('no form costs more than its bytes', () => {
  const boundary = `${'-'.repeat(69)}b`;
  const floods: readonly [name: string, piece: string][] = [
    ['of delimiters that fail at their last byte', `\r\n--${'-'.repeat(69)}x`],
    ['of delimiters cut short', '\r\n-----'],
    ['of CR', '\r'],
    ['of CR LF', '\r\n'],
    ['of dashes', '-'],
    ['of other bytes', 'a'],
  ];
  for (const [name, piece] of floods) {
    for (const chunkBytes of [1, 72, 73, 74, 65_536]) {
      test(`a flood ${name}, ${chunkBytes} bytes at a time`, () => {
        const head = `--${boundary}\r\n${field('name=f; filename=f')}\r\n`;
        const flood = piece.repeat(Math.ceil(200_000 / piece.length));
        const bytes = latin1(`${head}${flood}\r\n--${boundary}--`);
        const parser = new MultipartParser(boundary);
        let content = 0;
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          parser.receive(bytes.subarray(at, at + chunkBytes));
          for (let event = parser.next(); event.kind !== 'need-data'; event = parser.next()) {
            assert.notEqual(event.kind, 'malformed');
            if (event.kind === 'data') content += event.bytes.length;
          }
          assert.ok(parser.heldBytes <= head.length);
        }
        assert.equal(content, flood.length);
        assert.ok(parser.examinedBytes <= 2 * bytes.length, `${parser.examinedBytes} of ${bytes.length}`);
      });
    }
  }
});

test('random forms, whole, changed and cut', () => {
  for (let seed = 1; seed <= 4; seed++) fuzz.run(seed, 1_000);
});
