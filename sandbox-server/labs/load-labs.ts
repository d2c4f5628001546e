export type { Lab } from './lab-schema.ts';
import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { BallastError } from '../protocol/index.ts';
import { labSchema, wrongCaseSchema } from './lab-schema.ts';
import type { CheckSchemas, Lab, LabCheck, WrongCase } from './lab-schema.ts';
import { nearest } from './nearest.ts';
import { YamlFile } from './yaml-problems.ts';

/**
 * Load every lab below `dir`: each folder that holds a lab.yaml.
 * @param kinds the kinds of checks there are; each check's `with` is validated by its kind.
 * @returns labs by id, in order of their id.
 * @throws BallastError lab_invalid with all mistakes of all labs, a line each: file:line:column: what.
 */
export async function loadLabs(dir: string, kinds: CheckSchemas): Promise<Map<string, Lab>> {
  const labs = new Map<string, Lab>();
  const problems: string[] = [];
  for (const name of await subfolders(dir)) {
    const folder = resolve(dir, name);
    if (!(await exists(join(folder, 'lab.yaml')))) continue;
    const loaded = await loadLab(folder, kinds);
    problems.push(...loaded.problems);
    if (loaded.lab !== undefined) labs.set(loaded.lab.id, loaded.lab);
  }
  if (problems.length > 0) throw new BallastError('lab_invalid', { message: problems.join('\n') });
  return labs;
}

async function loadLab(folder: string, kinds: CheckSchemas): Promise<{ lab?: Lab; problems: readonly string[] }> {
  const yaml = await readYaml(join(folder, 'lab.yaml'));
  const value = yaml.value();
  if (value === undefined) return { problems: yaml.problems };
  const parsed = yaml.validate(labSchema, value);
  if (parsed === undefined) return { problems: yaml.problems };

  if (parsed.id !== basename(folder)) yaml.report(['id'], `must be the folder's name, "${basename(folder)}"`);
  judgeChecks(yaml, parsed.checks, kinds);
  const startDir = join(folder, 'start');
  const solutionDir = join(folder, 'solution');
  for (const needed of [startDir, solutionDir]) {
    if (!(await exists(needed))) yaml.report([], `the folder ${basename(needed)}/ is missing`);
  }
  for (const [index, path] of parsed.protected.entries()) {
    if (!(await isFile(join(startDir, path))))
      yaml.report(['protected', index], `there is no file "${path}" in start/`);
  }
  const wrong = await loadWrongCases(join(folder, 'wrong'), parsed.checks);
  const problems = [...yaml.problems, ...wrong.problems];
  if (problems.length > 0) return { problems };
  return { lab: { ...parsed, dir: folder, startDir, solutionDir, wrongCases: wrong.cases }, problems };
}

function judgeChecks(yaml: YamlFile, checks: readonly LabCheck[], kinds: CheckSchemas): void {
  const ids = checks.map((check) => check.id);
  checks.forEach((check, index) => {
    const path = ['checks', index];
    if (ids.indexOf(check.id) < index) yaml.report([...path, 'id'], `"${check.id}" is already the id of another check`);
    const kind = kinds.get(check.kind);
    if (kind === undefined) {
      yaml.report([...path, 'kind'], unknownWord('kind of check', check.kind, [...kinds.keys()]));
    } else {
      yaml.validate(kind.schema, check.with, [...path, 'with']);
    }
    check.needs.forEach((need, position) => {
      const where = [...path, 'needs', position];
      if (!ids.includes(need)) yaml.report(where, unknownWord('check', need, ids));
      else if (reaches(checks, need, check.id)) yaml.report(where, `"${check.id}" would have to wait for itself`);
    });
  });
}

/** Whether following `needs` from check `from` comes to check `to`. */
function reaches(checks: readonly LabCheck[], from: string, to: string): boolean {
  const seen = new Set<string>();
  const queue = [from];
  for (const id of queue) {
    if (id === to) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    queue.push(...(checks.find((check) => check.id === id)?.needs ?? []));
  }
  return false;
}

async function loadWrongCases(
  dir: string,
  checks: readonly LabCheck[],
): Promise<{ cases: readonly WrongCase[]; problems: readonly string[] }> {
  const cases: WrongCase[] = [];
  const problems: string[] = [];
  const ids = checks.map((check) => check.id);
  for (const name of await subfolders(dir)) {
    const folder = join(dir, name);
    const yaml = await readYaml(join(folder, 'case.yaml'));
    const value = yaml.value();
    const parsed = value === undefined ? undefined : yaml.validate(wrongCaseSchema, value);
    parsed?.caughtBy.forEach((id, index) => {
      if (!ids.includes(id)) yaml.report(['caughtBy', index], unknownWord('check', id, ids));
    });
    problems.push(...yaml.problems);
    if (parsed !== undefined) cases.push({ name, dir: folder, ...parsed });
  }
  return { cases, problems };
}

function unknownWord(what: string, typed: string, words: readonly string[]): string {
  const guess = nearest(typed, words);
  return `there is no ${what} "${typed}"${guess === undefined ? `; known are ${words.join(', ')}` : `: did you mean "${guess}"?`}`;
}

async function readYaml(file: string): Promise<YamlFile> {
  const name = relative(process.cwd(), file);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new BallastError('lab_invalid', { message: `${name}: ${(cause as Error).message}`, cause });
  }
  return new YamlFile(name, text);
}

async function subfolders(dir: string): Promise<string[]> {
  if (!(await exists(dir))) return [];
  const entries = await readdir(dir, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
