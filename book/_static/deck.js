// Slides: arrow keys, page keys, space, buttons and swipes; the number stands in the address.
(() => {
  const deck = document.querySelector(".deck");
  const slides = [...deck.querySelectorAll(".slide")];
  const bar = document.createElement("nav");
  bar.className = "bar";
  bar.setAttribute("aria-label", "Slides");
  const button = (text, label, step) => {
    const made = document.createElement("button");
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", () => show(now + step));
    return made;
  };
  const place = document.createElement("span");
  place.setAttribute("aria-live", "polite");
  bar.append(button("\u2190", "previous slide", -1), place, button("\u2192", "next slide", 1));
  document.body.append(bar);
  deck.classList.add("shown");
  let now = 0;
  // a slide that is longer than the screen gets smaller letters, down to two thirds
  const fit = () => {
    const slide = slides[now];
    for (let percent = 100; percent >= 66; percent -= 4) {
      slide.style.fontSize = `${percent}%`;
      if (slide.scrollHeight <= slide.clientHeight) break;
    }
  };
  const show = (number) => {
    now = Math.min(Math.max(number, 0), slides.length - 1);
    slides.forEach((slide, i) => { slide.hidden = i !== now; });
    fit();
    slides[now].tabIndex = 0; // if it is longer all the same, it scrolls by keyboard
    place.textContent = `${now + 1} / ${slides.length}`;
    history.replaceState(null, "", `#${now + 1}`);
  };
  const steps = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1, Home: -Infinity, End: Infinity };
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input, select, video, button, summary, a");
    if (event.defaultPrevented || !(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey || busy) return;
    event.preventDefault();
    show(now + steps[event.key]);
  });
  let start = null;
  deck.addEventListener("touchstart", (event) => {
    start = event.target.closest("input, video") ? null : event.touches[0].clientX;
  }, { passive: true });
  deck.addEventListener("touchend", (event) => {
    if (start === null) return;
    const moved = event.changedTouches[0].clientX - start;
    if (Math.abs(moved) > 60) show(now + (moved < 0 ? 1 : -1));
  });
  addEventListener("resize", fit);
  addEventListener("load", () => { // pictures have their size only now
    for (const image of deck.querySelectorAll(".slide > img, .slide > figure > img")) {
      const tall = image.naturalWidth < 1.7 * image.naturalHeight;
      image.closest(".slide").classList.toggle("beside", tall);
    }
    fit();
  });
  addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
  show(Number(location.hash.slice(1)) - 1 || 0);
})();
