import { Option } from 'commander';
import {
  duration,
  gpuShare,
  mebibytes,
  milliCores,
  oneOf,
  pairs,
  repeated,
  signedNumber,
  wholeNumber,
} from './option-values.ts';

/** What a place is asked for with: `run` and `what-if` have these in common. */
export const placementOptions = (): Option[] => [
  new Option('--gpus <count>', 'whole GPUs of one node').argParser(wholeNumber),
  new Option('--gpu-type <model>', 'any of these GPU models; may be repeated').argParser(repeated),
  new Option('--gpu-share <share>', 'a part of one GPU, shared with others: 250m, 0.25 or 25%')
    .argParser(gpuShare)
    .conflicts(['gpus', 'mig']),
  new Option('--mig <profile>', 'each GPU is a MIG instance of this profile, such as 1g.10gb'),
  new Option('--nvlink <mode>', 'GPUs that reach each other over NVLink: required or preferred').argParser(
    oneOf('required', 'preferred'),
  ),
  new Option('--min-gpu-memory <size>', 'memory of each GPU, or of the share: MiB or 40g').argParser(
    mebibytes,
  ),
  new Option('--cpus <cores>', 'reserve and limit CPU, such as 0.5').argParser(milliCores),
  new Option('--memory <size>', 'reserve and limit memory: MiB, 512m or 2g').argParser(mebibytes),
  new Option('--timeout <duration>', 'stop it this long after its start').argParser(duration),
  new Option('--queue <queue>', 'queue in which it waits and is counted (default: default)'),
  new Option('--priority <n>', 'higher goes first in its queue, and may take the place of lower').argParser(
    signedNumber,
  ),
  new Option('--sandbox <mode>', 'required, preferred (default) or off').argParser(
    oneOf('required', 'preferred', 'off'),
  ),
  new Option('--members <count>', 'a gang: so many run together or not at all').argParser(wholeNumber),
  new Option('--min-members <count>', 'fewest members with which it is of use').argParser(wholeNumber),
  new Option(
    '--topology <level[=mode]>',
    'all members in one site, rack, nvlink-domain, node, nvlink-island or numa (of one node); =preferred',
  ),
  new Option('--spread-by <label[=mode]>', 'spread members evenly over the values of a label; =preferred'),
  new Option('--max-skew <count>', 'with --spread-by: members ahead at most (default: 1)').argParser(
    wholeNumber,
  ),
  new Option('--node <name>', 'run on this node'),
  new Option('--node-selector <key=value>', 'label that the node must have; may be repeated').argParser(
    pairs,
  ),
  new Option(
    '--tolerate <key[=value][:effect]>',
    'taint that does not keep it away; may be repeated',
  ).argParser(repeated),
];
