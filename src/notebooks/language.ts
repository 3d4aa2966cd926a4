/** Whether a notebook is written in Python: by what it declares, else by its code. */
import { bagOf, type Cell, type Notebook } from './notebook.js';
import { refuse, type Refusal } from './refusal.js';

const PYTHON = /^(i?python\d*|sage(math)?)$/i;
/** Names of kernels that run Python, and the ends of names that conda gives. */
const PYTHON_KERNEL = /^(x?python|ipython|pyodide|py3|conda-|sage)|-py$/i;
const OTHER_KERNELS: readonly (readonly [RegExp, string])[] = [
  [/^(ir|xr|r)(\d.*)?$/i, 'R'],
  [/^julia/i, 'Julia'],
  [/^(javascript|ijavascript|jslab|deno|typescript|tslab)/i, 'JavaScript'],
  [/^(scala|almond|apache_toree)/i, 'Scala'],
  [/^(java|ijava|rapaio)/i, 'Java'],
  [/^(xcpp|xc\+\+|cpp)/i, 'C++'],
  [/^\.net-(csharp|fsharp|powershell)/i, '.NET'],
  [/^bash/i, 'Bash'],
  [/^(ruby|iruby)/i, 'Ruby'],
  [
    /^(octave|matlab|sas|stata|rust|gophernotes|haskell|kotlin|ocaml|prolog|maxima|gap|coq)/i,
    'another language'
  ]
];

/**
 * Whether the setup cell, which is Python, belongs into `notebook`.
 *
 * @param given what to take where the notebook declares nothing.
 * @returns null if it does, else why not.
 */
export function refuseLanguage(
  notebook: Notebook,
  given: string | undefined
): Refusal | null {
  const declared = declaredLanguage(notebook);
  if (declared !== null) {
    return PYTHON.test(declared.language)
      ? null
      : refuse(
          'other-language',
          `it is written in ${declared.language} (by its ${declared.by}), and the setup cell is Python`
        );
  }
  if (given !== undefined) {
    return PYTHON.test(given)
      ? null
      : refuse('other-language', `the setup cell is Python, and not ${given}`);
  }
  const { language, python } = inferLanguage(notebook.cells);
  if (python) {
    return null;
  }
  return refuse(
    'unknown-language',
    `it declares no language (no kernelspec, no language_info), and its code ${
      language === null ? 'does not tell' : `looks like ${language}`
    }; if it is Python, say --language python`
  );
}

interface Declared {
  language: string;
  by: string;
}

/** What the notebook says that it is written in; null if it says nothing that is understood. */
export function declaredLanguage(notebook: Notebook): Declared | null {
  const { metadata, cells, major } = notebook;
  const spec = bagOf(metadata['kernelspec']);
  const said: Declared[] = [
    ['language_info', bagOf(metadata['language_info'])['name']],
    ['kernelspec', spec['language']],
    ...(major < 4
      ? cells.map(({ data }) => ['code cells', data['language']] as const)
      : [])
  ].flatMap(([by, language]) =>
    typeof language === 'string' && language.trim() !== ''
      ? [{ by: by as string, language: language.trim() }]
      : []
  );
  // One word for another language is enough to keep away.
  const found = said.find(({ language }) => !PYTHON.test(language)) ?? said[0];
  if (found !== undefined) {
    return found;
  }
  const kernel = spec['name'];
  if (typeof kernel !== 'string') {
    return null;
  }
  if (PYTHON_KERNEL.test(kernel)) {
    return { language: 'python', by: 'kernelspec' };
  }
  const other = OTHER_KERNELS.find(([name]) => name.test(kernel));
  return other === undefined ? null : { language: other[1], by: 'kernelspec' };
}

/** What a line of code is worth as evidence, for one language each. */
const EVIDENCE: Readonly<Record<string, readonly RegExp[]>> = {
  Python: [
    /^\s*(import [A-Za-z_][\w.]*( as \w+)?(, *[\w.]+( as \w+)?)*|from [\w.]+ import [\w*(, ]+)\s*(#.*)?$/,
    /^\s*(async )?def \w+\(.*\)( *->.*)?:\s*(#.*)?$/,
    /^\s*class \w+(\([\w., =]*\))?:\s*(#.*)?$/,
    /^\s*(if|elif|for|while|with|try|except|else|finally)\b[^{]*:\s*(#.*)?$/,
    /\b(None|True|False)\b|\bself\.|\blambda \w+(, *\w+)*:|\bprint\(f["']|\bf["'][^"']*\{/,
    /^\s*%(matplotlib|load_ext|autoreload|timeit|time|pip|conda|config|run|cd|env)\b|^\s*%%(time|timeit|capture|html|bash|javascript|writefile|sql|R)\b/,
    /\b(np|pd|plt|sns|tf|torch)\.\w+/,
    /\[[^[\]]* for \w+(, *\w+)* in [^[\]]*\]|\bin range\(|\blen\(/
  ],
  R: [
    /^\s*[\w.]+(\$\w+|\[.*\])? *<- /,
    /^\s*(library|require|suppressPackageStartupMessages)\(\w/,
    /%>%|\|>|%in%|\bfunction\([^)]*\) *\{?$/,
    /\b(TRUE|FALSE|NULL)\b|\bc\(|\bdata\.frame\(|\bggplot\(|\bpaste0?\(/
  ],
  Julia: [
    /^\s*using [A-Z]\w*(, *[A-Z]\w*)*\s*$/,
    /^\s*end\s*$|^\s*function \w+!?\([^{]*\)\s*$|^\s*(mutable )?struct \w+/,
    /\bprintln\(|^\s*@\w+ |\.\+ |\.\* |::(Int|Float|String|Vector)/
  ],
  JavaScript: [
    /^\s*(const|let|var) [\w{[].*=/,
    /=> *[{(\w]|\bconsole\.log\(|===|!==|\brequire\(['"]/,
    /^\s*(async )?function \w*\(.*\) *\{|^\s*import .* from ['"]/,
    /;\s*(\/\/.*)?$/
  ],
  'Java, Scala or C': [
    /^\s*#include\b|\bstd::|^\s*using namespace\b|\bint main\(/,
    /^\s*(public|private|protected|static|final)\b|\bSystem\.out\b|\bnew \w+\(/,
    /^\s*(val|object|trait|case class) \w+|^\s*import [\w.]+(\._|\.\{.*\}|;)/,
    /;\s*(\/\/.*)?$/
  ],
  SQL: [/^\s*(select\b.*\bfrom\b|insert into|create table|update \w+ set)\b/i],
  Haskell: [/^\s*\w+ ::( |$)|^\s*import qualified /],
  Ruby: [/^\s*puts |\bdo \|\w+\||^\s*require ['"]|^\s*def \w+[^:]*$/]
};

/** How many lines of code are looked at; more say nothing new. */
const MAX_LINES = 2000;

/** The language that the code looks like; null if it does not tell. */
export function inferLanguage(cells: readonly Cell[]): {
  language: string | null;
  python: boolean;
} {
  const scores = new Map<string, number>();
  const lines = cells
    .filter(({ type }) => type === 'code')
    .flatMap(({ source }) => pythonPart(source))
    .slice(0, MAX_LINES);
  for (const line of lines) {
    // Long lines are data.
    const code = line.slice(0, 200);
    for (const [language, patterns] of Object.entries(EVIDENCE)) {
      const weight = patterns.filter(pattern => pattern.test(code)).length;
      scores.set(language, (scores.get(language) ?? 0) + weight);
    }
  }
  const ranked = [...scores].sort(([, a], [, b]) => b - a);
  const [best, second] = ranked;
  if (best === undefined || best[1] === 0 || best[1] < 2 * (second?.[1] ?? 0)) {
    return { language: null, python: false };
  }
  return { language: best[0], python: best[0] === 'Python' };
}

/** The lines of a cell that are its notebook's own language: a cell magic hands the rest elsewhere. */
function pythonPart(source: string): string[] {
  const lines = source.split(/\r\n|\n|\r/);
  const magic = /^%%(\w+)/.exec(lines[0]!.trim())?.[1];
  return magic === undefined || /^(time|timeit|capture|prun)$/.test(magic)
    ? lines
    : lines.slice(0, 1);
}
