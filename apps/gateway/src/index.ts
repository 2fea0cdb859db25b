export { DEFAULT_GATEWAY_OPTIONS, type GatewayOptions } from './gateway-options.ts';
export { openGateway, type Gateway } from './gateway.ts';
export type { GatewayHost } from './host.ts';
export type { CommandContext } from './commands/handler-context.ts';
