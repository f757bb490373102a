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

  // A film that plays by itself while it is seen, with a button and a slider below the picture. A reader who
  // prefers reduced motion, or has stopped it, is asked for nothing.
  customElements.define("memaa-film", class extends HTMLElement {
    connectedCallback() {
      const video = this.querySelector("video");
      const fps = Number(this.dataset.fps), last = Number(this.dataset.frames) - 1;
      const name = this.getAttribute("aria-label");
      const button = document.createElement("button");
      const input = range(`${name}: frame`, last, 0);
      const bar = document.createElement("div");
      bar.className = "bar";
      button.type = "button";
      let wanted = !matchMedia("(prefers-reduced-motion: reduce)").matches, seen = false;
      const turn = () => {
        button.textContent = wanted ? "Pause" : "Play";
        if (wanted && seen) video.play().catch(() => { wanted = false; turn(); });
        else video.pause();
      };
      const follow = () => {
        const frame = Math.min(last, Math.floor(video.currentTime * fps + 1e-3));
        if (!video.paused) input.value = frame;
        input.setAttribute("aria-valuetext", `frame ${input.value} of ${last}`);
        if (!video.paused) requestAnimationFrame(follow);
      };
      button.addEventListener("click", () => { wanted = video.paused; seen = true; turn(); });
      video.addEventListener("click", () => button.click());
      video.addEventListener("play", follow);
      input.addEventListener("input", () => {
        wanted = false;
        turn();
        video.currentTime = (Number(input.value) + 0.5) / fps;
        follow();
      });
      new IntersectionObserver(([entry]) => { seen = entry.isIntersecting; turn(); }).observe(this);
      video.controls = false;
      bar.append(button, input);
      this.append(bar);
      follow();
    }
  });

  // A choice of frames, filter, clip length and alpha over precomputed gains: what the mean keeps.
  customElements.define("memaa-explorer", class extends HTMLElement {
    connectedCallback() {
      const { over, filters, gains, lengths, alphas, start, alpha } = JSON.parse(this.querySelector("script").textContent);
      this.querySelector("table").hidden = true;
      const labelled = (text, control) => {
        const label = document.createElement("label");
        label.append(text, control);
        return label;
      };
      const select = (names, first) => {
        const box = document.createElement("select");
        names.forEach((name, i) => box.add(new Option(name, i)));
        box.value = first;
        return box;
      };
      const frames = select(over, start[0]);
      const choice = select(filters, start[1]);
      const length = range("frames in the clip", lengths.length - 1, start[2]);
      const factor = range("alpha", alphas.length - 1, alpha);
      const output = document.createElement("output");
      const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      picture.setAttribute("viewBox", "0 0 400 190");
      picture.setAttribute("role", "img");
      const show = () => {
        const row = gains[frames.value][choice.value], a = alphas[factor.value], n = lengths[length.value];
        const top = 1 + alphas.at(-1), left = (g) => 1 + a * g;
        const x = (i) => 40 + 350 * i / (lengths.length - 1);
        const y = (value) => 160 - 145 * Math.max(0, Math.min(value, top)) / top;
        const kept = left(row[length.value]);
        const line = row.map((g, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(left(g)).toFixed(1)}`).join("");
        const ticks = [0, Math.floor((lengths.length - 1) / 2), lengths.length - 1];
        const words = `${filters[choice.value]}, alpha = ${a}, ${n} frames: the mean of ${over[frames.value]} shows the movement ${kept.toFixed(1)} times as large, ${(1 + a).toFixed(1)} would be all of it`;
        picture.setAttribute("aria-label", words);
        picture.innerHTML = `<path class="axis" d="M40 10V160H390"/>
          <path class="all" d="M40 ${y(1 + a)}H390"/><path class="none" d="M40 ${y(1)}H390"/>
          <text x="388" y="${y(1 + a) - 4}" text-anchor="end">all of it</text><text x="388" y="${y(1) - 4}" text-anchor="end">as if not magnified</text>
          <path class="curve" d="${line}"/><circle cx="${x(length.value)}" cy="${y(kept)}" r="6"/>
          ${ticks.map((i) => `<text x="${x(i)}" y="178" text-anchor="middle">${lengths[i]}</text>`).join("")}
          ${[0, Math.round(top / 2), top].map((v) => `<text x="34" y="${y(v) + 4}" text-anchor="end">${v}</text>`).join("")}`;
        output.textContent = words;
        length.setAttribute("aria-valuetext", `${n} frames`);
        factor.setAttribute("aria-valuetext", `alpha ${a}`);
      };
      for (const control of [frames, choice, length, factor]) control.addEventListener("input", show);
      this.append(picture, labelled("mean of ", frames), labelled("filter ", choice), labelled("frames in the clip ", length), labelled("alpha ", factor), output);
      show();
    }
  });

  // Tables whose cells or rows say in words what they hold, by mouse, touch and keyboard. A table is one stop
  // of the tabulator key, arrows move in it; tables side by side answer together.
  for (const box of document.querySelectorAll(".memaa-told")) {
    const words = box.querySelector(".memaa-words");
    const tables = [...box.querySelectorAll("table")].map((table) => [...table.querySelectorAll("[data-words]")]);
    words.textContent = words.dataset.hint;
    const show = (place) => {
      for (const items of tables) items.forEach((item, i) => item.classList.toggle("told", i === place));
      words.textContent = tables.map((items) => items[place].dataset.words).join(" ");
    };
    for (const items of tables) {
      const across = items.filter((item) => item.parentElement === items[0].parentElement && item.matches("td")).length || 1;
      const stop = (item) => items.forEach((other) => { other.tabIndex = other === item ? 0 : -1; });
      stop(items[0]);
      items.forEach((item, i) => {
        item.addEventListener("focus", () => stop(item));
        for (const name of ["mouseenter", "focus", "click"]) item.addEventListener(name, () => show(i));
        item.addEventListener("keydown", (event) => {
          const next = items[i + { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key]];
          if (!next) return;
          event.preventDefault();
          next.focus();
        });
      });
    }
  }

  // A quiz asks before it tells: radio buttons and a button stand in place of what is folded without this
  // script. Below them it says what to think of the answer that was checked; on paper, of the right one.
  for (const [number, box] of document.querySelectorAll(".memaa-quiz").entries()) {
    const asked = [...box.querySelectorAll(":scope > p")], folds = [...box.querySelectorAll(":scope > details")];
    const form = document.createElement("form"), group = document.createElement("fieldset");
    const button = document.createElement("button"), said = document.createElement("div");
    asked.forEach((part, i) => { part.id ||= `quiz-${number}-${i}`; });
    group.setAttribute("aria-labelledby", asked.map((part) => part.id).join(" "));
    const choices = folds.map((fold) => {
      const label = document.createElement("label"), input = document.createElement("input");
      const words = document.createElement("span");
      Object.assign(input, { type: "radio", name: "answer", required: true });
      words.append(...fold.querySelector("summary").childNodes);
      label.append(input, words);
      group.append(label);
      fold.remove();
      return input;
    });
    const tell = () => {
      const fold = folds[choices.findIndex((choice) => choice.checked)];
      said.className = `said ${fold.className}`;
      said.replaceChildren(...[...fold.children].slice(1).map((part) => part.cloneNode(true)));
    };
    button.textContent = "Check";
    said.setAttribute("role", "status");
    group.addEventListener("change", () => { said.className = "said"; said.replaceChildren(); });
    form.addEventListener("submit", (event) => { event.preventDefault(); tell(); });
    addEventListener("beforeprint", () => {
      choices[folds.findIndex((fold) => fold.matches(".right"))].checked = true;
      tell();
    });
    form.append(group, button, said);
    box.append(form);
  }

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
      // the picture itself can be dragged, too
      const follow = (event) => {
        const { left, width } = stack.getBoundingClientRect();
        input.value = 100 * (event.clientX - left) / width;
        show();
      };
      stack.addEventListener("pointerdown", (event) => { stack.setPointerCapture(event.pointerId); follow(event); });
      stack.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
      for (const image of stack.children) image.draggable = false;
      this.prepend(stack, input);
      show();
    }
  });

  // Long lists of items, folded: the sections right below a heading whose label starts with "fold-". What a link
  // leads to is opened, and all of it for printing; without this script everything is there, unfolded.
  const folds = [...document.querySelectorAll('[id^="fold-"]')].flatMap((label) => {
    const items = [...label.closest("section").querySelectorAll(":scope > section")];
    return items.map((item) => {
      const fold = document.createElement("details"), summary = document.createElement("summary");
      const title = item.querySelector(":scope > :is(h2, h3, h4)");
      const body = [...item.children].slice([...item.children].indexOf(title) + 1);
      fold.className = "memaa-fold";
      title.before(fold);
      summary.append(title);
      fold.append(summary, ...body);
      return fold;
    });
  });
  if (folds.length) {
    const reveal = (hash) => {
      const target = document.getElementById(decodeURIComponent(hash.slice(1)));
      const fold = target?.closest("section")?.querySelector(":scope > .memaa-fold");
      if (!fold) return;
      fold.open = true;
      target.scrollIntoView();
    };
    reveal(location.hash);
    addEventListener("load", () => reveal(location.hash));
    addEventListener("hashchange", () => reveal(location.hash));
    addEventListener("beforeprint", () => folds.forEach((fold) => { fold.open = true; }));
    document.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#"]');
      if (link) reveal(link.hash);
    });
  }

  // Each row of the scorecard gives its address.
  for (const claim of document.querySelectorAll(".memaa-claim[id]")) {
    const title = claim.querySelector(".admonition-title"), here = document.createElement("a");
    Object.assign(here, { href: `#${claim.id}`, className: "here", textContent: "#" });
    here.setAttribute("aria-label", `Link to: ${title.textContent}`);
    title.append(here);
  }
})();
