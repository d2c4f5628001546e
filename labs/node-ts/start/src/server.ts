import { buildApp } from './app.js';

const app = buildApp();

// Process 1 gets no default action for a signal: without this, SIGTERM would do nothing.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void app.close();
  });
}

const address = await app.listen({ host: '0.0.0.0', port: 8080 });
console.log(`listening on ${address}`);
