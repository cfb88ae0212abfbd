"""A compiled network with its weights as one C file for GCC or Clang, which needs the C library alone."""

import math
from collections.abc import Iterable

import numpy as np

from tfticket.sparse.program import Compiled

BLOCK = 64
"""Numbers of a row that are read together."""

STEP = 64
"""Largest number of rows whose sums are held in registers."""

COLUMNS = 118
"""Longest line of a table."""


def c_source(compiled: Compiled, thetas: np.ndarray, row_type: str, row_length: int, about: str) -> str:
    """Return a C file that computes probabilities of rows.

    Args:
        compiled: The network.
        thetas: float [draws, size]; the prediction is the mean over draws of the probabilities.
        row_type: 'uint8' or 'float32'.
        row_length: Numbers of a row.
        about: A comment on the origin of the weights.
    """
    program = compiled.program
    classes = len(program.logits)
    sizes = {
        "DRAWS": len(thetas),
        "WEIGHTS": thetas.shape[1],
        "CLASSES": classes,
        "ROW": row_length,
        "TILE": compiled.width,
        "VALUES": compiled.values,
        "INPUTS": len(program.inputs),
        "STEP": math.gcd(compiled.width, STEP),
        "BLOCK": BLOCK,
        "PRODUCTS": len(program.product_weights),
        "OPERATIONS": len(program.operations),
    }
    tables = [
        _table("uint32_t", "row_place", compiled.inputs),
        _table("uint32_t", "input_value", program.inputs),
        _table("float", "input_offset", program.offset),
        _table("float", "input_scale", program.scale),
        _table("float", "input_shift", program.shift),
        _table("int32_t", "operations", program.operations[:, :4]),
        _table("int32_t", "runs", program.runs),
        _table("int32_t", "source", program.sources),
        _table("uint32_t", "weight_place", program.product_weights),
        _table("int32_t", "pairs", program.pairs),
        _table("int32_t", "windows", program.windows[:, [0, 2, 3]]),
        _table("int32_t", "members", program.members[:, 0]),
        _table("uint32_t", "logit_value", program.logits[:, 0]),
        _table("float", "thetas", thetas.astype(np.float32)),
    ]
    header = HEADER.format(about=about.replace("*/", "* /"), classes=classes, row=row_length)
    row = "typedef uint8_t row_t;" if row_type == "uint8" else "typedef float row_t;"
    constants = [f"#define {name} {value}" for name, value in sizes.items()]
    return "\n".join([header, *constants, row, "", *tables, CODE])


def _table(kind: str, name: str, values: np.ndarray) -> str:
    """Return the definition of an array; empty ones, which C does not have, get one element."""
    values = values if len(values) else np.zeros((1, *values.shape[1:]), values.dtype)
    flat = values.ravel()
    if kind == "float":
        words = [f"{text}f" if "." in text or "e" in text else f"{text}.f" for text in map("{:.9g}".format, flat)]
    else:
        words = [str(int(value)) for value in flat]
    shape = "".join(f"[{length}]" for length in values.shape)
    if values.ndim == 1:
        return f"static const {kind} {name}{shape} = {{\n{_lines(words)}\n}};"
    rows = (",".join(row) for row in np.array(words).reshape(-1, values.shape[-1]))
    return f"static const {kind} {name}{shape} = {{\n{_lines([f'{{{row}}}' for row in rows])}\n}};"


def _lines(words: Iterable[str]) -> str:
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) >= COLUMNS:
            lines.append(line)
            line = ""
        line += f"{word},"
    return "\n".join([*lines, line])


HEADER = """/* {about}

   Compile:  cc -O3 -march=native -c THIS_FILE        (link with -lm)

   int ticket_predict(const row_t *rows, int count, float *probabilities);
   int ticket_logits(const row_t *rows, int count, int draw, float *logits);

   rows: count x {row} numbers, as the data hold them: pixels [height][width][channel], or features; they are
   normalised here. probabilities and logits: count x {classes}. Both return 0, or -1 if memory runs out or a draw does
   not exist. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
"""

CODE = r"""
enum { LINEAR, MAX_POOL, AVERAGE_POOL, ACTIVATION };
enum { NONE, RELU, TANH };

static float activated(float x, int activation) {
  if (activation == RELU) return x > 0.f ? x : 0.f;
  return activation == TANH ? tanhf(x) : x;
}

/* The rows of a tile lie side by side: values[place + row]. */
static void read_rows(const row_t *rows, int count, float *values) {
  for (int begin = 0; begin < INPUTS; begin += BLOCK) { /* a block of numbers of all rows stays in the cache */
    int end = begin + BLOCK < INPUTS ? begin + BLOCK : INPUTS;
    for (int r = 0; r < TILE; r++) {
      const row_t *row = rows + (size_t)(r < count ? r : count - 1) * ROW;
      for (int n = begin; n < end; n++)
        values[input_value[n] + r] = ((float)row[row_place[n]] - input_offset[n]) * input_scale[n] + input_shift[n];
    }
  }
}

/* Sums stay in the registers: 16 numbers are one of AVX-512, two of AVX2, four of NEON. */
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));

static void sum_products(const int32_t *run, int activation, const float *theta, const float *weights, float *values) {
  float bias = run[5] < 0 ? 0.f : theta[run[5]];
  for (int column = 0; column < run[1]; column += STEP) {
    const float *from = values + run[4] + column;
    float *to = values + run[0] + column;
    lanes start = {0.f}, sums[STEP / 16];
    start += bias;
    for (int s = 0; s < STEP / 16; s++) sums[s] = start;
    for (int p = run[2]; p < run[3]; p++) {
      const lanes *of_source = (const lanes *)(from + source[p]);
      for (int s = 0; s < STEP / 16; s++) sums[s] += weights[p] * of_source[s];
    }
    memcpy(to, sums, sizeof sums);
    for (int r = 0; r < STEP; r++) to[r] = activated(to[r], activation);
  }
}

static void pool(const int32_t *window, int kind, float *values) {
  float share = 1.f / (float)(window[2] - window[1]);
  for (int r = 0; r < TILE; r++) {
    float pooled = values[members[window[1]] + r];
    for (int m = window[1] + 1; m < window[2]; m++) {
      float other = values[members[m] + r];
      pooled = kind == MAX_POOL ? (other > pooled ? other : pooled) : pooled + other;
    }
    values[window[0] + r] = kind == MAX_POOL ? pooled : pooled * share;
  }
}

static void forward(const row_t *rows, int count, const float *theta, const float *weights, float *values) {
  read_rows(rows, count, values);
  for (int o = 0; o < OPERATIONS; o++) {
    const int32_t *operation = operations[o];
    for (int n = operation[2]; n < operation[3]; n++) {
      if (operation[0] == LINEAR)
        sum_products(runs[n], operation[1], theta, weights, values);
      else if (operation[0] == ACTIVATION)
        for (int k = 0; k < pairs[n][2]; k++)
          values[pairs[n][1] + k] = activated(values[pairs[n][0] + k], operation[1]);
      else
        pool(windows[n], operation[0], values);
    }
  }
}

static float *new_values(void) { return calloc(VALUES + PRODUCTS, sizeof(float)); } /* the padding is 0 */

static void take_draw(int draw, float *weights) {
  for (int p = 0; p < PRODUCTS; p++) weights[p] = thetas[draw][weight_place[p]];
}

int ticket_logits(const row_t *rows, int count, int draw, float *logits) {
  float *values = draw >= 0 && draw < DRAWS ? new_values() : NULL;
  if (!values) return -1;
  take_draw(draw, values + VALUES);
  for (int first = 0; first < count; first += TILE) {
    int present = count - first < TILE ? count - first : TILE;
    forward(rows + (size_t)first * ROW, present, thetas[draw], values + VALUES, values);
    for (int r = 0; r < present; r++)
      for (int k = 0; k < CLASSES; k++) logits[(size_t)(first + r) * CLASSES + k] = values[logit_value[k] + r];
  }
  free(values);
  return 0;
}

int ticket_predict(const row_t *rows, int count, float *probabilities) {
  float *logits = malloc(((size_t)count * CLASSES + 1) * sizeof(float));
  if (!logits) return -1;
  memset(probabilities, 0, (size_t)count * CLASSES * sizeof(float));
  for (int draw = 0; draw < DRAWS; draw++) {
    if (ticket_logits(rows, count, draw, logits)) {
      free(logits);
      return -1;
    }
    for (int row = 0; row < count; row++) {
      float *of_row = logits + (size_t)row * CLASSES, peak = of_row[0], whole = 0.f;
      for (int k = 1; k < CLASSES; k++) peak = of_row[k] > peak ? of_row[k] : peak;
      for (int k = 0; k < CLASSES; k++) whole += of_row[k] = expf(of_row[k] - peak);
      for (int k = 0; k < CLASSES; k++) probabilities[(size_t)row * CLASSES + k] += of_row[k] / (whole * DRAWS);
    }
  }
  free(logits);
  return 0;
}
"""
