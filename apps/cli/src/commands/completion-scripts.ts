import type { CommandWords, CompletionWord } from './completion-words.ts';

const NAMES = (words: readonly CompletionWord[]): string => words.map(({ word }) => word).join(' ');

export function bashScript(all: readonly CommandWords[]): string {
  const cases = all.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)}) commands='${NAMES(commands)}' options='${NAMES(options)}' ;;`,
  );
  return `# bash completion for clawbernetes
_clawbernetes() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' word commands='' options='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    [ "$word" = -- ] && return
    case "\${path:+$path }$word" in
      ${all
        .filter(({ path }) => path !== '')
        .map(({ path }) => quoted(path))
        .join(' | ')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$commands" -- "$current")) ;;
  esac
  if [ -z "$commands" ] && [ "\${current#-}" = "$current" ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _clawbernetes clawbernetes
`;
}

export function zshScript(all: readonly CommandWords[]): string {
  const cases = all.map(
    ({ path, commands, options }) => `    ${quoted(path)})
      commands=(${commands.map(zshWord).join(' ')})
      options=(${options.map(zshWord).join(' ')}) ;;`,
  );
  return `#compdef clawbernetes
_clawbernetes() {
  local path='' word index
  local -a commands options
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words[index]}"
    case "\${path:+$path }$word" in
      ${all
        .filter(({ path }) => path !== '')
        .map(({ path }) => quoted(path))
        .join(' | ')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe 'option' options
  elif (( \${#commands} )); then
    _describe 'command' commands
  else
    _files
  fi
}
if [ "$funcstack[1]" = "_clawbernetes" ]; then _clawbernetes "$@"; else compdef _clawbernetes clawbernetes; fi
`;
}

export function fishScript(all: readonly CommandWords[]): string {
  const lines = all.flatMap(({ path, commands, options }) => {
    const condition = `-n '__clawbernetes_path_is ${quotedInFish(path)}'`;
    return [
      ...commands.map(
        ({ word, description }) =>
          `complete -c clawbernetes ${condition} -f -a ${word} -d '${plain(description)}'`,
      ),
      ...options.map(({ word, description }) => {
        const flag = word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
        return `complete -c clawbernetes ${condition} ${flag} -d '${plain(description)}'`;
      }),
    ];
  });
  const paths = all.map(({ path }) => path).filter((path) => path !== '');
  return `# fish completion for clawbernetes
function __clawbernetes_path_is
    set -l known ${paths.map((path) => quoted(path)).join(' ')}
    set -l path ''
    for word in (commandline -opc)[2..]
        set -l longer (string trim "$path $word")
        if contains -- "$longer" $known
            set path $longer
        end
    end
    test "$path" = "$argv"
end
${lines.join('\n')}
`;
}

function zshWord({ word, description }: CompletionWord): string {
  return quoted(`${word.replaceAll(':', '\\:')}:${description}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Within single quotes already. */
function quotedInFish(text: string): string {
  return text === '' ? '""' : text;
}

function plain(text: string): string {
  return text.replaceAll("'", "\\'");
}
