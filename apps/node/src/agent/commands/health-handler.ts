import type { CommandOutput, NodeInventory } from '@clawbernetes/protocol';
import type { MetricsSample } from '../../host.ts';
import type { NodeCommandHandler } from './node-command.ts';

type Finding = CommandOutput<'node.health'>['findings'][number];

/** A disk fuller than this soon keeps workloads from writing. */
const DISK_ALERT_PERCENT = 95;

export const nodeHealth: NodeCommandHandler<'node.health'> = async (_request, context, { signal }) => {
  const sample = await context.hardware.sample({ signal });
  const inventory = await context.detect();
  const findings = findingsOf(inventory, sample, context.facts.memoryAlertPercent);
  return { node: context.facts.name, health: healthOf(findings), findings };
};

export function findingsOf(
  inventory: NodeInventory,
  sample: MetricsSample,
  memoryAlertPercent: number,
): Finding[] {
  return [
    ...gpuFindings(inventory),
    ...gpuMemoryFindings(inventory, sample, memoryAlertPercent),
    ...probeFindings(inventory),
    ...executorFindings(inventory),
    ...diskFindings(sample),
  ];
}

function healthOf(findings: readonly Finding[]): 'healthy' | 'degraded' | 'unhealthy' {
  if (findings.some(({ severity }) => severity === 'critical')) return 'unhealthy';
  return findings.some(({ severity }) => severity === 'warning') ? 'degraded' : 'healthy';
}

function gpuFindings({ gpus }: NodeInventory): Finding[] {
  return gpus
    .filter(({ health }) => health.state !== 'healthy')
    .map(({ id, model, health }) => ({
      subject: id,
      // One bad GPU leaves a node with others useful, so the node is degraded by it, not unhealthy.
      severity: 'warning',
      message: `${model} is ${health.state}: ${health.reason ?? 'no reason given'}.`,
    }));
}

function gpuMemoryFindings(
  { gpus }: NodeInventory,
  sample: MetricsSample,
  memoryAlertPercent: number,
): Finding[] {
  return gpus.flatMap(({ id, model, memoryMib }): Finding[] => {
    const used = sample.gpus.find(({ deviceId }) => deviceId === id)?.memoryUsedMib ?? 0;
    const percent = memoryMib === 0 ? 0 : (100 * used) / memoryMib;
    if (percent < memoryAlertPercent) return [];
    return [
      {
        subject: id,
        severity: 'warning',
        message: `${model} uses ${percent.toFixed(0)} % of its memory.`,
      },
    ];
  });
}

function probeFindings({ probes }: NodeInventory): Finding[] {
  return probes
    .filter(({ outcome }) => outcome === 'failed' || outcome === 'timed-out')
    .map(({ name, outcome, detail }) => ({
      subject: name,
      severity: 'warning',
      message: `The probe ${name} ${outcome === 'failed' ? 'failed' : 'did not answer in time'}${detail ? `: ${detail}` : '.'}`,
    }));
}

function executorFindings({ executors }: NodeInventory): Finding[] {
  const findings = executors.flatMap(({ kind, limitations }) =>
    limitations.map((message): Finding => ({ subject: `executor ${kind}`, severity: 'info', message })),
  );
  if (executors.some(({ available }) => available)) return findings;
  const message = 'No executor is available: this node cannot run anything.';
  return [...findings, { subject: 'executors', severity: 'critical', message }];
}

function diskFindings({ system }: MetricsSample): Finding[] {
  const percent = system.diskTotalMib === 0 ? 0 : (100 * system.diskUsedMib) / system.diskTotalMib;
  if (percent < DISK_ALERT_PERCENT) return [];
  return [{ subject: 'disk', severity: 'warning', message: `The disk is ${percent.toFixed(0)} % full.` }];
}
