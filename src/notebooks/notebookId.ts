/** Notebook ids: the one that is given, and the one that a file's name gives. */

/** Longest id, in UTF-16 units: what an event's `nb` may hold. */
export const MAX_ID = 200;

/**
 * The id that a file's name gives: its last part without `.ipynb`, in Unicode's composed form (a
 * Mac's file names are decomposed), control characters and runs of blanks as one space, at most
 * {@link MAX_ID} long. Undefined if nothing is left.
 */
export function idOfFile(path: string): string | undefined {
  const name = path
    .split(/[\\/]/)
    .at(-1)!
    .replace(/\.ipynb$/i, '');
  return normalized(name);
}

/**
 * Fills a template for ids: `{stem}` is the id of the file's name, `{folder}` the name of the
 * folder that it is in. Undefined if nothing is left.
 *
 * @param path absolute, so that there is a folder.
 */
export function idFromTemplate(
  template: string,
  path: string
): string | undefined {
  const folder = path.split(/[\\/]/).at(-2) ?? '';
  return normalized(
    template.replace(/\{(stem|folder)\}/g, (_whole, name) =>
      name === 'stem' ? (idOfFile(path) ?? '') : folder
    )
  );
}

/** Whether `template` gives different files different ids. */
export function isTemplate(template: string): boolean {
  return /\{(stem|folder)\}/.test(template);
}

function normalized(text: string): string | undefined {
  const tidy = text
    .normalize('NFC')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const short = tidy.slice(0, MAX_ID);
  // A pair of surrogates is not cut apart.
  return (
    (/[\ud800-\udbff]$/.test(short) && tidy.length > MAX_ID
      ? short.slice(0, -1)
      : short
    ).trim() || undefined
  );
}
