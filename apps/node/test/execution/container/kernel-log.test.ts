// Pins which records of the kernel log tell that a container was killed at its own memory limit.
import { describe, expect, it } from 'vitest';
import { isMemoryKill } from '../../../src/execution/container/kernel-log.ts';

const ID = 'ff5ecd81093b78b7984da734b18350fe5f9645d7a5790b8cf9a924053af7b2eb';
const record = (group: string, constraint = 'MEMCG'): string =>
  `6,1204,10907524331,-;oom-kill:constraint=CONSTRAINT_${constraint},nodemask=(null),cpuset=${ID},` +
  `mems_allowed=0,oom_memcg=${group},task_memcg=/docker/${ID},task=dd,pid=28055,uid=0\n`;

describe('isMemoryKill', () => {
  it('knows the container in the group names of Docker and Podman, with and without systemd', () => {
    const groups = [`/docker/${ID}`, `/system.slice/docker-${ID}.scope`, `/libpod_parent/libpod-${ID}`];
    for (const group of groups) expect(isMemoryKill(record(group), ID)).toBe(true);
  });

  it('is not the limit of a group that holds the container, of one inside it, or of the whole machine', () => {
    expect(isMemoryKill(record('/docker'), ID)).toBe(false);
    expect(isMemoryKill(record(`/docker/${ID}/docker/${'a'.repeat(64)}`), ID)).toBe(false);
    const machine =
      `4,1,1,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=${ID},mems_allowed=0,global_oom,` +
      `task_memcg=/docker/${ID},task=dd,pid=1,uid=0\n`;
    expect(isMemoryKill(machine, ID)).toBe(false);
  });

  it('is nobody else, and no other line', () => {
    expect(isMemoryKill(record(`/docker/${'a'.repeat(64)}`), ID)).toBe(false);
    expect(isMemoryKill(`6,1,1,-;Memory cgroup out of memory: Killed process 28055 (${ID})\n`, ID)).toBe(
      false,
    );
  });
});
