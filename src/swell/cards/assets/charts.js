(function () {
  // currentColor: charts follow light, dark and print without being drawn again.
  var ink = { labelColor: "currentColor", titleColor: "currentColor" };
  var config = {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    title: { color: "currentColor", subtitleColor: "currentColor", anchor: "start", fontSize: 14 },
    axis: Object.assign({
      gridColor: "currentColor", gridOpacity: 0.1, domainColor: "currentColor", domainOpacity: 0.35,
      tickColor: "currentColor", tickOpacity: 0.35, labelOpacity: 0.8, labelFontSize: 11,
      titleFontSize: 12, titleFontWeight: 600, titlePadding: 8, labelSeparation: 8
    }, ink),
    legend: Object.assign({ labelFontSize: 11, titleFontSize: 12, symbolStrokeWidth: 1.5 }, ink),
    header: Object.assign({ labelFontSize: 12 }, ink),
    mark: { color: "#2f7fd6" },
    view: { stroke: "transparent" },
    text: { color: "currentColor" },
    rule: { color: "currentColor" },
    range: { category: ["#2f7fd6", "#e8833a", "#2fa372", "#d2504b", "#8f6bd1", "#a5754e", "#d976b5", "#7d8896", "#b7a62c", "#31a9bd"] }
  };
  var MANY_CHARACTERS = 1000000;
  document.querySelectorAll(".vega").forEach(function (place) {
    var text = place.nextElementSibling.textContent;
    var controls = place.dataset.controls === "1";
    vegaEmbed(place, JSON.parse(text), {
      actions: controls, ast: true, config: config, defaultStyle: controls, tooltip: { theme: "light" },
      renderer: text.length > MANY_CHARACTERS ? "canvas" : "svg"
    }).catch(function (error) {
      place.className = "error";
      place.textContent = "This chart cannot be drawn: " + error.message;
    });
  });
})();
