/**
 * Random forms, mostly well formed, with a few bytes changed, against what must hold for any bytes at all:
 *
 * - nothing is thrown; what is no form is a refusal, with a status of 400 or 413
 * - how the bytes are split changes nothing
 * - what is held between two chunks is within the bound of a part's head
 * - no byte is looked at more than twice
 * - the same part is never begun twice without an end between, and content comes only within a part
 */
import { assert } from '../../core/assert.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { type MultipartLimits, MultipartParser } from './multipart-parser.ts';

const BOUNDARIES = ['b', 'bb', '--', '----WebKitFormBoundary7MA4', 'a b', "'()+_,-./:=?"];

/** Small, so that random forms come near them. */
const LIMITS: MultipartLimits = {
  parts: 4,
  partHeadBytes: 128,
  partFields: 3,
  fieldBytes: 48,
  fieldsBytes: 96,
  fileBytes: 64,
  marginBytes: 16,
  paddingBytes: 4,
};

const HEADS = [
  'Content-Disposition: form-data; name="a"',
  'content-disposition:form-data;name=__proto__',
  'Content-Disposition: form-data; name="f"; filename="x%22y.txt"\r\nContent-Type: text/plain',
  'Content-Disposition: form-data; name="f"; filename="C:\\dir\\"',
  "Content-Disposition: form-data; name=a; filename*=UTF-8''x",
  'Content-Disposition: attachment; name=a',
  'Content-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=a',
  'X: y',
  '',
];

export const fuzz = { name: 'multipart', run };

/** @throws AssertionFailed, naming seed and input, when one of the above does not hold */
function run(seed: number, inputs: number): void {
  const random = new SeededRandom(seed);
  for (let input = 0; input < inputs; input++) {
    const boundary = random.pick(BOUNDARIES);
    const bytes = mutated(randomForm(boundary, random), random);
    const where = `multipart, seed ${seed}, input ${input}: ${JSON.stringify(bytes.toString('latin1'))}`;
    const whole = outcome([bytes], boundary, where);
    const cut = outcome(randomCuts(bytes, random), boundary, where);
    assert(whole === cut, `the split decides in ${where}\n${whole}\n${cut}`);
    if (random.chance(0.05)) {
      const single = outcome(
        Array.from(bytes, (byte) => Buffer.of(byte)),
        boundary,
        where,
      );
      assert(whole === single, `byte by byte differs in ${where}`);
    }
  }
}

function outcome(chunks: readonly Buffer[], boundary: string, where: string): string {
  const parser = new MultipartParser(boundary, LIMITS);
  const seen: string[] = [];
  let received = 0;
  for (const chunk of chunks) {
    parser.receive(chunk);
    received += chunk.length;
    drain(parser, seen, where);
    assert(parser.heldBytes <= LIMITS.partHeadBytes, `too much is held in ${where}`);
    assert(parser.examinedBytes <= 2 * received, `bytes are looked at again and again in ${where}`);
  }
  parser.finish();
  drain(parser, seen, where);
  return seen.join('|');
}

function drain(parser: MultipartParser, seen: string[], where: string): void {
  for (;;) {
    const event = parser.next();
    const last = seen.at(-1) ?? '';
    const within = last.startsWith('part ') || last.startsWith('data ');
    switch (event.kind) {
      case 'need-data':
        return;
      case 'data':
        assert(within && event.bytes.length > 0, `content outside a part in ${where}`);
        if (last.startsWith('data ')) seen[seen.length - 1] = last + event.bytes.toString('latin1');
        else seen.push(`data ${event.bytes.toString('latin1')}`);
        break;
      case 'part':
        assert(!within, `a part within a part in ${where}`);
        seen.push(`part ${event.head.name} ${event.head.filename} ${[...event.head.headers].join()}`);
        break;
      case 'part-end':
        assert(within, `an end without a part in ${where}`);
        seen.push('part-end');
        break;
      case 'malformed':
        assert(event.status === 400 || event.status === 413, `another status in ${where}`);
        if (!last.startsWith('refused ')) seen.push(`refused ${event.code}`);
        return;
      default:
        if (last !== 'end') seen.push('end');
        return;
    }
  }
}

function randomForm(boundary: string, random: SeededRandom): string {
  let form = random.chance(0.1) ? 'preamble\r\n' : '';
  for (let part = random.below(6); part > 0; part--) {
    form += `--${boundary}${random.chance(0.1) ? ' \t' : ''}\r\n${random.pick(HEADS)}\r\n\r\n`;
    form += `${randomContent(boundary, random)}\r\n`;
  }
  return `${form}--${boundary}--${random.pick(['', '\r\n', '\r\nepilogue', ' \r\n'])}`;
}

/** What a search for the delimiter may stumble over. */
function randomContent(boundary: string, random: SeededRandom): string {
  const pieces = [
    '',
    'text',
    '\r',
    '\n',
    '\r\n',
    '\r\n-',
    '\r\n--',
    `\r\n--${boundary.slice(0, -1)}`,
    `--${boundary}`,
  ];
  let content = '';
  for (let piece = random.below(8); piece > 0; piece--) content += random.pick(pieces);
  return content;
}

function mutated(form: string, random: SeededRandom): Buffer {
  const bytes = Buffer.from(form, 'latin1');
  if (random.chance(0.5)) return bytes;
  for (let change = 1 + random.below(3); change > 0; change--) {
    const at = random.below(bytes.length);
    bytes[at] = random.chance(0.5) ? random.pick([...Buffer.from('\r\n-"\\;=: \0')]) : random.below(256);
  }
  return random.chance(0.3) ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}

function randomCuts(bytes: Buffer, random: SeededRandom): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const to = at + 1 + random.below(random.chance(0.5) ? 4 : 40);
    chunks.push(bytes.subarray(at, to));
    at = to;
  }
  return chunks;
}
