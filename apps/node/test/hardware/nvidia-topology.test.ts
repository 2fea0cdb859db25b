// Shows that the topology matrix is read from published outputs: NVSwitch, PCIe, NICs, tabs or spaces.
import { describe, expect, it } from 'vitest';
import { parseNvidiaTopology, type NvidiaTopology } from '../../src/hardware/nvidia-topology.ts';
import { fixture } from './fixtures.ts';

const read = (file: string): NvidiaTopology => parseNvidiaTopology(fixture(`nvidia/${file}`));
const kinds = ({ links }: NvidiaTopology, row: number): readonly string[] =>
  (links[row] ?? []).map(({ link, width }) => `${link}${width ?? ''}`);

describe('parseNvidiaTopology', () => {
  it('reads eight H100 behind an NVSwitch', () => {
    const topology = read('topo-h100-8.txt');
    expect(kinds(topology, 0)).toEqual(['SELF', ...Array.from({ length: 7 }, () => 'NV18')]);
    expect(kinds(topology, 7)).toEqual([...Array.from({ length: 7 }, () => 'NV18'), 'SELF']);
    expect(topology.numaNodes).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  });

  it('reads eight A100 beside seventeen NICs, whose columns and rows are no GPUs', () => {
    const topology = read('topo-a100-8-nics.txt');
    expect(topology.links).toHaveLength(8);
    expect(kinds(topology, 3)).toEqual(['NV12', 'NV12', 'NV12', 'SELF', 'NV12', 'NV12', 'NV12', 'NV12']);
    expect(topology.numaNodes).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('reads PCIe switches, and "N/A" as no NUMA node', () => {
    const topology = read('topo-8-pcie-switches.txt');
    expect(kinds(topology, 0)).toEqual(['SELF', 'PIX', 'PXB', 'PXB', 'SYS', 'SYS', 'SYS', 'SYS']);
    expect(topology.numaNodes.every((node) => node === undefined)).toBe(true);
  });

  it('reads five cards on two sockets', () => {
    const topology = read('topo-rtx4090-5.txt');
    expect(kinds(topology, 1)).toEqual(['SYS', 'SELF', 'PHB', 'NODE', 'NODE']);
    expect(topology.numaNodes).toEqual([1, 0, 0, 0, 0]);
  });

  it('reads four A10 with NIC columns between the matrix and the affinity', () => {
    const topology = read('topo-a10-4-nics.txt');
    expect(kinds(topology, 2)).toEqual(['SYS', 'SYS', 'SELF', 'SYS']);
    expect(topology.numaNodes).toEqual([0, 0, 0, 0]);
  });

  it('reads the tabs that the tool itself prints', () => {
    const topology = read('topo-rtx5090-2-tabs.txt');
    expect(kinds(topology, 0)).toEqual(['SELF', 'PHB']);
    expect(topology.numaNodes).toEqual([0, 0]);
  });

  it('reads a single GPU and an output without NUMA node', () => {
    expect(kinds(read('topo-h100-1-tabs.txt'), 0)).toEqual(['SELF']);
    expect(read('topo-gtx1080ti-2.txt').numaNodes).toEqual([undefined, undefined]);
  });

  it('reads an underlined header', () => {
    const text = fixture('nvidia/topo-rtx5090-2-tabs.txt').replace(
      /^.*\n/,
      (line) => `\u001B[4m${line}\u001B[0m`,
    );
    expect(kinds(parseNvidiaTopology(text), 1)).toEqual(['PHB', 'SELF']);
  });

  it('takes the worse of two directions that disagree', () => {
    const text = '\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tNV4\t0-3\nGPU1\tSYS\t X \t0-3\n';
    expect(kinds(parseNvidiaTopology(text), 0)).toEqual(['SELF', 'SYS']);
  });

  it('is empty where there is no matrix', () => {
    expect(parseNvidiaTopology(fixture('nvidia/error-driver-unreachable.txt'))).toEqual({
      links: [],
      numaNodes: [],
    });
  });
});
