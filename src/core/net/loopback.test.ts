import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback } from './loopback.ts';

test('loopback addresses and names, and what only looks like one', () => {
  for (const own of ['127.0.0.1', '127.255.1.2', '::1', '[::1]', '::ffff:127.0.0.1', 'localhost'])
    assert.equal(isLoopback(own), true, own);
  const foreign = [
    '127.example.com',
    '127.0.0.1.example.com',
    '127.1',
    '127.0.0.256',
    '127.0.0.0x1',
    '127.0.0.1e1',
    '127.0.0.010',
    '127.0.0.-1',
    '127.0.0.+1',
    '127.0.0.1.',
    '127.0.0.1.0',
    '127.0..1',
    '127.0.0. 1',
    '0x7f.0.0.1',
    '::ffff:127.0.0.0x1',
    '10.0.0.1',
    '0.0.0.0',
    '::',
    '',
    'localhost.example.com',
  ];
  for (const other of foreign) assert.equal(isLoopback(other), false, other);
});
