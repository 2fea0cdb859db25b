import type { GpuDevice } from '@clawbernetes/protocol';

export interface SimulatedModel {
  /** As the vendor's tool names it. */
  readonly model: string;
  readonly vendor: GpuDevice['vendor'];
  /** As the vendor's tool shows it. */
  readonly memoryMib: number;
  readonly powerLimitW: number;
  readonly computeCapability?: string;
  /** How GPUs of this model in one machine reach each other; `pcie` depends on the socket. */
  readonly fabric: 'nvswitch' | 'xgmi' | 'pcie';
  /** NVLinks bonded between any two, with an NVSwitch. */
  readonly nvlinks?: number;
}

const nvidia = (
  model: string,
  memoryMib: number,
  powerLimitW: number,
  computeCapability: string,
  nvlinks = 0,
): SimulatedModel => {
  const common = {
    model: `NVIDIA ${model}`,
    vendor: 'nvidia',
    memoryMib,
    powerLimitW,
    computeCapability,
  } as const;
  return nvlinks > 0 ? { ...common, fabric: 'nvswitch', nvlinks } : { ...common, fabric: 'pcie' };
};

const H100 = nvidia('H100 80GB HBM3', 81_559, 700, '9.0', 18);
const H200 = nvidia('H200', 143_771, 700, '9.0', 18);
const A100_80 = nvidia('A100-SXM4-80GB', 81_920, 400, '8.0', 12);

/** What `--simulate-gpus` knows, by the name that people write. */
export const SIMULATED_MODELS: Readonly<Record<string, SimulatedModel>> = {
  H100,
  'H100-80GB': H100,
  H200,
  B200: nvidia('B200', 183_359, 1_000, '10.0', 18),
  A100: A100_80,
  'A100-80GB': A100_80,
  'A100-40GB': nvidia('A100-SXM4-40GB', 40_960, 400, '8.0', 12),
  'A100-PCIE-40GB': nvidia('A100-PCIE-40GB', 40_960, 250, '8.0'),
  L40S: nvidia('L40S', 46_068, 350, '8.9'),
  L4: nvidia('L4', 23_034, 72, '8.9'),
  A10: nvidia('A10', 23_028, 150, '8.6'),
  T4: nvidia('Tesla T4', 15_360, 70, '7.5'),
  V100: nvidia('Tesla V100-PCIE-32GB', 32_768, 250, '7.0'),
  RTX5090: nvidia('GeForce RTX 5090', 32_607, 575, '12.0'),
  RTX4090: nvidia('GeForce RTX 4090', 24_564, 450, '8.9'),
  RTX3090: nvidia('GeForce RTX 3090', 24_576, 350, '8.6'),
  MI300X: {
    model: 'AMD Instinct MI300X',
    vendor: 'amd',
    memoryMib: 196_592,
    powerLimitW: 750,
    fabric: 'xgmi',
  },
};
