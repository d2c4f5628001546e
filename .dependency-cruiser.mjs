/** The import directions of the design; what is not said here is free. */
const tests = String.raw`\.test\.ts$|^tests/`;

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: String.raw`\.d\.ts$|^bin/|\.config\.|^src/(pages|content)|index\.ts$|^src/components/`,
      },
      to: {},
    },
    {
      name: 'protocol-takes-zod-only',
      severity: 'error',
      from: { path: '^sandbox-server/protocol', pathNot: tests },
      to: { pathNot: '^sandbox-server/protocol|^node_modules/zod' },
    },
    {
      name: 'site-takes-protocol-only',
      severity: 'error',
      from: { path: '^src', pathNot: tests },
      to: { path: '^sandbox-server', pathNot: '^sandbox-server/protocol' },
    },
    { name: 'server-knows-no-site', severity: 'error', from: { path: '^sandbox-server' }, to: { path: '^src' } },
    {
      name: 'client-knows-no-components',
      severity: 'error',
      from: { path: '^src/client' },
      to: { path: '^src/(components|layouts|pages)' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(src|sandbox-server|bin)', pathNot: tests },
      to: { path: '^tests' },
    },
    {
      name: 'drivers-named-at-the-root-only',
      severity: 'error',
      from: { path: '^sandbox-server', pathNot: `^sandbox-server/(engines|cli|main\\.ts)|${tests}` },
      to: { path: '^sandbox-server/engines/(?!engine\\.ts)' },
    },
    {
      name: 'sdk-in-drivers-only',
      severity: 'error',
      from: { pathNot: '^sandbox-server/engines/|^node_modules|^tests/' },
      to: { path: '^node_modules/dockerode|^node_modules/docker-modem' },
    },
    {
      name: 'database-in-store-only',
      severity: 'error',
      from: { path: '^sandbox-server', pathNot: `^sandbox-server/store|${tests}` },
      to: { path: '^node:sqlite$|^sqlite$' },
    },
    {
      name: 'checks-take-no-server',
      severity: 'error',
      from: { path: '^sandbox-server/(checks|images|labs)', pathNot: tests },
      to: { path: '^sandbox-server/(http|ws|sessions|store|setup|cli|app|main|grading)' },
    },
    {
      name: 'sessions-take-no-server',
      severity: 'error',
      from: { path: '^sandbox-server/sessions', pathNot: tests },
      to: { path: '^sandbox-server/(http|ws|cli|app|main|grading)' },
    },
    {
      name: 'gateway-takes-no-server',
      severity: 'error',
      from: { path: '^sandbox-server/gateway', pathNot: tests },
      to: { path: '^sandbox-server/(http|ws|sessions|store|setup|cli|app|main|checks|images|labs|grading)' },
    },
    {
      name: 'setup-takes-no-server',
      severity: 'error',
      from: { path: '^sandbox-server/setup', pathNot: tests },
      to: { path: '^sandbox-server/(http|ws|store|cli|app|main|checks|grading)' },
    },
    {
      name: 'no-dev-dependency-at-run-time',
      severity: 'error',
      from: { path: '^(sandbox-server|src|bin)', pathNot: tests },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|labs)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'sandbox-server/tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.svelte', '.astro', '.json'],
      conditionNames: ['import', 'node', 'default', 'types', 'svelte'],
    },
  },
};
