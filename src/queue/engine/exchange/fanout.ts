import type { Binding } from '../binding.ts';
import type { Routable, Router } from './router.ts';

/** Type `fanout`: every binding matches. AMQP 0-9-1 section 3.1.3.2. */
export class FanoutRouter<B extends Binding> implements Router<B> {
  readonly #bindings = new Set<B>();

  add(binding: B): void {
    this.#bindings.add(binding);
  }

  remove(binding: B): void {
    this.#bindings.delete(binding);
  }

  route(_message: Routable, found: (binding: B) => void): void {
    for (const binding of this.#bindings) found(binding);
  }
}
