/**
 * Members in order of (score, member), with ranks: a B+tree whose inner nodes count what is below them.
 *
 *                     counts  [ 70 | 64 | 90 ]
 *                     bounds  [  - | (2,'m') | (5,'c') ]        child i holds keys >= bounds[i]
 *                    /            |             \
 *   leaf  scores [0,1,..]   [2,2,..]       [5,7,..]
 *         members ['a',..]  ['m','q',..]   ['c','b',..]
 *
 * Ranks, ranges by score, by member and by rank are all one question: how many keys stand before a boundary?
 * `countBefore` answers it in O(log n), and a range is then walked by rank.
 *
 * Invariants (checked by `check`): leaves are sorted and at the same depth; counts are right; no node is
 * empty or above `FANOUT`; two neighbours under one parent never fit into half a node together. Equal scores
 * are ordered by the bytes of the member.
 */
import { assert } from '../../../core/assert.ts';

const FANOUT = 128;
const MERGE_BELOW = FANOUT / 2;

interface Leaf {
  readonly kind: 'leaf';
  readonly scores: number[];
  readonly members: string[];
}

interface Inner {
  readonly kind: 'inner';
  readonly children: Node[];
  readonly counts: number[];
  /** Lower bounds of the children; those of child 0 are not used. */
  readonly boundScores: number[];
  readonly boundMembers: string[];
}

type Node = Leaf | Inner;

/** Must be true for a first part of the order and false for all that follows. */
export type Before = (score: number, member: string) => boolean;

/** @returns false to stop */
export type Visit = (member: string, score: number) => boolean;

export class SortedTree {
  #root: Node = leaf([], []);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The pair must not be there. */
  insert(score: number, member: string): void {
    const split = insertInto(this.#root, score, member);
    this.#size++;
    if (split === undefined) return;
    const old = this.#root;
    this.#root = {
      kind: 'inner',
      children: [old, split.node],
      counts: [countOf(old), countOf(split.node)],
      boundScores: [Number.NEGATIVE_INFINITY, split.score],
      boundMembers: ['', split.member],
    };
  }

  /** The pair must be there. */
  remove(score: number, member: string): void {
    removeFrom(this.#root, score, member);
    this.#size--;
    while (this.#root.kind === 'inner' && this.#root.children.length === 1)
      this.#root = this.#root.children[0]!;
  }

  /** How many stand before the boundary that `before` draws. */
  countBefore(before: Before): number {
    let node = this.#root;
    let rank = 0;
    while (node.kind === 'inner') {
      const child = childBefore(node, before);
      for (let i = 0; i < child; i++) rank += node.counts[i]!;
      node = node.children[child]!;
    }
    return rank + leafCountBefore(node, before);
  }

  /** The place of a pair in the order, from 0. */
  rankOf(score: number, member: string): number {
    return this.countBefore((s, m) => s < score || (s === score && m < member));
  }

  /** Visits up to `count` members from rank `from` (0 <= from < size) upward, or downward with `reverse`. */
  walk(from: number, count: number, reverse: boolean, visit: Visit): void {
    if (count <= 0 || from < 0 || from >= this.#size) return;
    walkNode(this.#root, { skip: reverse ? this.#size - 1 - from : from, left: count, reverse, visit });
  }

  /** The pair at a rank, 0 <= rank < size. */
  at(rank: number): { readonly score: number; readonly member: string } {
    let node = this.#root;
    let rest = rank;
    while (node.kind === 'inner') {
      let child = 0;
      while (rest >= node.counts[child]!) rest -= node.counts[child++]!;
      node = node.children[child]!;
    }
    return { score: node.scores[rest]!, member: node.members[rest]! };
  }

  /** @throws AssertionFailed when an invariant does not hold */
  check(): void {
    assert(checkNode(this.#root, true).count === this.#size, 'the size is the number of members');
  }
}

function leaf(scores: number[], members: string[]): Leaf {
  return { kind: 'leaf', scores, members };
}

function countOf(node: Node): number {
  if (node.kind === 'leaf') return node.members.length;
  let count = 0;
  for (const below of node.counts) count += below;
  return count;
}

function widthOf(node: Node): number {
  return node.kind === 'leaf' ? node.members.length : node.children.length;
}

/** The number of a leaf's pairs before (score, member). */
function leafPlace(node: Leaf, score: number, member: string): number {
  let low = 0;
  let high = node.scores.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = node.scores[middle]!;
    if (other < score || (other === score && node.members[middle]! < member)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function leafCountBefore(node: Leaf, before: Before): number {
  let low = 0;
  let high = node.scores.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(node.scores[middle]!, node.members[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last child whose lower bound is before the boundary: all children in front of it are wholly before. */
function childBefore(node: Inner, before: Before): number {
  let low = 1;
  let high = node.children.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(node.boundScores[middle]!, node.boundMembers[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The child that holds, or would hold, (score, member). */
function childOf(node: Inner, score: number, member: string): number {
  let low = 1;
  let high = node.children.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const bound = node.boundScores[middle]!;
    if (bound < score || (bound === score && node.boundMembers[middle]! <= member)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** A new right neighbour and its lower bound. */
interface Split {
  readonly node: Node;
  readonly score: number;
  readonly member: string;
}

function insertInto(node: Node, score: number, member: string): Split | undefined {
  if (node.kind === 'leaf') {
    const place = leafPlace(node, score, member);
    insertAt(node.scores, place, score);
    insertAt(node.members, place, member);
    return node.members.length > FANOUT ? splitLeaf(node) : undefined;
  }
  const child = childOf(node, score, member);
  const split = insertInto(node.children[child]!, score, member);
  node.counts[child]!++;
  if (split === undefined) return undefined;
  node.counts[child] = countOf(node.children[child]!);
  insertAt(node.children, child + 1, split.node);
  insertAt(node.counts, child + 1, countOf(split.node));
  insertAt(node.boundScores, child + 1, split.score);
  insertAt(node.boundMembers, child + 1, split.member);
  return node.children.length > FANOUT ? splitInner(node) : undefined;
}

function insertAt<T>(array: T[], place: number, item: T): void {
  if (place === array.length) array.push(item);
  else array.splice(place, 0, item);
}

function splitLeaf(node: Leaf): Split {
  const half = node.members.length >> 1;
  const right = leaf(node.scores.splice(half), node.members.splice(half));
  return { node: right, score: right.scores[0]!, member: right.members[0]! };
}

function splitInner(node: Inner): Split {
  const half = node.children.length >> 1;
  const right: Inner = {
    kind: 'inner',
    children: node.children.splice(half),
    counts: node.counts.splice(half),
    boundScores: node.boundScores.splice(half),
    boundMembers: node.boundMembers.splice(half),
  };
  return { node: right, score: right.boundScores[0]!, member: right.boundMembers[0]! };
}

function removeFrom(node: Node, score: number, member: string): void {
  if (node.kind === 'leaf') {
    const place = leafPlace(node, score, member);
    assert(node.members[place] === member, 'a removed member is in the tree');
    node.scores.splice(place, 1);
    node.members.splice(place, 1);
    return;
  }
  const child = childOf(node, score, member);
  removeFrom(node.children[child]!, score, member);
  if (--node.counts[child]! === 0 && node.children.length > 1) dropChild(node, child);
  else if (widthOf(node.children[child]!) < MERGE_BELOW) mergeNear(node, child);
}

/** Joins a thin child with a neighbour when both together are still thin. */
function mergeNear(node: Inner, child: number): void {
  for (const left of [child - 1, child]) {
    const first = node.children[left];
    const second = node.children[left + 1];
    if (first === undefined || second === undefined) continue;
    if (widthOf(first) + widthOf(second) > MERGE_BELOW) continue;
    join(node, left);
    return;
  }
}

function dropChild(node: Inner, child: number): void {
  node.children.splice(child, 1);
  node.counts.splice(child, 1);
  node.boundScores.splice(child, 1);
  node.boundMembers.splice(child, 1);
}

/** Moves all of child `left + 1` into child `left`. */
function join(node: Inner, left: number): void {
  const first = node.children[left]!;
  const second = node.children[left + 1]!;
  if (first.kind === 'leaf' && second.kind === 'leaf') {
    first.scores.push(...second.scores);
    first.members.push(...second.members);
  } else if (first.kind === 'inner' && second.kind === 'inner') {
    second.boundScores[0] = node.boundScores[left + 1]!;
    second.boundMembers[0] = node.boundMembers[left + 1]!;
    first.children.push(...second.children);
    first.counts.push(...second.counts);
    first.boundScores.push(...second.boundScores);
    first.boundMembers.push(...second.boundMembers);
  }
  node.counts[left]! += node.counts[left + 1]!;
  dropChild(node, left + 1);
}

interface Walk {
  /** Members still to pass over, from the end at which the walk begins. */
  skip: number;
  left: number;
  readonly reverse: boolean;
  readonly visit: Visit;
}

/** @returns false when the walk is over */
function walkNode(node: Node, walk: Walk): boolean {
  const width = widthOf(node);
  for (let i = 0; i < width; i++) {
    const place = walk.reverse ? width - 1 - i : i;
    if (!walkPlace(node, place, walk)) return false;
  }
  return true;
}

function walkPlace(node: Node, place: number, walk: Walk): boolean {
  const count = node.kind === 'leaf' ? 1 : node.counts[place]!;
  if (walk.skip >= count) {
    walk.skip -= count;
    return true;
  }
  if (node.kind === 'inner') return walkNode(node.children[place]!, walk);
  if (!walk.visit(node.members[place]!, node.scores[place]!)) return false;
  return --walk.left > 0;
}

interface Checked {
  readonly count: number;
  readonly depth: number;
}

function checkNode(node: Node, isRoot: boolean): Checked {
  const width = widthOf(node);
  assert(width <= FANOUT && (isRoot || width > 0), 'no node is empty or too wide');
  if (node.kind === 'leaf') return checkLeaf(node);
  let depth = -1;
  let count = 0;
  node.children.forEach((child, i) => {
    const below = checkNode(child, false);
    assert(below.count === node.counts[i], 'a count is what is below');
    assert(depth < 0 || depth === below.depth, 'leaves are at the same depth');
    if (i > 0)
      assert(widthOf(node.children[i - 1]!) + widthOf(child) > MERGE_BELOW, 'neighbours are not thin');
    depth = below.depth;
    count += below.count;
  });
  return { count, depth: depth + 1 };
}

function checkLeaf(node: Leaf): Checked {
  for (let i = 1; i < node.members.length; i++) {
    const inOrder =
      node.scores[i - 1]! < node.scores[i]! ||
      (node.scores[i - 1] === node.scores[i] && node.members[i - 1]! < node.members[i]!);
    assert(inOrder, 'a leaf is sorted');
  }
  return { count: node.members.length, depth: 0 };
}
