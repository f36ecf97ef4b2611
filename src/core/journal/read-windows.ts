/**
 * What a reader reads into who is through with a group of batches when he asks for the next but one:
 *
 *   asked for   group 7     group 8     group 9
 *   windows     A B         B C         C A     A is used again: it was last looked into by group 7
 *
 * A window may hold the end of one group and the beginning of the next. Fresh memory for each megabyte of a long
 * journal is much for the garbage collector: an eighth of the CPU time of a replay.
 */
import { READ_WINDOW_BYTES } from './limits.ts';

/** Larger ones, for a single large batch, are made anew: else a few of them stayed in memory. */
const KEPT_BYTES_MAX = 8 * READ_WINDOW_BYTES;

interface Window {
  readonly bytes: Buffer;
  /** The newest group that looks into it. */
  group: number;
}

export class ReadWindows {
  #windows: Window[] = [];
  #latest: Window | undefined;
  #group = 0;

  /** Memory for the group being made. */
  take(sizeBytes: number): Buffer {
    this.#latest = sizeBytes > KEPT_BYTES_MAX ? undefined : this.#free(sizeBytes);
    return this.#latest?.bytes.subarray(0, sizeBytes) ?? Buffer.allocUnsafe(sizeBytes);
  }

  #free(sizeBytes: number): Window {
    const isFree = ({ group }: Window): boolean => group < this.#group - 1;
    let window = this.#windows.find((one) => isFree(one) && one.bytes.length >= sizeBytes);
    if (window === undefined) {
      const length = Math.ceil(sizeBytes / READ_WINDOW_BYTES) * READ_WINDOW_BYTES;
      window = { bytes: Buffer.allocUnsafeSlow(length), group: 0 };
      // Those that are too small now would be so again.
      this.#windows = [...this.#windows.filter((one) => !isFree(one)), window];
    }
    window.group = this.#group;
    return window;
  }

  /** The next group is asked for. It may begin in the window where the one before ends. */
  nextGroup(): void {
    this.#group += 1;
    if (this.#latest !== undefined) this.#latest.group = this.#group;
  }
}
