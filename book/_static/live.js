// The page "Live magnifier": Section 3.1 in the reader's browser. Nothing leaves it: no request is made, and the
// frames of a camera are neither stored nor sent. From file:// a page may load no module and no worker's file, so
// this is one classic script, and its first function is handed to a worker as text.

// ------------------------------------------------------------------ the method, as memaa_lib.magnification has it
function liveMethod() {
  const mirrored = (i, n) => (i < 0 ? Math.min(-i, n - 1) : i >= n ? Math.max(2 * n - 2 - i, 0) : i);
  const plane = (height, width) => ({ height, width, data: new Float32Array(3 * height * width) });
  const half = ({ height, width }) => plane((height + 1) >> 1, (width + 1) >> 1);

  // cv2.pyrDown: weigh five rows and five columns 1 4 6 4 1, and take every second. `step` is 4 for RGBA, else 3.
  function pyrDown(source, height, width, step, small) {
    const row = new Float32Array(width * step), { data } = small, last = width - 1;
    for (let y = 0, o = 0; y < small.height; y++) {
      const [a, b, c, d, e] = [-2, -1, 0, 1, 2].map((t) => mirrored(2 * y + t, height) * width * step);
      for (let i = 0; i < row.length; i++) {
        row[i] = (source[a + i] + source[e + i] + 4 * (source[b + i] + source[d + i]) + 6 * source[c + i]) / 256;
      }
      for (let x = 0; x < small.width; x++, o += 3) {
        const m = 2 * x, inside = m >= 2 && m + 2 <= last, at = (t) => step * (inside ? m + t : mirrored(m + t, width));
        const p = at(-2), q = at(-1), r = at(0), s = at(1), t = at(2);
        for (let k = 0; k < 3; k++) {
          data[o + k] = row[p + k] + row[t + k] + 4 * (row[q + k] + row[s + k]) + 6 * row[r + k];
        }
      }
    }
  }

  // One row of cv2.pyrUp: between two pixels their mean, upon a pixel 1 6 1. `row` is room for a row of `small`.
  function pyrUpRow(small, y, row, width, out) {
    const { data } = small, length = 3 * small.width, i = y >> 1, end = small.width - 1;
    const below = Math.min(i + 1, small.height - 1) * length, here = i * length;
    const above = (i ? i - 1 : Math.min(1, small.height - 1)) * length;
    if (y & 1) for (let k = 0; k < length; k++) row[k] = 0.5 * (data[here + k] + data[below + k]);
    else for (let k = 0; k < length; k++) row[k] = 0.125 * (data[above + k] + 6 * data[here + k] + data[below + k]);
    for (let x = 0, o = 0; x < width; x += 2, o += 6) {
      const j = x >> 1, m = 3 * j, r = 3 * Math.min(j + 1, end), l = 3 * (j ? j - 1 : Math.min(1, end));
      out[o] = 0.125 * (row[l] + 6 * row[m] + row[r]);
      out[o + 1] = 0.125 * (row[l + 1] + 6 * row[m + 1] + row[r + 1]);
      out[o + 2] = 0.125 * (row[l + 2] + 6 * row[m + 2] + row[r + 2]);
      out[o + 3] = 0.5 * (row[m] + row[r]);
      out[o + 4] = 0.5 * (row[m + 1] + row[r + 1]);
      out[o + 5] = 0.5 * (row[m + 2] + row[r + 2]);
    }
  }

  // How much each band is amplified, finest first; the finest and the coarsest get nothing (band_gains).
  function bandGains(height, width, alpha) {
    let levels = 1;
    for (let h = height, w = width; Math.min(h, w) >= 5; h >>= 1, w >>= 1) levels++;
    const gains = new Array(levels).fill(0), largestMovement = 16 / 8 / (1 + alpha);
    for (let level = 1; alpha > 0 && level < levels - 1; level++) {
      const wavelength = Math.hypot(height, width) / 3 / 2 ** (levels - 1 - level);
      gains[level] = Math.max(0, Math.min(2 * (wavelength / largestMovement / 8 - 1), alpha));
    }
    return gains;
  }

  const LUMA = [0.299, 0.587, 0.114];

  // Eqs. 2 to 5, a frame at a time. The finest band gets nothing, so only frames of half the size are filtered.
  class Magnifier {
    constructor(height, width) {
      this.height = height;
      this.width = width;
      const size = half({ height, width });
      [this.small, this.fast, this.slow, this.band] = [0, 1, 2, 3].map(() => plane(size.height, size.width));
      // room for the coarser levels of B, and for their sums: made once, not for every frame
      this.levels = [null, this.band];
      for (let level = 2; level < bandGains(height, width, 1).length; level++) this.levels.push(half(this.levels[level - 1]));
      this.sums = this.levels.map((level) => level && plane(level.height, level.width));
      this.row = new Float32Array(3 * (width + 2));
      this.line = new Float32Array(3 * (width + 2));
      this.restart();
    }

    restart() { this.started = false; }

    // Eqs. 3 and 4: B, what the temporal filter passes: a fast low-pass less a slow one; both begin with the first frame.
    filter(rgba, { fps, low, high, filter }) {
      const { small, fast, slow, band } = this, { data } = small;
      const share = (hz) => 1 - Math.exp(-2 * Math.PI * hz / fps);
      const quick = share(high), lazy = filter === "onset" ? 0 : share(low);
      pyrDown(rgba, this.height, this.width, 4, small);
      if (!this.started) { fast.data.set(data); slow.data.set(data); }
      this.started = true;
      for (let i = 0; i < data.length; i++) {
        fast.data[i] += quick * (data[i] - fast.data[i]);
        slow.data[i] += lazy * (data[i] - slow.data[i]);
        band.data[i] = fast.data[i] - slow.data[i];
      }
    }

    // alpha B: each band of B as often as its gain says, added up again, at half the size.
    amplified(alpha, chroma) {
      const gains = bandGains(this.height, this.width, alpha), low = this.levels;
      for (let level = 2; level < gains.length; level++) {
        const finer = low[level - 1];
        pyrDown(finer.data, finer.height, finer.width, 3, low[level]);
      }
      let total = null;
      for (let level = gains.length - 2; level >= 1; level--) {
        const { height, width, data } = low[level], sum = this.sums[level], gain = gains[level];
        for (let y = 0, o = 0; y < height; y++, o += 3 * width) {
          pyrUpRow(low[level + 1], y, this.row, width, this.line);
          for (let i = 0; i < 3 * width; i++) sum.data[o + i] = gain * (data[o + i] - this.line[i]);
          if (!total) continue;
          pyrUpRow(total, y, this.row, width, this.line);
          for (let i = 0; i < 3 * width; i++) sum.data[o + i] += this.line[i];
        }
        total = sum;
      }
      if (!total) return null;
      const { data } = total; // noise in color shows: of that, less is added than of brightness
      for (let i = 0; i < data.length; i += 3) {
        const luma = (1 - chroma) * (LUMA[0] * data[i] + LUMA[1] * data[i + 1] + LUMA[2] * data[i + 2]);
        for (let k = 0; k < 3; k++) data[i + k] = chroma * data[i + k] + luma;
      }
      return total;
    }

    // Eq. 5: I + alpha B. The array that is written rounds, and cuts off at 0 and 255.
    add(rgba, change, out) {
      const { height, width, row, line } = this;
      if (!change) { out.set(rgba); return; }
      for (let y = 0, p = 0; y < height; y++) {
        pyrUpRow(change, y, row, width, line);
        for (let i = 0; i < 3 * width; i += 3, p += 4) {
          out[p] = rgba[p] + line[i];
          out[p + 1] = rgba[p + 1] + line[i + 1];
          out[p + 2] = rgba[p + 2] + line[i + 2];
          out[p + 3] = 255;
        }
      }
    }

    magnify(rgba, settings) {
      const out = new Uint8ClampedArray(rgba.length);
      this.filter(rgba, settings);
      this.add(rgba, this.amplified(settings.alpha, settings.chroma), out);
      return out;
    }

    // Fig. 3 of the frame seen last: PSNR of the magnified against the filmed frame.
    curve(rgba, alphas, chroma) {
      const out = new Uint8ClampedArray(rgba.length);
      return alphas.map((alpha) => {
        this.add(rgba, this.amplified(alpha, chroma), out);
        return psnr(rgba, out);
      });
    }
  }

  function psnr(one, other) {
    let error = 0;
    for (let p = 0; p < one.length; p += 4) {
      for (let k = 0; k < 3; k++) error += (one[p + k] - other[p + k]) ** 2;
    }
    return 10 * Math.log10(255 ** 2 / (error / (0.75 * one.length)));
  }

  // Section 3.4: the mean of the frames seen last, of all of them or of the middle half.
  class RunningAvatar {
    constructor(pixels, longest) {
      Object.assign(this, { longest, frames: [], from: 0, to: 0, sum: new Float32Array(pixels) });
    }

    // Frames `from` to `to` are in the sum; it is brought to what is wanted by adding and taking off.
    add(rgba, kept) {
      this.frames.push(rgba);
      if (this.frames.length > this.longest) {
        if (this.from === 0) this.from += this.weigh(0, -1);
        this.frames.shift();
        this.from--;
        this.to--;
      }
      const n = this.frames.length, middle = kept === "middle" && n >= 4;
      const from = middle ? n >> 2 : 0, to = middle ? n - (n >> 2) : n;
      while (this.to < to) this.to += this.weigh(this.to, 1);
      while (this.to > to) this.to += -this.weigh(this.to - 1, -1);
      while (this.from > from) this.from -= this.weigh(this.from - 1, 1);
      while (this.from < from) this.from += this.weigh(this.from, -1);
    }

    weigh(number, sign) {
      const { sum } = this, frame = this.frames[number];
      for (let i = 0; i < sum.length; i++) sum[i] += sign * frame[i];
      return 1;
    }

    get picture() {
      const out = new Uint8ClampedArray(this.sum.length), share = 1 / (this.to - this.from);
      for (let i = 0; i < out.length; i++) out[i] = this.sum[i] * share;
      return out;
    }
  }

  // Gray where two pictures agree, brighter or darker where they do not, five times as strong as it is.
  function difference(one, other) {
    const out = new Uint8ClampedArray(one.length);
    for (let p = 0; p < out.length; p += 4) {
      for (let k = 0; k < 3; k++) out[p + k] = 128 + 5 * (one[p + k] - other[p + k]);
      out[p + 3] = 255;
    }
    return out;
  }

  return { Magnifier, RunningAvatar, difference };
}

// ------------------------------------------------------------------ the worker: frames in, pictures out
function liveWorker({ Magnifier, RunningAvatar, difference }) {
  const SECONDS = 2, ALPHAS = [1, 2, 5, 10, 15, 20, 30, 50];
  const AVATAR_EVERY = 200; // ms: the avatars change slowly, so they are drawn less often than frames
  let magnifier, avatars, last, kept = [], recording = null, drawn = 0, settings = {};
  const restart = () => {
    magnifier?.restart();
    const longest = Math.max(4, Math.min(200, Math.round(SECONDS * settings.fps)));
    avatars = magnifier && [0, 1].map(() => new RunningAvatar(4 * magnifier.height * magnifier.width, longest));
  };
  const send = (kind, content) => {
    const buffers = Object.values(content.pictures ?? {}).map((picture) => picture.buffer);
    postMessage({ kind, ...content }, [...new Set(buffers)]);
  };
  const avatarPictures = () => {
    const [plain, strong] = avatars.map((avatar) => avatar.picture);
    return { plain, strong, difference: difference(strong, plain) };
  };
  const told = {
    settings(message) {
      const before = settings.kept;
      settings = { ...settings, ...message.settings };
      if (before !== settings.kept) restart();
    },
    restart,
    frame({ pixels, height, width, whole }) {
      const began = performance.now(), rgba = new Uint8ClampedArray(pixels);
      if (magnifier?.height !== height || magnifier.width !== width) {
        magnifier = new Magnifier(height, width);
        restart();
      }
      const magnified = magnifier.magnify(rgba, settings);
      [rgba, magnified].forEach((picture, i) => avatars[i].add(picture, settings.kept));
      last = rgba;
      recording?.push([rgba, magnified]);
      const due = whole || began - drawn > AVATAR_EVERY;
      if (due) drawn = began;
      // what is sent is gone here, and the avatars' frames are needed again
      const made = { filmed: rgba.slice(), magnified: magnified.slice(), ...(due ? avatarPictures() : {}) };
      send("pictures", { pictures: made, height, width, ms: performance.now() - began });
      if (recording?.length === recording?.wanted) told.finish();
    },
    record({ count }) {
      restart();
      recording = Object.assign([], { wanted: count });
    },
    finish() { // all that was wanted is there, or the clip has come to its end
      if (!recording?.length) return;
      [kept, recording] = [Object.assign(recording, { settings }), null]; // a slider may be moved before it is asked for
      send("recorded", { count: kept.length, pictures: avatarPictures(), height: magnifier.height, width: magnifier.width });
    },
    scrub({ number }) {
      const [filmed, magnified] = kept[number].map((picture) => picture.slice());
      send("pictures", { pictures: { filmed, magnified }, height: magnifier.height, width: magnifier.width });
    },
    export() {
      send("exported", { frames: kept, settings: kept.settings });
    },
    curve() {
      if (last) send("curve", { alphas: ALPHAS, values: magnifier.curve(last, ALPHAS, settings.chroma) });
    },
  };
  onmessage = ({ data }) => told[data.kind](data);
}

// ------------------------------------------------------------------ the page
(() => {
  const LONGEST_SIDE = 640, RECORD_SECONDS = 2, CURVE_EVERY = 1500;
  const VIEWS = {
    filmed: "Filmed", magnified: "Magnified", plain: "Mean of the filmed frames",
    strong: "Mean of the magnified frames", difference: "Difference of the means, five times",
  };
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const labelled = (text, control, unit) => {
    const value = make("output");
    const show = () => { value.textContent = control.matches("select") ? "" : `${control.value}${unit}`; };
    control.addEventListener("input", show);
    show();
    return make("label", {}, make("span", { textContent: text }), control, value);
  };
  const range = (min, max, step, value) => make("input", { type: "range", min, max, step, value });
  const select = (names) => make("select", {}, ...Object.entries(names).map(([value, text]) => new Option(text, value)));
  const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

  customElements.define("memaa-live", class extends HTMLElement {
    connectedCallback() {
      const { clips } = JSON.parse(this.querySelector("script").textContent);
      this.clips = clips;
      this.worker = new Worker(URL.createObjectURL(new Blob([`${liveMethod}\n(${liveWorker})(liveMethod())`], { type: "text/javascript" })));
      this.worker.onmessage = ({ data }) => this[data.kind](data);
      this.video = make("video", { muted: true, playsInline: true, loop: true });
      this.reader = document.createElement("canvas");
      this.reader.context = this.reader.getContext("2d", { willReadFrequently: true });
      Object.assign(this, { steps: [], busy: 0 });
      this.build();
      this.video.requestVideoFrameCallback?.((now, frame) => this.filmedFrame(frame));
      addEventListener("pagehide", () => this.stopCamera());
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.open(clips[0], still);
      this.dataset.ready = "";
    }

    // -------------------------------------------------------------- what stands on the page
    build() {
      const button = (text, act) => {
        const one = make("button", { type: "button", textContent: text });
        one.addEventListener("click", act);
        return one;
      };
      const chooser = make("input", { type: "file", accept: "video/*" });
      chooser.setAttribute("aria-label", "Video file");
      chooser.addEventListener("change", () => chooser.files[0] && this.openFile(chooser.files[0]));
      const sources = make("div", { className: "line" },
        ...this.clips.map((clip) => button(clip.name, () => this.open(clip))),
        button("Camera", () => this.openCamera()), make("label", { className: "file" }, "Your video: ", chooser));
      this.addEventListener("dragover", (event) => event.preventDefault());
      this.addEventListener("drop", (event) => {
        event.preventDefault();
        if (event.dataTransfer.files[0]) this.openFile(event.dataTransfer.files[0]);
      });

      this.views = {};
      const figures = Object.entries(VIEWS).map(([key, text]) => {
        const canvas = make("canvas", { width: 16, height: 16 });
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", text);
        this.views[key] = canvas;
        return make("figure", { className: key }, canvas, make("figcaption", { textContent: text }));
      });

      const { alpha, low, high, chroma } = this.controls = {
        alpha: range(0, 50, 1, 10), low: range(0, 5, 0.1, 0.5), high: range(1, 30, 0.5, 10), chroma: range(0, 1, 0.1, 0.1),
        filter: select({ iir: "two low-passes", onset: "against the first frame" }),
        kept: select({ all: "all frames", middle: "the middle half" }),
      };
      this.curveWanted = make("input", { type: "checkbox" });
      const controls = make("div", { className: "controls" },
        labelled("amplification α", alpha, ""), labelled("from", low, " Hz"), labelled("to", high, " Hz"),
        labelled("color", chroma, ""), labelled("filter", this.controls.filter, ""), labelled("mean of", this.controls.kept, ""));
      controls.addEventListener("input", () => this.tellSettings());

      this.freeze = button("Freeze", () => this.turn(!this.video.paused));
      this.scrubber = range(0, 0, 1, 0);
      this.scrubber.setAttribute("aria-label", "frame of the recording");
      this.scrubber.addEventListener("input", () => {
        this.turn(true);
        this.worker.postMessage({ kind: "scrub", number: Number(this.scrubber.value) });
      });
      this.scrubRow = make("label", { className: "line scrub", hidden: true }, "Recording ", this.scrubber);
      const acts = make("div", { className: "line" }, this.freeze, button("Step", () => this.step()),
        button("Start again", () => this.worker.postMessage({ kind: "restart" })),
        button(`Record ${RECORD_SECONDS} s`, () => this.record()), button("Save picture", () => this.savePicture()),
        button("Save clip", () => this.saveClip()), make("label", { className: "check" }, this.curveWanted, " PSNR against α"));
      this.plot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      this.plot.setAttribute("viewBox", "0 0 400 170");
      this.plot.setAttribute("role", "img");
      this.plot.setAttribute("aria-label", "PSNR against alpha");
      this.plot.style.display = "none";
      this.curveWanted.addEventListener("change", () => { this.plot.style.display = this.curveWanted.checked ? "" : "none"; this.askCurve(); });
      this.status = make("p", { className: "status" });
      this.status.setAttribute("role", "status");
      this.numbers = make("p", { className: "numbers" });
      this.append(sources, make("div", { className: "views" }, ...figures), this.numbers, this.status, this.scrubRow, acts, controls, this.plot);
    }

    say(text) { this.status.textContent = text; }

    // -------------------------------------------------------------- where frames come from
    start(name, { rate = 1, fps = 0 } = {}, still = false) {
      Object.assign(this, { name, fps, known: fps, steps: [], before: undefined, frozen: false });
      this.worker.postMessage({ kind: "restart" });
      this.scrubRow.hidden = true;
      this.video.playbackRate = rate;
      this.say("");
      this.turn(still);
    }

    open(clip, still = false) {
      this.stopCamera();
      this.video.src = clip.source;
      this.start(clip.name, { rate: clip.rate, fps: clip.fps }, still);
      this.say(`${clip.name}: ${clip.fps} frames a second, shown ${Math.round(1 / clip.rate)} times slower. ${clip.words}`);
    }

    openFile(file) {
      this.stopCamera();
      this.video.src = URL.createObjectURL(file);
      this.video.addEventListener("error", () => this.say(`${file.name}: this browser cannot play it. MP4 (H.264) and WebM are safe.`), { once: true });
      this.start(file.name);
      this.say(`${file.name}: read on this machine, sent nowhere.`);
    }

    async openCamera() {
      if (!navigator.mediaDevices?.getUserMedia) {
        this.say("This browser gives no page a camera here. A page from https:// or from this machine's own server may ask for it.");
        return;
      }
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 30 } });
        this.stopCamera();
        this.video.removeAttribute("src");
        this.video.srcObject = stream;
        this.start("camera");
        this.say("Your camera. Nothing is stored, and nothing leaves this page.");
      } catch (error) {
        const why = { NotAllowedError: "it was not allowed", NotFoundError: "there is none", NotReadableError: "another program has it" };
        this.say(`No camera: ${why[error.name] ?? error.message}. The clips and your own video work without it.`);
      }
    }

    stopCamera() {
      this.video.srcObject?.getTracks().forEach((track) => track.stop());
      this.video.srcObject = null;
    }

    turn(still) {
      this.freeze.textContent = still ? "Go on" : "Freeze";
      this.frozen = still;
      this.held = false;
      if (still) this.video.pause();
      else this.video.play().catch(() => { this.freeze.textContent = "Go on"; });
    }

    step() {
      this.turn(true);
      this.video.currentTime += 1 / (this.fps || 30);
    }

    // -------------------------------------------------------------- a frame on its way
    filmedFrame({ mediaTime }) {
      this.video.requestVideoFrameCallback((now, frame) => this.filmedFrame(frame));
      const { before } = this, passed = mediaTime - before;
      this.before = mediaTime;
      if (passed < 0) { // the clip begins again, and so does the filter
        // from its first half it was set back, perhaps after frames that were under way
        if (this.recordNext || (this.recording && before < this.video.duration / 2)) this.beginRecord();
        else if (this.recording) this.worker.postMessage({ kind: "finish" });
        else this.worker.postMessage({ kind: "restart" });
      } else if (passed > 0 && passed < 0.5) {
        this.steps = [...this.steps.slice(-14), passed];
      }
      if (this.busy > 1) return; // one frame is at work and one waits: this one is left out
      if (!this.known && !this.recording && this.steps.length) this.fps = 1 / median(this.steps);
      const { videoWidth, videoHeight } = this.video;
      if (!videoWidth) return;
      const share = Math.min(1, LONGEST_SIDE / Math.max(videoWidth, videoHeight));
      const width = Math.round(videoWidth * share), height = Math.round(videoHeight * share), { reader } = this;
      if (reader.width !== width || reader.height !== height) Object.assign(reader, { width, height });
      reader.context.drawImage(this.video, 0, 0, width, height);
      const pixels = reader.context.getImageData(0, 0, width, height).data.buffer;
      this.busy++;
      this.tellSettings();
      this.worker.postMessage({ kind: "frame", pixels, height, width, whole: this.frozen }, [pixels]);
    }

    tellSettings() {
      const { alpha, low, high, chroma, filter, kept } = this.controls;
      const settings = {
        alpha: Number(alpha.value), low: Number(low.value), high: Math.max(Number(high.value), Number(low.value) + 0.1),
        chroma: Number(chroma.value), filter: filter.value, kept: kept.value, fps: this.fps || 30,
      };
      this.worker.postMessage({ kind: "settings", settings });
    }

    // -------------------------------------------------------------- what the worker says
    pictures({ pictures, height, width, ms }) {
      if (ms !== undefined) this.busy--;
      if (ms !== undefined && this.held) return; // a frame that was under way when the recording was done
      for (const [name, picture] of Object.entries(pictures)) {
        const canvas = this.views[name];
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
        canvas.getContext("2d").putImageData(new ImageData(picture, width, height), 0, 0);
      }
      if (ms === undefined) return;
      this.times = [...(this.times ?? []).slice(-29), ms];
      // told as often as the avatars are drawn: a changed text is laid out anew
      if (pictures.plain) this.numbers.textContent = `${width} x ${height} px, ${(this.fps || 30).toFixed(1)} frames a second, ${median(this.times).toFixed(1)} ms of work a frame`;
      if (this.curveWanted.checked && performance.now() - (this.asked ?? 0) > CURVE_EVERY) this.askCurve();
    }

    askCurve() {
      this.asked = performance.now();
      if (this.curveWanted.checked) this.worker.postMessage({ kind: "curve" });
    }

    curve({ alphas, values }) {
      const x = (alpha) => 45 + 340 * alpha / alphas.at(-1), y = (value) => 135 - 115 * (Math.min(60, Math.max(10, value)) - 10) / 50;
      const points = alphas.map((alpha, i) => `${x(alpha).toFixed(1)},${y(values[i]).toFixed(1)}`).join(" ");
      const words = alphas.map((alpha, i) => `${values[i].toFixed(1)} dB at alpha ${alpha}`).join(", ");
      this.plot.setAttribute("aria-label", `PSNR of the magnified against the filmed frame: ${words}`);
      this.plot.innerHTML = `<path d="M45 10V135H390"/><polyline points="${points}"/>
        ${[10, 35, 60].map((v) => `<text x="40" y="${y(v) + 4}" text-anchor="end">${v}</text>`).join("")}
        ${[1, 10, 20, 30, 50].map((a) => `<text x="${x(a)}" y="152" text-anchor="middle">${a}</text>`).join("")}
        <text x="217" y="168" text-anchor="middle">alpha</text><text x="50" y="18">PSNR, dB</text>`;
    }

    // -------------------------------------------------------------- two seconds to keep
    record() {
      this.turn(false);
      if (this.video.duration < 5 * RECORD_SECONDS) { // a short clip is taken from its first frame
        this.recordNext = true;
        this.video.currentTime = 0;
        if (this.before === 0 || this.before === undefined) this.beginRecord();
      } else {
        this.beginRecord();
      }
      this.say("Recording ...");
    }

    beginRecord() {
      const clip = this.clips.find((one) => one.name === this.name);
      const count = clip ? clip.frames : Math.max(8, Math.round(RECORD_SECONDS * (this.fps || 30)));
      Object.assign(this, { recordNext: false, recording: true });
      this.worker.postMessage({ kind: "record", count });
    }

    recorded({ count, pictures, height, width }) {
      this.recording = false;
      this.turn(true);
      this.held = true;
      this.pictures({ pictures, height, width });
      Object.assign(this.scrubber, { max: count - 1, value: count - 1 });
      this.scrubRow.hidden = false;
      this.say(`Recorded ${count} frames; the slider goes through them. The means below are of this recording.`);
    }

    exported(message) { this.dispatchEvent(new CustomEvent("exported", { detail: message })); }

    save(blob, name) {
      const link = make("a", { href: URL.createObjectURL(blob), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }

    savePicture() {
      const { filmed } = this.views, sheet = make("canvas", { width: 5 * filmed.width, height: filmed.height });
      Object.values(this.views).forEach((view, i) => sheet.getContext("2d").drawImage(view, i * filmed.width, 0));
      sheet.toBlob((blob) => this.save(blob, "magnified.png"));
    }

    saveClip() {
      if (!self.MediaRecorder || !this.views.magnified.captureStream) { this.say("This browser cannot write videos."); return; }
      const recorder = new MediaRecorder(this.views.magnified.captureStream(30)), parts = [];
      recorder.ondataavailable = ({ data }) => parts.push(data);
      recorder.onstop = () => { this.save(new Blob(parts, { type: recorder.mimeType }), `magnified.${recorder.mimeType.includes("mp4") ? "mp4" : "webm"}`); this.say("Saved what was shown."); };
      recorder.start();
      this.turn(false);
      this.say(`Saving what is shown in the next ${RECORD_SECONDS} s ...`);
      setTimeout(() => recorder.stop(), 1000 * RECORD_SECONDS);
    }
  });
})();
