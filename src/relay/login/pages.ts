/** The few pages that the relay writes itself: plain, friendly, and with what to do next. */
import { createHash } from 'node:crypto';

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 15vh auto 0; max-width: 34rem; padding: 0 1.5rem; }
h1 { font-size: 1.4rem; }
code { background: color-mix(in srgb, currentcolor 10%, transparent); border-radius: 4px; padding: .15em .4em; }
`;

/** Content Security Policy of these pages: their own style and nothing else. */
export const PLAIN_PAGE_CSP = `default-src 'none'; style-src 'sha256-${createHash(
  'sha256'
)
  .update(STYLE)
  .digest(
    'base64'
  )}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Shown for a link that logs nobody in. */
export const USED_LINK_PAGE = page(
  'This link does not work any more',
  `<p>Each link logs one browser in, once, and within a week. Whoever runs the relay makes a new one with</p>
<p><code>ipynb-telemetry link</code></p>
<p>A browser that is logged in stays so for 30 days: <a href="./">go to the page</a>.</p>`
);

/** Shown where the page was not built. */
export const NO_PAGE_PAGE = page(
  'The page is not built',
  `<p>The relay runs and takes events; only this page is missing. In a checkout, build it with</p>
<p><code>npm run build</code></p>`
);

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · ipynb-telemetry</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
${content}
</body>
</html>
`;
}
