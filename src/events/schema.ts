/** The event contract as schemas: the one place that says which properties an event has. */
import { Type, type TObject, type TSchema } from 'typebox';

/** A UUID in its usual text form, any version. */
export const UUID_PATTERN =
  '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';

const nullable = <T extends TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });

const count = (description: string) =>
  Type.Integer({ minimum: 0, description });
const milliseconds = (description: string) =>
  Type.Number({ minimum: 0, description });
const text = (maxLength: number, description: string) =>
  Type.String({ maxLength, description });

/** How a test ended. Only `passed` is ok; `skipped` and `interrupted` are no attempts. */
export const TEST_STATUSES = [
  'passed',
  'failed',
  'error',
  'timeout',
  'skipped',
  'interrupted'
] as const;

/** What every event of a notebook carries. Callers' own properties never overwrite these. */
export const CommonProperties = {
  nb: text(200, 'Notebook id, as given to `setup_telemetry`'),
  sess: text(64, 'Session id: 8 characters without look-alikes'),
  student: Type.Optional(
    text(200, 'Normalized name (`FIRST-LAST`), Hub user or pseudonym')
  ),
  v: Type.Optional(text(40, 'Version of the client that made the event')),
  seq: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'Counter within (`sess`, `src`); a gap shows a loss'
    })
  ),
  src: Type.Optional(
    Type.Enum(['lab', 'kernel', 'cli', 'sdk'], {
      description: 'Which of our clients made the event'
    })
  ),
  course: Type.Optional(
    text(100, 'Course id; set by the relay, never believed from a client')
  )
};

const cellId = Type.Optional(
  nullable(
    text(200, ''),
    'Cell id: from `_cell`, else the exercise, else the notebook format'
  )
);
const err = Type.Optional(
  nullable(
    text(400, ''),
    'Error type; from level `code` on `Type: message`, 200 characters at most'
  )
);

const action = <const T extends readonly string[]>(...names: T) =>
  Type.Enum(names, { description: 'What happened' });

/** Outcomes of a cell's run. `lost`: the kernel went away before it answered. */
export const CELL_STATUSES = [
  'ok',
  'error',
  'aborted',
  'interrupted',
  'lost'
] as const;

const own = {
  start: {
    client: Type.Optional(text(40, 'What opened the session: `kernel`, `lab`')),
    kernel: Type.Optional(text(100, 'Kernel and its version')),
    language: Type.Optional(text(100, 'Language and its version'))
  },
  end: {
    reason: Type.Optional(text(100, 'Why the session ended')),
    made: Type.Optional(count('Events made in the session')),
    delivered: Type.Optional(count('Events known to be delivered')),
    dropped: Type.Optional(count('Events given up'))
  },
  cell: {
    cell_id: cellId,
    cell_num: Type.Optional(
      nullable(
        Type.Integer({ minimum: 1 }),
        'Number of the run within the session, from 1; null where the kernel never ran it'
      )
    ),
    code: Type.Optional(
      nullable(
        text(20_000, ''),
        'Source, 500 characters at most; null at level `outcomes`'
      )
    ),
    status: Type.Optional(
      Type.Enum(CELL_STATUSES, { description: 'Outcome of the run' })
    ),
    ms: Type.Optional(
      nullable(Type.Number({ minimum: 0 }), 'Kernel time in milliseconds')
    ),
    err,
    count: Type.Optional(
      nullable(Type.Integer({ minimum: 0 }), 'Execution count of the kernel')
    ),
    lines: Type.Optional(
      nullable(Type.Integer({ minimum: 0 }), 'Number of source lines')
    ),
    nb_cell: Type.Optional(
      nullable(text(200, ''), "The notebook format's own cell id")
    )
  },
  test: {
    ex: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'Exercise: the name given to `tracked_test`'
    }),
    ok: Type.Boolean({ description: 'Whether the test passed' }),
    status: Type.Optional(
      Type.Enum(TEST_STATUSES, {
        description:
          '`failed`: an assertion; `error`: any other exception; `skipped` and `interrupted` are no attempts'
      })
    ),
    try: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Attempt within (exercise, session), from 1'
      })
    ),
    ms: Type.Optional(
      nullable(Type.Number({ minimum: 0 }), 'Duration in milliseconds')
    ),
    err,
    cell_id: cellId
  },
  notebook: { action: action('opened', 'saved', 'closed', 'renamed') },
  kernel: { action: action('restarted', 'interrupted', 'died') },
  focus: {
    cell_id: cellId,
    ms: milliseconds('Active time in milliseconds, net of hidden and idle')
  },
  edit: {
    action: action('added', 'removed', 'moved', 'pasted'),
    cell_id: cellId,
    chars: Type.Optional(count('Characters pasted; never the text'))
  },
  ai_suggestion: {
    suggestion_id: Type.String({
      minLength: 1,
      maxLength: 100,
      description: 'Joins `shown` with its one outcome'
    }),
    outcome: action('shown', 'accepted', 'partial', 'rejected', 'superseded'),
    activity: Type.Optional(
      action('code_completion', 'code_generation', 'documentation')
    ),
    provider: Type.Optional(text(200, 'Completion provider')),
    model: Type.Optional(text(200, 'Model name, where the provider tells')),
    language: Type.Optional(text(100, 'Language of the cell')),
    latency_ms: Type.Optional(milliseconds('Time to the suggestion')),
    lines: Type.Optional(count('Lines suggested or accepted')),
    chars: Type.Optional(count('Characters suggested or accepted'))
  },
  ai_feature: {
    feature: action('completion', 'chat', 'explain', 'document', 'test')
  },
  command: {},
  consent: {
    action: Type.Optional(action('given', 'changed', 'withdrawn')),
    level: Type.Optional(text(40, 'Privacy level agreed to')),
    notice_version: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Version of the notice shown' })
    )
  }
} satisfies Record<string, Record<string, TSchema>>;

/** Names of the contract's events. Any other name is a custom event and is kept as it is. */
export type EventName = keyof typeof own;

/** The contract's event names, in the order of the documentation. */
export const EVENT_NAMES = Object.keys(own) as EventName[];

const properties = <T extends Record<string, TSchema>>(ownProperties: T) =>
  Type.Object(
    { ...CommonProperties, ...ownProperties },
    { additionalProperties: true }
  );

/** Properties of each event of the contract, common ones included. */
export const EVENT_PROPERTIES = {
  start: properties(own.start),
  end: properties(own.end),
  cell: properties(own.cell),
  test: properties(own.test),
  notebook: properties(own.notebook),
  kernel: properties(own.kernel),
  focus: properties(own.focus),
  edit: properties(own.edit),
  ai_suggestion: properties(own.ai_suggestion),
  ai_feature: properties(own.ai_feature),
  command: properties(own.command),
  consent: properties(own.consent)
} satisfies Record<EventName, TObject>;

/** One event on the wire: PostHog's capture shape. */
export const WireEvent = Type.Object(
  {
    event: Type.String({ minLength: 1, maxLength: 200 }),
    distinct_id: Type.String({ minLength: 1, maxLength: 400 }),
    uuid: Type.Optional(Type.String({ pattern: UUID_PATTERN })),
    timestamp: Type.Optional(
      Type.String({
        maxLength: 40,
        description: 'ISO 8601; UTC where it names no zone'
      })
    ),
    properties: Type.Object({}, { additionalProperties: true })
  },
  { additionalProperties: true }
);

/** A custom event's properties: anything, as long as the common ones are right. */
export const CustomProperties = Type.Object(
  {
    ...CommonProperties,
    nb: Type.Optional(CommonProperties.nb),
    sess: Type.Optional(CommonProperties.sess)
  },
  { additionalProperties: true }
);

/** Version that consumers of records gate on. */
export const SCHEMA_VERSION = 'telemetry_event_v1';

/** Where a record comes from; set by the relay from the event and the course. */
export const CHANNELS = ['user', 'assistant', 'trace', 'simulation'] as const;

/** One line of the log's view and of exports. Unknown later fields are kept. */
export const TelemetryRecord = Type.Object(
  {
    schema_version: Type.Literal(SCHEMA_VERSION),
    channel: Type.Enum(CHANNELS),
    event: Type.String({ minLength: 1 }),
    timestamp: Type.String({
      description: 'UTC, ISO 8601 with `Z`; corrected once at receipt'
    }),
    payload: Type.Object({}, { additionalProperties: true }),
    uuid: Type.Optional(Type.String({ pattern: UUID_PATTERN })),
    distinct_id: Type.Optional(Type.String()),
    received_at: Type.Optional(Type.String()),
    course: Type.Optional(Type.String()),
    student: Type.Optional(nullable(Type.String(), 'As counted by insights')),
    session: Type.Optional(nullable(Type.String(), '`sess` of the payload')),
    notebook: Type.Optional(nullable(Type.String(), '`nb` of the payload')),
    seq: Type.Optional(nullable(Type.Integer(), '`seq` of the payload'))
  },
  { additionalProperties: true }
);
