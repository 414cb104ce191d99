// One entry of the browser's history for each page, with what was last chosen there in its address.
//
// Streamlit makes an entry for every change of the address: a change of the page, which puts back what was
// chosen on the page before, would take half a dozen presses of "back" to undo. Here, an address of the
// same page takes the place of the one before. While a page is left for another, Streamlit takes the
// choices of the old one out of the address; the entry that is left behind keeps them.
(() => {
  if (window.stepscopeAddress) return;
  window.stepscopeAddress = true;
  const { pushState, replaceState } = window.history;
  let leaving = false;
  const path = (url) => new URL(url ?? "", window.location.href).pathname;

  window.history.pushState = function (state, unused, url) {
    if (path(url) !== window.location.pathname) {
      leaving = false;
      pushState.call(window.history, state, unused, url);
    } else if (!leaving) {
      replaceState.call(window.history, state, unused, url);
    }
  };
  window.addEventListener("popstate", () => (leaving = false));
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest?.("a[href]");
      const here = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
      if (link && here && !link.target && link.origin === window.location.origin) {
        leaving = link.pathname !== window.location.pathname;
      }
    },
    true,
  );
})();
