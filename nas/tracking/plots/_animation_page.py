"""The player of an animation: one page, no library, nothing loaded from anywhere."""

__all__ = ["PAGE_TEMPLATE"]

PAGE_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>%TITLE%</title>
<style>
  body { margin: 0; background: #fff; color: #1d2530; font: 14px/1.4 Inter, Helvetica, Arial, sans-serif; }
  main { max-width: 1280px; margin: 0 auto; padding: 8px 12px; }
  video { width: 100%; aspect-ratio: 16 / 9; display: block; }
  .bar { display: flex; align-items: center; gap: 12px; padding: 6px 4px; }
  .bar input { flex: 1; accent-color: #1f6fd6; }
  button { font: inherit; min-width: 76px; padding: 5px 12px; border: 1px solid #aab4c0; border-radius: 6px;
    background: #fff; cursor: pointer; }
  button:hover { border-color: #1f6fd6; color: #1f6fd6; }
  select { font: inherit; border: 1px solid #aab4c0; border-radius: 6px; padding: 4px; background: #fff; }
  output { min-width: 110px; text-align: right; color: #76808d; font-variant-numeric: tabular-nums; }
</style></head>
<body><main>
<video id="film" muted playsinline autoplay loop aria-label="%TITLE%"
  src="data:video/mp4;base64,%FILM%"></video>
<div class="bar">
  <button id="play" title="space">Pause</button>
  <input id="slider" type="range" min="0" value="0" step="1" aria-label="frame" title="arrow keys: one frame">
  <output id="step"></output>
  <select id="speed" aria-label="speed"><option value="0.5">½×</option><option value="1" selected>1×</option>
    <option value="2">2×</option><option value="4">4×</option></select>
</div>
</main><script>
const steps = [%STEPS%], rate = %RATE%;
const [film, slider, play, speed, step] =
  ["film", "slider", "play", "speed", "step"].map((id) => document.getElementById(id));
slider.max = steps.length - 1;
const frame = () => Math.min(steps.length - 1, Math.floor(film.currentTime * rate + 1e-3));
function follow() {
  slider.value = frame();
  step.textContent = "step " + steps[frame()].toLocaleString("en");
  play.textContent = film.paused ? "Play" : "Pause";
  requestAnimationFrame(follow);
}
function show(number) {
  film.pause();
  film.currentTime = (Math.max(0, Math.min(steps.length - 1, number)) + 0.5) / rate;
}
play.onclick = () => (film.paused ? film.play() : film.pause());
speed.onchange = () => { film.playbackRate = Number(speed.value); };
slider.oninput = () => show(Number(slider.value));
document.onkeydown = (event) => {
  if (event.target === speed) return;
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (move) { event.preventDefault(); show(frame() + move); }
  if (event.key === " ") { event.preventDefault(); play.click(); }
};
follow();
</script></body></html>
"""
