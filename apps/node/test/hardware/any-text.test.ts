// Shows that no text, however mangled, makes a parser throw, and that what they answer keeps its shape.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAmdSmiGpus, parseAmdSmiReadings } from '../../src/hardware/amd-smi.ts';
import { parseMacGpus } from '../../src/hardware/apple-gpus.ts';
import { parseNvidiaReadings } from '../../src/hardware/gpu-metrics.ts';
import { parseCpuInfo, parseCpuTimes, parseMemInfo, parseOsName } from '../../src/hardware/linux-facts.ts';
import { nvidiaFailure } from '../../src/hardware/nvidia-failure.ts';
import { parseMigInstances, parseMigMemoryMib } from '../../src/hardware/nvidia-mig.ts';
import { NVIDIA_GPU_FIELDS, parseNvidiaGpus } from '../../src/hardware/nvidia-query.ts';
import { parseNvidiaTopology } from '../../src/hardware/nvidia-topology.ts';
import { pciAddress } from '../../src/hardware/pci-address.ts';
import { parseRocmGpus, parseRocmLinks, parseRocmReadings } from '../../src/hardware/rocm-smi.ts';
import { parseVulkanDevices } from '../../src/hardware/vulkan-gpus.ts';
import { parseXidEvents } from '../../src/hardware/xid-events.ts';
import { fixture } from './fixtures.ts';

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  parseAmdSmiGpus,
  parseAmdSmiReadings,
  parseMacGpus,
  parseNvidiaReadings,
  parseNvidiaGpus: (text) => parseNvidiaGpus(text, NVIDIA_GPU_FIELDS),
  parseCpuInfo,
  parseCpuTimes,
  parseMemInfo,
  parseOsName,
  nvidiaFailure,
  parseMigInstances,
  parseMigMemoryMib,
  parseNvidiaTopology,
  parseRocmGpus,
  parseRocmLinks,
  parseRocmReadings,
  parseVulkanDevices,
  parseXidEvents,
};

const RECORDED = [
  'nvidia/query-h100.csv',
  'nvidia/topo-a100-8-nics.txt',
  'nvidia/list-h100-mig.txt',
  'nvidia/table-h100-mig.txt',
  'nvidia/xid-lines.txt',
  'nvidia/fallen-off-the-bus.txt',
  'amd/rocm-smi-mi100.json',
  'amd/amd-smi-static-mi350x.json',
  'amd/amd-smi-metric-mi355x.json',
  'apple/intel-mac-amd.json',
  'vulkan/radeon660m-rtx3050-llvmpipe.txt',
  'linux/meminfo.txt',
].map(fixture);

/** A recorded output with a piece cut out and something else put there. */
const mangled = fc
  .tuple(
    fc.constantFrom(...RECORDED),
    fc.nat(),
    fc.nat({ max: 200 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
  .map(([text, at, length, insert]) => {
    const start = at % text.length;
    return text.slice(0, start) + insert + text.slice(start + length);
  });
const json = fc.json({ maxDepth: 6 });
const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), mangled, json);

describe('any text', () => {
  it.each(Object.keys(PARSERS))('does not make %s throw', (name) => {
    const parse = PARSERS[name];
    fc.assert(
      fc.property(anyText, (text) => void parse?.(text)),
      { numRuns: 300 },
    );
  });

  it('gives a symmetric link matrix', () => {
    const cell = fc.constantFrom('X', 'NV4', 'NV18', 'PIX', 'PXB', 'PHB', 'NODE', 'SYS', '??', '');
    const matrix = fc
      .integer({ min: 1, max: 8 })
      .chain((n) => fc.array(fc.array(cell, { minLength: n, maxLength: n }), { minLength: n, maxLength: n }));
    const text = fc.oneof(
      mangled,
      matrix.map((rows) => {
        const header = rows.map((_, index) => `GPU${index}`).join('\t');
        return [
          `\t${header}\tCPU Affinity`,
          ...rows.map((row, index) => `GPU${index}\t${row.join('\t')}\t0-3`),
        ].join('\n');
      }),
    );
    fc.assert(
      fc.property(text, (output) => {
        const { links, numaNodes } = parseNvidiaTopology(output);
        expect(numaNodes).toHaveLength(links.length);
        for (const [row, cells] of links.entries()) {
          expect(cells).toHaveLength(links.length);
          for (const [column, link] of cells.entries()) {
            expect(link).toEqual(links[column]?.[row]);
            expect(link.link === 'SELF').toBe(row === column);
          }
        }
      }),
    );
  });

  it('gives GPUs that the inventory can hold', () => {
    fc.assert(
      fc.property(mangled, (text) => {
        for (const gpu of parseNvidiaGpus(text, NVIDIA_GPU_FIELDS)) {
          expect(Number.isInteger(gpu.index) && gpu.index >= 0).toBe(true);
          expect(Number.isInteger(gpu.memoryMib) && gpu.memoryMib >= 0).toBe(true);
        }
      }),
    );
  });

  it('gives PCI addresses that are stable', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^([0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(\.[0-7])?$/),
        (text) => {
          const address = pciAddress(text);
          expect(address).toBeDefined();
          expect(pciAddress(address ?? '')).toBe(address);
        },
      ),
    );
  });
});
