import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { canonicalJson, type Json } from '@clawbernetes/kernel';
import type { StartSettings, SupervisorSettings } from './supervisor-settings.ts';

/**
 * What a supervisor of these settings is started with. Two versions with the same settings have the same
 * digest.
 */
export function startSettings(settings: SupervisorSettings): StartSettings {
  const stateFolder = resolve(settings.stateFolder);
  const { version, ...rest } = { ...settings, stateFolder };
  // Settings are plain JSON; an interface has no index signature, so the compiler cannot see it.
  const digest = digestOf(canonicalJson(rest as unknown as Json));
  return { ...rest, version, digest, folderId: digestOf(stateFolder) };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
