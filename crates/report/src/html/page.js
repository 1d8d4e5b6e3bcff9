(() => {
  'use strict';
  const root = document.documentElement;
  const by = (id) => document.getElementById(id);
  document.querySelectorAll('.scripted').forEach((it) => { it.hidden = false; });

  const theme = by('theme');
  const dark = () => root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  const name = () => { theme.textContent = dark() ? 'Light colours' : 'Dark colours'; };
  theme.addEventListener('click', () => { root.dataset.theme = dark() ? 'light' : 'dark'; name(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', name);
  name();

  const objects = [...document.querySelectorAll('.group .object')];
  const groups = [...document.querySelectorAll('.group')];
  const unfolded = (open) => {
    objects.forEach((it) => { if (!it.hidden) it.open = open; });
    if (open) groups.forEach((it) => { it.open = true; });
  };
  addEventListener('beforeprint', () => {
    document.querySelectorAll('details').forEach((it) => { it.open = true; });
  });
  const filter = by('filter');
  if (!filter) return;
  by('unfold').addEventListener('click', () => unfolded(true));
  by('fold').addEventListener('click', () => unfolded(false));
  const texts = new Map();
  const text = (it) => {
    if (!texts.has(it)) texts.set(it, it.textContent.toLowerCase());
    return texts.get(it);
  };
  filter.addEventListener('input', () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    objects.forEach((it) => {
      it.hidden = !words.every((word) => text(it).includes(word));
      found += it.hidden ? 0 : 1;
    });
    groups.forEach((it) => {
      it.hidden = !it.querySelector('.object:not([hidden])');
      if (words.length) it.open = true;
    });
    by('found').textContent = words.length ? `${found} of ${objects.length} shown` : '';
  });
})();
