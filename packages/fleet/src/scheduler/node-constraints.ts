import type { Affinity, LabelTerm, Taint, Toleration } from '@clawbernetes/protocol';

/** Whether one of the tolerations is for this taint: what it leaves out it tolerates in any form. */
export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(
    ({ key, value, effect }) =>
      key === taint.key &&
      (value === undefined || value === taint.value) &&
      (effect === undefined || effect === taint.effect),
  );
}

/** Taints that keep new work away. */
export function repelling(taints: readonly Taint[], tolerations: readonly Toleration[]): readonly Taint[] {
  return taints.filter((taint) => taint.effect !== 'prefer-no-schedule' && !tolerates(tolerations, taint));
}

/** Taints that make a node a worse choice. */
export function discouraging(taints: readonly Taint[], tolerations: readonly Toleration[]): readonly Taint[] {
  return taints.filter((taint) => taint.effect === 'prefer-no-schedule' && !tolerates(tolerations, taint));
}

/** Taints because of which work must leave. */
export function expelling(taints: readonly Taint[], tolerations: readonly Toleration[]): readonly Taint[] {
  return taints.filter((taint) => taint.effect === 'no-execute' && !tolerates(tolerations, taint));
}

export function meets(labels: Readonly<Record<string, string>>, term: LabelTerm): boolean {
  const value = Object.hasOwn(labels, term.label) ? labels[term.label] : undefined;
  switch (term.operator) {
    case 'in':
      return value !== undefined && term.values.includes(value);
    case 'not-in':
      return value === undefined || !term.values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'not-exists':
      return value === undefined;
  }
}

/** Summed weight of the preferences that a node with these labels does not meet. */
export function unmetWeight(
  labels: Readonly<Record<string, string>>,
  preferred: Affinity['preferred'],
): number {
  return preferred.reduce((sum, term) => sum + (meets(labels, term) ? 0 : term.weight), 0);
}

/** `zone in a, b`, `ssd exists`. */
export function describeTerm({ label, operator, values }: LabelTerm): string {
  return [label, operator.replace('-', ' '), values.join(', ')].filter((part) => part !== '').join(' ');
}

/** `key=value:effect`, as it is written on a command line. */
export function describeTaint({ key, value, effect }: Taint): string {
  return `${key}${value === '' ? '' : `=${value}`}:${effect}`;
}
