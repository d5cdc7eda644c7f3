// Draws every chart of a page from the data that stands beside it; the table below says the same without it.
"use strict";

function option(data, style, [ink, quiet, line]) {
  const lines = data.kind === "lines", text = { color: quiet };
  return {
    aria: { enabled: true, decal: { show: !lines } },
    animation: false,
    textStyle: { color: ink, fontFamily: style.fontFamily },
    color: ["#0b7a70", "#c77700", "#5b6bb5", "#a3262a", "#4f7f2a", "#7a5195"],
    grid: { left: 8, right: 16, top: data.series.length > 1 ? 40 : 24, bottom: 8, containLabel: true },
    legend: data.series.length > 1 ? { top: 0, textStyle: { color: ink } } : undefined,
    tooltip: { trigger: "axis", renderMode: "richText" },
    xAxis: { type: "category", data: data.labels, axisLabel: text, axisLine: { lineStyle: { color: line } } },
    yAxis: { type: "value", minInterval: 1, axisLabel: text, splitLine: { lineStyle: { color: line } } },
    series: data.series.map((one) => ({
      name: one.name,
      data: one.values,
      type: lines ? "line" : "bar",
      stack: data.kind === "stacked" ? "all" : undefined,
      step: lines ? "end" : undefined,
      barMaxWidth: 48,
      label: { show: data.series.length === 1 && !lines, position: "top", color: ink },
    })),
  };
}

// On paper the ink is black in either theme; the style is still the screen's when printing begins.
function draw(paper) {
  const style = getComputedStyle(document.body);
  const inks = paper ? ["#000", "#333", "#999"] : ["--ink", "--quiet", "--line"].map((name) => style.getPropertyValue(name));
  for (const place of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const chart = echarts.getInstanceByDom(place) || echarts.init(place);
    chart.setOption(option(data, style, inks));
  }
}

window.addEventListener("resize", () => {
  for (const place of document.querySelectorAll("[data-chart]")) echarts.getInstanceByDom(place)?.resize();
});
window.addEventListener("beforeprint", () => draw(true));
window.addEventListener("afterprint", () => draw(false));
draw(false);
