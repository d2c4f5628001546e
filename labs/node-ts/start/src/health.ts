// Asks the service in the same container whether it works: exit code 0 when it does, 1 when it does not.
try {
  const answer = await fetch('http://127.0.0.1:8080/healthz', { signal: AbortSignal.timeout(2000) });
  process.exitCode = answer.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
