/**
 * Locks on tables, rows, unique keys and names, held until the transaction ends.
 *
 * A request that conflicts with a holder, or with one that waits before it, waits in line. At that moment the
 * graph of who waits for whom is searched: a circle means 40P01 for the one that would close it, at once.
 *
 * Table modes and their conflicts are PostgreSQL's (manual section 13.3.1); so are the four of rows (13.3.2).
 */
import { DatabaseError } from '../../errors.ts';

const TABLE_MODES = [
  'access share',
  'row share',
  'row exclusive',
  'share update exclusive',
  'share',
  'share row exclusive',
  'exclusive',
  'access exclusive',
] as const;
const ROW_MODES = ['key share', 'row share lock', 'no key update', 'update'] as const;

export type TableMode = (typeof TABLE_MODES)[number];
export type RowMode = (typeof ROW_MODES)[number];
export type LockMode = TableMode | RowMode;

/** For each mode, the modes it conflicts with. */
const CONFLICTS: Readonly<Record<LockMode, ReadonlySet<LockMode>>> = {
  'access share': new Set(['access exclusive']),
  'row share': new Set(['exclusive', 'access exclusive']),
  'row exclusive': new Set(['share', 'share row exclusive', 'exclusive', 'access exclusive']),
  'share update exclusive': new Set([
    'share update exclusive',
    'share',
    'share row exclusive',
    'exclusive',
    'access exclusive',
  ]),
  share: new Set([
    'row exclusive',
    'share update exclusive',
    'share row exclusive',
    'exclusive',
    'access exclusive',
  ]),
  'share row exclusive': new Set([
    'row exclusive',
    'share update exclusive',
    'share',
    'share row exclusive',
    'exclusive',
    'access exclusive',
  ]),
  exclusive: new Set(TABLE_MODES.filter((mode) => mode !== 'access share')),
  'access exclusive': new Set(TABLE_MODES),
  'key share': new Set(['update']),
  'row share lock': new Set(['no key update', 'update']),
  'no key update': new Set(['row share lock', 'no key update', 'update']),
  update: new Set(ROW_MODES),
};

/** Who holds and waits for locks: a transaction, or a session for its advisory locks. */
export interface LockOwner {
  readonly id: number;
  /** For DETAIL of a deadlock. */
  readonly processId: number;
  /** The owners that are one with this one: a session and its transaction never wait for each other. */
  readonly session: object;
}

interface Request {
  readonly owner: LockOwner;
  readonly mode: LockMode;
  readonly granted: () => void;
}

interface Resource {
  readonly name: string;
  readonly holders: Map<LockOwner, Set<LockMode>>;
  readonly queue: Request[];
}

/** Thrown through a statement that must wait: it is undone, and run again when the lock is granted. */
export class LockWait extends Error {
  override readonly name = 'LockWait';
  readonly resource: string;
  readonly mode: LockMode;

  constructor(resource: string, mode: LockMode) {
    super(`waits for ${mode} on ${resource}`);
    this.resource = resource;
    this.mode = mode;
  }
}

export class LockTable {
  readonly #resources = new Map<string, Resource>();
  readonly #held = new Map<LockOwner, Set<Resource>>();
  readonly #waiting = new Map<LockOwner, { readonly resource: Resource; readonly request: Request }>();

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Takes the lock if that can be done now. */
  tryAcquire(owner: LockOwner, name: string, mode: LockMode): boolean {
    const resource = this.#resources.get(name);
    if (resource !== undefined) {
      if (resource.holders.get(owner)?.has(mode) === true) return true;
      if (this.#blockers(resource, owner, mode).length > 0) return false;
    }
    this.#grant(resource ?? this.#create(name), owner, mode);
    return true;
  }

  /** @throws LockWait when the lock is not to be had now */
  acquire(owner: LockOwner, name: string, mode: LockMode): void {
    if (!this.tryAcquire(owner, name, mode)) throw new LockWait(name, mode);
  }

  /**
   * Stands in line. `granted` is called when the lock is held, perhaps at once.
   * @returns how to leave the line. @throws DatabaseError 40P01
   */
  wait(owner: LockOwner, name: string, mode: LockMode, granted: () => void): () => void {
    if (this.tryAcquire(owner, name, mode)) {
      granted();
      return () => {};
    }
    const resource = this.#resources.get(name)!;
    const request: Request = { owner, mode, granted };
    resource.queue.push(request);
    this.#waiting.set(owner, { resource, request });
    const circle = this.#findCircle(owner);
    if (circle !== undefined) {
      this.#leave(owner, resource, request);
      throw deadlock(circle);
    }
    return () => this.#leave(owner, resource, request);
  }

  isHeld(owner: LockOwner, name: string, mode: LockMode): boolean {
    return this.#resources.get(name)?.holders.get(owner)?.has(mode) === true;
  }

  release(owner: LockOwner, name: string, mode: LockMode): boolean {
    const resource = this.#resources.get(name);
    const modes = resource?.holders.get(owner);
    if (resource === undefined || modes?.delete(mode) !== true) return false;
    if (modes.size === 0) {
      resource.holders.delete(owner);
      this.#held.get(owner)?.delete(resource);
    }
    this.#serve(resource);
    return true;
  }

  releaseAll(owner: LockOwner): void {
    const waiting = this.#waiting.get(owner);
    if (waiting !== undefined) this.#leave(owner, waiting.resource, waiting.request);
    const held = this.#held.get(owner);
    if (held === undefined) return;
    this.#held.delete(owner);
    for (const resource of held) resource.holders.delete(owner);
    for (const resource of held) this.#serve(resource);
  }

  #create(name: string): Resource {
    const resource: Resource = { name, holders: new Map(), queue: [] };
    this.#resources.set(name, resource);
    return resource;
  }

  #grant(resource: Resource, owner: LockOwner, mode: LockMode): void {
    const modes = resource.holders.get(owner);
    if (modes === undefined) resource.holders.set(owner, new Set([mode]));
    else modes.add(mode);
    const held = this.#held.get(owner);
    if (held === undefined) this.#held.set(owner, new Set([resource]));
    else held.add(resource);
  }

  /** Holders in conflict, and those in line before whom one must not jump unless one holds the lock already. */
  #blockers(
    resource: Resource,
    owner: LockOwner,
    mode: LockMode,
    before: number = resource.queue.length,
  ): LockOwner[] {
    const conflicts = CONFLICTS[mode];
    const blockers: LockOwner[] = [];
    for (const [holder, modes] of resource.holders)
      if (holder.session !== owner.session && [...modes].some((held) => conflicts.has(held)))
        blockers.push(holder);
    if (resource.holders.has(owner)) return blockers;
    for (const request of resource.queue.slice(0, before))
      if (request.owner.session !== owner.session && conflicts.has(request.mode))
        blockers.push(request.owner);
    return blockers;
  }

  #leave(owner: LockOwner, resource: Resource, request: Request): void {
    const at = resource.queue.indexOf(request);
    // Granted long ago, perhaps: by now others may hold a resource of the same name.
    if (at < 0) return;
    resource.queue.splice(at, 1);
    if (this.#waiting.get(owner)?.request === request) this.#waiting.delete(owner);
    this.#serve(resource);
  }

  /** Grants, in order of arrival, whatever can be granted now. */
  #serve(resource: Resource): void {
    for (let i = 0; i < resource.queue.length; ) {
      const request = resource.queue[i]!;
      if (this.#blockers(resource, request.owner, request.mode, i).length > 0) {
        i++;
        continue;
      }
      resource.queue.splice(i, 1);
      this.#waiting.delete(request.owner);
      this.#grant(resource, request.owner, request.mode);
      request.granted();
    }
    if (resource.holders.size === 0 && resource.queue.length === 0) this.#resources.delete(resource.name);
  }

  #findCircle(start: LockOwner): LockOwner[] | undefined {
    const path: LockOwner[] = [];
    const seen = new Set<LockOwner>();
    const visit = (owner: LockOwner): boolean => {
      const waiting = this.#waiting.get(owner);
      if (waiting === undefined || seen.has(owner)) return false;
      seen.add(owner);
      path.push(owner);
      const { resource, request } = waiting;
      for (const blocker of this.#blockers(resource, owner, request.mode, resource.queue.indexOf(request)))
        if (blocker.session === start.session || visit(this.#waiterOf(blocker))) return true;
      path.pop();
      return false;
    };
    return visit(start) ? path : undefined;
  }

  /** A session's advisory locks are held by another owner than its transaction, which is the one that waits. */
  #waiterOf(blocker: LockOwner): LockOwner {
    if (this.#waiting.has(blocker)) return blocker;
    for (const owner of this.#waiting.keys()) if (owner.session === blocker.session) return owner;
    return blocker;
  }
}

function deadlock(circle: readonly LockOwner[]): DatabaseError {
  const lines = circle.map(
    (owner, i) =>
      `Process ${owner.processId} waits for process ${circle[(i + 1) % circle.length]!.processId}.`,
  );
  return new DatabaseError('40P01', 'deadlock detected', {
    detail: lines.join('\n'),
    hint: 'See server log for query details.',
  });
}
