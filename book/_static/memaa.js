// Players of the static book: no network, no kernel. Each is a native range input, so keyboard, touch and
// screen readers work. Without JavaScript the poster image inside the element stays visible.
(() => {
  const range = (label, max, value) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: 0, max, value });
    input.setAttribute("aria-label", label);
    return input;
  };

  // A stack of images and a slider over them.
  customElements.define("memaa-scrubber", class extends HTMLElement {
    connectedCallback() {
      const { sources, labels, start } = JSON.parse(this.querySelector("script").textContent);
      const image = this.querySelector("img");
      const name = this.getAttribute("aria-label");
      const input = range(name, sources.length - 1, start);
      const output = document.createElement("output");
      const show = () => {
        const i = Number(input.value);
        image.src = sources[i];
        image.alt = `${name}: ${labels[i]}`;
        output.textContent = labels[i];
        input.setAttribute("aria-valuetext", labels[i]);
      };
      input.addEventListener("input", show);
      this.append(input, output);
      show();
    }
  });

  // Two images, one over the other, and a divider to drag.
  customElements.define("memaa-compare", class extends HTMLElement {
    connectedCallback() {
      const stack = document.createElement("div");
      stack.className = "stack";
      stack.append(...this.querySelectorAll("img"));
      const input = range(this.getAttribute("aria-label"), 100, 50);
      const show = () => {
        stack.style.setProperty("--cut", `${input.value}%`);
        input.setAttribute("aria-valuetext", `${input.value} percent before`);
      };
      input.addEventListener("input", show);
      this.prepend(stack, input);
      show();
    }
  });
})();
