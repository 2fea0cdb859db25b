import { assert, present } from '@clawbernetes/kernel';

/** From the whole fleet down. An NVLink domain joins several nodes, as in a rack of GB200 NVL72. */
export const TOPOLOGY_LEVELS = ['fleet', 'site', 'rack', 'nvlink-domain', 'node'] as const;
export type TopologyLevel = (typeof TOPOLOGY_LEVELS)[number];

export const FLEET = 0;
/** The level of domains whose children are nodes. */
export const NVLINK_DOMAIN = 3;
export const NODE = 4;

export function levelNumber(level: TopologyLevel): number {
  return TOPOLOGY_LEVELS.indexOf(level);
}

export function levelName(level: number): TopologyLevel {
  return present(TOPOLOGY_LEVELS[level], 'a topology level');
}

/** Where a node stands, as far as it is known. A rack of one name in two sites is two racks. */
export interface TopologyPlace {
  readonly site?: string | undefined;
  readonly rack?: string | undefined;
  readonly nvlinkDomain?: string | undefined;
}

/** The labels by which a node says where it is; those of the fleet and the node themselves need none. */
export const LEVEL_LABELS: Readonly<Partial<Record<TopologyLevel, string>>> = {
  site: 'site',
  rack: 'rack',
  'nvlink-domain': 'nvlink-domain',
};

/** An empty label says nothing. */
export function topologyPlace(labels: Readonly<Record<string, string>>): TopologyPlace {
  const place = (level: TopologyLevel): string | undefined => labels[LEVEL_LABELS[level] ?? ''] || undefined;
  return { site: place('site'), rack: place('rack'), nvlinkDomain: place('nvlink-domain') };
}

/** The whole fleet. */
export const ROOT = 0;

/** No level is deeper, so paths have this many domains: fleet, site, rack, NVLink domain. */
const DOMAIN_LEVELS = 4;

interface Domain {
  readonly level: number;
  readonly parent: number;
  /** Undefined for those of unknown place: the nodes below one parent that do not say this level. */
  readonly name: string | undefined;
  /** Numbers of domains, or of nodes at the lowest level; their order is that of arrival and removal. */
  readonly children: number[];
  /** Where it stands among its parent's children and among its level. */
  atParent: number;
  atLevel: number;
}

interface TreeNode {
  readonly name: string;
  readonly path: readonly number[];
  atParent: number;
}

/**
 * The tree `fleet → site → rack → NVLink domain → node`. Every node has a domain on every level: where a
 * level is not known, one of unknown place below the domain above, which groups but promises no nearness.
 * Nodes carry numbers of the caller, domains numbers of their own that are reused; both stay small, to be
 * array indexes. A domain lives as long as it has nodes; the fleet always does.
 */
export class TopologyTree {
  readonly #domains: (Domain | undefined)[] = [];
  readonly #freed: number[] = [];
  readonly #levels: readonly number[][] = Array.from({ length: DOMAIN_LEVELS }, () => []);
  readonly #byName = new Map<string, number>();
  readonly #nodes: (TreeNode | undefined)[] = [];

  constructor() {
    this.#open(FLEET, -1, 'fleet');
  }

  /** One more than the largest domain number in use so far. */
  get domainSlots(): number {
    return this.#domains.length;
  }

  /** One more than the largest node number in use so far. */
  get nodeSlots(): number {
    return this.#nodes.length;
  }

  add(node: number, name: string, place: TopologyPlace): void {
    assert(this.#nodes[node] === undefined, 'the node is not in the tree yet');
    let parent = ROOT;
    const path = [ROOT];
    for (const [above, label] of [place.site, place.rack, place.nvlinkDomain].entries()) {
      parent = this.#domainOf(above + 1, parent, label);
      path.push(parent);
    }
    const children = this.#domain(parent).children;
    this.#nodes[node] = { name, path, atParent: children.length };
    children.push(node);
  }

  /** Does nothing for a node that is not there. */
  remove(node: number): void {
    const known = this.#nodes[node];
    if (!known) return;
    this.#nodes[node] = undefined;
    const { children } = this.#domain(known.path.at(-1) ?? ROOT);
    const moved = takeOut(children, known.atParent);
    if (moved !== undefined) this.#node(moved).atParent = known.atParent;
    for (const domain of known.path.toReversed()) this.#closeIfEmpty(domain);
  }

  has(node: number): boolean {
    return this.#nodes[node] !== undefined;
  }

  /** Its domains from the fleet down to the NVLink domain. */
  path(node: number): readonly number[] {
    return this.#node(node).path;
  }

  nodeName(node: number): string {
    return this.#node(node).name;
  }

  level(domain: number): number {
    return this.#domain(domain).level;
  }

  /** -1 above the fleet. */
  parent(domain: number): number {
    return this.#domain(domain).parent;
  }

  /** Whether nodes said its name, so that being in it together means something. */
  isKnown(domain: number): boolean {
    return this.#domain(domain).name !== undefined;
  }

  /** Domains of the next level, or nodes in an NVLink domain. Not to be kept: it changes with the tree. */
  children(domain: number): readonly number[] {
    return this.#domain(domain).children;
  }

  /** The domains of a level, in no particular order. Not to be kept. */
  domainsAt(level: number): readonly number[] {
    return this.#levels[level] ?? [];
  }

  /** `site/rack/NVLink domain` as far as it goes, `?` where the place is unknown. */
  domainName(domain: number): string {
    const names: string[] = [];
    for (let at = domain; at > ROOT; at = this.parent(at)) names.unshift(this.#domain(at).name ?? '?');
    return names.length === 0 ? 'fleet' : names.join('/');
  }

  #domainOf(level: number, parent: number, name: string | undefined): number {
    return this.#byName.get(nameKey(parent, name)) ?? this.#open(level, parent, name);
  }

  #open(level: number, parent: number, name: string | undefined): number {
    const number = this.#freed.pop() ?? this.#domains.length;
    const peers = this.#levels[level] ?? [];
    const siblings = parent < 0 ? [] : this.#domain(parent).children;
    this.#domains[number] = {
      level,
      parent,
      name,
      children: [],
      atParent: siblings.length,
      atLevel: peers.length,
    };
    siblings.push(number);
    peers.push(number);
    this.#byName.set(nameKey(parent, name), number);
    return number;
  }

  #closeIfEmpty(number: number): void {
    const domain = this.#domain(number);
    if (number === ROOT || domain.children.length > 0) return;
    const sibling = takeOut(this.#domain(domain.parent).children, domain.atParent);
    if (sibling !== undefined) this.#domain(sibling).atParent = domain.atParent;
    const peer = takeOut(this.#levels[domain.level] ?? [], domain.atLevel);
    if (peer !== undefined) this.#domain(peer).atLevel = domain.atLevel;
    this.#byName.delete(nameKey(domain.parent, domain.name));
    this.#domains[number] = undefined;
    this.#freed.push(number);
  }

  #domain(number: number): Domain {
    const domain = this.#domains[number];
    assert(domain !== undefined, 'the domain is in the tree');
    return domain;
  }

  #node(number: number): TreeNode {
    const node = this.#nodes[number];
    assert(node !== undefined, 'the node is in the tree');
    return node;
  }
}

/** A name may hold any character, so the unknown place is told apart by its first one. */
function nameKey(parent: number, name: string | undefined): string {
  return name === undefined ? `${parent}?` : `${parent}=${name}`;
}

/** Removes in constant time by moving the last one into the gap; returns the one that moved. */
function takeOut(list: number[], at: number): number | undefined {
  const last = list.pop();
  if (at >= list.length || last === undefined) return undefined;
  list[at] = last;
  return last;
}
