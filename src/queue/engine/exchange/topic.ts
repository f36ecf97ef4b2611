import type { Binding } from '../binding.ts';
import { TopicTrie } from '../topic-trie.ts';
import type { Routable, Router } from './router.ts';

/** Type `topic`: the binding's key is a pattern of words. AMQP 0-9-1 section 3.1.3.3. */
export class TopicRouter<B extends Binding> implements Router<B> {
  readonly #trie = new TopicTrie<B>();

  add(binding: B): void {
    this.#trie.add(binding.routingKey, binding);
  }

  remove(binding: B): void {
    this.#trie.remove(binding.routingKey, binding);
  }

  route(message: Routable, found: (binding: B) => void): void {
    this.#trie.match(message.routingKey, found);
  }
}
