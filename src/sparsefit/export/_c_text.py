"""The C text around the tables of `sparsefit.export.c`; ``net`` and ``NET`` become its prefix."""

ABOUT = """\
/*
 * A network of @NNZ@ nonzero numbers, written by @MADE@,
 * version @VERSION@. C99, nothing to link but -lm.
 *
 * Tables take @FLASH@ bytes of flash, and a call @RAM@ bytes of stack beside its locals.
 *
 * A row has NET_COLUMNS floats: numbers, NAN where missing, and the places of categories among
 * their levels (an enumeration below, or net_level), anything else where missing. Do not compile
 * with -ffast-math, which takes no number to be missing. It reads
 *
@LINES@
 *
@FUNCTIONS@
 *
 *     #include "net.h"
 *     const float row[NET_COLUMNS] = NET_TEST_ROW;  a row to try: net_@SCORES@ makes
 *     float out[NET_OUTPUTS];                       NET_TEST_OUT of it, about
 *     net_@SCORES@(row, out);
 *
 * With SPARSEFIT_MAIN defined there is a main(), which answers rows of comma separated fields:
 *
 *     cc -std=c99 -O2 -DSPARSEFIT_MAIN -x c net.h -o net -lm && ./net < rows.csv
 */
#ifndef SPARSEFIT_NET_H
#define SPARSEFIT_NET_H

#include <math.h>
#include <stdint.h>
#include <string.h>

"""
VALUES_FUNCTIONS = " * net_predict(row, out) gives NET_OUTPUTS values."
CLASSES_FUNCTIONS = """\
 * net_classify(row) gives the number of the class, net_class_name its name, net_predict(row, out)
 * the NET_OUTPUTS probabilities, and net_scores(row, out) what they come from."""
FLOAT = """
/* The bias of a unit and the products of its weights and the values before it. */
static inline float net_sum(const float *v, int unit)
{
    float sum = net_bias[unit];
    int i, end = (int)net_start[unit + 1];
    for (i = (int)net_start[unit]; i < end; i++)
        sum += net_weight[i] * v[net_index[i]];
    return sum;
}

/* The outputs for a row. */
static inline void @OUTPUTS@(const float *row, float *out)
{
    float v[NET_INPUTS + NET_HIDDEN];
    int i;
    for (i = 0; i < NET_NUMBERS; i++) {
        float x = (row[net_column[i]] - net_mean[i]) * net_factor[i];
        v[i] = x == x ? x : 0.0f; /* 0 where missing */
    }
    for (i = NET_NUMBERS; i < NET_INPUTS; i++)
        v[i] = row[net_column[i]] == (float)net_code[i - NET_NUMBERS] ? 1.0f : 0.0f;
    for (i = 0; i < NET_HIDDEN; i++) {
        float sum = net_sum(v, i);
        v[NET_INPUTS + i] = @UNIT@;
    }
    for (i = 0; i < NET_OUTPUTS; i++)
        out[i] = @LINK@(net_sum(v, NET_HIDDEN + i));
}
"""
INTEGER = """
/*
 * Weights are @WEIGHTBITS@ bit integers with one power of two per unit, values @VALUE@, sums @SUM@;
 * a right shift of a negative sum is taken to be arithmetic. Values have @BITS@ bits for a typical
 * size, which of inputs is 1, and saturate at 2^@HEADROOM@ times that. Outputs are off by about
 * 2^-@BITS@ of their size for each unit on the way, and by more where large terms cancel.
 */

/* The bias of a unit and the products of its weights and the values before it. */
static inline @SUM@ net_sum(const @VALUE@ *v, int unit)
{
    @SUM@ sum = 0;
    int32_t i, end = (int32_t)net_start[unit + 1];
    for (i = (int32_t)net_start[unit]; i < end; i++)
        sum += (@SUM@)net_weight[i] * v[net_index[i]];
    return (sum >> net_shift[unit]) + net_bias[unit];
}

/* The outputs for a row. */
static inline void @OUTPUTS@(const float *row, float *out)
{
    const float limit = @LARGEST@ - 127; /* below the largest value, as a float */
    @VALUE@ v[NET_INPUTS + NET_HIDDEN];
    int i;
    for (i = 0; i < NET_NUMBERS; i++) {
        float x = (row[net_column[i]] - net_mean[i]) * net_factor[i];
        x = x == x ? x : 0.0f; /* 0 where missing */
        x = x > -limit ? x : -limit;
        v[i] = (@VALUE@)(x < limit ? x : limit);
    }
    for (i = NET_NUMBERS; i < NET_INPUTS; i++)
        v[i] = row[net_column[i]] == (float)net_code[i - NET_NUMBERS] ? @ONE@ : 0;
    for (i = 0; i < NET_HIDDEN; i++) {
        @SUM@ sum = net_sum(v, i);
@ACTIVATION@        v[NET_INPUTS + i] = (@VALUE@)(sum < @LARGEST@ ? sum : @LARGEST@);
    }
    for (i = 0; i < NET_OUTPUTS; i++)
        out[i] = @LINK@((float)net_sum(v, NET_HIDDEN + i) * @UNIT@);
}
"""
# What makes the value of a unit of its sum in integers, of a ReLU and of others.
INTEGER_RELU = """\
        sum = sum > 0 ? sum : 0;
"""
INTEGER_UNIT = """\
        float x = (float)sum / net_one[i];
        x = floorf((@UNIT@) * net_one[i] + 0.5f);
        sum = (@SUM@)(x > -limit ? x : -limit);
"""

CLASSES = """
/* The number of the most probable class. */
static inline int net_classify(const float *row)
{
    float score[NET_OUTPUTS];
    int i, best = 0;
    net_scores(row, score);
    for (i = 1; i < NET_OUTPUTS; i++)
        best = score[i] > score[best] ? i : best;
    return best;
}

/* The probabilities of the classes. */
static inline void net_predict(const float *row, float *out)
{
    float top, sum = 0.0f;
    int i;
    net_scores(row, out);
    top = out[0];
    for (i = 1; i < NET_OUTPUTS; i++)
        top = out[i] > top ? out[i] : top;
    for (i = 0; i < NET_OUTPUTS; i++) {
        out[i] = expf(out[i] - top);
        sum += out[i];
    }
    for (i = 0; i < NET_OUTPUTS; i++)
        out[i] /= sum;
}
"""
NAMES = """
/* The name of a @KIND@. */
static inline const char *net_@KIND@_name(int at)
{
    static const char *const names[] = {
@NAMES@
    };
    return names[at];
}
"""
LEVELS = """
/* The place of a category among the levels of a column: -1 for none of them, -2 for numbers. */
static inline int net_level(int column, const char *text)
{
    static const char *const levels[] = {
@NAMES@
    };
    static const @TYPE@ first[] = {
@FIRST@
    };
    int i, start = (int)first[column], end = (int)first[column + 1];
    for (i = start; i < end; i++)
        if (strcmp(levels[i], text) == 0)
            return i - start;
    return start < end ? -1 : -2;
}
"""

MAIN = r"""
#ifdef SPARSEFIT_MAIN

#include <stdio.h>
#include <stdlib.h>

/* Read a field, which may be in quotes, and return what ended it: ',', '\n' or EOF. */
static int net_read(char *text, size_t size)
{
    size_t length = 0;
    int c, quoted = 0;
    while ((c = getchar()) != EOF && (quoted || (c != ',' && c != '\n'))) {
        if (c == '"' && quoted) {
            c = getchar();
            if (c != '"') { /* else two quotes stand for one */
                quoted = 0;
                ungetc(c, stdin);
                continue;
            }
        } else if (c == '"' && length == 0) {
            quoted = 1;
            continue;
        } else if (c == '\r' && !quoted) {
            continue;
        }
        if (length + 1 < size)
            text[length++] = (char)c;
    }
    text[length] = '\0';
    return c;
}

@PRINT@
/* Turn a field into a float of the row; 0 if it should be a number and is not. */
static int net_parse(int column, const char *text, float *value)
{
    int level = net_level(column, text);
    char *end;
    *value = level == -2 ? NAN : (float)level;
    if (level != -2 || *text == '\0')
        return 1;
    *value = strtof(text, &end);
    while (*end == ' ')
        end++;
    return end != text && *end == '\0';
}

int main(void)
{
    static char text[@FIELD@];
    static float row[NET_COLUMNS];
    long line;
    (void)net_@KIND@_name; /* used or not */
    (void)net_predict;
    for (line = 1;; line++) {
        int column, end = ',', header = 0;
        for (column = 0; column < NET_COLUMNS && end == ','; column++) {
            int good;
            end = net_read(text, sizeof text);
            if (column == 0 && end == EOF && *text == '\0')
                return 0;
            good = net_parse(column, text, &row[column]);
            if (line == 1 && column == 0 && strcmp(text, net_column_name(0)) == 0)
                header = !good || net_level(0, text) == -1;
            if (!good && !header) {
                fprintf(stderr, "line %ld: not a number: %s\n", line, text);
                return 1;
            }
        }
        if (column < NET_COLUMNS || end == ',') {
            fprintf(stderr, "line %ld: not %d fields\n", line, NET_COLUMNS);
            return 1;
        }
        if (!header)
            net_print(row);
    }
}

#endif
"""
PRINT_VALUES = """\
static void net_print(const float *row)
{
    float out[NET_OUTPUTS];
    int i;
    net_predict(row, out);
    for (i = 0; i < NET_OUTPUTS; i++)
        printf("%s%.9g", i > 0 ? "," : "", (double)out[i]);
    printf("\\n");
}
"""
PRINT_CLASS = """\
static void net_print(const float *row)
{
    puts(net_class_name(net_classify(row)));
}
"""
END = """
#endif
"""
