// Shows that software devices never count as GPUs and that Vulkan's devices can be matched to PCI cards.
import { describe, expect, it } from 'vitest';
import { parseVulkanDevices } from '../../src/hardware/vulkan-gpus.ts';
import { fixture } from './fixtures.ts';

describe('parseVulkanDevices', () => {
  it('marks the CPU renderer of a machine without GPU', () => {
    expect(parseVulkanDevices(fixture('vulkan/debian12-llvmpipe.txt'))).toMatchObject([
      { name: 'llvmpipe (LLVM 15.0.6, 256 bits)', vendor: 'other', software: true },
    ]);
  });

  it('marks other CPU renderers by type or name', () => {
    const device = (name: string, type: string): string =>
      `Devices:\nGPU0:\n\tdeviceType = PHYSICAL_DEVICE_TYPE_${type}\n\tdeviceName = ${name}\n`;
    expect(parseVulkanDevices(device('some later renderer', 'CPU'))).toMatchObject([{ software: true }]);
    expect(parseVulkanDevices(device('SwiftShader Device (Subzero)', 'CPU'))).toMatchObject([
      { software: true },
    ]);
    expect(parseVulkanDevices(device('SwiftShader Device (LLVM 16)', 'OTHER'))).toMatchObject([
      { software: true },
    ]);
  });

  it('reads a card beside the CPU renderer', () => {
    const [card, cpu] = parseVulkanDevices(fixture('vulkan/gtx1660ti-and-llvmpipe.txt'));
    expect(card).toMatchObject({ name: 'NVIDIA GeForce GTX 1660 Ti', vendor: 'nvidia', software: false });
    expect(cpu).toMatchObject({ software: true });
  });

  it('finds the PCI address in the UUID of AMD drivers', () => {
    expect(parseVulkanDevices(fixture('vulkan/rx6600xt.txt'))).toMatchObject([
      { name: 'AMD Radeon RX 6600 XT', vendor: 'amd', pciAddress: '0000:0a:00.0' },
    ]);
    const devices = parseVulkanDevices(fixture('vulkan/radeon660m-rtx3050-llvmpipe.txt'));
    expect(devices.map((device) => device.pciAddress)).toEqual(['0000:74:00.0', undefined, undefined]);
  });

  it('counts a device once that the loader lists twice', () => {
    const text = fixture('vulkan/rx6600xt.txt');
    const twice = text + text.slice(text.indexOf('GPU0:')).replace('GPU0:', 'GPU1:');
    expect(parseVulkanDevices(twice)).toHaveLength(1);
  });
});
