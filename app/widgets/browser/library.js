// plotly.js, loaded once for the whole page, when the first chart is to be drawn.

let loading;

/** Return plotly.js. */
export function plotly(url) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = undefined;
      reject(new Error(`The chart library could not be loaded from ${url}. Reload the page.`));
    };
    document.head.appendChild(script);
  });
  return loading;
}
