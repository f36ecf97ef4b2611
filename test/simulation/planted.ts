/** Bugs of the kind that a durability harness exists for. */
import type { Files, OpenFile, OpenMode } from '../../src/core/files/files.ts';
import { JournalError } from '../../src/core/journal/errors.ts';
import type { AppendResult, Batch, Journal, Position, StoredBatch } from '../../src/core/journal/types.ts';
import { PAGE_BYTES } from '../../src/core/store/limits.ts';
import { sealPage } from '../../src/core/store/page.ts';

/** What an open file does otherwise. */
type Lapse = (file: OpenFile) => Partial<Omit<OpenFile, 'path' | 'size' | 'info' | 'close'>>;

/** Files whose open files behave as `lapse` says. */
function withLapse(files: Files, lapse: Lapse): Files {
  return {
    ...forwarded(files),
    async open(path: string, mode: OpenMode): Promise<OpenFile> {
      const file = await files.open(path, mode);
      return {
        path,
        size: () => file.size(),
        info: () => file.info(),
        read: (position, into) => file.read(position, into),
        readSync: (position, into) => file.readSync(position, into),
        writeSync: (position, bytes) => file.writeSync(position, bytes),
        write: (position, bytes) => file.write(position, bytes),
        sync: () => file.sync(),
        // So that a lapse in writing or in syncing is met.
        isQuick: false,
        writeThrough: (position, bytes) => file.writeThrough(position, bytes),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        close: () => file.close(),
        ...lapse(file),
      };
    },
  };
}

function forwarded(files: Files): Files {
  return {
    open: (path, mode) => files.open(path, mode),
    stat: (path) => files.stat(path),
    realPath: (path) => files.realPath(path),
    list: (folder) => files.list(folder),
    makeFolder: (path) => files.makeFolder(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    removeFolder: (path) => files.removeFolder(path),
    syncFolder: (folder) => files.syncFolder(folder),
    lock: (folder) => files.lock(folder),
  };
}

/** Every `nth` sync of a file is skipped. */
export function skipSyncs(files: Files, nth: number): Files {
  let syncs = 0;
  const isSkipped = (): boolean => ++syncs % nth === 0;
  return withLapse(files, (file) => ({
    sync: () => (isSkipped() ? Promise.resolve() : file.sync()),
    isQuick: file.isQuick,
    writeThrough: (position, bytes) =>
      isSkipped() ? void file.writeSync(position, bytes) : file.writeThrough(position, bytes),
  }));
}

/**
 * One place in the code has forgotten to sync.
 * @param isForgotten by the path of the file, and where it was last written to
 */
export function forgetSync(
  files: Files,
  isForgotten: (path: string, lastPosition: number) => boolean,
): Files {
  return withLapse(files, (file) => {
    let lastPosition = 0;
    return {
      write(position, bytes) {
        lastPosition = position;
        return file.write(position, bytes);
      },
      writeSync(position, bytes) {
        lastPosition = position;
        file.writeSync(position, bytes);
      },
      sync: () => (isForgotten(file.path, lastPosition) ? Promise.resolve() : file.sync()),
    };
  });
}

/** Only the sync after reading a file is forgotten: that of what was found there when opening. */
export function forgetOpeningSync(files: Files, isForgotten: (path: string) => boolean): Files {
  return withLapse(files, (file) => {
    let wasRead = false;
    return {
      read(position, into) {
        wasRead = isForgotten(file.path);
        return file.read(position, into);
      },
      sync() {
        const isFirst = wasRead;
        wasRead = false;
        return isFirst ? Promise.resolve() : file.sync();
      },
    };
  });
}

/** As `forgetSync`, for folders. */
export function forgetFolderSync(files: Files, isForgotten: (folder: string) => boolean): Files {
  const syncFolder: Files['syncFolder'] = (folder) =>
    isForgotten(folder) ? Promise.resolve() : files.syncFolder(folder);
  return { ...forwarded(files), syncFolder };
}

/** The checksums of pages are not looked at: what is read is given the one that it should have. */
export function ignorePageChecksums(files: Files): Files {
  return withLapse(files, (file) => ({
    readSync(position, into) {
      const length = file.readSync(position, into);
      if (file.path.endsWith('/pages') && length === PAGE_BYTES)
        sealPage(Buffer.from(into.buffer, into.byteOffset, length));
      return length;
    },
  }));
}

export function skipFolderSyncs(files: Files): Files {
  return { ...forwarded(files), syncFolder: () => Promise.resolve() };
}

/** A write of what is there already is left out, as an optimiser might: the last batch is not written again. */
export function skipSameWrites(files: Files): Files {
  return withLapse(files, (file) => ({
    async write(position, bytes) {
      if (!holds(file, position, bytes)) await file.write(position, bytes);
    },
    writeSync(position, bytes) {
      if (!holds(file, position, bytes)) file.writeSync(position, bytes);
    },
  }));
}

function holds(file: OpenFile, position: number, bytes: Uint8Array): boolean {
  const there = Buffer.alloc(bytes.length);
  return file.readSync(position, there) === bytes.length && there.equals(bytes);
}

/** A torn tail is left where it is. */
export function skipTruncations(files: Files): Files {
  return withLapse(files, () => ({ truncate: () => Promise.resolve() }));
}

/** Says `appended` when the append has only begun. */
export function acknowledgeEarly(journal: Journal): Journal {
  return changed(journal, async (batch, expected) => {
    journal.append(batch, expected).catch(() => undefined);
    return { outcome: 'appended', position: expected + 1 };
  });
}

/** Takes a failed sync for a hiccup. */
export function takeUnknownForAppended(journal: Journal): Journal {
  return changed(journal, async (batch, expected) => {
    const result = await journal.append(batch, expected);
    return result.outcome === 'unknown' ? { outcome: 'appended', position: expected + 1 } : result;
  });
}

function changed(
  journal: Journal,
  append: (batch: Batch, expected: Position) => Promise<AppendResult>,
): Journal {
  return {
    incarnation: journal.incarnation,
    lease: journal.lease,
    report: () => journal.report(),
    append,
    read: (from, options) => journal.read(from, options),
    head: () => journal.head(),
    truncateBefore: (position) => journal.truncateBefore(position),
    close: () => journal.close(),
    [Symbol.asyncDispose]: () => journal.close(),
  };
}

/** Appends wherever the journal ends: compares nothing. */
export function appendBlindly(journal: Journal): Journal {
  return changed(journal, async (batch, expected) => {
    const result = await journal.append(batch, expected);
    return result.outcome === 'conflict' ? journal.append(batch, result.last) : result;
  });
}

/** Every attempt is a batch of its own: a retry cannot be told from another writer's. */
export function retryUnderNewId(journal: Journal): Journal {
  let attempts = 0;
  return changed(journal, (batch, expected) => {
    const id = Uint8Array.from(batch.id);
    new DataView(id.buffer).setUint32(0, ++attempts);
    return journal.append({ ...batch, id }, expected);
  });
}

/** What is not found has not been stored: the writer may go on with something else. */
export function takeNotFoundForRefused(journal: Journal): Journal {
  return changed(journal, async (batch, expected) => {
    const result = await journal.append(batch, expected);
    if (result.outcome !== 'unknown') return result;
    try {
      for await (const _ of journal.read(expected + 1)) return result;
    } catch {
      return result;
    }
    throw new JournalError('no-space', 'it is not there', { retryable: true });
  });
}

/** A conflict is always somebody else's doing. */
export function takeConflictForFenced(journal: Journal): Journal {
  return changed(journal, async (batch, expected) => {
    const result = await journal.append(batch, expected);
    if (result.outcome === 'conflict') throw new JournalError('fenced', 'somebody was faster');
    return result;
  });
}

/** No bug: tells of every batch that was acknowledged. */
export function remembering(journal: Journal, keep: (batch: StoredBatch) => void): Journal {
  return changed(journal, async (batch, expected) => {
    const result = await journal.append(batch, expected);
    if (result.outcome === 'appended') keep({ ...batch, position: result.position });
    return result;
  });
}
