import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../sandbox-server/cli/project.ts';

/** Blocks of YAML under a heading of docs/ci.md. */
export function yamlUnder(heading: string): string {
  const page = readFileSync(join(projectRoot, 'docs', 'ci.md'), 'utf8');
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const [, block] = /```yaml\n(.*?)```/s.exec(section.split('\n## ')[0] ?? '') ?? [];
  if (block === undefined) throw new Error(`docs/ci.md has no YAML under "${heading}".`);
  return block;
}

/** Lines of the shell that stand by themselves under a heading of docs/ci.md. */
export function shellUnder(heading: string): readonly string[] {
  const page = readFileSync(join(projectRoot, 'docs', 'ci.md'), 'utf8');
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  return [...(section.split('\n## ')[0] ?? '').matchAll(/^ {4}(npx ballast .*)$/gm)].map(([, line = '']) => line);
}

/** A git repository with these files, all committed, and a remote that its pipeline can be told of. */
export function makeRepository(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const git = (...args: readonly string[]): void => {
    execFileSync('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', ...args], { cwd: folder });
  };
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message=All');
  git('remote', 'add', 'origin', 'https://git.example.org/group/project.git');
}

/** GitLab's pipeline of a repository on this machine: validates the file against GitLab's schema, runs jobs in a shell. */
export function gitlab(
  folder: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { readonly status: number | null; readonly output: string } {
  const program = join(projectRoot, 'node_modules', 'gitlab-ci-local', 'dist', 'index.js');
  const options = ['--force-shell-executor', '--shell-isolation=false'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...options, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 ** 2,
  });
  return { status, output: `${stdout}${stderr}` };
}
