function nameControls(page) {
  // For screen readers: ipywidgets says neither whose handle a slider's is, nor which button of a group is pressed.
  for (const slider of page?.querySelectorAll(".widget-slider") ?? []) {
    const handle = slider.querySelector(".noUi-handle, .ui-slider-handle");
    handle?.setAttribute("role", "slider");
    handle?.setAttribute("aria-label", slider.querySelector(".widget-label").textContent);
    handle?.setAttribute("aria-valuetext", slider.querySelector(".widget-readout").textContent);
  }
  for (const group of page?.querySelectorAll(".widget-toggle-buttons") ?? []) {
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", group.querySelector(".widget-label").textContent);
    for (const button of group.querySelectorAll("button"))
      button.setAttribute("aria-pressed", button.classList.contains("mod-active"));
  }
}

// The picture of a demo, with its words under it. It tells where the pointer is, and lets cells be painted.
function render({ model, el }) {
  const picture = document.createElement("img");
  const cursor = document.createElement("div"); // the cell that the keyboard paints
  const words = document.createElement("p");
  const frame = document.createElement("div");
  frame.append(picture, cursor);
  el.append(frame, words);
  el.classList.add("course-demo");
  words.setAttribute("role", "status");

  const show = () => {
    words.textContent = model.get("text");
    picture.alt = model.get("text");
    const png = model.get("png");
    picture.hidden = png.byteLength === 0; // before the first picture there may be words: what went wrong
    if (picture.hidden) return;
    const old = picture.src;
    picture.src = URL.createObjectURL(new Blob([png], { type: "image/png" }));
    if (old) URL.revokeObjectURL(old);
    const number = model.get("number");
    picture.onload = () => {
      nameControls(el.closest(".course-demo-page"));
      picture.dataset.number = number;
      model.set("shown", number); // what plays waits for this before it goes on
      model.save_changes();
    };
  };
  model.on("change:number", show);
  show();

  // Where an event is, in shares of the picture: they hold while the next one loads, which has no size until then.
  const shares = (event) => {
    const seen = picture.getBoundingClientRect();
    return [(event.clientX - seen.left) / seen.width, (event.clientY - seen.top) / seen.height];
  };
  const boxAt = (event) => {
    const [x, y] = shares(event);
    return model.get("boxes").find(([left, top, right, bottom]) => left <= x && x < right && top <= y && y < bottom);
  };
  // Shares of a box, from its left and its top, between 0 and 1.
  const place = (event, [left, top, right, bottom]) => {
    const [x, y] = shares(event);
    const share = (value, low, high) => Math.min(Math.max((value - low) / (high - low), 0), 1);
    return [share(x, left, right), share(y, top, bottom)];
  };
  const cellAt = ([x, y]) => {
    const cells = model.get("cells");
    const within = (share, count) => Math.min(Math.floor(share * count), count - 1);
    return [within(y, cells.length), within(x, cells[0].length)];
  };
  const paint = (from, to) => {
    const cells = model.get("cells").map((row) => [...row]);
    const steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
    for (let i = 0; i <= steps; i++) {
      const [row, column] = [0, 1].map((d) => Math.round(from[d] + ((to[d] - from[d]) * i) / steps));
      cells[row][column] = model.get("brush");
    }
    model.set("cells", cells);
    model.save_changes();
  };

  let box = null; // the one in which the pointer went down, while it is down
  let last = null; // the cell painted last
  const follow = (event) => {
    if (model.get("hand") === "paint") {
      const cell = cellAt(place(event, box));
      paint(last ?? cell, cell);
      last = cell;
    } else {
      model.set("pointer", place(event, box));
      model.save_changes();
    }
  };
  if (model.get("hand")) {
    frame.classList.add("course-demo-hand");
    picture.draggable = false;
    picture.onpointerdown = (event) => {
      box = boxAt(event);
      if (!box) return;
      picture.setPointerCapture(event.pointerId);
      last = null;
      follow(event);
    };
    picture.onpointermove = (event) => {
      if (event.buttons && box) follow(event);
      else picture.style.cursor = boxAt(event) ? "crosshair" : "";
    };
    // A finger scrolls the page, except in a box.
    picture.addEventListener("touchstart", (event) => boxAt(event.touches[0]) && event.preventDefault(), { passive: false });
  }
  if (model.get("hand") === "paint") {
    let at = [0, 0];
    picture.tabIndex = 0;
    const mark = () => {
      const [left, top, right, bottom] = model.get("boxes")[0];
      const height = (bottom - top) / model.get("cells").length;
      const width = (right - left) / model.get("cells")[0].length;
      const style = { left: left + at[1] * width, top: top + at[0] * height, width, height };
      for (const [name, value] of Object.entries(style)) cursor.style[name] = `${100 * value}%`;
    };
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    picture.onfocus = mark;
    picture.onkeydown = (event) => {
      const move = moves[event.key];
      if (!move && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation(); // the notebook has uses of its own for these keys
      const sizes = [model.get("cells").length, model.get("cells")[0].length];
      if (move) at = at.map((value, d) => Math.min(Math.max(value + move[d], 0), sizes[d] - 1));
      else paint(at, at);
      mark();
    };
  }
}

export default { render };
