import { commands, type CommandTier } from '@clawbernetes/protocol';
import { NODE_COMMAND_NAMES, type NodeCommandName } from './agent/commands/node-command.ts';

/** Which command tiers, or single commands, a node answers; absent = all. */
export interface FeatureSwitch {
  readonly features: readonly string[];
  /** Where the choice was made, for the reason that a disabled command answers. */
  readonly source: string;
}

/** What `features` may list: tiers and single commands. */
export const FEATURE_NAMES: readonly string[] = [
  ...new Set<CommandTier>(Object.values(commands).map(({ tier }) => tier)),
  ...NODE_COMMAND_NAMES,
];

export interface SwitchedCommands {
  readonly enabled: readonly NodeCommandName[];
  readonly disabled: readonly { readonly name: NodeCommandName; readonly reason: string }[];
}

export function switchCommands(chosen: FeatureSwitch | undefined): SwitchedCommands {
  if (!chosen) return { enabled: NODE_COMMAND_NAMES, disabled: [] };
  const { features, source } = chosen;
  const isOn = (name: NodeCommandName): boolean =>
    features.includes(name) || features.includes(commands[name].tier);
  return {
    enabled: NODE_COMMAND_NAMES.filter(isOn),
    disabled: NODE_COMMAND_NAMES.filter((name) => !isOn(name)).map((name) => ({
      name,
      reason: `neither "${commands[name].tier}" nor "${name}" is among the features in ${source}.`,
    })),
  };
}
