/** The few pages that the relay writes itself: plain, friendly, and with what to do next. */
import { createHash } from 'node:crypto';

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 15vh auto 0; max-width: 34rem; padding: 0 1.5rem; }
h1 { font-size: 1.4rem; }
form { display: grid; gap: .5rem; margin: 1.5rem 0; }
label { font-weight: 600; }
input, button { font: inherit; padding: .5em .7em; border: 1px solid GrayText; border-radius: 4px; }
button { justify-self: start; cursor: pointer; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
[role=alert] { border-inline-start: 4px solid #c62828; padding-inline-start: .8em; }
code { background: color-mix(in srgb, currentcolor 10%, transparent); border-radius: 4px; padding: .15em .4em; }
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Content Security Policy of these pages: their own style, forms to the relay, and nothing else. */
export const PLAIN_PAGE_CSP = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

/** Why somebody sees the login page, where it is not because they asked for it. */
export type LoginProblem =
  | 'used_link'
  | 'unknown_key'
  | 'write_key'
  | 'revoked_key'
  | 'expired_key'
  | 'cross_site'
  | 'rate_limited';

const PROBLEMS: Record<LoginProblem, string> = {
  used_link:
    'This link does not work any more. Each link logs one browser in, once, and within a week.',
  unknown_key:
    'The relay does not know this key. Check that all of it was copied, and nothing else.',
  write_key:
    'This key is for notebooks: it begins with nbt_ and reads nothing. Keys for people begin with nbi_, nba_ or nbd_.',
  revoked_key:
    'This key was revoked. Ask whoever runs the course for the present one.',
  expired_key:
    'The time of this key is over. Ask whoever runs the course for a new one.',
  cross_site:
    "The form was not sent by this page. Try it again here; behind a proxy, the relay's public-url has to be the address that you see above.",
  rate_limited:
    'Too many attempts failed from your network. Try again in ten minutes.'
};

const HUB_LINK = `
<p><a href="login/hub">Log in with JupyterHub</a>, or by a key:</p>`;

/** The page on which people log in by their key. @param byHub whether they may by the Hub, too */
export function loginPage(problem?: LoginProblem, byHub = false): string {
  const wrongKey = problem?.endsWith('_key') ?? false;
  return page(
    'Log in',
    `${problem ? `<p role="alert" id="problem">${PROBLEMS[problem]}</p>` : ''}${byHub ? HUB_LINK : ''}
<form method="post" action="login">
<label for="key">Your key</label>
<input id="key" name="key" type="password" required autocomplete="current-password" autocapitalize="off" spellcheck="false"${wrongKey ? ' aria-invalid="true" aria-describedby="problem" autofocus' : ''}>
<button>Log in</button>
</form>
<p>Whoever runs the relay makes keys with</p>
<p><code>ipynb-telemetry key add COURSE --role instructor</code></p>
<p>and links that log one browser into all courses with</p>
<p><code>ipynb-telemetry link</code></p>
<p>A browser that is logged in stays so for 30 days: <a href="./">go to the page</a>.</p>`
  );
}

/** Shown for a log-in that did not come to its end, or that another browser began. */
export const FAILED_LOGIN_PAGE = page(
  'That did not work',
  `<p>The log-in took too long, was called off, or was begun in another browser.</p>
<p><a href="login/hub">Log in with JupyterHub</a> again.</p>`
);

/** Shown to an address that asks too often, or whose log-ins failed too often. */
export const TOO_MANY_PAGE = page(
  'Too many attempts',
  `<p>Too many log-ins from your network failed, or came at once. Try again in ten minutes.</p>`
);

/** Shown while the Hub gives no answer. */
export const HUB_AWAY_PAGE = page(
  'The JupyterHub does not answer',
  `<p>Try again in a moment: <a href="login/hub">log in with JupyterHub</a>. The log of the relay says more.</p>`
);

/** Shown where the Hub does not let somebody use this service. */
export const NO_ACCESS_PAGE = page(
  'Your account may not use this service',
  `<p>Whoever runs the JupyterHub gives a group the scope <code>access:services!service=…</code> with the name of this service.</p>`
);

/** Shown to who is in no group that a course names. @param groups those that would do */
export function noGroupPage(name: string, groups: readonly string[]): string {
  const needed =
    groups.length === 0
      ? 'a group of the JupyterHub that one of the courses here names'
      : `the JupyterHub’s group ${groups.map(group => `<code>${escape(group)}</code>`).join(' or ')}`;
  return page(
    'There is nothing here for your account',
    `<p>You are logged in as <code>${escape(name)}</code>, who is not in ${needed}.</p>
<p>Ask whoever runs the course, and then <a href="login/hub">log in again</a>.</p>`
  );
}

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

/** Text within HTML. */
function escape(text: string): string {
  return text.replace(
    /[&<>"']/g,
    character => `&#${character.codePointAt(0)};`
  );
}
