export { askPackageClients } from './package-clients.ts';
export { Gateway, type GatewayCounters } from './gateway.ts';
export { gatewaySchema } from './settings.ts';
