/** Kernel messages as JupyterLab 4.6 and ipykernel 7 exchange them, for tests. */
import { HELLO_MIME, type MessageLike } from '../../src/lab/facts.js';

export const CLIENT = 'client-1';

let count = 0;

function message(
  msg_type: string,
  channel: string,
  content: object,
  run: string | null,
  session = CLIENT,
  metadata: object = {},
  date = '2026-11-21T09:30:02.500000Z'
): MessageLike {
  return {
    channel,
    header: { msg_type, msg_id: `kernel-${++count}`, date },
    parent_header: run === null ? {} : { msg_id: run, session },
    metadata,
    content
  };
}

/** What the page sends for a cell. */
export function request(
  run: string,
  code: string,
  metadata: object = { cellId: `cell-${run}` }
): MessageLike {
  return {
    channel: 'shell',
    header: { msg_type: 'execute_request', msg_id: run },
    parent_header: {},
    metadata,
    content: { code, silent: false, stop_on_error: true }
  };
}

export const input = (
  run: string,
  execution_count: number,
  code = 'x',
  session = CLIENT
): MessageLike =>
  message('execute_input', 'iopub', { code, execution_count }, run, session);

export const idle = (run: string): MessageLike =>
  message('status', 'iopub', { execution_state: 'idle' }, run);

/** A reply after 1.5 s of kernel time. */
export const reply = (
  run: string,
  content: object,
  metadata: object = { started: '2026-11-21T09:30:01.000000Z' }
): MessageLike =>
  message('execute_reply', 'shell', content, run, CLIENT, metadata);

export const ok = (run: string, execution_count: number): MessageLike =>
  reply(run, { status: 'ok', execution_count });

export const failed = (
  run: string,
  execution_count: number,
  ename: string,
  evalue: string
): MessageLike =>
  reply(run, {
    status: 'error',
    execution_count,
    ename,
    evalue,
    traceback: ['…']
  });

export const aborted = (run: string): MessageLike =>
  reply(run, { status: 'aborted' }, { status: 'aborted', engine: 'e' });

export const HELLO = {
  kind: 'hello',
  sess: 'aB3dE5gH',
  nb: 'intro',
  student: 'JOHN-DOE',
  v: '0.1.0'
};

export const hello = (
  run: string,
  data: object = HELLO,
  session = CLIENT
): MessageLike =>
  message(
    'display_data',
    'iopub',
    {
      data: { [HELLO_MIME]: data, 'text/plain': 'Ready! Session: aB3dE5gH' },
      metadata: {},
      transient: { ipynb_telemetry_nonce: 'n1' }
    },
    run,
    session
  );

export const comm = (
  comm_id: string,
  run: string,
  data: object,
  session = CLIENT
): MessageLike => message('comm_msg', 'iopub', { comm_id, data }, run, session);

/** What a kernel says on its way out. */
export const goodbye = (restart: boolean): MessageLike =>
  message(
    'shutdown_reply',
    'iopub',
    { status: 'ok', restart },
    'kernel-request',
    'server'
  );
