/**
 * The architecture as data: who may import whom, and which names stay inside the kernel. `tidy.ts` applies
 * it to the tree; `tidy.test.ts` proves each rule on a planted violation.
 */

/** A service's rooms. What a room is not listed for, it may not import. */
export interface Room {
  /** Rooms of the same service, by name; `*` is all of them. */
  readonly own: readonly string[];
  /** Folders or files of `src/core`; `*` is all but `testing`. */
  readonly core: readonly string[];
  /** `node:` modules. */
  readonly node: readonly string[];
  /** Which faces of `src/http` it may import. */
  readonly http: 'all' | 'pure' | 'none';
  /** npm packages. */
  readonly packages: readonly string[];
}

/** What pure rooms may import of `src/core`. */
export const pureCore: readonly string[] = ['assert', 'errors', 'bytes'];
const seams = [...pureCore, 'lifecycle', 'time', 'random', 'observe'];

export const rooms: Readonly<Record<string, Room>> = {
  /** Messages of a protocol over HTTP have HTTP's conditions, ranges and dates in them. */
  wire: { own: ['wire', 'limits', 'errors'], core: pureCore, node: ['buffer'], http: 'pure', packages: [] },
  session: {
    own: ['session', 'wire', 'engine', 'scram', 'limits', 'errors'],
    core: pureCore,
    node: ['buffer'],
    http: 'none',
    packages: [],
  },
  engine: {
    own: ['engine', 'wire', 'limits', 'errors'],
    core: [...pureCore, 'store', 'time', 'random', 'blobs'],
    node: ['buffer'],
    http: 'none',
    packages: [],
  },
  store: {
    own: ['store', 'engine', 'wire', 'limits', 'errors', 'metrics'],
    core: [...seams, 'files', 'journal', 'store', 'blobs'],
    node: ['buffer', 'crypto'],
    http: 'none',
    packages: [],
  },
  limits: { own: ['limits'], core: ['net'], node: [], http: 'all', packages: [] },
  /** A service over HTTP turns its errors into responses here. */
  errors: { own: ['errors', 'limits'], core: pureCore, node: [], http: 'all', packages: [] },
  metrics: { own: ['metrics', 'limits', 'engine'], core: ['observe'], node: [], http: 'none', packages: [] },
  client: {
    own: ['client', 'wire', 'session', 'limits', 'errors', 'crypto', 'scram'],
    core: ['*'],
    node: ['buffer', 'crypto'],
    http: 'all',
    packages: [],
  },
  /** Hashes and signatures, kept out of the pure rooms and handed in. */
  crypto: {
    own: ['crypto', 'wire', 'limits', 'errors'],
    core: seams,
    node: ['buffer', 'crypto', 'zlib', 'util'],
    http: 'none',
    packages: [],
  },
  /** The database's login: pure, but for the file that does its hashing. */
  scram: {
    own: ['scram', 'wire', 'limits', 'errors'],
    core: seams,
    node: ['buffer', 'crypto', 'zlib', 'util'],
    http: 'none',
    packages: [],
  },
  index: { own: ['*'], core: ['*'], node: [], http: 'none', packages: [] },
  /** Every other file of a service: the server and what it is made of. */
  server: {
    own: ['*'],
    core: ['*'],
    node: ['buffer', 'crypto', 'stream', 'path'],
    http: 'all',
    packages: [],
  },
};

/** Packages that one named file wraps, so that one file changes when the package does. */
export const wrappedPackages: Readonly<Record<string, string>> = {
  pino: 'src/core/observe/observer.ts',
  'prom-client': 'src/core/observe/observer.ts',
  valibot: 'src/',
  '@peculiar/x509': 'src/core/net/certificates.ts',
  'reflect-metadata': 'src/core/net/certificates.ts',
  '@rgrove/parse-xml': 'src/objects/',
  'postal-mime': 'src/mail/',
  mrmime: 'src/',
  commander: 'src/cli/',
  jose: 'src/api/',
};

/** `node:` modules for one folder of the HTTP library: framing and HPACK are node:http2's, which wants a stream. */
export const wrappedModules: Readonly<Record<string, string>> = {
  http2: 'src/http/http2/',
  stream: 'src/http/http2/',
};

/**
 * The faces of the HTTP library, as folders of `src/http`: '' is the library itself, the others are loaded by whoever
 * needs them. Services and the command import nothing else of it.
 */
export const httpFaces: readonly string[] = [
  '',
  'access',
  'conditional',
  'content',
  'cookies',
  'cors',
  'events',
  'forms',
  'observe',
  'rate-limit',
  'structured-fields',
  'websocket',
];

/** Folders of the HTTP library that are pure: bytes and texts in, values out. Those that are faces are for pure rooms too. */
export const pureHttp: readonly string[] = ['wire', 'conditional', 'structured-fields'];

/** Files of the HTTP library that its pure folders may import beside each other. */
export const pureHttpFiles: readonly string[] = ['limits', 'types'];

/** service → services whose client it may use, through their index.ts. */
export const serviceArrows: Readonly<Record<string, readonly string[]>> = {
  api: ['database', 'cache', 'queue', 'objects', 'mail', 'dns'],
  mail: ['dns'],
  balancer: ['dns'],
  objects: ['queue'],
  console: [],
  dns: [],
  database: [],
  cache: [],
  queue: [],
};

/**
 * Kernel folder → kernel folders below it. `errors`, `assert` and `lifecycle` are files. `store` sees the log, as a
 * long recovery must say that it is one; `lifecycle` sees the bounds of a store, which a host hands on.
 */
export const coreArrows: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  assert: [],
  bytes: ['errors', 'assert'],
  time: ['errors', 'assert'],
  random: ['errors', 'assert'],
  observe: ['errors', 'assert', 'time'],
  files: ['errors', 'assert', 'bytes', 'time', 'random'],
  net: ['errors', 'assert', 'bytes', 'time', 'random', 'observe'],
  lifecycle: ['blobs', 'files', 'net', 'observe', 'random', 'store', 'time'],
  journal: ['errors', 'assert', 'bytes', 'time', 'random', 'files'],
  store: ['errors', 'assert', 'bytes', 'time', 'random', 'files', 'journal', 'observe'],
  blobs: ['errors', 'assert', 'bytes', 'time', 'random', 'files'],
  backup: ['errors', 'assert', 'bytes', 'random', 'time', 'files', 'journal', 'store', 'blobs'],
  config: ['errors', 'assert', 'files'],
  testing: ['*'],
};

/** Names that only the kernel may use, with what to use instead. */
export const kernelOnly: readonly { readonly name: RegExp; readonly instead: string }[] = [
  { name: /\bDate\.now\b/, instead: 'the Clock that is passed in' },
  { name: /\bnew Date\(\)/, instead: 'the Clock that is passed in' },
  { name: /\bperformance\.now\b/, instead: 'the Clock that is passed in' },
  { name: /\bsetTimeout\b/, instead: 'Clock.schedule' },
  { name: /\bsetInterval\b/, instead: 'Clock.schedule' },
  { name: /\bMath\.random\b/, instead: 'the Random that is passed in' },
  { name: /\bprocess\.(env|exit|argv|on)\b/, instead: 'options; only src/cli talks to the process' },
  { name: /(?<![.\w])console\./, instead: 'the Observer that is passed in' },
];

/** Folder and file names that say nothing. */
export const emptyNames: readonly string[] = [
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'misc',
  'manager',
  'lib',
];
