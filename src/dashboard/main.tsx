/** Puts the page together. */
import { render } from 'preact';
import '../../style/tokens.css';
import '../../style/dashboard.css';
import { applyTheme, storedTheme } from './live/theme.js';
import { App } from './parts/app.js';

applyTheme(storedTheme());
const page = document.getElementById('page');
if (page) {
  render(<App />, page);
}
