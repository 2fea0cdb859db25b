// npm start. Plain JavaScript that any Node can parse, so that a too old one gets an explanation.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'Clawbernetes needs Node 24 or newer; this is Node ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').\n' +
      'On Linux x64, `npm ci` puts Node 24 into node_modules and `npm start` uses it.\n' +
      'Elsewhere, install Node 24.',
  );
  process.exit(1);
}
import('./start.ts');
