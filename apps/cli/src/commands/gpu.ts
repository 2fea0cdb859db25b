import type { Call } from '../declare/declaration.ts';
import { gpuName, gpuState, gpuTrouble, gpuUsers } from '../output/gpu-line.ts';
import { memory } from '../output/phrases.ts';

export async function listGpus({ context }: Call): Promise<void> {
  const client = await context.client();
  const { gpus } = await client.command('gpu.list', {});
  await context.print({ gpus }, async () => {
    if (gpus.length === 0) return 'The fleet has no GPUs.';
    const { renderTable } = await import('../output/table.ts');
    const { colours } = context.terminal;
    const nowMs = context.clock.nowMs();
    return renderTable(
      ['NODE', 'GPU', 'MODEL', 'MEMORY', 'STATE', 'WORK', 'TROUBLE'],
      gpus.map((gpu) => [
        gpu.node,
        String(gpu.index),
        `${gpuName(gpu)}${gpu.simulated ? colours.yellow(' simulated') : ''}`,
        memory(gpu.memoryMib),
        gpuState(colours, gpu),
        gpuUsers(gpu),
        gpuTrouble(colours, gpu, nowMs).replace(/^:? /, ''),
      ]),
      { columns: context.columns, elastic: 'TROUBLE', dispensable: ['MEMORY', 'WORK'] },
    );
  });
}

export async function releaseGpu({ context, operands: [node = '', gpu = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('gpu.release', { node, gpu });
  await context.print(view, () => `GPU ${gpu} of ${view.name} was released; a new fault takes it out again.`);
}
