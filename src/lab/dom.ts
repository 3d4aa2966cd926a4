/** Builds pieces of the page. Text is always text: nothing from an event or a course becomes HTML. */

/** An element with attributes and children; strings become text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** A button in JupyterLab's own look. */
export function button(
  label: string,
  onClick: () => void,
  className = 'jp-mod-reject'
): HTMLButtonElement {
  const node = element(
    'button',
    { type: 'button', class: `jp-mod-styled ${className}` },
    label
  );
  node.addEventListener('click', onClick);
  return node;
}
