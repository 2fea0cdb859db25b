import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '@clawbernetes/kernel';
import { nodeProbeProcesses } from '../../src/hardware/probe-processes.ts';
import { ProbeRunner, type ProbeRunnerOptions } from '../../src/hardware/probe-runner.ts';

/** A folder of executables that stand in for vendors' tools, and a root folder that stands in for `/`. */
export class FakeTools implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'claw-hardware-'));

  /** An executable shell script; only what is in `/bin` may be named, by its full path. */
  install(name: string, script: string): void {
    writeFileSync(join(this.folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** A file under the folder that stands in for `/`. */
  write(path: string, text: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  get root(): string {
    return join(this.folder, 'root');
  }

  /** A PCI function as sysfs shows it. */
  addCard(address: string, vendorId: string, numaNode = -1): void {
    const folder = `sys/bus/pci/devices/${address}`;
    this.write(`${folder}/class`, '0x030200\n');
    this.write(`${folder}/vendor`, `${vendorId}\n`);
    this.write(`${folder}/numa_node`, `${numaNode}\n`);
  }

  /** Real processes that find these tools and no others. */
  runner(options: ProbeRunnerOptions = {}): ProbeRunner {
    const processes = nodeProbeProcesses({ PATH: this.folder }, []);
    return new ProbeRunner({ clock: systemClock, processes }, options);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
