/**
 * Checks the tree against `rules.ts`. Pure: a map of file texts in, complaints out.
 */
import {
  coreArrows,
  emptyNames,
  httpFaces,
  kernelOnly,
  pureCore,
  pureHttp,
  pureHttpFiles,
  type Room,
  rooms,
  serviceArrows,
  wrappedModules,
  wrappedPackages,
} from './rules.ts';

export interface Complaint {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const SERVICES = new Set([
  'dns',
  'api',
  'balancer',
  'database',
  'cache',
  'queue',
  'objects',
  'mail',
  'console',
]);
const ROOTS = new Set(['octet.ts', 'index.ts', 'cli', 'core', 'http', 'octet', ...SERVICES]);

/** @param files path from the root of the repository, with forward slashes → text */
export function tidy(files: ReadonlyMap<string, string>): Complaint[] {
  const complaints: Complaint[] = [];
  const imported = new Set<string>();
  for (const [file, text] of files) {
    if (!file.endsWith('.ts')) continue;
    const code = withoutComments(text);
    for (const use of importsOf(code)) {
      const target = use.specifier.startsWith('.') ? resolve(file, use.specifier) : use.specifier;
      imported.add(target);
      const why = file.startsWith('src/') ? refusal(file, target) : undefined;
      if (why !== undefined) complaints.push({ file, line: use.line, text: why });
    }
    if (file.startsWith('src/')) complaints.push(...names(file, code));
  }
  return [...complaints, ...orphans(files, imported)];
}

interface Place {
  readonly area: string;
  readonly room: string;
  readonly isTest: boolean;
}

/** src/dns/wire/name.ts → { area: 'dns', room: 'wire' }; src/core/net/network.ts → { area: 'core', room: 'net' } */
function placeOf(file: string): Place {
  const [, area = '', next = ''] = file.split('/');
  return { area, room: next.replace(/(\.test)?\.ts$/, ''), isTest: file.endsWith('.test.ts') };
}

/** Why `file` may not import `target`, or undefined. */
function refusal(file: string, target: string): string | undefined {
  const from = placeOf(file);
  if (from.isTest || (from.area === 'core' && from.room === 'testing')) return undefined;
  if (target === 'package.json')
    return isComposition(from) ? undefined : 'only the command knows its package';
  if (!target.startsWith('src/')) return outsideRefusal(file, from, target);
  const to = placeOf(target);
  if (to.isTest || (to.area === 'core' && to.room === 'testing')) return `${target} is for tests only`;
  if (isComposition(from)) return compositionRefusal(to, target);
  if (from.area === 'core') return coreRefusal(from, to, target);
  if (from.area === 'http') return ownHttpRefusal(file, from, to, target);
  if (from.area === to.area) return ownRefusal(from, to);
  if (to.area === 'core')
    return roomOf(from).core.some((name) => name === '*' || name === to.room)
      ? undefined
      : `the ${from.room} room may not import core/${to.room}`;
  if (to.area === 'http') return httpRefusal(from, to, target);
  if (!serviceArrows[from.area]?.includes(to.area)) return `${from.area} may not import ${to.area}`;
  return to.room === 'index' ? undefined : `${to.area} is imported through its index.ts, not ${target}`;
}

/** octet.ts, octet/ and cli/ put the services together; they know every public face and nothing behind it. */
function isComposition(place: Place): boolean {
  return place.area === 'cli' || place.area === 'octet' || place.area.endsWith('.ts');
}

function roomOf(place: Place): Room {
  return rooms[place.room] ?? (rooms['server'] as Room);
}

function ownRefusal(from: Place, to: Place): string | undefined {
  const { own } = roomOf(from);
  if (own.includes('*') || own.includes(to.room) || from.room === to.room) return undefined;
  return `the ${from.room} room may not import the ${to.room} room`;
}

function coreRefusal(from: Place, to: Place, target: string): string | undefined {
  if (to.area !== 'core') return `core imports nothing of ours, not ${target}`;
  const below = coreArrows[from.room];
  if (below === undefined) return `core/${from.room} is not in the table of scripts/tidy/rules.ts`;
  if (from.room === to.room || below.includes('*') || below.includes(to.room)) return undefined;
  return `core/${from.room} may not import core/${to.room}`;
}

/** What the HTTP library may import itself. */
function ownHttpRefusal(file: string, from: Place, to: Place, target: string): string | undefined {
  if (!['core', 'http'].includes(to.area)) return `http imports only core, not ${target}`;
  if (!isPureHttp(file, from)) return undefined;
  const lawful = to.area === 'core' ? pureCore : [...pureHttp, ...pureHttpFiles];
  return lawful.includes(to.room) ? undefined : `http/${from.room} is pure and may not import ${target}`;
}

/** Who spoils its inputs at random is no part of it. */
function isPureHttp(file: string, from: Place): boolean {
  return pureHttp.includes(from.room) && !file.endsWith('.fuzz.ts');
}

function httpRefusal(from: Place, to: Place, target: string): string | undefined {
  const { http } = roomOf(from);
  if (http === 'none') return `the ${from.room} room may not import http`;
  if (http === 'pure' && !pureHttp.includes(to.room))
    return `the ${from.room} room may import only what is pure of http, not ${target}`;
  return faceRefusal(target);
}

/** `src/http/index.ts`, or the index.ts of a folder that is a face. */
function faceRefusal(target: string): string | undefined {
  const isFace = httpFaces.some(
    (face) => target === ['src', 'http', face, 'index.ts'].filter(Boolean).join('/'),
  );
  return isFace ? undefined : `${target} is no face of http: scripts/tidy/rules.ts lists them`;
}

function compositionRefusal(to: Place, target: string): string | undefined {
  if (to.area === 'http') return faceRefusal(target);
  if (!SERVICES.has(to.area) || to.room === 'index') return undefined;
  return `${to.area} is imported through its index.ts, not ${target}`;
}

function outsideRefusal(file: string, from: Place, target: string): string | undefined {
  if (target.startsWith('node:')) {
    const name = target.slice('node:'.length);
    if (isComposition(from) || from.area === 'core') {
      const isPure = from.area === 'core' && from.room === 'bytes';
      return isPure && !['buffer', 'zlib'].includes(name) ? `core/bytes may not import ${target}` : undefined;
    }
    if (from.area === 'http') {
      const own = isPureHttp(file, from) ? ['buffer'] : ['buffer', 'crypto', 'zlib'];
      const isAllowed = own.includes(name) || isWrappedIn(file, name);
      return isAllowed ? undefined : `http may not import ${target}`;
    }
    return roomOf(from).node.includes(name)
      ? undefined
      : `the ${from.room} room of ${from.area} may not import ${target}`;
  }
  const packageName = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
  const home = wrappedPackages[packageName];
  if (home === undefined) return `${packageName} is not a dependency that the source may use`;
  return file.startsWith(home) ? undefined : `${packageName} is wrapped in ${home}`;
}

function isWrappedIn(file: string, moduleName: string): boolean {
  const home = wrappedModules[moduleName];
  return home !== undefined && file.startsWith(home);
}

/** Names that belong to the kernel, and names that say nothing. */
function names(file: string, code: string): Complaint[] {
  const place = placeOf(file);
  const complaints: Complaint[] = [];
  for (const part of file.split('/')) {
    if (emptyNames.includes(part.replace(/\.ts$/, '')))
      complaints.push({ file, line: 1, text: `"${part}" says nothing: name what it holds` });
  }
  if (!ROOTS.has(place.area))
    complaints.push({ file, line: 1, text: `src/${place.area} is not a place of the design` });
  if (place.isTest || place.area === 'core' || place.area === 'cli') return complaints;
  for (const [index, line] of code.split('\n').entries()) {
    for (const banned of kernelOnly) {
      if (banned.name.test(line))
        complaints.push({
          file,
          line: index + 1,
          text: `${banned.name.source} outside core: use ${banned.instead}`,
        });
    }
  }
  return complaints;
}

/** Source files that nobody imports are dead. */
function orphans(files: ReadonlyMap<string, string>, imported: ReadonlySet<string>): Complaint[] {
  const complaints: Complaint[] = [];
  for (const file of files.keys()) {
    const isSource =
      file.startsWith('src/') &&
      file.endsWith('.ts') &&
      !file.endsWith('.test.ts') &&
      !file.endsWith('.d.ts');
    if (
      isSource &&
      !imported.has(file) &&
      !['src/cli/main.ts', 'src/cli/entry.ts', 'src/index.ts'].includes(file)
    ) {
      complaints.push({ file, line: 1, text: 'nobody imports this file' });
    }
  }
  return complaints;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Static, re-exporting and dynamic imports; `code` is without comments. */
function importsOf(code: string): Import[] {
  const found: Import[] = [];
  const patterns = [
    /^[ \t]*(?:import|export)\b[^'";]*?\bfrom\s*(['"])([^'"\n]+)\1/gm,
    /^[ \t]*import\s*(['"])([^'"\n]+)\1/gm,
    /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g,
  ];
  for (const match of patterns.flatMap((pattern) => [...code.matchAll(pattern)])) {
    const end = match.index + match[0].length;
    found.push({ specifier: match[2] as string, line: code.slice(0, end).split('\n').length });
  }
  return found;
}

function resolve(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Blanks out comments, keeping every line where it was. Strings are kept, and respected. */
export function withoutComments(text: string): string {
  let out = '';
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const two = text.slice(at, at + 2);
    if (quote === '' && two === '//') {
      while (at < text.length && text[at] !== '\n') at++;
      out += at < text.length ? '\n' : '';
    } else if (quote === '' && two === '/*') {
      const end = text.indexOf('*/', at + 2);
      const comment = text.slice(at, end < 0 ? text.length : end + 2);
      out += comment.replace(/[^\n]/g, ' ');
      at += comment.length - 1;
    } else {
      const char = text[at] as string;
      if (quote !== '' && char === '\\') {
        out += char + (text[++at] ?? '');
        continue;
      }
      if (quote === '' && (char === "'" || char === '"' || char === '`')) quote = char;
      else if (char === quote || (char === '\n' && quote !== '`')) quote = '';
      out += char;
    }
  }
  return out;
}
