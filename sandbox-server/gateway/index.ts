export { createGateway } from './create-gateway.ts';
export type { Gateway } from './gateway.ts';
