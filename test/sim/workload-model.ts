import type { Gateway } from '@clawbernetes/gateway';
import type { Random } from '@clawbernetes/kernel';
import { hasEnded, type CommandInput, type WorkloadView } from '@clawbernetes/protocol';
import { PolicyModel, randomPolicies } from './policy-model.ts';
import type { Simulation } from './simulation.ts';

interface Request {
  readonly key: string;
  readonly exitCode: number;
  readonly output: string;
  /** Runs, or waits, until it is stopped. */
  readonly endless: boolean;
  readonly input: CommandInput<'workload.run'>;
}

interface Known extends Request {
  readonly id: string;
  /** Its stop was asked for; and whether that was answered. */
  mayBeStopped: boolean;
  stopped: boolean;
  /** A supervisor died while it lived, and perhaps the workload with it. */
  mayBeLost: boolean;
  end: WorkloadView | undefined;
  /** What the fleet had of it when its end was looked at last. */
  seen: { readonly workload: object; readonly attempt: object | undefined } | undefined;
}

/** Ended workloads are looked at again this rarely: they should not change. */
const FULL_CHECK_EVERY = 500;
/** Requests that got no answer and are made again later. */
const MAX_UNANSWERED = 100;

/** Submits work from the seed, and checks what the fleet makes of it against a small model of its own. */
export class WorkloadModel {
  acknowledged = 0;
  refused = 0;
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #violate: (what: string) => void;
  readonly #policies: PolicyModel;
  readonly #known = new Map<string, Known>();
  readonly #byKey = new Map<string, Known>();
  readonly #unanswered: Request[] = [];
  /** Those that have not ended, as far as was seen. */
  readonly #live = new Map<string, Known>();
  /** Workloads whose end is in the event log. */
  readonly #endEvents = new Set<string>();
  #made = 0;
  #checks = 0;
  #nextEvent = 1;

  constructor(simulation: Simulation, random: Random) {
    this.#simulation = simulation;
    this.#random = random;
    this.#violate = simulation.violate;
    this.#policies = new PolicyModel(simulation);
  }

  /** Ids of those that have not ended, as far as was seen. */
  get live(): Iterable<string> {
    return this.#live.keys();
  }

  /** One workload; only an acknowledged one is held against the fleet. */
  async submit(): Promise<void> {
    await this.#send(this.#newRequest());
  }

  /** One that is stopped while it is on its way to its node. */
  async submitAndStop(): Promise<void> {
    const request = this.#newRequest();
    const afterMs = 60 * this.#random.fraction();
    this.#simulation.clock.after(afterMs, () => {
      const known = this.#byKey.get(request.key);
      if (known) void this.#stop(known, false);
    });
    await this.#send(request);
  }

  /** A request as before: one that had no answer, or one that had. It must not make a second workload. */
  async submitAgain(): Promise<void> {
    const at = Math.floor(this.#random.fraction() * this.#known.size);
    const request = this.#unanswered.shift() ?? this.#known.values().drop(at).next().value;
    if (request) await this.#send(request);
  }

  async stopOne(random = this.#random, force = false): Promise<void> {
    const live = [...this.#live.values()];
    const chosen = live[Math.floor(random.fraction() * live.length)];
    if (chosen) await this.#stop(chosen, force);
  }

  /** By force, one on a node out of reach if there is any: a person vouches that it is gone. */
  async forceStop(random: Random): Promise<void> {
    const fleet = this.#simulation.gateway?.fleet;
    const unknown = [...this.#live.values()].filter(
      ({ id }) => fleet?.latestAttempt(id)?.unknownSinceMs !== undefined,
    );
    const early = unknown.filter(({ id }) => fleet?.latestAttempt(id)?.startedAtMs === undefined);
    // One that never ends by itself still runs when its node is back.
    const endless = unknown.filter((known) => known.endless);
    const preferred = random.fraction() < 0.6 ? endless : early;
    const from = preferred.length > 0 ? preferred : unknown;
    const chosen = from[Math.floor(random.fraction() * from.length)];
    await (chosen ? this.#stop(chosen, true) : this.stopOne(random, true));
  }

  /**
   * Stops the oldest of those that would never end, and that nobody has stopped yet, if there are more than
   * `spare`: what befalls nodes shall befall some of them, too.
   */
  async finishOne({ spare = 0 } = {}): Promise<void> {
    const endless = [...this.#live.values()].filter((known) => known.endless && !known.stopped);
    const [oldest] = endless;
    if (oldest && endless.length > spare) await this.#stop(oldest, false);
    else if (this.#unanswered.length > 0) await this.submitAgain();
  }

  /** Where something runs that never ends by itself, nor for want of contact. */
  machineOfEndless(): string | undefined {
    const fleet = this.#simulation.gateway?.fleet;
    for (const { id, endless, stopped, input } of this.#live.values()) {
      if (!endless || stopped || input.spec.exclusive || input.spec.onDisconnect?.action === 'stop') continue;
      const attempt = fleet?.latestAttempt(id);
      if (attempt?.state === 'running') return fleet?.findNode(attempt.nodeId)?.name;
    }
    return undefined;
  }

  /** Ends what was taken in without an answer and was not asked for again: nobody knows of it. */
  async finishUnknown(): Promise<void> {
    const all = this.#simulation.gateway?.fleet.workloads('default') ?? [];
    const longAgoMs = this.#simulation.clock.nowMs() - 200_000;
    const unknown = all.find(
      ({ id, state, submittedAtMs }) => submittedAtMs < longAgoMs && !hasEnded(state) && !this.#known.has(id),
    );
    if (unknown && this.#unanswered.length === 0)
      await this.#simulation
        .execute('workload.stop', { workload: unknown.id, force: false })
        .catch(() => undefined);
  }

  /** What runs now may be lost, through no fault of the fleet's. */
  supervisorCrashed(): void {
    for (const known of this.#live.values()) known.mayBeLost = true;
  }

  /** A person empties this machine by force. */
  mayBeStopped(machine: string): void {
    const { gateway } = this.#simulation;
    const node = gateway?.fleet.nodes().find(({ name }) => name === machine);
    for (const { workloadId } of node ? (gateway?.fleet.liveAttempts(node.id) ?? []) : []) {
      const known = this.#known.get(workloadId);
      if (known) known.mayBeStopped = true;
    }
  }

  #newRequest(): Request {
    this.#made += 1;
    const key = `sim-key-${this.#made}`;
    const random = this.#random;
    const exitCode = random.fraction() < 0.2 ? 1 + Math.floor(random.fraction() * 200) : 0;
    const line = `output ${this.#made}\n`;
    const parts = 1 + Math.floor(random.fraction() * 4);
    const part = random.fraction() < 0.5 ? line.repeat(1 + Math.floor(random.fraction() * 20)) : '';
    // More than any machine has: it waits, and is told that it never fits.
    const tooLarge = random.fraction() < 0.003;
    const endless = random.fraction() < 0.06 || tooLarge;
    const output = endless ? '' : part.repeat(parts);
    const env = {
      VIRTUAL_MS: endless ? 'Infinity' : String(Math.floor(1 + random.fraction() ** 3 * 90_000)),
      VIRTUAL_EXIT: String(exitCode),
      ...(output === '' ? {} : { VIRTUAL_OUTPUT: Array.from({ length: parts }, () => part).join('\f') }),
      ...(random.fraction() < 0.3 ? { VIRTUAL_PULL_MS: String(Math.floor(random.fraction() * 8000)) } : {}),
      ...(random.fraction() < 0.2 ? { VIRTUAL_STUBBORN: '1' } : {}),
      ...(random.fraction() < 0.1 ? { VIRTUAL_START_MS: String(Math.floor(random.fraction() * 5000)) } : {}),
    };
    const policies =
      random.fraction() < 0.1
        ? { reschedule: { evicted: 'end' as const } }
        : randomPolicies(random, { endless });
    const gpus = tooLarge ? { gpus: 5 } : gpuRequest(random.fraction());
    const resources = { ...gpus, ...(random.fraction() < 0.1 ? { cpuMilli: 30_000 } : {}) };
    return {
      key,
      exitCode,
      output,
      endless,
      input: { spec: { command: ['virtual'], env, resources, ...policies }, idempotencyKey: key },
    };
  }

  async #send(request: Request): Promise<void> {
    const { key } = request;
    try {
      const { id } = await this.#simulation.execute('workload.run', request.input);
      if (!this.#simulation.rows.isDurable('workload', id))
        this.#violate(`${id} was acknowledged before it was stored`);
      const before = this.#byKey.get(key);
      if (before && before.id !== id) this.#violate(`${key} made ${before.id} and ${id}`);
      if (before) return;
      const flags = { mayBeStopped: false, stopped: false, mayBeLost: false };
      const known = { ...request, id, ...flags, end: undefined, seen: undefined };
      this.#known.set(id, known);
      this.#byKey.set(key, known);
      this.#live.set(id, known);
      this.acknowledged += 1;
    } catch {
      this.refused += 1;
      if (!this.#byKey.has(key) && this.#unanswered.length < MAX_UNANSWERED) this.#unanswered.push(request);
    }
  }

  /** Only an answered request counts: then it must end, wherever its node is. */
  async #stop(known: Known, force: boolean): Promise<void> {
    known.mayBeStopped = true;
    if (force) this.#simulation.rows.forced.add(known.id);
    await this.#simulation.execute('workload.stop', { workload: known.id, force }).then(
      // One that had ended by then ended as it did.
      ({ state }) => {
        known.stopped = !hasEnded(state) || state === 'cancelled';
        if (!this.#simulation.rows.stopIsDurable(known.id))
          this.#violate(`the stop of ${known.id} was acknowledged before it was stored`);
      },
      () => undefined,
    );
  }

  /** What the fleet says of workloads counts once it is durable. */
  check({ isFresh }: { readonly isFresh: boolean }): void {
    const { gateway } = this.#simulation;
    if (!gateway) return;
    this.#checks += 1;
    const isFull = this.#checks % FULL_CHECK_EVERY === 0;
    // What has not changed says what it said.
    if (!isFresh && !isFull) return;
    const seen: [Known, WorkloadView][] = [];
    for (const known of isFull ? this.#known.values() : this.#live.values()) {
      const workload = gateway.fleet.findWorkload(known.id);
      if (workload === undefined) this.#violate(`${known.id} was acknowledged and is gone`);
      else if ((known.end || hasEnded(workload.state)) && !this.#isAsSeen(known, workload, gateway))
        seen.push([known, gateway.fleet.workloadView(workload)]);
    }
    const judge = (): void => seen.forEach(([known, view]) => this.#judge(known, view));
    gateway.fleet.durable().then(judge, () => undefined);
  }

  /** Records are never changed in place: the same ones say what they said. */
  #isAsSeen(known: Known, workload: object, { fleet }: Gateway): boolean {
    const attempt = fleet.latestAttempt(known.id);
    const isSame = known.seen?.workload === workload && known.seen.attempt === attempt;
    known.seen = { workload, attempt };
    return isSame && known.end !== undefined;
  }

  #judge(known: Known, view: WorkloadView): void {
    if (known.end) this.#checkAbsorbing(known.end, view);
    else if (hasEnded(view.state)) this.#checkEnd(known, view);
  }

  /** Event numbers have no gap and no repeat, over all crashes. */
  async checkEvents(): Promise<void> {
    const { gateway } = this.#simulation;
    if (!gateway) return;
    const stored = gateway.fleet.events({ from: this.#nextEvent, limit: 5000 });
    for (const event of await stored.catch(() => [])) {
      if (event.sequence !== this.#nextEvent)
        this.#violate(`event ${this.#nextEvent} is missing before ${event.sequence}`);
      this.#nextEvent = event.sequence + 1;
      if (!/^workload\.(succeeded|failed|cancelled)$/.test(event.type)) continue;
      if (this.#endEvents.has(event.subject)) this.#violate(`${event.subject} ended twice`);
      this.#endEvents.add(event.subject);
    }
  }

  /** Invariants of the end, when all faults are over and all work had time to finish. */
  async checkQuiet(): Promise<void> {
    const { gateway, machines } = this.#simulation;
    if (!gateway) return this.#violate('the gateway did not come back');
    for (const known of this.#known.values()) {
      if (!known.end)
        this.#violate(`${known.id} never ended: it is ${gateway.fleet.findWorkload(known.id)?.state}`);
      else if (known.end.exitCode !== undefined && !known.mayBeStopped) await this.#checkLog(known);
    }
    // One that was taken in without an answer, and not asked for again, may wait for ever.
    for (const { id, state } of gateway.fleet.workloads('default'))
      if (hasEnded(state) && !this.#endEvents.has(id)) this.#violate(`no event tells of the end of ${id}`);
    for (const { name, supervisor } of machines) {
      if (supervisor.size > 0) this.#violate(`${name} still holds ${supervisor.size} attempts`);
      const view = gateway.fleet.nodeView(gateway.fleet.node(name));
      if (view.connectivity !== 'connected') this.#violate(`${name} is ${view.connectivity}`);
      if (view.eligibility !== 'schedulable') this.#violate(`${name} is ${view.eligibility}`);
      const taken = view.gpus.filter(({ state }) => state !== 'free');
      for (const { id, state, condition } of taken)
        this.#violate(`${id} is ${state} when all is over: ${condition?.message ?? 'nobody says why'}`);
    }
  }

  #checkAbsorbing(end: WorkloadView, now: WorkloadView): void {
    const same =
      end.state === now.state && end.exitCode === now.exitCode && end.attempt?.id === now.attempt?.id;
    if (!same) this.#violate(`${end.id} was ${end.state} and became ${now.state}`);
  }

  #checkEnd(known: Known, view: WorkloadView): void {
    known.end = view;
    this.#live.delete(known.id);
    if (known.stopped && view.state !== 'cancelled')
      this.#violate(`${known.id} was stopped and ${view.state}`);
    if (!known.mayBeStopped && !this.#endedByFault(known, view)) this.#checkExit(known, view);
    this.#policies.checkTries(view);
  }

  #endedByFault({ mayBeLost, input }: Known, view: WorkloadView): boolean {
    const { attempt, budgets } = view;
    if (attempt?.evicted && input.spec.reschedule?.evicted === 'end') return true;
    if (PolicyModel.endedWithItsNode(view)) return true;
    const { attempts = 0, spent = 0 } = budgets?.replace ?? {};
    const isLost = attempt?.state === 'lost' && attempt.endReason === 'supervisor-lost';
    const isGivenUp = attempt?.state === 'lost' && this.#simulation.rows.overridden.has(attempt.id);
    if (((mayBeLost && isLost) || isGivenUp) && spent === attempts) return true;
    const wasNotPulled = this.#simulation.machines.some(({ notPulled }) => notPulled.has(attempt?.id ?? ''));
    return wasNotPulled && attempt?.endReason === 'launch-failed';
  }

  #checkExit({ id, exitCode }: Known, view: WorkloadView): void {
    const expected = exitCode === 0 ? 'succeeded' : 'failed';
    if (view.state !== expected)
      this.#violate(`${id} is ${view.state}, expected ${expected}: ${view.message}`);
    if (view.exitCode !== exitCode) this.#violate(`${id} ended with ${view.exitCode}, expected ${exitCode}`);
    this.#policies.checkUsedUp(view);
  }

  async #checkLog({ id, output }: Known): Promise<void> {
    const { entries, complete } = await this.#simulation.execute('workload.logs', {
      workload: id,
      maxBytes: 1_048_576,
    });
    const text = entries.map((entry) => entry.data).join('');
    if (text !== output)
      this.#violate(`the log of ${id} has ${text.length} characters, expected ${output.length}`);
    if (!complete) this.#violate(`the log of ${id} is not complete`);
  }
}

/** Up to three GPUs, a share of one, or MIG instances. */
function gpuRequest(
  roll: number,
): { readonly gpus: number; readonly migProfile?: string } | { readonly gpuMilli: number } {
  if (roll >= 0.35 && roll < 0.39) return { gpus: 1, migProfile: '3g.40gb' };
  if (roll >= 0.39 && roll < 0.45) return { gpus: roll < 0.43 ? 1 : 2, migProfile: '1g.10gb' };
  if (roll >= 0.25 && roll < 0.35) return { gpuMilli: 100 + Math.round((roll - 0.25) * 8000) };
  return { gpus: Math.floor(roll * 4) };
}
