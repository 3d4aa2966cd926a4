/** One student with a notebook made for one test: opens it, does things, and asks what arrived since. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext } from 'playwright-core';
import type { StoredEvent } from '../../support/posthogStandIn.js';
import { openPage, type WatchedPage } from './chromium.js';
import type { Classroom } from './classroom.js';
import type { Jupyter } from './jupyter.js';
import { NotebookPage } from './notebookPage.js';
import { row, type Row } from './rows.js';

/** A cell: the source of a code cell, or more. */
export type CellSpec =
  | string
  | {
      type?: 'code' | 'markdown' | 'raw';
      source: string;
      metadata?: Record<string, unknown>;
    };

export interface LessonOptions {
  /** The notebook's own metadata beside the kernel. */
  metadata?: Record<string, unknown>;
  /** Without a setup cell: nothing of the kernel package runs. */
  plain?: boolean;
  /** Minor version of the notebook format; below 5 cells have no ids. */
  minor?: number;
  /** The browser's context; a new one where none is given. */
  context?: BrowserContext;
}

let students = 0;

/** A name of letters that nobody else in this file has. */
function nextName(): string {
  students += 1;
  const letter = (n: number): string => String.fromCharCode(65 + n);
  return `Q${letter(Math.floor(students / 26))}${letter(students % 26)}`;
}

export class Lesson {
  /** Writes a notebook with a setup cell (`setup`) and `cells`, and opens it. */
  static async open(
    place: { classroom: Classroom; jupyter: Jupyter; browser: Browser },
    cells: Record<string, CellSpec>,
    options: LessonOptions = {}
  ): Promise<Lesson> {
    const name = nextName();
    const file = `lesson-${name.toLowerCase()}.ipynb`;
    writeNotebook(
      join(place.jupyter.folder, file),
      {
        ...(options.plain
          ? {}
          : {
              setup: `from ipynb_telemetry import setup_telemetry\n_t = setup_telemetry("lesson", student_name="Ada ${name}")`
            }),
        ...cells
      },
      options
    );
    const context = options.context ?? (await place.browser.newContext());
    const watched = await openPage(context);
    const notebook = new NotebookPage(watched.page);
    await notebook.open(place.jupyter.notebookUrl(file));
    return new Lesson(place, notebook, watched, file, `ADA-${name}`);
  }

  private constructor(
    readonly place: { classroom: Classroom; jupyter: Jupyter },
    readonly notebook: NotebookPage,
    readonly watched: WatchedPage,
    readonly file: string,
    readonly student: string
  ) {}

  /** Runs the setup cell, and takes its two events as seen. */
  async setUp(): Promise<void> {
    await this.notebook.run('setup');
    await this.arrived(2);
  }

  /** Waits for `count` further events, and that no more come; gives them in the order they happened. */
  async arrived(count: number): Promise<StoredEvent[]> {
    const all = await this.place.classroom.expect(
      this.student,
      this._seen.size + count
    );
    const fresh = all.filter(event => !this._seen.has(event.uuid));
    fresh.forEach(event => this._seen.add(event.uuid));
    return fresh;
  }

  /** `arrived`, as rows. */
  async rows(count: number): Promise<Row[]> {
    return (await this.arrived(count)).map(row);
  }

  /** What the notebook's file says now. */
  savedFile(): { cells: { source: string | string[]; metadata: object }[] } {
    return JSON.parse(
      readFileSync(join(this.place.jupyter.folder, this.file), 'utf8')
    ) as ReturnType<Lesson['savedFile']>;
  }

  async leave(): Promise<void> {
    await this.watched.page.context().close();
  }

  private _seen = new Set<string>();
}

/** Writes a notebook of the given cells. */
export function writeNotebook(
  path: string,
  cells: Record<string, CellSpec>,
  options: Pick<LessonOptions, 'metadata' | 'minor'> = {}
): void {
  const minor = options.minor ?? 5;
  writeFileSync(
    path,
    JSON.stringify({
      cells: Object.entries(cells).map(([id, spec]) => {
        const cell = typeof spec === 'string' ? { source: spec } : spec;
        const type = cell.type ?? 'code';
        return {
          cell_type: type,
          ...(minor >= 5 ? { id } : {}),
          metadata: cell.metadata ?? {},
          source: cell.source,
          ...(type === 'code' ? { execution_count: null, outputs: [] } : {})
        };
      }),
      metadata: {
        kernelspec: {
          display_name: 'Python 3',
          language: 'python',
          name: 'python3'
        },
        ...options.metadata
      },
      nbformat: 4,
      nbformat_minor: minor
    })
  );
}
