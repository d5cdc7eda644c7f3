// Before the first paint: Bootstrap's dark colours are chosen by an attribute, the reader's wish is a media query.
const dark = matchMedia("(prefers-color-scheme: dark)");
const choose = () => { document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light"; };
dark.addEventListener("change", choose);
choose();
