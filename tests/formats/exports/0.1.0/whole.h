#ifndef WHOLE_H
#define WHOLE_H

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

#ifdef __cplusplus
extern "C" {
#endif

#include <stdint.h>

#define WHOLE_INPUTS 4
#define WHOLE_OUTPUTS 3
#define WHOLE_CHECKSUM "ab9a9b7ba8048c4c"

/* Initial values of an array of names, by what is returned. */
#define WHOLE_CLASSES {"setosa", "versicolor", "virginica"}

/* What 1 in an output is worth. */
#define WHOLE_UNIT 5.365651977792125e-05

/* Bits after the point of each feature, as initial values of an array. */
#define WHOLE_FRACTIONS {11, 12, 0, 13}

int whole_predict(const int16_t *inputs, int32_t *outputs);

#ifdef __cplusplus
}
#endif

#endif /* WHOLE_H */
