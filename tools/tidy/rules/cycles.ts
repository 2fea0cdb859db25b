import type { Project } from '../project.ts';
import { resolveImport } from '../resolve-import.ts';
import type { Rule, Violation } from '../rule.ts';

/** No cycle of imports that exist at run time: two modules that need each other are one. */
export const cycles: Rule = { name: 'cycles', check: findCycles };

function findCycles(project: Project): Violation[] {
  const graph = new Map(project.sources.map((source) => [source.path, runtimeTargets(project, source)]));
  const finished = new Set<string>();
  const violations: Violation[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) {
      violations.push({
        file,
        line: 1,
        message: `imports in a circle: ${[...trail.slice(start), file].join(' → ')}`,
      });
      return;
    }
    if (finished.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return violations;
}

function runtimeTargets(project: Project, source: Project['sources'][number]): string[] {
  return source.imports
    .filter(({ typeOnly }) => !typeOnly)
    .flatMap(({ specifier }) => resolveImport(project, source.path, specifier) ?? []);
}
