// Pointing at the picture of the frame viewer: mouse, fingers, and the arrow keys that move the cross.

const CLICK_PX = 5;
const NEAR_PX = 14;
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAR = 10; // pixels, with Shift

/**
 * @param {Picture} picture
 * @param {object} acts mark(x, y): there is a star; select(label): of a mark; point(x, y): tell the level there
 */
export function listen(picture, acts) {
  byPointer(picture, acts);
  byKey(picture, acts);
}

/** Drag moves the picture, two fingers or the wheel zoom; a click marks, or chooses what is marked. */
function byPointer(picture, { mark, select, point }) {
  const { sheet } = picture;
  const held = new Map();
  let moved = 0, pinch = 0;

  sheet.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    sheet.setPointerCapture(event.pointerId);
    held.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (held.size === 1) moved = 0;
    pinch = 0;
  });

  sheet.addEventListener("pointermove", (event) => {
    point(...picture.at(event.offsetX, event.offsetY).map(Math.round));
    const before = held.get(event.pointerId);
    if (!before) return;
    const dx = event.offsetX - before[0], dy = event.offsetY - before[1];
    moved += Math.abs(dx) + Math.abs(dy);
    held.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (held.size === 2) {
      const [a, b] = [...held.values()];
      const apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (pinch) picture.zoomTo((picture.scale * apart) / pinch, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      pinch = apart;
    } else if (moved > CLICK_PX) {
      sheet.classList.add("moving");
      picture.move(dx, dy);
    }
  });

  function released(event) {
    if (!held.delete(event.pointerId)) return;
    sheet.classList.remove("moving");
    if (event.type !== "pointerup" || moved > CLICK_PX || held.size) return;
    const [x, y] = picture.at(event.offsetX, event.offsetY);
    if (!picture.holds(x, y)) return;
    const near = picture.markNear(x, y, NEAR_PX);
    if (picture.tool !== "look") {
      picture.cross = [Math.round(x), Math.round(y)];
      mark(x, y);
    } else if (near) select(near.label);
  }
  sheet.addEventListener("pointerup", released);
  sheet.addEventListener("pointercancel", released);
  sheet.addEventListener("dblclick", (event) => {
    if (picture.tool === "look") picture.zoomTo(picture.scale * 2, event.offsetX, event.offsetY);
  });
  sheet.addEventListener("wheel", (event) => {
    event.preventDefault();
    picture.zoomTo(picture.scale * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), event.offsetX, event.offsetY);
  }, { passive: false });
}

/** With a marking tool the arrow keys move a cross, whose place and level are told aloud; Enter marks the star there. */
function byKey(picture, { mark, point }) {
  const { sheet } = picture;
  const live = document.createElement("p");
  live.className = "hidden";
  live.setAttribute("aria-live", "polite");
  sheet.append(live);
  for (const name of ["focus", "blur"]) sheet.addEventListener(name, () => picture.draw());

  sheet.addEventListener("keydown", (event) => {
    const way = WAYS[event.key];
    if (picture.tool === "look" || event.altKey || event.ctrlKey || event.metaKey) return;
    if (way) {
      const { width, height } = picture.state, far = event.shiftKey ? FAR : 1;
      const [x, y] = picture.cross;
      picture.cross = [Math.min(Math.max(x + way[0] * far, 0), width - 1), Math.min(Math.max(y + way[1] * far, 0), height - 1)];
      picture.reveal(...picture.cross);
      live.textContent = `x ${picture.cross[0]}, y ${picture.cross[1]}: ${point(...picture.cross)}`;
      picture.draw();
    } else if (event.key === "Enter") mark(...picture.cross);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
