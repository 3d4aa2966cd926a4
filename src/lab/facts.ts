/** Reads kernel messages: what one of them says about a run, in plain data. */

import { exerciseIn } from './identity.js';
import type { Consent } from './made.js';
import type { TestStatus, WireEvent } from '../events/types.js';

/** MIME type of the hello that `setup_telemetry` displays. */
export const HELLO_MIME = 'application/vnd.ipynb-telemetry.v1+json';

/** Name of the comm target that the kernel package registers. */
export const COMM_TARGET = 'ipynb_telemetry';

/** What the kernel package says of its session. */
export interface Hello {
  nb: string;
  sess: string;
  student: string;
  /** Version of the kernel package. */
  v: string;
  /** Comm id under which labels and test results come, where the kernel names one. */
  comm: string | null;
  /** Runs of the session so far; only in the answer to an opened comm. */
  runs: number | null;
}

/** How the kernel answered an execute_request. */
export interface Reply {
  status: 'ok' | 'error' | 'aborted';
  /** Error name, `ValueError`. */
  ename: string | null;
  evalue: string | null;
  /** Where the error came from, one text a frame. */
  traceback: readonly string[];
  /** Execution count. */
  count: number | null;
  /** Kernel time in milliseconds by the kernel's own clock; null where it does not tell. */
  ms: number | null;
}

/** A test's result as the kernel package hands it over. */
export interface TestResult {
  ex: string;
  ok: boolean;
  /** How it ended; null where an older kernel package does not tell. */
  status: TestStatus | null;
  try: number;
  ms: number | null;
  errType: string | null;
  err: string | null;
  /** Counts the calls of this test within its run, from 1. */
  ordinal: number;
  cellId: string | null;
}

/** A cell as it stands when its run is asked for. */
export interface RequestedCell {
  /** The notebook format's cell id. */
  cell: string | null;
  /** Exercise out of the cell's metadata. */
  exercise: string | null;
  /** Source; the cell may be edited while it runs. */
  code: string;
  tags: readonly string[];
  /** What the cell's metadata says of a test: its name, or that it is one. */
  test: string | true | null;
}

/** An event that the kernel package delivered by itself. */
export type SentEvent = WireEvent & { uuid: string };

/** What one message tells. `run` is the `msg_id` of the execute_request it belongs to. */
export type Fact =
  | ({ kind: 'requested'; run: string } & RequestedCell)
  | {
      kind: 'began';
      run: string;
      own: boolean;
      code: string;
      count: number | null;
    }
  | { kind: 'replied'; run: string; reply: Reply }
  | { kind: 'idle'; run: string }
  | { kind: 'hello'; run: string; own: boolean; hello: Hello }
  | { kind: 'welcome'; comm: string; hello: Hello }
  | {
      kind: 'label';
      comm: string;
      run: string;
      cellId: string;
      code: string | null;
    }
  | { kind: 'test'; comm: string; run: string; test: TestResult }
  | { kind: 'sent'; comm: string; events: SentEvent[] }
  | { kind: 'decided'; comm: string; decision: Consent }
  /** The server found the kernel dead. */
  | { kind: 'died' }
  /** The kernel says good-bye: somebody restarted it or shut it down. */
  | { kind: 'leaves'; restart: boolean };

/** The part of a kernel message that is read here. */
export interface MessageLike {
  channel: string;
  header: { msg_type: string; msg_id: string; date?: string };
  parent_header: object;
  metadata: object;
  content: unknown;
}

type Bag = Record<string, unknown>;

/** What `msg` tells, or null if it is none of our business. */
export function readMessage(
  direction: 'send' | 'recv',
  msg: MessageLike,
  clientId: string
): Fact | null {
  const content = bag(msg.content);
  if (direction === 'send') {
    return msg.header.msg_type === 'execute_request'
      ? readRequest(msg, content)
      : null;
  }
  const parent = bag(msg.parent_header);
  const run = text(parent['msg_id']);
  const state = msg.header.msg_type === 'status' && content['execution_state'];
  if (state === 'restarting' || state === 'dead') {
    return { kind: 'died' }; // Only the server says so, and only where nobody asked for it.
  }
  if (msg.header.msg_type === 'shutdown_reply' && msg.channel === 'iopub') {
    return { kind: 'leaves', restart: content['restart'] === true };
  }
  if (run === null) {
    return null;
  }
  const own = parent['session'] === clientId;
  switch (msg.header.msg_type) {
    case 'execute_input':
      return {
        kind: 'began',
        run,
        own,
        code: text(content['code']) ?? '',
        count: whole(content['execution_count'])
      };
    case 'execute_reply':
      return { kind: 'replied', run, reply: readReply(msg, content) };
    case 'status':
      return state === 'idle' ? { kind: 'idle', run } : null;
    case 'display_data': {
      const hello = readHello(bag(content['data'])[HELLO_MIME]);
      return hello && { kind: 'hello', run, own, hello };
    }
    case 'comm_msg':
      return readCommMessage(content, run);
    default:
      return null;
  }
}

/** The hello in a MIME bundle's value or a comm's data; null if it is none. */
export function readHello(value: unknown): Hello | null {
  const data = bag(value);
  const [nb, sess, student] = [
    text(data['nb']),
    text(data['sess']),
    text(data['student'])
  ];
  if (data['kind'] !== 'hello' || !nb || !sess || !student) {
    return null;
  }
  return {
    nb,
    sess,
    student,
    v: text(data['v']) ?? '',
    comm: text(data['comm']),
    runs: whole(data['runs'])
  };
}

function readRequest(msg: MessageLike, content: Bag): Fact | null {
  const metadata = bag(msg.metadata);
  const code = text(content['code']) ?? '';
  const cell = text(metadata['cellId']);
  // Only notebook cells carry their id; consoles, debuggers and widgets do not.
  if (cell === null || content['silent'] === true || code.trim() === '') {
    return null;
  }
  return {
    kind: 'requested',
    run: msg.header.msg_id,
    // JupyterLab sends the cell's whole metadata along.
    ...readCell(cell, code, metadata)
  };
}

/** A cell by its id, source and metadata. */
export function readCell(
  cell: string,
  code: string,
  metadata: unknown
): RequestedCell {
  const ours = bag(bag(metadata)['ipynb_telemetry']);
  const tags = bag(metadata)['tags'];
  return {
    cell,
    code,
    exercise: exerciseIn(ours),
    tags: Array.isArray(tags) ? tags.filter(tag => text(tag) !== null) : [],
    test: ours['test'] === true || text(ours['test']) || null
  };
}

function readReply(msg: MessageLike, content: Bag): Reply {
  const status = content['status'];
  const started = Date.parse(text(bag(msg.metadata)['started']) ?? '');
  const ended = Date.parse(msg.header.date ?? '');
  const ms = ended - started;
  return {
    status: status === 'ok' ? 'ok' : status === 'error' ? 'error' : 'aborted',
    ename: text(content['ename']),
    evalue: text(content['evalue']),
    traceback: Array.isArray(content['traceback'])
      ? (content['traceback'] as string[])
      : [],
    count: whole(content['execution_count']),
    ms: ms >= 0 ? ms : null
  };
}

/** Every status of the contract: a new one does not compile until it stands here. */
const STATUSES: Record<string, TestStatus> = {
  passed: 'passed',
  failed: 'failed',
  error: 'error',
  timeout: 'timeout',
  skipped: 'skipped',
  interrupted: 'interrupted'
} satisfies { [S in TestStatus]: S };

function isSent(value: unknown): value is SentEvent {
  const event = bag(value);
  return (
    text(event['event']) !== null &&
    text(event['uuid']) !== null &&
    text(event['distinct_id']) !== null &&
    typeof event['properties'] === 'object' &&
    event['properties'] !== null
  );
}

function readCommMessage(content: Bag, parent: string): Fact | null {
  const comm = text(content['comm_id']);
  const data = bag(content['data']);
  // The kernel names the run itself: a thread's message may have another parent.
  const run = text(data['msg_id']) ?? parent;
  if (comm === null) {
    return null;
  }
  if (data['kind'] === 'hello') {
    const hello = readHello(data);
    return hello && { kind: 'welcome', comm, hello };
  }
  if (data['kind'] === 'label') {
    const cellId = text(data['cell_id']);
    return cellId === null
      ? null
      : { kind: 'label', comm, run, cellId, code: text(data['code']) };
  }
  if (data['kind'] === 'sent') {
    const events: unknown = data['events'];
    return Array.isArray(events)
      ? { kind: 'sent', comm, events: events.filter(isSent) }
      : null;
  }
  if (data['kind'] === 'consent') {
    const version = whole(data['notice_version']);
    return typeof data['agreed'] !== 'boolean' || version === null
      ? null
      : {
          kind: 'decided',
          comm,
          decision: {
            agreed: data['agreed'],
            level: text(data['level']),
            notice_version: version
          }
        };
  }
  const ex = text(data['ex']);
  if (data['kind'] !== 'test' || !ex || typeof data['ok'] !== 'boolean') {
    return null;
  }
  return {
    kind: 'test',
    comm,
    run,
    test: {
      ex,
      ok: data['ok'],
      status: STATUSES[text(data['status']) ?? ''] ?? null,
      try: whole(data['try']) ?? 1,
      ms: typeof data['ms'] === 'number' ? data['ms'] : null,
      errType: text(data['err_type']),
      err: text(data['err']),
      ordinal: whole(data['ordinal']) ?? 1,
      cellId: text(data['cell_id'])
    }
  };
}

function bag(value: unknown): Bag {
  return typeof value === 'object' && value !== null ? (value as Bag) : {};
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function whole(value: unknown): number | null {
  return Number.isInteger(value) ? (value as number) : null;
}
