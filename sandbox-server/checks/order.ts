import type { LabCheck } from '../labs/index.ts';

/**
 * Checks in an order in which each comes after those it needs; otherwise as written.
 * @param ids only these and what they need; all when left out. Unknown ids are ignored.
 */
export function orderChecks(checks: readonly LabCheck[], ids?: readonly string[]): LabCheck[] {
  const byId = new Map(checks.map((check) => [check.id, check]));
  const ordered = new Set<LabCheck>();
  const visit = (check: LabCheck, above: readonly LabCheck[]): void => {
    if (ordered.has(check) || above.includes(check)) return;
    for (const need of check.needs) {
      const needed = byId.get(need);
      if (needed !== undefined) visit(needed, [...above, check]);
    }
    ordered.add(check);
  };
  for (const check of checks) if (ids === undefined || ids.includes(check.id)) visit(check, []);
  return [...ordered];
}
