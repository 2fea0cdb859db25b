import { activeKey } from '@clawbernetes/identity/wallet';
import type { ListedWallet } from '@clawbernetes/identity/wallet-folder';
import type { Call } from '../../declare/declaration.ts';
import { age } from '../../output/phrases.ts';
import { renderTable } from '../../output/table.ts';
import { openWallets } from './open-wallets.ts';

/** Answers 1 if a wallet cannot be read: the others are listed all the same. */
export async function listWallets({ context }: Call): Promise<number> {
  const folder = openWallets(context);
  const listed = await folder.list();
  const wallets = listed.map((each) =>
    'facts' in each
      ? { wallet: each.name, address: activeKey(each.facts).address, ...each.facts }
      : { wallet: each.name, problem: each.problem },
  );
  await context.print({ folder: folder.folder, wallets }, () => {
    if (listed.length === 0)
      return `No wallets yet. Make one with "${context.config.programName} molt wallet create".`;
    const rows = listed.map((each) => row(each, context.clock.nowMs()));
    return renderTable(['NAME', 'ADDRESS', 'KIND', 'KEYS', 'AGE'], rows, { columns: context.columns });
  });
  const problems = listed.flatMap((each) => ('problem' in each ? [each.problem.message] : []));
  if (context.format === 'table') for (const message of problems) context.remark(message);
  return problems.length === 0 ? 0 : 1;
}

function row(wallet: ListedWallet, nowMs: number): readonly string[] {
  if ('problem' in wallet) return [wallet.name, wallet.problem.code, '–', '–', '–'];
  const { name, facts } = wallet;
  const { address } = activeKey(facts);
  return [name, address, facts.kind, String(facts.keys.length), age(facts.createdAtMs, nowMs)];
}
