/** @file Style and script of the attention section: choosing layer and head, and pointing at positions. Plain, for any browser. */

export const ATTENTION_STYLE = `
.attention-choice label { margin-right: 1.2rem; } .attention-choice select { font: inherit; }
.attention-words, .attention-sequence { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
.attention-word, .attention-plain { margin: 0; width: 7.5rem; font-size: .85rem; } .attention-word span, .attention-plain figcaption { color: var(--dim, #6b7280); }
.attention-picture { display: block; width: 7.5rem; border-radius: 4px; background: #fff; } .attention-picture rect { fill: #000; }
.attention-sequence .attention-picture { width: 9rem; cursor: crosshair; } .attention-picture image, .attention-matrix image { image-rendering: pixelated; }
.attention-sequence { gap: .35rem; padding: .5rem; border: 1px solid var(--line, #d9dce1); border-radius: 8px; }
.attention-token { cursor: pointer; min-width: 1.6rem; text-align: center; line-height: 1.25; padding: .2rem .4rem; border-radius: 4px; border: 2px solid transparent; background: rgb(230 126 34 / calc(var(--weight) * 80%)); }
.attention-token small { display: block; min-height: 1em; font-size: .65rem; color: var(--dim, #6b7280); } .attention-token.control { font-size: .75rem; }
.attention-token.attention-current { border-color: #2e86de; } .attention-picture rect.attention-current { stroke: #2e86de; stroke-width: .14; }
.attention-matrix { display: block; width: 100%; } .attention-document { margin-bottom: 3rem; } .attention-unseen { fill: var(--paper, #fff); } .attention-unseen, .attention-picture rect { shape-rendering: crispEdges; }
.attention-band { stroke: var(--dim, #6b7280); stroke-width: 2; fill: none; } .attention-row { fill: none; stroke: #e74c3c; stroke-width: 1.5; pointer-events: none; }
.attention-matrix .frame { pointer-events: all; }
`;

export const ATTENTION_SCRIPT = `
document.querySelectorAll('.attention-document').forEach(function (page) {
  var find = function (selector) { return page.querySelector(selector); };
  var all = function (selector, within) { return Array.from((within || page).querySelectorAll(selector)); };
  var data = JSON.parse(find('.attention-data').textContent);
  var T = data.names.length;
  var layer = find('.attention-layer'), head = find('.attention-head');
  var sequence = find('.attention-sequence'), matrix = find('.attention-matrix');
  var current = Number(find('.attention-sequence .attention-current').dataset.at);
  var decoded = data.layers.map(function (heads) {
    return heads.map(function (text) {
      return Float64Array.from(atob(text), function (each) { return Math.pow(each.charCodeAt(0) / 255, 2); });
    });
  });
  var weights;
  function choose() {
    var heads = decoded[layer.value];
    var chosen = head.value < 0 ? heads : [heads[head.value] || heads[0]];
    weights = new Float64Array(T * T);
    chosen.forEach(function (each) {
      for (var i = 0; i < T * T; i++) weights[i] += each[i] / chosen.length;
    });
    showWords();
    showMatrix();
    showPosition(current);
  }
  function percent(share) { return Math.round(100 * share) + ' %'; }
  function light(rects, values) {
    var most = Math.max.apply(null, values);
    rects.forEach(function (rect, i) {
      rect.setAttribute('fill-opacity', (0.88 * (1 - Math.sqrt(most > 0 ? values[i] / most : 0))).toFixed(2));
    });
  }
  function sum(values) { return values.reduce(function (a, b) { return a + b; }, 0); }
  function showWords() {
    all('.attention-word').forEach(function (word) {
      var writes = word.dataset.kind === 'writes';
      var at = word.dataset.at.split(',').map(Number);
      var rects = all('rect', word);
      var values = rects.map(function (rect) {
        var patch = Number(rect.dataset.at);
        var each = at.map(function (own) { return writes ? weights[own * T + patch] : weights[patch * T + own]; });
        return writes ? sum(each) / at.length : sum(each);
      });
      light(rects, values);
      word.querySelector('span').textContent = percent(writes ? sum(values) : sum(values) / values.length);
    });
  }
  function showMatrix() {
    var canvas = document.createElement('canvas');
    canvas.width = canvas.height = T;
    var context = canvas.getContext('2d');
    var pixels = context.createImageData(T, T);
    for (var i = 0; i < T; i++) {
      var row = weights.subarray(i * T, (i + 1) * T);
      var most = Math.max.apply(null, row);
      for (var j = 0; j < T; j++) {
        var place = Math.sqrt(row[j] / most) * (data.colours.length - 1);
        var from = Math.min(Math.floor(place), data.colours.length - 2);
        for (var c = 0; c < 3; c++) {
          var low = data.colours[from][c], high = data.colours[from + 1][c];
          pixels.data[4 * (i * T + j) + c] = low + (place - from) * (high - low);
        }
        pixels.data[4 * (i * T + j) + 3] = 255;
      }
    }
    context.putImageData(pixels, 0, 0);
    matrix.querySelector('image').setAttribute('href', canvas.toDataURL());
  }
  function showPosition(next) {
    current = Math.max(0, Math.min(T - 1, next));
    var row = weights.subarray(current * T, (current + 1) * T);
    all('.attention-token', sequence).forEach(function (token) {
      var at = Number(token.dataset.at);
      token.style.setProperty('--weight', Math.sqrt(row[at]).toFixed(3));
      token.classList.toggle('attention-current', at === current);
      token.querySelector('small').textContent = row[at] > 0 ? percent(row[at]) : '';
    });
    all('.attention-picture', sequence).forEach(function (picture) {
      var rects = all('rect', picture);
      light(rects, rects.map(function (rect) { return row[rect.dataset.at]; }));
      rects.forEach(function (rect) { rect.classList.toggle('attention-current', Number(rect.dataset.at) === current); });
    });
    var marker = matrix.querySelector('.attention-row');
    marker.setAttribute('y', current * Number(marker.getAttribute('height')));
    var share = sum(Array.from(row).filter(function (_, at) { return data.images[at] >= 0; }));
    find('.attention-told').textContent =
      data.names[current] + ' looks with ' + percent(share) + ' at patches, with ' + percent(1 - share) + ' at text.';
  }
  function point(event) {
    var target = event.target.closest('[data-at]');
    if (target) showPosition(Number(target.dataset.at));
  }
  sequence.addEventListener('mouseover', point);
  sequence.addEventListener('click', point);
  sequence.addEventListener('keydown', function (event) {
    var image = data.images[current];
    var line = image >= 0 ? data.columns[image] : 1;
    var step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -line, ArrowDown: line, Home: -T, End: T }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    showPosition(current + step);
  });
  matrix.addEventListener('mousemove', function (event) {
    var frame = matrix.querySelector('.frame').getBoundingClientRect();
    var at = Math.floor(((event.clientY - frame.top) / frame.height) * T);
    if (at >= 0 && at < T) showPosition(at);
  });
  layer.addEventListener('change', choose);
  head.addEventListener('change', choose);
  // Browsers keep what was chosen when a page is loaded again.
  choose();
});
`;
