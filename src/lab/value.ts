/** What an event is worth when not all can be kept: the least valuable ones go first. */

/** From the least to the most valuable kind. */
const RANKS = [
  'edit',
  'focus',
  'notebook',
  'ai',
  'custom',
  'kernel',
  'cell that went well',
  'cell',
  'test',
  'session'
] as const;

type Kind = (typeof RANKS)[number];

const KINDS: Record<string, Kind> = {
  edit: 'edit',
  focus: 'focus',
  notebook: 'notebook',
  ai_suggestion: 'ai',
  ai_feature: 'ai',
  kernel: 'kernel',
  test: 'test',
  start: 'session',
  end: 'session',
  consent: 'session'
};

/** Rank of an event: of two, the one with the smaller rank is given up first. */
export function rankOf(event: {
  event: string;
  properties: Record<string, unknown>;
}): number {
  return RANKS.indexOf(kindOf(event.event, event.properties['status']));
}

function kindOf(name: string, status: unknown): Kind {
  if (name === 'cell') {
    return status === 'ok' ? 'cell that went well' : 'cell';
  }
  if (name.startsWith('ai_')) {
    return 'ai';
  }
  return Object.hasOwn(KINDS, name) ? (KINDS[name] as Kind) : 'custom';
}
