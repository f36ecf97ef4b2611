import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PositionDeque } from './deque.ts';

test('keeps its items in order of position, whatever is taken out and put back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5), { maxLength: 200 }), (steps) => {
      const deque = new PositionDeque<{ position: number }>();
      let model: number[] = [];
      const out: number[] = [];
      let next = 0;
      for (const step of steps) {
        if (step <= 1) {
          deque.push({ position: next });
          model.push(next++);
        } else if (step <= 3) {
          const taken = deque.shift();
          assert.equal(taken?.position, model.shift());
          if (taken !== undefined) out.push(taken.position);
        } else if (out.length > 0) {
          const position = out.splice(step === 4 ? 0 : out.length - 1, 1)[0] as number;
          deque.insert({ position });
          model = [...model, position].sort((left, right) => left - right);
        }
        assert.deepEqual(
          [...deque].map((item) => item.position),
          model,
        );
        assert.equal(deque.first?.position, model[0]);
        assert.equal(deque.last?.position, model.at(-1));
      }
    }),
  );
});
