/**
 * The routes as a radix tree: static text is shared up to where it differs, across segments.
 *
 *   /files/fixed, /files/*key, /find/:id        "/fi" ─┬─ "les/" ─┬─ "fixed" ●
 *                                                      │          └─ * ●
 *                                                      └─ "nd/" ─── :id ●
 *
 * From each node static text is tried first, then templates, the more particular before, then the wildcard; a
 * dead end goes back to the next choice. Every node is reached by one way only, so a search visits each at most
 * once: its cost is bounded by the routes, whatever the path.
 *
 * Who has no route for the method is a dead end too, but its methods are remembered for Allow.
 */
import { withSlashes } from './path.ts';
import { compareTemplates, type Piece, sameTemplate, type Template } from './pattern.ts';

const SLASH = 0x2f;

/** What the tree holds: one method at one pattern. */
export type Leaf<Route> = Map<string, Route>;

interface Branch<Route> {
  readonly template: Template;
  readonly node: Node<Route>;
}

class Node<Route> {
  /** Static text from the parent to here. */
  text: string;
  /** Their first characters differ. */
  children: Node<Route>[] = [];
  /** In the order in which they are tried. */
  branches: Branch<Route>[] = [];
  wildcard: Leaf<Route> | undefined;
  leaf: Leaf<Route> | undefined;

  constructor(text: string) {
    this.text = text;
  }
}

export class RadixTree<Route> {
  readonly #root = new Node<Route>('');

  /** The leaf at `pieces`, made when there is none. */
  leafAt(pieces: readonly Piece[]): Leaf<Route> {
    let node = this.#root;
    for (const piece of pieces) {
      if (piece.kind === 'wildcard') return (node.wildcard ??= new Map());
      node = piece.kind === 'text' ? descend(node, piece.text) : branchOf(node, piece);
    }
    return (node.leaf ??= new Map());
  }

  /**
   * @param path decoded
   * @param mayHaveSlashes whether any of the path was escaped, so that a slash inside a segment may be among it
   */
  search(method: string, path: string, mayHaveSlashes: boolean): Search<Route> {
    const search = new Search<Route>(method, path, mayHaveSlashes);
    search.route = search.visit(this.#root, 0);
    return search;
  }
}

/** Follows `text` from `node`, splitting and making nodes on the way. */
function descend<Route>(from: Node<Route>, text: string): Node<Route> {
  let node = from;
  let rest = text;
  while (rest !== '') {
    const at = node.children.findIndex((child) => child.text[0] === rest[0]);
    if (at < 0) {
      const made = new Node<Route>(rest);
      node.children.push(made);
      return made;
    }
    const child = node.children[at]!;
    const shared = sharedLength(child.text, rest);
    if (shared < child.text.length) node.children[at] = split(child, shared);
    node = node.children[at]!;
    rest = rest.slice(shared);
  }
  return node;
}

function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

/** A node for the first `length` characters of the child's text, with the child below. */
function split<Route>(child: Node<Route>, length: number): Node<Route> {
  const upper = new Node<Route>(child.text.slice(0, length));
  child.text = child.text.slice(length);
  upper.children.push(child);
  return upper;
}

function branchOf<Route>(node: Node<Route>, template: Template): Node<Route> {
  const known = node.branches.find((branch) => sameTemplate(branch.template, template));
  if (known !== undefined) return known.node;
  const made = { template, node: new Node<Route>('') };
  node.branches.push(made);
  node.branches.sort((one, other) => compareTemplates(one.template, other.template));
  return made.node;
}

/** One walk through the tree, and what it found. */
export class Search<Route> {
  route: Route | undefined;
  /** Methods at the path's dead ends; empty when nothing is at this path at all. */
  allow: Set<string> | undefined;
  readonly #method: string;
  readonly #path: string;
  readonly #mayHaveSlashes: boolean;
  /** Of the parameters on the way: from, to, from, to, …; room for two, as an empty list would begin with room for many. */
  readonly #bounds = [0, 0, 0, 0];
  #boundCount = 0;

  constructor(method: string, path: string, mayHaveSlashes: boolean) {
    this.#method = method;
    this.#path = path;
    this.#mayHaveSlashes = mayHaveSlashes;
  }

  visit(node: Node<Route>, at: number): Route | undefined {
    if (at === this.#path.length) {
      if (node.leaf !== undefined) {
        const route = this.#routeOf(node.leaf);
        if (route !== undefined) return route;
      }
    } else {
      const route = this.#follow(node, at);
      if (route !== undefined) return route;
    }
    if (node.wildcard === undefined) return undefined;
    const route = this.#routeOf(node.wildcard);
    if (route !== undefined) this.#note(at, this.#path.length);
    return route;
  }

  #follow(node: Node<Route>, at: number): Route | undefined {
    const code = this.#path.charCodeAt(at);
    for (const child of node.children) {
      if (child.text.charCodeAt(0) !== code) continue;
      const route = this.#hasAt(child.text, at) ? this.visit(child, at + child.text.length) : undefined;
      if (route !== undefined) return route;
      break;
    }
    if (node.branches.length === 0 || code === SLASH) return undefined;
    const slash = this.#path.indexOf('/', at);
    const end = slash < 0 ? this.#path.length : slash;
    for (const branch of node.branches) {
      const count = this.#boundCount;
      const route = this.#fits(branch.template, at, end) ? this.visit(branch.node, end) : undefined;
      if (route !== undefined) return route;
      this.#boundCount = count;
    }
    return undefined;
  }

  /** A loop, as texts are short and `startsWith` is a call out of compiled code. */
  #hasAt(text: string, from: number): boolean {
    for (let at = 1; at < text.length; at++) {
      if (text.charCodeAt(at) !== this.#path.charCodeAt(from + at)) return false;
    }
    return true;
  }

  /** Whether the segment from `from` to `segmentEnd` is of the template; remembers its parameters. */
  #fits({ parameters, separators, suffix }: Template, from: number, segmentEnd: number): boolean {
    const last = segmentEnd - suffix.length;
    if (suffix !== '' && !this.#path.startsWith(suffix, last)) return false;
    let at = from;
    for (let index = 0; index < parameters.length; index++) {
      const separator = separators[index];
      const end = separator === undefined ? last : this.#path.indexOf(separator, at + 1);
      if (end <= at || end > last) return false;
      const { accepts } = parameters[index]!;
      if (accepts !== undefined && !accepts(this.#piece(at, end))) return false;
      this.#note(at, end);
      at = separator === undefined ? end : end + separator.length;
    }
    return true;
  }

  #note(from: number, to: number): void {
    this.#bounds[this.#boundCount++] = from;
    this.#bounds[this.#boundCount++] = to;
  }

  #routeOf(leaf: Leaf<Route>): Route | undefined {
    const route = leaf.get(this.#method);
    if (route !== undefined) return route;
    const ofGet = this.#method === 'HEAD' ? leaf.get('GET') : undefined;
    if (ofGet !== undefined) return ofGet;
    this.allow ??= new Set();
    for (const method of leaf.keys()) this.allow.add(method);
    return undefined;
  }

  /** The parameter at `index` in the order of the pattern, of the route found. */
  value(index: number): string {
    return this.#piece(this.#bounds[index * 2]!, this.#bounds[index * 2 + 1]!);
  }

  #piece(from: number, to: number): string {
    const piece = this.#path.slice(from, to);
    return this.#mayHaveSlashes ? withSlashes(piece) : piece;
  }
}
