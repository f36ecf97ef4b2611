/**
 * node disk-server.ts MOUNTPOINT IMAGE LOG
 *
 * A process that is a disk: serves the file IMAGE as MOUNTPOINT/disk over FUSE, and appends everything it is
 * told to LOG before it answers. Blocking calls throughout, one request at a time, so that the order of the log
 * is the order in which the disk did it. Ends when MOUNTPOINT is unmounted.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import {
  attributesReply,
  DISK_NAME,
  dataReply,
  decodeRequest,
  doneReply,
  entryReply,
  initReply,
  missingReply,
  openReply,
  REQUEST_BYTES_MAX,
  type Request,
  statfsReply,
  unknownReply,
  writeReply,
} from './fuse.ts';
import { encodeFlush, encodeWrite } from './write-log.ts';

const [mountpoint = '', image = '', log = ''] = process.argv.slice(2);
serve(openSync('/dev/fuse', 'r+'), openSync(image, 'r+'), openSync(log, 'a'));

function serve(fuse: number, disk: number, journal: number): void {
  mount(fuse);
  process.stdout.write('mounted\n');
  const sizeBytes = fstatSync(disk).size;
  const request = Buffer.alloc(REQUEST_BYTES_MAX);
  for (;;) {
    const bytes = next(fuse, request);
    if (bytes === undefined) break;
    const reply = answer(decodeRequest(request.subarray(0, bytes)), disk, journal, sizeBytes);
    if (reply !== undefined) writeSync(fuse, reply);
  }
  for (const open of [fuse, disk, journal]) closeSync(open);
}

function mount(fuse: number): void {
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,max_read=1048576';
  const stdio = ['ignore', 'ignore', 'pipe', fuse] as const;
  const { status, stderr } = spawnSync(
    'mount',
    ['-i', '-t', 'fuse', '-o', options, 'octet-disk', mountpoint],
    {
      stdio: [...stdio],
    },
  );
  if (status === 0) return;
  process.stderr.write(`FUSE cannot be mounted here: ${stderr}`);
  process.exit(1);
}

/** @returns undefined when the file system is unmounted */
function next(fuse: number, into: Buffer): number | undefined {
  for (;;) {
    try {
      return readSync(fuse, into);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENODEV') return undefined;
      // A request that was taken back before it was read.
      if (code !== 'ENOENT' && code !== 'EINTR' && code !== 'EAGAIN') throw error;
    }
  }
}

function answer(request: Request, disk: number, log: number, sizeBytes: number): Buffer | undefined {
  switch (request.kind) {
    case 'init':
      return initReply(request.unique, request.minor);
    case 'lookup':
      return request.name === DISK_NAME
        ? entryReply(request.unique, sizeBytes)
        : missingReply(request.unique);
    case 'attributes':
      return attributesReply(request.unique, request.node, sizeBytes);
    case 'open':
      return openReply(request.unique);
    case 'read':
      return dataReply(request.unique, readAt(disk, request.offset, request.bytes));
    case 'write':
      writeSync(disk, request.data, 0, request.data.length, request.offset);
      writeSync(log, encodeWrite(request.offset, request.data));
      return writeReply(request.unique, request.data.length);
    case 'fsync':
      writeSync(log, encodeFlush());
      return doneReply(request.unique);
    case 'statfs':
      return statfsReply(request.unique);
    case 'done':
      return doneReply(request.unique);
    case 'silent':
      return undefined;
    case 'unknown':
      return unknownReply(request.unique);
  }
}

function readAt(disk: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(disk, bytes, 0, length, offset));
}
