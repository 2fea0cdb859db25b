// Shows that the SQLite store passes the store suite.
import { storeSuite } from '@clawbernetes/storage/testing';
import { openSqliteFixture } from './sqlite-fixture.ts';

storeSuite('SQLite', openSqliteFixture);
