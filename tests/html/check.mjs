// check.mjs CHROMIUM SCREENSHOTS REPORT...: opens each report in a headless browser and uses it as people do. Prints one
// line for each thing that is wrong, and ends with 1 if there is one.
import { readFile, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const [chromium, screenshots, ...reports] = process.argv.slice(2);
if (!reports.length) throw new Error('usage: check.mjs CHROMIUM SCREENSHOTS REPORT...');
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
await mkdir(screenshots, { recursive: true });

const problems = [];
let name = '';
const wrong = (what) => problems.push(`${name}: ${what}`);
const must = (holds, what) => { if (!holds) wrong(what); };

// As root, Chromium has no sandbox. The resolver makes every host unknown: nothing can leave.
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND', '--font-render-hinting=none'],
});
const context = async (url, { width, scheme, script }) => {
  const page = await browser.newPage();
  page.on('console', (it) => {
    if (['error', 'warn'].includes(it.type())) wrong(`the console says: ${it.text()}`);
  });
  page.on('pageerror', (it) => wrong(`a script fails: ${it}`));
  page.on('request', (it) => {
    const itself = it.url().split('#')[0] === url || it.url().startsWith('data:');
    must(itself, `the network is asked for ${it.url()}`);
  });
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(url);
  return page;
};

// A picture as high as a very long page is more than a browser makes.
const shoot = async (page, of) => {
  const fullPage = await page.evaluate(() => document.documentElement.scrollHeight < 12000);
  await page.screenshot({ path: path.join(screenshots, `${of}.png`), fullPage });
};

const overflow = async (page, width) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  must(wide <= 0, `at ${width} px the page is ${wide} px too wide`);
};

// axe needs `eval`-free injection only; the page's own policy stays in force for everything else.
const accessible = async (page, scheme) => {
  const session = await page.createCDPSession();
  const tree = (await session.send('Page.getFrameTree')).frameTree;
  const world = await session.send('Page.createIsolatedWorld', { frameId: tree.frame.id, worldName: 'axe' });
  const contextId = world.executionContextId;
  await session.send('Runtime.evaluate', { contextId, expression: axe });
  const run = `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then((it) => JSON.stringify({ passes: it.passes.length, violations: it.violations.map((v) =>
      [v.id, v.help, v.nodes.slice(0, 4).map((n) => n.target.join(' ') + ' ' + n.failureSummary)]) }))`;
  const done = await session.send('Runtime.evaluate', { contextId, expression: run, awaitPromise: true, returnByValue: true });
  if (done.exceptionDetails) return wrong(`axe fails: ${JSON.stringify(done.exceptionDetails)}`);
  const { passes, violations } = JSON.parse(done.result.value);
  must(passes > 15, `axe looked at ${passes} rules only`);
  for (const it of violations) wrong(`${scheme}: axe: ${JSON.stringify(it)}`);
};

// Everything that can be used is reached by Tab, in the order of the page, and is seen to be.
const tabs = async (page) => {
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')];
    const seen = all.filter((it) => it.checkVisibility({ visibilityProperty: true }));
    const radios = seen.filter((it) => it.type === 'radio' && !it.checked);
    const stops = seen.filter((it) => !radios.includes(it));
    stops.forEach((it, at) => { it.dataset.stop = at; });
    return stops.length;
  });
  await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
  const reached = [];
  for (let at = 0; at < wanted + 3; at++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const it = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(it);
      return { stop: it.dataset?.stop, shown: outlineStyle !== 'none' && parseFloat(outlineWidth) > 1, is: it.outerHTML?.slice(0, 80) };
    });
    if (stop.stop === undefined) continue;
    must(stop.shown, `focus is not seen on ${stop.is}`);
    reached.push(+stop.stop);
  }
  const once = [...new Set(reached)];
  must(once.length === wanted, `Tab reaches ${once.length} of ${wanted} things`);
  must(once.every((it, at) => at === 0 || it > once[at - 1]), 'Tab jumps about');
};

const keyboard = async (page) => {
  // The link to the content is first, and works.
  await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
  await page.focus('.skip');
  await page.keyboard.press('Enter');
  must(await page.evaluate(() => document.activeElement.id === 'main'), 'the skip link does not lead to the content');
  // Details unfold by Enter and fold by Space.
  if (await page.$('.object > summary')) {
    const open = () => page.$eval('.object', (it) => it.open);
    // Large groups are folded as a whole.
    await page.$$eval('.group', (all) => all.forEach((it) => { it.open = true; }));
    const before = await open();
    await page.focus('.object > summary');
    await page.keyboard.press('Enter');
    must(await open() === !before, 'Enter does not unfold');
    await page.keyboard.press('Space');
    must(await open() === before, 'Space does not fold');
  }
  // The side that is shown is chosen by arrows.
  if (await page.$('.v-both')) {
    const hidden = (of) => page.$$eval(`svg.topology .box${of}`, (all) =>
      all.filter((it) => getComputedStyle(it).display === 'none').length);
    const count = (of) => page.$$eval(`svg.topology .box${of}`, (all) => all.length);
    await page.focus('.v-both');
    await page.keyboard.press('ArrowRight');
    must(await page.$eval('.v-before', (it) => it.checked), 'the arrow key does not choose the side before');
    must(await hidden('.s-add') === await count('.s-add'), 'what is added is shown in the picture before');
    must(await hidden('.s-remove') === 0, 'what is removed is missing in the picture before');
    await shoot(page, `${name}-before`);
    await page.keyboard.press('ArrowRight');
    must(await hidden('.s-remove') === await count('.s-remove'), 'what is removed is shown in the picture after');
    must(await hidden('.s-add') === 0, 'what is added is missing in the picture after');
    await shoot(page, `${name}-after`);
    await page.keyboard.press('ArrowRight');
  }
  // The theme is changed by its button, and back.
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const first = await paper();
  await page.focus('#theme');
  await page.keyboard.press('Enter');
  must(await paper() !== first, 'the button does not change the colours');
  await page.keyboard.press('Enter');
  must(await paper() === first, 'the button does not change the colours back');
};

const filter = async (page) => {
  if (!await page.$('#filter')) return;
  const shown = () => page.$$eval('.group .object', (all) => all.filter((it) => it.checkVisibility()).length);
  await page.click('#unfold');
  const all = await shown();
  const address = await page.$eval('.group .object .address', (it) => it.textContent);
  await page.type('#filter', address);
  const some = await shown();
  must(some >= 1 && (some < all || all === 1), `the filter shows ${some} of ${all} for ${address}`);
  must(/ of /.test(await page.$eval('#found', (it) => it.textContent)), 'nobody is told how many are shown');
  await page.evaluate(() => { document.getElementById('filter').value = ''; });
  await page.type('#filter', 'there is no such thing');
  must(await shown() === 0, 'the filter shows what does not match');
  must(await page.$$eval('.group', (it) => it.every((g) => !g.checkVisibility())), 'a group of nothing is shown');
  await page.focus('#filter');
  await page.keyboard.down('Control');
  await page.keyboard.press('a');
  await page.keyboard.up('Control');
  await page.keyboard.press('Backspace');
  must(await shown() === all, 'the filter does not let go');
  await page.click('#unfold');
  must(await page.$$eval('.group .object', (it) => it.every((o) => o.open)), 'not all is unfolded');
  await page.click('#fold');
  must(await page.$$eval('.group .object', (it) => it.every((o) => !o.open)), 'not all is folded');
};

const picture = async (page) => {
  const svg = await page.$eval('svg.topology', (it) => {
    const { width, height } = it.getBoundingClientRect();
    const inside = [...it.querySelectorAll('text')].filter((text) => {
      const rect = text.parentElement.querySelector('rect');
      if (!rect) return false;
      const [a, b] = [text.getBoundingClientRect(), rect.getBoundingClientRect()];
      return a.width > 0 && (a.right > b.right + 1 || a.left < b.left - 1);
    });
    return {
      width, height, role: it.getAttribute('role'), boxes: it.querySelectorAll('.box').length,
      label: it.getAttribute('aria-labelledby').split(' ').map((id) => document.getElementById(id)?.textContent),
      out: inside.map((text) => text.textContent),
    };
  }).catch(() => null);
  if (!svg) return wrong('there is no picture');
  must(svg.width > 300 && svg.height > 60 && svg.boxes > 0, `the picture is empty: ${JSON.stringify(svg)}`);
  must(svg.role === 'img' && svg.label.every(Boolean), 'the picture has no name');
  must(!svg.out.length, `text runs out of its box: ${JSON.stringify(svg.out)}`);
  must(await page.$$eval('.words tbody tr', (it) => it.length) >= 1, 'the picture is not told in words');
};

for (const report of reports) {
  name = path.basename(report, '.html');
  const url = pathToFileURL(path.resolve(report)).href;
  for (const scheme of ['light', 'dark']) {
    const page = await context(url, { width: 1280, scheme, script: true });
    await shoot(page, `${name}-${scheme}`);
    await accessible(page, scheme);
    if (scheme === 'light') {
      await overflow(page, 1280);
      await picture(page);
      await tabs(page);
      await keyboard(page);
      await filter(page);
      await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
      await overflow(page, 1280);
    }
    // Of very many equal ones some are looked at.
    const many = await page.$$eval('.object', (it) => it.length) > 200;
    if (many) await page.evaluate(() => document.querySelectorAll('.object ~ .object ~ .object, .words tr ~ tr ~ tr').forEach((it) => it.remove()));
    await page.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
    await accessible(page, `${scheme}, unfolded`);
    await shoot(page, `${name}-${scheme}-unfolded`);
    await page.close();
  }
  const narrow = await context(url, { width: 390, scheme: 'light', script: true });
  await overflow(narrow, 390);
  await shoot(narrow, `${name}-narrow`);
  await narrow.evaluate(() => document.querySelectorAll('details').forEach((it) => { it.open = true; }));
  await overflow(narrow, 390);
  await narrow.close();
  // Nothing that needs a script is offered where none runs.
  const plain = await context(url, { width: 1280, scheme: 'light', script: false });
  must(!await plain.$('.scripted:not([hidden])'), 'without scripts there are dead buttons');
  await plain.close();
}
await browser.close();
problems.forEach((it) => console.log(it));
process.exitCode = problems.length ? 1 : 0;
if (!problems.length) console.log(`${reports.length} reports are well`);
