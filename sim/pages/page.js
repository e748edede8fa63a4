// Draws the charts that the page's JSON describes, in the colours of the reader's scheme.
'use strict';
(() => {
  const charts = JSON.parse(document.getElementById('charts').textContent);
  const shapes = ['circle', 'rect', 'triangle', 'rectRot', 'crossRot', 'star', 'cross', 'dash'];
  const drawn = [];

  const color = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const digits = new Intl.NumberFormat('en', {maximumSignificantDigits: 3});
  const tiny = new Intl.NumberFormat('en', {maximumSignificantDigits: 2, notation: 'scientific'});
  const number = (value) =>
    value !== 0 && Math.abs(value) < 1e-4 ? tiny.format(value) : digits.format(value);

  // The spread of each point, and the line that the values are to be compared with.
  const marks = {
    id: 'marks',
    beforeDatasetsDraw(chart, args, options) {
      const {ctx, chartArea: area, scales} = chart;
      const value = options.baseline;
      if (value === null || value < scales.y.min || value > scales.y.max) return;
      const y = scales.y.getPixelForValue(value);
      ctx.save();
      ctx.strokeStyle = color('soft');
      ctx.lineWidth = 1.5;
      ctx.setLineDash([6, 4]);
      ctx.beginPath();
      ctx.moveTo(area.left, y);
      ctx.lineTo(area.right, y);
      ctx.stroke();
      ctx.restore();
    },
    afterDatasetsDraw(chart) {
      const {ctx, scales} = chart;
      if (chart.options.indexAxis === 'y') return;
      chart.data.datasets.forEach((set, index) => {
        if (!set.low || !chart.isDatasetVisible(index)) return;
        ctx.save();
        ctx.strokeStyle = set.borderColor;
        ctx.globalAlpha = 0.55;
        ctx.lineWidth = 1.5;
        chart.getDatasetMeta(index).data.forEach((point, i) => {
          if (set.data[i] === null || set.low[i] === null || set.high[i] === null) return;
          ctx.beginPath();
          ctx.moveTo(point.x, scales.y.getPixelForValue(set.low[i]));
          ctx.lineTo(point.x, scales.y.getPixelForValue(set.high[i]));
          ctx.stroke();
        });
        ctx.restore();
      });
    },
  };

  const dataset = (series, bars) => {
    const shade = color('s' + series.color % 8);
    return {
      label: series.name,
      data: series.values,
      low: series.low,
      high: series.high,
      borderColor: shade,
      backgroundColor: shade,
      borderWidth: bars ? 0 : 2,
      borderDash: series.dashed ? [5, 4] : [],
      pointStyle: shapes[series.color % shapes.length],
      pointRadius: 4,
      pointHoverRadius: 6,
      pointBorderWidth: 2,
      maxBarThickness: 20,
      spanGaps: true,
    };
  };

  const tooltip = (chart) => ({
    label(item) {
      const set = item.dataset;
      const value = set.data[item.dataIndex];
      let text = (set.label ? set.label + ': ' : '') + number(value);
      if (set.low && set.low[item.dataIndex] !== null && set.high[item.dataIndex] !== null)
        text += ' (' + number(set.low[item.dataIndex]) + ' to ' +
          number(set.high[item.dataIndex]) + ')';
      return text + (chart.unit ? ' ' + chart.unit : '');
    },
  });

  const axis = (title, rest) => Object.assign({
    title: {display: title !== '', text: title, color: color('soft')},
    ticks: {color: color('soft')},
    grid: {color: color('grid'), borderColor: color('line')},
  }, rest);

  const config = (chart) => {
    const bars = chart.kind === 'bars';
    const value = axis(chart.y, {type: chart.log ? 'logarithmic' : 'linear'});
    value.ticks.callback = (tick) =>
      !chart.log || /^[125]/.test(tick.toExponential()) ? number(tick) : null;
    value.ticks.maxTicksLimit = 9;
    if (!chart.log) value.beginAtZero = true;
    if (chart.baseline !== null) {
      value.suggestedMax = chart.baseline * 1.1;
      value.suggestedMin = chart.log ? undefined : 0;
    }
    if (chart.most !== null) value.suggestedMax = chart.most;
    const category = axis(chart.x, {type: 'category'});
    if (bars) category.ticks.autoSkip = false;
    if (bars) category.grid.display = false;
    return {
      type: bars ? 'bar' : 'line',
      data: {labels: chart.labels, datasets: chart.series.map((s) => dataset(s, bars))},
      plugins: [marks],
      options: {
        indexAxis: bars ? 'y' : 'x',
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: {mode: 'index', axis: bars ? 'y' : 'x', intersect: false},
        scales: bars ? {x: value, y: category} : {x: category, y: value},
        plugins: {
          legend: {
            display: chart.series.length > 1,
            position: 'bottom',
            labels: {color: color('text'), usePointStyle: true, boxWidth: 8, boxHeight: 6, padding: 12},
          },
          tooltip: {
            callbacks: tooltip(chart),
            usePointStyle: true,
            backgroundColor: color('text'),
            titleColor: color('back'),
            bodyColor: color('back'),
          },
          marks: {baseline: chart.baseline},
        },
      },
    };
  };

  const draw = () => {
    drawn.splice(0).forEach((chart) => chart.destroy());
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    document.querySelectorAll('canvas[data-chart]').forEach((canvas) => {
      drawn.push(new Chart(canvas, config(charts[Number(canvas.dataset.chart)])));
    });
    document.documentElement.dataset.drawn = String(drawn.length);
  };

  draw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
})();
