import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { FINDINGS_MAX } from './limits.ts';
import { Ledger, type Loss, renderKey, renderLoss, renderSalvage } from './salvage-account.ts';

const damage = { path: '/s/pages', page: 7, offset: 57_344, what: 'its checksum is wrong' };
const range = { from: Buffer.from('a'), to: Buffer.from('m') };
const all = { from: undefined, to: undefined };
const place = '(/s/pages, page 7, offset 57344: its checksum is wrong)';

suite('the account of a salvage', () => {
  const cases: [Loss, string][] = [
    [
      { kind: 'keys', tree: 't', range, damage },
      `tree "t": lost keys from "a" up to "m", not included ${place}`,
    ],
    [{ kind: 'trees', range: all, damage }, `lost trees with names from the beginning to the end ${place}`],
    [
      { kind: 'value', tree: 't', key: Buffer.from([0, 255]), bytes: 9_000, damage },
      `tree "t": lost the value of x'00ff', 9000 bytes ${place}`,
    ],
    [
      { kind: 'old', tree: 't', range, position: 12 },
      'tree "t": keys from "a" up to "m", not included are as they were at position 12, and may be out of date',
    ],
    [{ kind: 'batches', from: 3, to: 5, what: 'why' }, 'not applied: positions 3 to 5 of the journal (why)'],
    [{ kind: 'batches', from: 3, to: 3, what: 'why' }, 'not applied: position 3 of the journal (why)'],
    [
      { kind: 'batches', from: 3, to: undefined, what: 'why' },
      'not applied: everything from position 3 on of the journal (why)',
    ],
    [{ kind: 'doubt', what: 'nobody knows' }, 'nobody knows'],
  ];
  for (const [loss, text] of cases) {
    test(`a loss of the kind ${loss.kind}: ${text.slice(0, 40)}`, () => assert.equal(renderLoss(loss), text));
  }

  test('keys that are text look like it, others are hexadecimal', () => {
    assert.equal(renderKey(Buffer.from('é k')), '"é k"');
    assert.equal(renderKey(Buffer.from('a\n')), "x'610a'");
    assert.equal(renderKey(Buffer.from([0xc3])), "x'c3'");
    assert.equal(renderKey(Buffer.alloc(0)), '""');
  });

  test('it is complete without a loss only', () => {
    const ledger = new Ledger();
    ledger.makeGood(damage);
    const whole = ledger.account('root 3', [{ name: 't', keys: 2 }], 4);
    assert.equal(whole.isComplete, true);
    assert.equal(
      renderSalvage(whole),
      [
        '  from root 3, and 4 batches of the journal',
        '  tree "t": 2 keys',
        '  made good: /s/pages, page 7, offset 57344: its checksum is wrong',
      ].join('\n'),
    );
    ledger.lose({ kind: 'doubt', what: 'nobody knows' });
    assert.equal(ledger.account('', [], 0).isComplete, false);
  });

  test('a lost value is settled by what the journal says of its key, and of no other', () => {
    const ledger = new Ledger();
    const key = Buffer.from('k');
    ledger.settle('t', key);
    ledger.lose({ kind: 'value', tree: 't', key, bytes: 1, damage });
    ledger.settle('u', key);
    ledger.settle('t', Buffer.from('l'));
    assert.equal(ledger.account('', [], 0).losses.length, 1);
    ledger.settle('t', key);
    assert.equal(ledger.account('', [], 0).isComplete, true);
  });

  test('more than is listed is counted, and never complete', () => {
    const ledger = new Ledger();
    for (let index = 0; index < FINDINGS_MAX + 5; index += 1) {
      ledger.lose({ kind: 'value', tree: 't', key: Buffer.from(String(index)), bytes: 1, damage });
      ledger.makeGood(damage);
    }
    for (let index = 0; index < FINDINGS_MAX; index += 1) ledger.settle('t', Buffer.from(String(index)));
    const account = ledger.account('', [], 0);
    assert.equal(account.losses.length, 0);
    assert.equal(account.moreLosses, 5);
    assert.equal(account.isComplete, false);
    assert.equal(account.moreMadeGood, 5);
    const text = renderSalvage(account);
    assert.match(text, /^! and 5 more$/m);
    assert.match(text, /^ {2}made good: 5 more$/m);
  });
});
