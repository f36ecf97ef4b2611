import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Input } from './input.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Lends `text` with something behind it, lets `use` read, and writes over the memory. */
function lend(input: Input, text: string, use: () => void): void {
  const memory = latin1(`${text}behind`);
  input.lend(memory, text.length);
  use();
  input.keep();
  memory.fill('x');
}

suite('lent memory', () => {
  test('is not what was taken out of it', () => {
    const input = new Input();
    let taken: Buffer | undefined;
    lend(input, 'abcdef', () => {
      taken = input.take(4);
    });
    assert.equal(String(taken), 'abcd');
    assert.equal(input.length, 2);
    assert.equal(String(input.take(9)), 'ef');
    assert.equal(input.length, 0);
  });

  test('is not what is left of it, nor the text of that', () => {
    const input = new Input();
    lend(input, 'GET / HTTP', () => assert.equal(input.text(100), 'GET / HTTP'));
    assert.equal(input.text(100).slice(input.textOffset), 'GET / HTTP');
    lend(input, '/1.1', () => undefined);
    input.skip(4);
    input.append(latin1('\r\n'));
    assert.equal(input.text(100).slice(input.textOffset), '/ HTTP/1.1\r\n');
    assert.equal(input.takeText(12), '/ HTTP/1.1\r\n');
  });

  test('is over with when all of it is taken', () => {
    const input = new Input();
    lend(input, 'abc', () => input.skip(3));
    const own = latin1('def');
    input.append(own);
    assert.equal(input.take(3).buffer, own.buffer, 'a chunk to keep is not copied');
  });

  test('may be lent again while something is pending', () => {
    const input = new Input();
    for (const byte of 'byte by byte') lend(input, byte, () => undefined);
    assert.equal(String(input.take(100)), 'byte by byte');
  });
});
