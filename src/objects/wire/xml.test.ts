import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { childText, readXml, requireOnly } from './xml-reader.ts';
import { escapeXml, plainDocument, s3Document } from './xml-writer.ts';

const read = (text: string) => readXml(Buffer.from(text, 'utf8'), 'Root');

describe('documents out', () => {
  test('names, text and attributes', () => {
    const document = s3Document('Root', (xml) => {
      xml.text('A', 'x<y&"z">').text('B', undefined).text('C', 7).text('D', false);
      xml.element('E', () => void xml.text('F', ''));
    });
    assert.equal(
      document,
      '<?xml version="1.0" encoding="UTF-8"?>\n<Root xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        '<A>x&lt;y&amp;&quot;z&quot;&gt;</A><C>7</C><D>false</D><E><F></F></E></Root>',
    );
  });

  test('control characters become references', () => {
    assert.equal(escapeXml('a\x01b\rc\x7f'), 'a&#x1;b&#xd;c&#x7f;');
    assert.equal(escapeXml('a\n\tb'), 'a\n\tb');
  });

  test('what is written can be read', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '<', '&', '"', "'", '>', ']', 'é', '😀', ' ', '\r', '\n'),
    });
    fc.assert(
      fc.property(text, (value) => {
        const document = plainDocument('Root', (xml) => void xml.text('A', value));
        assert.equal(childText(read(document), 'A'), value);
      }),
    );
  });
});

describe('documents in', () => {
  test('elements, text and namespaces', () => {
    const root = read('<?xml version="1.0"?>\n<Root xmlns="http://x/"> <A>1 &lt; 2</A><B><C/></B></Root>\n');
    assert.deepEqual(
      root.children.map(({ name, text }) => [name, text]),
      [
        ['A', '1 < 2'],
        ['B', ''],
      ],
    );
  });

  const deep = (depth: number): string => '<a>'.repeat(depth) + '</a>'.repeat(depth);
  const refused: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['no document', 'hello'],
    ['another root', '<Other/>'],
    ['an open element', '<Root><A></Root>'],
    ['a doctype', '<!DOCTYPE Root><Root/>'],
    ['an entity bomb', '<!DOCTYPE Root [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Root>&b;</Root>'],
    ['an external entity', '<!DOCTYPE Root [<!ENTITY x SYSTEM "file:///etc/passwd">]><Root>&x;</Root>'],
    ['an unknown entity', '<Root>&xxe;</Root>'],
    ['a CDATA section', '<Root><![CDATA[x]]></Root>'],
    ['a comment', '<Root><!-- x --></Root>'],
    ['a repeated attribute', '<Root a="1" a="2"/>'],
    ['two roots', '<Root/><Root/>'],
    ['a bad reference', '<Root>&#0;</Root>'],
    ['too deep', `<Root>${deep(16)}</Root>`],
    ['very deep', `<Root>${deep(100_000)}</Root>`],
    ['deep and never closed', '<Root>'.repeat(200_000)],
    ['too many elements', `<Root>${'<a/>'.repeat(50_001)}</Root>`],
  ];
  for (const [name, text] of refused) {
    test(`refused: ${name}`, () => assert.throws(() => read(text), { code: 'MalformedXML' }));
  }

  test('refused: bytes that are not UTF-8', () => {
    assert.throws(() => readXml(Buffer.from('<Root>\xff</Root>', 'latin1'), 'Root'), {
      code: 'MalformedXML',
    });
  });

  test('as deep and as many as allowed', () => {
    read(`<Root>${deep(15)}</Root>`);
    read(`<Root>${'<a/>'.repeat(50_000)}</Root>`);
  });

  test('any bytes end in a node or in MalformedXML', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('<', '>', '/', 'Root', ' ', '"', '=', '&', ';', 'a') }),
        (text) => {
          try {
            read(text);
          } catch (thrown) {
            assert.equal((thrown as { code?: string }).code, 'MalformedXML');
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('children that nobody expects, or that come twice, are refused', () => {
    const root = read('<Root><A>1</A><B>2</B><B>3</B></Root>');
    requireOnly(root, ['A', 'B']);
    assert.throws(() => requireOnly(root, ['A']), { code: 'MalformedXML' });
    assert.equal(childText(root, 'A'), '1');
    assert.throws(() => childText(root, 'B'), { code: 'MalformedXML' });
  });
});
