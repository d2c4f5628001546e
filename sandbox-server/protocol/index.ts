export * from './errors.ts';
export * from './results.ts';
export * from './rest.ts';
export * from './terminal.ts';
export * from './events.ts';
export * from './measurements.ts';
