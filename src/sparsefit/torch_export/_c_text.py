"""The C text around the tables of `sparsefit.torch_export.c`; ``net`` becomes its prefix."""

ABOUT = """\
/*
 * A network of @NNZ@ nonzero numbers, written by sparsefit, version @VERSION@.
 * C99, nothing to link.
 *
 * net_predict(x, out) computes NET_OUTPUTS floats from NET_INPUTS: x has shape @BEFORE@ and out
 * shape @AFTER@, the last dimension first. Tables take NET_TABLE_BYTES of flash and the values
 * between layers NET_WORK_BYTES of RAM, which are static: one call at a time.
 *
 * With SPARSEFIT_MAIN defined there is a main(), which answers rows of numbers:
 *
 *     cc -std=c99 -O2 -DSPARSEFIT_MAIN -x c net.h -o net && ./net < rows.csv
 */
#ifndef SPARSEFIT_NET_H
#define SPARSEFIT_NET_H

#include <stdint.h>
#include <string.h>

"""
LINEAR = """
/* Each of the rows of x times the weights of some units, and their biases. */
static void net_linear(const float *x, float *y, int rows, int inputs, int first, int units)
{
    int row, unit;
    for (row = 0; row < rows; row++, x += inputs)
        for (unit = first; unit < first + units; unit++) {
            float sum = net_bias[unit];
            int32_t i, end = (int32_t)net_start[unit + 1];
            for (i = (int32_t)net_start[unit]; i < end; i++)
                sum += net_weight[i] * x[net_index[i]];
            *y++ = sum;
        }
}
"""
WINDOW = """
/* Heights and widths of images, and of the windows on them. */
typedef struct {
    int rows, columns, made_rows, made_columns, high, wide;
    int row_step, column_step, row_gap, column_gap, above, left;
} net_window;
"""
CONVOLUTION = """
/* A convolution: the image of a unit is its bias and, for each weight, an image that is shifted. */
static void net_convolve(const float *x, float *y, const net_window *w, int first, int units)
{
    int unit, p, q;
    for (unit = first; unit < first + units; unit++, y += w->made_rows * w->made_columns) {
        int32_t i, end = (int32_t)net_start[unit + 1];
        for (p = 0; p < w->made_rows * w->made_columns; p++)
            y[p] = net_bias[unit];
        for (i = (int32_t)net_start[unit]; i < end; i++) {
            int cell = (int)(net_index[i] % (w->high * w->wide));
            int channel = (int)(net_index[i] / (w->high * w->wide));
            int row = cell / w->wide * w->row_gap - w->above;
            for (p = 0; p < w->made_rows; p++, row += w->row_step) {
                const float *from = x + (channel * w->rows + row) * w->columns;
                float *to = y + p * w->made_columns;
                int column = cell % w->wide * w->column_gap - w->left;
                if (row < 0 || row >= w->rows)
                    continue;
                for (q = 0; q < w->made_columns; q++, column += w->column_step)
                    if (column >= 0 && column < w->columns)
                        to[q] += net_weight[i] * from[column];
            }
        }
    }
}
"""
POOL = """
/* The largest value of each window (divisor -1), or its mean: 0 divides by what lies inside. */
static void net_pool(const float *x, float *y, const net_window *w, int channels, int divisor)
{
    int channel, p, q, i, j;
    for (channel = 0; channel < channels; channel++, x += w->rows * w->columns)
        for (p = 0; p < w->made_rows; p++)
            for (q = 0; q < w->made_columns; q++) {
                float found = 0.0f;
                int count = 0;
                for (i = 0; i < w->high; i++)
                    for (j = 0; j < w->wide; j++) {
                        int row = p * w->row_step + i * w->row_gap - w->above;
                        int column = q * w->column_step + j * w->column_gap - w->left;
                        float value;
                        if (row < 0 || row >= w->rows || column < 0 || column >= w->columns)
                            continue;
                        value = x[row * w->columns + column];
                        if (divisor >= 0)
                            found += value;
                        else if (count == 0 || value > found)
                            found = value;
                        count++;
                    }
                if (divisor >= 0)
                    found /= (float)(divisor > 0 ? divisor : count);
                *y++ = found;
            }
}
"""
SCALE = """
/* A factor and a term for each channel. */
static void net_scale(float *x, int channels, int area, int first)
{
    int channel, i;
    for (channel = first; channel < first + channels; channel++)
        for (i = 0; i < area; i++, x++)
            *x = *x * net_factor[channel] + net_term[channel];
}
"""
ACTIVATION = """
static void net_activate(float *x, int n, float slope)
{
    int i;
    for (i = 0; i < n; i++)
        x[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}
"""
COPY = """
static void net_copy(const float *x, float *y, int n)
{
    memcpy(y, x, (size_t)n * sizeof *y);
}
"""
PREDICT = """
/* The outputs for one row. */
static inline void net_predict(const float *x, float *out)
{
@BODY@
}
"""
MAIN = """
#ifdef SPARSEFIT_MAIN

#include <stdio.h>

int main(void)
{
    static float x[NET_INPUTS], out[NET_OUTPUTS];
    int i, n = 0;
    while (scanf("%f", &x[n]) == 1) {
        (void)scanf("%*[, ;\\t\\r]");
        if (++n < NET_INPUTS)
            continue;
        net_predict(x, out);
        for (i = 0; i < NET_OUTPUTS; i++)
            printf("%s%.9g", i > 0 ? "," : "", (double)out[i]);
        printf("\\n");
        n = 0;
    }
    if (n == 0 && feof(stdin))
        return 0;
    fprintf(stderr, "rows need %d numbers each\\n", NET_INPUTS);
    return 1;
}

#endif

#endif
"""
