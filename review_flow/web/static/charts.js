// Draws every chart of a page from the data that stands beside it; the table below says the same without it.
"use strict";
const PAPER = { ink: "#000", quiet: "#444", line: "#ccc" };

function option(data, { ink, quiet, line }, fontFamily) {
  const lines = data.kind === "lines", text = { color: quiet };
  return {
    aria: { enabled: true, decal: { show: !lines } },
    animation: false,
    textStyle: { color: ink, fontFamily },
    color: ["#0b7a70", "#c77700", "#5b6bb5", "#a3262a", "#4f7f2a", "#7a5195"],
    grid: { left: 8, right: 16, top: data.series.length > 1 ? 56 : 24, bottom: 8, containLabel: true },
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

function draw(colours) {
  const style = getComputedStyle(document.body);
  const page = Object.fromEntries(Object.keys(PAPER).map((name) => [name, style.getPropertyValue(`--${name}`)]));
  for (const place of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const chart = echarts.getInstanceByDom(place) || echarts.init(place);
    chart.resize();
    chart.setOption(option(data, colours || page, style.fontFamily));
  }
}

window.addEventListener("beforeprint", () => draw(PAPER));
for (const moment of ["resize", "afterprint"]) window.addEventListener(moment, () => draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
draw();
