/**
 * Zone files: text → records. RFC 1035 section 5, RFC 2308 section 4 ($TTL), RFC 3597 section 5 (unknown types).
 *
 *   entry      = [owner] [TTL] [class] type data      (TTL and class in either order)
 *   directives = $ORIGIN name, $TTL time
 *
 * Parsing goes on after a wrong entry, so that an author sees all faults at once. What to do with a file that
 * has faults is the caller's decision; `loadZone` refuses it whole.
 */
import { DnsError, type ZoneProblem } from '../../errors.ts';
import { CLASS, classNumber, TYPE, typeNumber } from '../../wire/codes.ts';
import { type Name, nameFromText } from '../../wire/name.ts';
import { rdataFields, rdataFromText } from '../../wire/rdata/rdata.ts';
import { RdataText, secondsFromText } from '../../wire/rdata/text.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import { type Entry, Unreadable, ZoneScanner, type ZoneWord } from './scanner.ts';

export interface ZoneFileOptions {
  /** What relative names end in until the first $ORIGIN. */
  readonly origin: Name;
  /** TTL of records before any $TTL. Without it: the TTL of the record before, then the SOA's minimum. */
  readonly defaultTtlSeconds?: number;
  /** Stop after so many faults. */
  readonly maxProblems: number;
}

/** A record and the place where it was written. */
export interface ParsedRecord extends ResourceRecord {
  readonly offset: number;
}

export interface ParsedZoneFile {
  readonly records: readonly ParsedRecord[];
  readonly problems: readonly ZoneProblem[];
  /** The last problem made the rest of the file meaningless, or there were too many: it was not read. */
  readonly stopped: boolean;
  /** Where an offset of a record is, for faults found later. */
  positionAt(offset: number): { readonly line: number; readonly column: number };
}

/** Never throws for wrong input: `problems` lists every fault with its line and column. */
export function parseZoneFile(text: string | Buffer, options: ZoneFileOptions): ParsedZoneFile {
  const scanner = new ZoneScanner(typeof text === 'string' ? Buffer.from(text) : text);
  const parser = new ZoneFileParser(options);
  const problems: ZoneProblem[] = [];
  const report = (offset: number, error: DnsError): void => {
    problems.push({ ...scanner.positionAt(offset), message: error.message });
  };
  let stopped = false;
  while (!stopped) {
    try {
      const entry = scanner.next();
      if (entry === undefined) break;
      parser.take(entry);
    } catch (error) {
      if (!(error instanceof DnsError)) throw error;
      report(error instanceof Unreadable ? error.offset : parser.offset, error);
      stopped =
        (error instanceof Unreadable ? error.lost : parser.lost) || problems.length >= options.maxProblems;
    }
  }
  return { records: parser.records, problems, stopped, positionAt: (offset) => scanner.positionAt(offset) };
}

class ZoneFileParser {
  readonly records: ParsedRecord[] = [];
  /** The word being looked at, for the position of an error. */
  offset = 0;
  /** A directive was wrong: what follows would be read with the wrong origin or TTL. */
  lost = false;
  #origin: Name;
  #owner: Name | undefined;
  #defaultTtl: number | undefined;
  #previousTtl: number | undefined;

  constructor(options: ZoneFileOptions) {
    this.#origin = options.origin;
    this.#defaultTtl = options.defaultTtlSeconds;
  }

  take(entry: Entry): void {
    const words = [...entry.words];
    const first = words[0] as ZoneWord;
    this.offset = first.offset;
    if (!entry.indented && !first.quoted && first.text.startsWith('$'))
      this.#directive(first, words.slice(1));
    else this.#record(entry, words);
  }

  #directive(word: ZoneWord, values: ZoneWord[]): void {
    this.lost = true;
    switch (word.text.toUpperCase()) {
      case '$ORIGIN':
        this.#origin = this.#name(this.#onlyValue(word, values));
        break;
      case '$TTL':
        this.#defaultTtl = this.#time(this.#onlyValue(word, values));
        break;
      case '$INCLUDE':
      case '$GENERATE':
        throw new DnsError('bad-text', `${word.text.toUpperCase()} is not supported`);
      default:
        throw new DnsError('bad-text', `unknown directive ${word.text}`);
    }
    this.lost = false;
  }

  #onlyValue(directive: ZoneWord, values: ZoneWord[]): ZoneWord {
    const [value, extra] = values;
    if (value === undefined) throw new DnsError('bad-text', `${directive.text} needs a value`);
    this.offset = (extra ?? value).offset;
    if (extra !== undefined)
      throw new DnsError('bad-text', `unexpected after ${directive.text}: ${extra.text}`);
    if (value.quoted) throw new DnsError('bad-text', `the value of ${directive.text} must not be quoted`);
    return value;
  }

  #record(entry: Entry, words: ZoneWord[]): void {
    const offset = this.offset;
    const name = this.#takeOwner(entry, words);
    const ttl = this.#takeTtlAndClass(words);
    const type = this.#takeType(words);
    const rdata = this.#takeRdata(type, words);
    const ttlSeconds = ttl ?? this.#defaultTtl ?? this.#previousTtl ?? soaMinimum(type, rdata);
    this.offset = offset;
    if (ttlSeconds === undefined)
      throw new DnsError('bad-text', 'a record has no TTL, and there is no $TTL before it');
    this.#previousTtl = ttlSeconds;
    this.records.push({ name, type, class: CLASS.IN, ttlSeconds, rdata, offset });
  }

  #takeOwner(entry: Entry, words: ZoneWord[]): Name {
    if (!entry.indented) {
      // A wrong owner must not leave its records to the owner before it.
      this.#owner = undefined;
      this.#owner = this.#name(words.shift() as ZoneWord);
    }
    if (this.#owner === undefined)
      throw new DnsError('bad-text', 'a record has no owner, and none stands before it');
    return this.#owner;
  }

  /** TTL and class may come in either order, each at most once. */
  #takeTtlAndClass(words: ZoneWord[]): number | undefined {
    let ttl: number | undefined;
    let classSeen = false;
    for (let word = words[0]; word !== undefined && !word.quoted; word = words[0]) {
      this.offset = word.offset;
      const time = ttl === undefined ? secondsFromText(word.text) : undefined;
      const cls = classSeen ? undefined : classNumber(word.text);
      if (time !== undefined) ttl = time;
      else if (cls !== undefined) classSeen = this.#acceptClass(cls, word);
      else break;
      words.shift();
    }
    return ttl;
  }

  #acceptClass(cls: number, word: ZoneWord): true {
    if (cls !== CLASS.IN) throw new DnsError('bad-text', `class ${word.text} is not supported, only IN`);
    return true;
  }

  #takeType(words: ZoneWord[]): number {
    const word = words.shift();
    if (word === undefined) throw new DnsError('bad-text', 'a record has no type');
    this.offset = word.offset;
    const type = word.quoted ? undefined : typeNumber(word.text);
    if (type === undefined) throw new DnsError('bad-text', `unknown record type ${word.text}`);
    return type;
  }

  #takeRdata(type: number, words: ZoneWord[]): Buffer {
    const text = new RdataText(words, this.#origin, checkName);
    try {
      return rdataFromText(type, text);
    } catch (error) {
      this.offset = words[Math.max(0, text.taken - 1)]?.offset ?? this.offset;
      throw error;
    }
  }

  #name(word: ZoneWord): Name {
    this.offset = word.offset;
    if (word.quoted) throw new DnsError('bad-text', `a name must not be quoted: "${word.text}"`);
    checkName(word.text);
    return nameFromText(word.text, this.#origin);
  }

  #time(word: ZoneWord): number {
    this.offset = word.offset;
    const time = secondsFromText(word.text);
    if (time === undefined) throw new DnsError('bad-text', `not a time: ${word.text}`);
    return time;
  }
}

/**
 * Names in a zone file keep to letters, digits, `-`, `_`, `/` and `*`; any other octet must be escaped. So a
 * forgotten quote or a comma is found here, and not by a client that asks for the name in vain.
 */
function checkName(text: string): void {
  if (text === '@') return;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    if (character === '\\') at += 1;
    else if (!/[A-Za-z0-9._/*-]/.test(character)) {
      throw new DnsError('bad-text', `"${character}" in a name must be written as \\${character}: ${text}`);
    }
  }
}

/** BIND's last resort for the first record of a file without $TTL. */
function soaMinimum(type: number, rdata: Buffer): number | undefined {
  return type === TYPE.SOA ? (rdataFields(type, rdata)['minimum'] as number) : undefined;
}
