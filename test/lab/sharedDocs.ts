/** Shared documents of a test: each has a timer, and all of them end with the test. */

const open: { dispose(): void }[] = [];

afterEach(() => {
  open.splice(0).forEach(document => document.dispose());
});

/** Has `document` disposed of after the test. */
export function untilTheEnd<T extends { dispose(): void }>(document: T): T {
  open.push(document);
  return document;
}
