// Bicubic enlargement in the browser (Keys, a = -0.5): what a part is compared with.

/** The weights of four neighbours for a place at `offset` (0 to 1) behind the second of them. */
function weights(offset) {
  const near = (t) => 1.5 * t ** 3 - 2.5 * t ** 2 + 1;
  const far = (t) => -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2;
  return [far(1 + offset), near(offset), near(1 - offset), far(2 - offset)];
}

/** For each of `length * scale` places: four neighbours, the border repeated, and their weights. */
function taps(length, scale) {
  return Array.from({ length: length * scale }, (_, place) => {
    const at = (place + 0.5) / scale - 0.5;
    const first = Math.floor(at);
    const neighbours = [-1, 0, 1, 2].map((step) => Math.min(length - 1, Math.max(0, first + step)));
    return { neighbours, weights: weights(at - first) };
  });
}

/** Enlarge ImageData by a whole factor, and return ImageData. */
export function enlarged(image, scale) {
  const { width, height, data } = image;
  const wide = width * scale;
  const rows = new Float32Array(wide * height * 4);
  taps(width, scale).forEach(({ neighbours, weights }, x) => {
    for (let y = 0; y < height; y += 1) {
      for (let band = 0; band < 4; band += 1) {
        let sum = 0;
        for (let tap = 0; tap < 4; tap += 1) {
          sum += weights[tap] * data[4 * (y * width + neighbours[tap]) + band];
        }
        rows[4 * (y * wide + x) + band] = sum;
      }
    }
  });
  const result = new ImageData(wide, height * scale);
  taps(height, scale).forEach(({ neighbours, weights }, y) => {
    for (let at = 0; at < 4 * wide; at += 1) {
      let sum = 0;
      for (let tap = 0; tap < 4; tap += 1)
        sum += weights[tap] * rows[4 * wide * neighbours[tap] + at];
      result.data[4 * wide * y + at] = sum; // clamped and rounded by the array
    }
  });
  return result;
}
