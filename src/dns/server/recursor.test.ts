import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import type { Answer } from '../engine/answer.ts';
import { DnsMetrics } from '../metrics.ts';
import { RCODE, TYPE } from '../wire/codes.ts';
import { nameFromText } from '../wire/name.ts';
import { checkOptions, DEFAULT_DNS_OPTIONS } from './options.ts';
import { Recursor, type RecursorParts } from './recursor.ts';

function recursor(changes: Partial<RecursorParts>): Recursor {
  const host = testHost('dns');
  const options = { ...DEFAULT_DNS_OPTIONS, rootHints: [] };
  return new Recursor({
    options,
    checked: checkOptions(options),
    world: host,
    metrics: new DnsMetrics(host.observer.metrics),
    log: host.observer.log,
    ownEndpoints: () => [],
    answerLocally: () => undefined,
    ...changes,
  });
}

test('a fault of ours ends the resolution with SERVFAIL, and the next one begins anew', () => {
  let faults = 1;
  const faulty = recursor({
    answerLocally() {
      if (faults-- > 0) throw new Error('planted');
      return undefined;
    },
  });
  const answers: Answer[] = [];
  const question = { name: nameFromText('www.test.'), type: TYPE.A };
  assert.equal(
    faulty.resolve(question, (answer) => answers.push(answer)),
    true,
  );
  assert.equal(
    faulty.resolve(question, (answer) => answers.push(answer)),
    true,
  );
  assert.deepEqual(
    answers.map(({ rcode }) => rcode),
    [RCODE.SERVFAIL, RCODE.SERVFAIL],
  );
  assert.equal(answers[0]?.extendedErrors?.length, 0);
  assert.match(answers[1]?.extendedErrors?.[0]?.text ?? '', /no forwarder and no root hints/);
  assert.equal(faulty.resolutions, 0);
});
