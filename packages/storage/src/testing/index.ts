export { startTestPostgres, type PostgresMissing, type TestPostgres } from './postgres-server.ts';
export { storeSuite, type StoreFixture, type StoreSuiteOptions } from './store-suite.ts';
export { testSchema } from './test-schema.ts';
