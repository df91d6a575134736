document.querySelectorAll(".copy").forEach(function (button) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", function (event) {
    event.preventDefault();
    navigator.clipboard.writeText(button.dataset.text).then(function () {
      button.textContent = "Copied";
      setTimeout(function () { button.textContent = "Copy"; }, 1500);
    });
  });
});
