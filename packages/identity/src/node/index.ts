export { loadKeyFile, loadOrCreateKeyFile } from './key-file.ts';
