/** JupyterLab with real kernels, a real relay and a real browser: all tests of one course, on one server. */
import { jest } from '@jest/globals';
import './lab/lessons.js';
import './lab/signals.js';
import './lab/pitfalls.js';
import './lab/leaks.js';

jest.setTimeout(120_000);
