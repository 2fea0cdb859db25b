import { readFile, statfs } from 'node:fs/promises';
import type { StatsFs } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { NodeInventory } from '@clawbernetes/protocol';
import { withTimeout, type Clock } from '@clawbernetes/kernel';
import {
  countKernelList,
  parseCpuInfo,
  parseCpuTimes,
  parseMemInfo,
  parseOsName,
  type CpuTimes,
  type MemoryFacts,
} from './linux-facts.ts';

/**
 * Facts of the machine from `<root>/proc`, `<root>/sys` and `<root>/etc`, or from node:os where those are
 * missing (macOS).
 */
export async function readMachine(
  root: string,
): Promise<Pick<NodeInventory, 'hostname' | 'os' | 'kernel' | 'architecture' | 'cpu' | 'memoryMib'>> {
  const [cpuInfo, nodes, osRelease, memory] = await Promise.all([
    readText(root, 'proc/cpuinfo'),
    readText(root, 'sys/devices/system/node/online'),
    readText(root, 'etc/os-release'),
    readMemory(root),
  ]);
  const cpu = parseCpuInfo(cpuInfo);
  return {
    hostname: os.hostname(),
    os: parseOsName(osRelease) ?? os.version(),
    kernel: os.release(),
    architecture: os.arch(),
    cpu: {
      model: cpu?.model ?? os.cpus()[0]?.model ?? 'unknown',
      cores: cpu?.cores ?? Math.max(1, os.cpus().length),
      sockets: cpu?.sockets ?? 1,
      numaNodes: countKernelList(nodes),
    },
    memoryMib: Math.max(1, memory.totalMib),
  };
}

export async function readMemory(root: string): Promise<MemoryFacts> {
  const facts = parseMemInfo(await readText(root, 'proc/meminfo'));
  if (facts) return facts;
  return { totalMib: Math.floor(os.totalmem() / MIB), availableMib: Math.floor(os.freemem() / MIB) };
}

/** Of all processors together. */
export async function readCpuTimes(root: string): Promise<CpuTimes> {
  return parseCpuTimes(await readText(root, 'proc/stat')) ?? processorTimes();
}

export async function readUptimeMs(root: string): Promise<number> {
  const seconds = Number.parseFloat(await readText(root, 'proc/uptime'));
  return 1_000 * (Number.isFinite(seconds) ? seconds : os.uptime());
}

const MIB = 1024 * 1024;

async function readText(root: string, path: string): Promise<string> {
  return await readFile(join(root, path), 'utf8').catch(() => '');
}

function processorTimes(): CpuTimes {
  let [busy, total] = [0, 0];
  for (const { times } of os.cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { busy, total };
}

export interface DiskSpace {
  readonly totalMib: number;
  /** For programs without special rights. */
  readonly freeMib: number;
}

export interface DiskProbeDeps {
  readonly clock: Clock;
  readonly statfs?: (path: string) => Promise<Pick<StatsFs, 'bsize' | 'blocks' | 'bavail'>>;
}

/** Longest wait for a file system, ms: a network file system whose server is gone never answers. */
const DISK_DEADLINE_MS = 2_000;

/**
 * Space of the file system at `path`. While an earlier question is unanswered no second one is asked, since
 * each holds a thread of the pool that all file access shares.
 */
export class DiskProbe {
  readonly path: string;
  readonly #deps: Required<DiskProbeDeps>;
  #waiting: Promise<DiskSpace> | undefined;

  constructor({ clock, statfs: ask = statfs }: DiskProbeDeps, path: string) {
    this.#deps = { clock, statfs: ask };
    this.path = path;
  }

  /** @throws CodedError `timeout`, or the system's error. */
  async read(): Promise<DiskSpace> {
    this.#waiting ??= this.#ask();
    const message = `The file system at ${this.path} does not answer; is its server gone?`;
    return await withTimeout(this.#deps.clock, DISK_DEADLINE_MS, message, this.#waiting);
  }

  async #ask(): Promise<DiskSpace> {
    try {
      const { bsize, blocks, bavail } = await this.#deps.statfs(this.path);
      return { totalMib: Math.floor((blocks * bsize) / MIB), freeMib: Math.floor((bavail * bsize) / MIB) };
    } finally {
      this.#waiting = undefined;
    }
  }
}
