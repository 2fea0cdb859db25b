import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * More records than a kernel keeps by default (one line each, at least 30 bytes, of a buffer of some MiB).
 */
const MAX_RECORDS = 100_000;
/** No record is longer (CONSOLE_EXT_LOG_MAX of Linux). */
const RECORD_BYTES = 8192;

/**
 * Whether the kernel has killed a process of a container at the container's own memory limit, by the kernel's
 * log (Linux, Documentation/ABI/testing/dev-kmsg). Engines begin to watch a container's memory only after its
 * start and miss a kill that comes at once; the kernel writes each down before it kills. False also where we
 * may not read the log.
 */
export async function killedAtMemoryLimit(containerId: string): Promise<boolean> {
  // Without O_NONBLOCK a read past the newest record waits for the next.
  const log = await open('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (!log) return false;
  const buffer = Buffer.alloc(RECORD_BYTES);
  try {
    for (let records = 0; records < MAX_RECORDS; records += 1) {
      const length = await readRecord(() => log.read(buffer, 0, RECORD_BYTES, null));
      if (length === undefined) return false;
      if (isMemoryKill(buffer.toString('latin1', 0, length), containerId)) return true;
    }
    return false;
  } finally {
    await log.close();
  }
}

/** Bytes of the next record, 0 if the kernel has dropped some in between; undefined after the newest. */
async function readRecord(read: () => Promise<{ readonly bytesRead: number }>): Promise<number | undefined> {
  try {
    return (await read()).bytesRead;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : undefined;
  }
}

/** `oom_memcg` is the group whose limit was hit: of this container, not of one that holds it. */
export function isMemoryKill(record: string, containerId: string): boolean {
  const group = /oom-kill:constraint=CONSTRAINT_MEMCG\S*,oom_memcg=([^,]*)/.exec(record)?.[1];
  return group?.split('/').at(-1)?.includes(containerId) === true;
}
