/**
 * `multipart/form-data`: bytes in, events out. RFC 7578, on the grammar of RFC 2046 section 5.1.1.
 *
 *   [ preamble CR LF ]
 *   --boundary *blank CR LF                     ┐
 *   Content-Disposition: form-data; name="a" CR LF │ once per part, none in an empty form
 *   CR LF                                       │
 *   content CR LF                               ┘
 *   --boundary-- *blank [ CR LF epilogue ]
 *
 * The CR LF before a delimiter belongs to it, not to the content. A line that begins with the delimiter is one, or is
 * refused: parsers that let `--boundaryX` pass as content disagree with those that do not. Content is handed on as
 * it comes, without copying; held are a part's head until it is whole, and a number where a delimiter is cut. How
 * the bytes are split changes neither the events nor the refusal, only how content is cut into `data`.
 */
import { assert } from '../../core/assert.ts';
import { DEFAULT_FORM_LIMITS, type FormLimits } from '../limits.ts';
import { isBlank } from '../wire/grammar.ts';
import { Input } from '../wire/input.ts';
import { isBoundary } from './boundary.ts';
import { DelimiterSearch } from './delimiter-search.ts';
import { type PartHead, parsePartHead } from './part-head.ts';
import { type FormRefusal, isFormRefusal, refuseForm } from './refusal.ts';

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;

export type MultipartEvent =
  | { readonly kind: 'part'; readonly head: PartHead }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'part-end' }
  /** The form is whole. */
  | { readonly kind: 'end' }
  | { readonly kind: 'need-data' }
  | FormRefusal;

export type MultipartLimits = Omit<FormLimits, 'parameters' | 'urlencodedBytes'>;

type State =
  | 'preamble'
  /** Behind `--boundary`: a dash, blanks, or the end of the line. */
  | 'delimiter'
  | 'delimiter-blanks'
  | 'delimiter-lf'
  | 'second-dash'
  | 'head'
  | 'content'
  /** Behind `--boundary--`. */
  | 'close'
  | 'close-lf'
  | 'epilogue'
  | 'ended'
  | 'refused';

const NEED_DATA = { kind: 'need-data' } as const;
const PART_END = { kind: 'part-end' } as const;
const END = { kind: 'end' } as const;

export class MultipartParser {
  readonly #limits: MultipartLimits;
  readonly #search: DelimiterSearch;
  readonly #input = new Input();
  #state: State = 'preamble';
  #finished = false;
  #refusal: FormRefusal | undefined;
  #parts = 0;
  #inPart = false;
  /** Content that the part may still have, bytes. */
  #roomBytes = 0;
  #partIsFile = false;
  #fieldsBytes = 0;
  #marginBytes = 0;
  #paddingBytes = 0;
  #headScanned = 0;
  #headLineStart = 0;
  #examined = 0;

  /** @throws AssertionFailed when `boundary` is none; `isBoundary` tells */
  constructor(boundary: string, limits: Partial<MultipartLimits> = {}) {
    assert(isBoundary(boundary), 'the boundary of a parser is one of RFC 2046');
    this.#limits = { ...DEFAULT_FORM_LIMITS, ...limits };
    this.#search = new DelimiterSearch(boundary);
    this.#search.begin();
  }

  /** Looks at bytes so far: at most two for each byte received. */
  get examinedBytes(): number {
    return this.#examined + this.#search.examinedBytes;
  }

  /** Bytes received and not handed on. Between `need-data` and the next `receive`, at most `partHeadBytes`. */
  get heldBytes(): number {
    return this.#input.length;
  }

  /** Takes bytes, which must not change afterwards. Call `next` until it needs more before giving more. */
  receive(chunk: Buffer): void {
    assert(!this.#finished, 'nothing comes behind the end of a form');
    if (this.#state !== 'refused' && chunk.length > 0) this.#input.append(chunk);
  }

  /** No more will come. */
  finish(): void {
    this.#finished = true;
  }

  /** The next event. After a refusal, that refusal again. */
  next(): MultipartEvent {
    for (;;) {
      const event = this.#step();
      if (event === undefined) continue;
      if (event.kind === 'malformed') this.#refuse(event);
      return event;
    }
  }

  #refuse(refusal: FormRefusal): void {
    this.#state = 'refused';
    this.#refusal = refusal;
    this.#input.clear();
  }

  #step(): MultipartEvent | undefined {
    if (this.#refusal !== undefined) return this.#refusal;
    if (this.#input.length === 0) return this.#finished ? this.#end() : NEED_DATA;
    switch (this.#state) {
      case 'preamble':
      case 'content':
        return this.#untilDelimiter();
      case 'head':
        return this.#head();
      case 'epilogue':
        return this.#margin(this.#input.take(this.#input.length));
      default:
        return this.#delimiterByte();
    }
  }

  #end(): MultipartEvent {
    if (this.#state === 'ended') return END;
    if (this.#state !== 'close' && this.#state !== 'epilogue')
      return refuseForm('truncated', 'the form ends before its last delimiter');
    this.#state = 'ended';
    return END;
  }

  #untilDelimiter(): MultipartEvent | undefined {
    const found = this.#search.next(this.#input);
    if (found === undefined) return undefined;
    if (found !== 'found') return this.#state === 'content' ? this.#data(found) : this.#margin(found);
    this.#state = 'delimiter';
    this.#paddingBytes = 0;
    return undefined;
  }

  /** What fits is handed on before the rest is refused, so that a split elsewhere gives the same. */
  #data(bytes: Buffer): MultipartEvent {
    const fitting = Math.min(bytes.length, this.#roomBytes);
    this.#roomBytes -= fitting;
    if (!this.#partIsFile) this.#fieldsBytes += fitting;
    if (fitting === bytes.length) return { kind: 'data', bytes };
    const refusal = this.#partIsFile
      ? refuseForm('file-too-large', `a file of the form is longer than ${this.#limits.fileBytes} bytes`, 413)
      : refuseForm('field-too-large', 'the fields of the form are too long', 413);
    if (fitting === 0) return refusal;
    this.#refuse(refusal);
    return { kind: 'data', bytes: bytes.subarray(0, fitting) };
  }

  #margin(bytes: Buffer): FormRefusal | undefined {
    this.#marginBytes += bytes.length;
    if (this.#marginBytes <= this.#limits.marginBytes) return undefined;
    return refuseForm('margin-too-large', 'there is too much outside the parts of the form', 413);
  }

  /** One byte of what stands behind a boundary. */
  #delimiterByte(): MultipartEvent | undefined {
    const code = this.#input.byte(0);
    this.#input.skip(1);
    this.#examined++;
    switch (this.#state) {
      case 'delimiter':
        if (code === DASH) return this.#goto('second-dash');
        return this.#blankOrCr(code, 'delimiter-blanks', 'delimiter-lf');
      case 'delimiter-blanks':
        return this.#blankOrCr(code, 'delimiter-blanks', 'delimiter-lf');
      case 'delimiter-lf':
        return code === LF ? this.#beginPart() : badDelimiter();
      case 'second-dash':
        if (code !== DASH) return badDelimiter();
        return this.#endPart('close');
      case 'close':
        return this.#blankOrCr(code, 'close', 'close-lf');
      default:
        return code === LF ? this.#goto('epilogue') : badDelimiter();
    }
  }

  #blankOrCr(code: number, blanks: State, lineFeed: State): MultipartEvent | undefined {
    if (code === CR) return this.#goto(lineFeed);
    if (!isBlank(code) || ++this.#paddingBytes > this.#limits.paddingBytes) return badDelimiter();
    return this.#goto(blanks);
  }

  #goto(state: State): undefined {
    this.#state = state;
    return undefined;
  }

  #beginPart(): MultipartEvent | undefined {
    if (this.#parts === this.#limits.parts)
      return refuseForm('too-many-parts', `the form has more than ${this.#limits.parts} parts`, 413);
    this.#parts++;
    this.#headScanned = 0;
    this.#headLineStart = 0;
    return this.#endPart('head');
  }

  /** A part ends only once the whole delimiter behind it has come, as what looked like one may be refused. */
  #endPart(next: State): MultipartEvent | undefined {
    const ended = this.#inPart;
    this.#inPart = false;
    this.#state = next;
    return ended ? PART_END : undefined;
  }

  #head(): MultipartEvent | undefined {
    const input = this.#input;
    while (this.#headScanned < input.length) {
      const code = input.byte(this.#headScanned++);
      this.#examined++;
      if (this.#headScanned > this.#limits.partHeadBytes)
        return refuseForm('part-head-too-large', 'the head of a part is too large', 413);
      if (code !== LF) continue;
      const lineBytes = this.#headScanned - this.#headLineStart;
      if (lineBytes < 2 || input.byte(this.#headScanned - 2) !== CR)
        return refuseForm('bad-part-head', 'lines end in CR LF; a lone LF is not one');
      this.#headLineStart = this.#headScanned;
      if (lineBytes === 2) return this.#wholeHead(input.takeText(this.#headScanned));
    }
    return this.#finished ? refuseForm('truncated', 'the form ends in the head of a part') : NEED_DATA;
  }

  #wholeHead(text: string): MultipartEvent {
    const head = parsePartHead(text.slice(0, -2), this.#limits);
    if (isFormRefusal(head)) return head;
    this.#partIsFile = head.filename !== undefined;
    const { fileBytes, fieldBytes, fieldsBytes } = this.#limits;
    this.#roomBytes = this.#partIsFile ? fileBytes : Math.min(fieldBytes, fieldsBytes - this.#fieldsBytes);
    this.#inPart = true;
    this.#state = 'content';
    this.#search.begin();
    return { kind: 'part', head };
  }
}

function badDelimiter(): FormRefusal {
  return refuseForm('bad-delimiter', 'a line begins with the boundary and is no delimiter');
}
