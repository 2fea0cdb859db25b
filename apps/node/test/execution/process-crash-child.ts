// Opens an executor, starts one workload and prints its handle; process-crash.test.ts kills it then.
import { silentLogger, systemClock } from '@clawbernetes/kernel';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { openProcessExecutor } from '../../src/execution/process-executor.ts';

const [scratch = '', cgroupName = '', attemptId = '', sandbox = ''] = process.argv.slice(2);
const executor = await openProcessExecutor(
  { clock: systemClock, logger: silentLogger },
  { scratch, cgroupName, policy: { allowUnsandboxed: true } },
);
const spec = workloadSpecSchema.parse({
  command: ['sh', '-c', 'env -i setsid sleep 300 & setsid sleep 300 & trap "" TERM; echo up; sleep 300'],
  sandbox,
});
const ids = { attemptId, workloadId: 'workload-1', namespace: 'default', epoch: { term: 1, counter: 1 } };
const execution = await executor.start(
  { ...ids, spec, devices: [] },
  {
    write() {
      console.log(JSON.stringify(execution.handle));
      return true;
    },
    drained: () => Promise.resolve(),
  },
);
