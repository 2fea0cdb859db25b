import { PROTOCOL_VERSIONS } from '@clawbernetes/protocol';
import type { NodeCommandHandler } from './node-command.ts';

export const systemInfo: NodeCommandHandler<'system.info'> = async (_request, { facts, detect }) => ({
  node: facts.name,
  agentVersion: facts.agentVersion,
  inventory: await detect(),
});

export const gpuMetrics: NodeCommandHandler<'gpu.metrics'> = async (_request, context, { signal }) => {
  const { gpus, system } = await context.hardware.sample({ signal });
  return {
    node: context.facts.name,
    timestampMs: context.clock.nowMs(),
    simulated: context.inventory().gpus.some((gpu) => gpu.simulated),
    gpus: [...gpus],
    system,
  };
};

export const nodeCapabilities: NodeCommandHandler<'node.capabilities'> = async (_request, context) => ({
  node: context.facts.name,
  agentVersion: context.facts.agentVersion,
  protocolVersion: PROTOCOL_VERSIONS.max,
  executors: context.inventory().executors,
  commands: [...context.facts.enabled],
  disabledCommands: [...context.facts.disabled],
});
