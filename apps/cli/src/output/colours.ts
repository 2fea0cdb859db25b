import picocolors from 'picocolors';

export type Colours = ReturnType<typeof picocolors.createColors>;

export function createColors(enabled: boolean): Colours {
  return picocolors.createColors(enabled);
}

type Paint = (text: string) => string;

/** States of workloads, nodes and GPUs, painted by what they mean to the reader. */
export function paintState(colours: Colours, state: string): string {
  return paintOf(colours, state)(state);
}

function paintOf({ green, red, yellow, cyan, dim }: Colours, state: string): Paint {
  switch (state) {
    case 'running':
    case 'connected':
    case 'schedulable':
    case 'healthy':
      return green;
    case 'failed':
    case 'rejected':
    case 'lost':
    case 'missing':
    case 'unhealthy':
    case 'quarantined':
    case 'disconnected':
      return red;
    case 'queued':
    case 'suspect':
    case 'degraded':
    case 'draining':
    case 'cordoned':
    case 'stopping':
    case 'preempting':
    case 'held':
    case 'probation':
      return yellow;
    case 'reserved':
    case 'preparing':
    case 'starting':
    case 'submitted':
    case 'joining':
    case 'verifying':
      return cyan;
    case 'cancelled':
    case 'drained':
    case 'retired':
      return dim;
    default:
      return (text) => text;
  }
}
