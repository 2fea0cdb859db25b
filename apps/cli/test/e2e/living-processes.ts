import { readdir, readFile } from 'node:fs/promises';

/**
 * Command lines and environments of processes that mention `folder`: everything that a fleet of that home
 * started.
 */
export async function livingProcesses(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const described = await Promise.all(pids.map(async (pid) => describe(pid, folder)));
  return described.filter((text) => text !== undefined);
}

async function describe(pid: string, folder: string): Promise<string | undefined> {
  try {
    const [command, environment, stat] = await Promise.all(
      ['cmdline', 'environ', 'stat'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
    );
    const isZombie = /\) Z /.test(stat ?? '');
    const belongs = `${command}${environment}`.includes(folder);
    return belongs && !isZombie ? `${pid}: ${command?.replaceAll('\0', ' ')}` : undefined;
  } catch {
    return undefined; // ended meanwhile
  }
}
