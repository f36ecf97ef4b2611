import type { Binding } from '../binding.ts';
import type { Routable, Router } from './router.ts';

/** Type `direct`: the routing key equals the binding's. AMQP 0-9-1 section 3.1.3.1. */
export class DirectRouter<B extends Binding> implements Router<B> {
  readonly #byKey = new Map<string, Set<B>>();

  add(binding: B): void {
    const bindings = this.#byKey.get(binding.routingKey);
    if (bindings === undefined) this.#byKey.set(binding.routingKey, new Set([binding]));
    else bindings.add(binding);
  }

  remove(binding: B): void {
    const bindings = this.#byKey.get(binding.routingKey);
    if (bindings?.delete(binding) === true && bindings.size === 0) this.#byKey.delete(binding.routingKey);
  }

  route(message: Routable, found: (binding: B) => void): void {
    for (const binding of this.#byKey.get(message.routingKey) ?? []) found(binding);
  }
}
