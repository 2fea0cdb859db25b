import { WHOLE_GPU } from './demand.ts';

/** Compute slices of a GPU with MIG, but for the models below. */
const SLICES = 7;

interface FewerSlices {
  readonly model: RegExp;
  readonly slices: number;
  /** Only where a slice has at least so much memory, GB. */
  readonly sliceGb?: number;
}

/**
 * By the tables of NVIDIA's MIG User Guide, "Supported MIG Profiles". The RTX PRO 5000 is cut into fewer by
 * newer drivers. A model that is missing here counts its instances too small, never too large.
 */
const FEWER_SLICES: readonly FewerSlices[] = [
  { model: /\bA30X?\b/i, slices: 4 },
  { model: /\bRTX PRO 6000\b/i, slices: 4 },
  { model: /\bRTX PRO 5000\b/i, slices: 2, sliceGb: 24 },
  { model: /\bRTX PRO 5000\b/i, slices: 4 },
  { model: /\bRTX PRO 4500\b/i, slices: 2 },
];

/** `1g.10gb`, `1g.10gb+me`, or `1c.3g.40gb`: one compute slice of an instance that has three. */
const PROFILE = /^(?:(\d{1,2})c\.)?(\d{1,2})g\.(\d{1,4})gb/;

/**
 * Thousandths of a GPU that a MIG instance is: the compute slices of its profile, of those that its GPU has,
 * rounded down. So all instances of a GPU together never are more than it. A name that tells nothing counts
 * as one slice. Memory is no measure: 4g.40gb and 3g.40gb have half of it each and are one GPU together, but
 * not if the larger of both parts counted.
 * @param model of the GPU that is cut up; a part of its name does.
 */
export function migPart(profile: string, model: string): number {
  const [, computeSlices, instanceSlices = '1', gigabytes = '0'] = PROFILE.exec(profile) ?? [];
  const slices = Number(computeSlices ?? instanceSlices);
  const sliceGb = Number(gigabytes) / Math.max(1, Number(instanceSlices));
  const fewer = FEWER_SLICES.find((one) => one.model.test(model) && sliceGb >= (one.sliceGb ?? 0));
  return Math.min(WHOLE_GPU, Math.floor((WHOLE_GPU * slices) / (fewer?.slices ?? SLICES)));
}
