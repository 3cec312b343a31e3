/*
 * Neural network: 4 inputs, 7 neurons, 17 edges, 3 outputs; identity, relu.
 * Written by dag-nas (int8); do not edit, export it again.
 * Checksum (SHA-256 of structure, weights and scaling):
 * ab9a9b7ba8048c4cce83ce87bb2911ec7dc55c9e3615aa27a6d566dfb75f75be
 * Study exports, trial 0, exported 2026-11-30T19:56:54+00:00.
 * val_accuracy 1; val_error 0; test_accuracy 0.833333; test_error 0.166667
 *
 * int whole_predict(const int16_t *inputs, int32_t *outputs) reads 4 features, in fixed point: a
 * feature times 2 to the power of its entry in WHOLE_FRACTIONS, rounded. It gives 3 scores and
 * returns the number of the highest one. Only integers are computed with, of at most 32 bits.
 * Inputs: 0 sepal length (cm), 1 sepal width (cm), 2 petal length (cm), 3 petal width (cm)
 * Classes: 0 setosa, 1 versicolor, 2 virginica
 */
#include "whole.h"

#if defined(__AVR__)
#include <avr/pgmspace.h>
#define WHOLE_ROM PROGMEM
#define WHOLE_READ_BYTE(place) pgm_read_byte(place)
#define WHOLE_READ_WORD(place) pgm_read_word(place)
#else
#define WHOLE_ROM
#define WHOLE_READ_BYTE(place) (*(place))
#define WHOLE_READ_WORD(place) (*(place))
#endif

static const uint8_t whole_edges[34] WHOLE_ROM = {
    1, 12, 1, 110, 0, 82, 0, 26, 1, 71, 2, 76, 2, 200, 1, 192, 2, 137, 0, 127, 2, 36, 1, 182, 2,
    249, 0, 75, 1, 254, 1, 109, 2, 72
};
static const uint8_t whole_counts[14] WHOLE_ROM = {
    2, 0, 1, 1, 0, 1, 1, 0, 1, 2, 2, 2, 3, 1
};
static const int16_t whole_bias[7] WHOLE_ROM = {
    -13562, -8933, -1703, -3086, 9244, -11810, -28079
};
static const uint8_t whole_shift[4] WHOLE_ROM = {
    6, 6, 6, 6
};
static const uint8_t whole_factor[3] WHOLE_ROM = {
    4, 1, 2
};
static const uint8_t whole_input[3] WHOLE_ROM = {
    0, 1, 3
};
static const int16_t whole_low[3] WHOLE_ROM = {
    8806, 9011, 819
};
static const uint16_t whole_span[3] WHOLE_ROM = {
    7374, 9012, 19661
};
static const uint16_t whole_factor_in[3] WHOLE_ROM = {
    36261, 59340, 54399
};
static const uint8_t whole_shift_in[3] WHOLE_ROM = {
    20, 21, 22
};

/* acc plus the sum over some edges; moves on to the edges after these. */
static int32_t whole_sum(int32_t acc, const uint8_t *value, const uint8_t **edges, uint16_t count)
{
    const uint8_t *edge = *edges;
    for (; count != 0U; count--) {
        value += WHOLE_READ_BYTE(edge);
        acc += (int16_t)((int8_t)WHOLE_READ_BYTE(edge + 1) * *value);
        edge += 2;
    }
    *edges = edge;
    return acc;
}

int whole_predict(const int16_t *inputs, int32_t *outputs)
{
    uint8_t value[4];
    uint8_t given[3];
    const uint8_t *edge = whole_edges;
    uint8_t i;
    uint8_t best = 0;

    for (i = 0; i < 3U; i++) {
        const int16_t x = inputs[WHOLE_READ_BYTE(&whole_input[i])];
        const int16_t low = (int16_t)WHOLE_READ_WORD(&whole_low[i]);
        if (x <= low) {
            given[i] = 0;
        } else {
            const uint32_t above = (uint32_t)x - (uint32_t)low;
            const uint16_t span = WHOLE_READ_WORD(&whole_span[i]);
            if (above >= span) {
                given[i] = 255;
            } else {
                const uint8_t shift = WHOLE_READ_BYTE(&whole_shift_in[i]);
                const uint32_t scaled = above * WHOLE_READ_WORD(&whole_factor_in[i]) + (((uint32_t)1 << shift) >> 1);
                given[i] = (uint8_t)(scaled >> shift);
            }
        }
    }
    value[0] = 0;
    for (i = 0; i < 7U; i++) {
        int32_t acc = (int16_t)WHOLE_READ_WORD(&whole_bias[i]);
        acc = whole_sum(acc, given, &edge, WHOLE_READ_BYTE(&whole_counts[2U * i]));
        acc = whole_sum(acc, value, &edge, WHOLE_READ_BYTE(&whole_counts[2U * i + 1U]));
        if (i < 4U) {
            if (acc < 0) {
                acc = 0;
            } else {
                acc >>= WHOLE_READ_BYTE(&whole_shift[i]);
                if (acc > 255) {
                    acc = 255;
                }
            }
            value[i] = (uint8_t)acc;
        } else {
            const uint8_t o = (uint8_t)(i - 4U);
            outputs[o] = acc * (int32_t)WHOLE_READ_BYTE(&whole_factor[o]);
            if (outputs[o] > outputs[best]) {
                best = o;
            }
        }
    }
    return best;
}

#ifdef WHOLE_SELFTEST
static const int16_t whole_test_inputs[4][4] = {
    {12902, 11469, 5, 12288}, {13517, 12288, 4, 11469}, {12902, 11059, 5, 14746}, {11059, 15974, 1,
    3277}
};
static const int32_t whole_test_outputs[4][3] = {
    {-73968, 5882, 3824}, {-70692, 6690, 7796}, {-104856, 5140, 14304}, {29808, -752, -38270}
};

int main(void)
{
    int wrong = 0;
    int i;
    int k;
    for (i = 0; i < 4; i++) {
        int32_t outputs[3] = {0};
        int bad = 0;
        (void)whole_predict(whole_test_inputs[i], outputs);
        for (k = 0; k < 3; k++) {
            if (outputs[k] != whole_test_outputs[i][k]) {
                bad = 1;
            }
        }
        wrong += bad;
    }
    return wrong;
}
#endif /* WHOLE_SELFTEST */
