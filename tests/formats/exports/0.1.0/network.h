#ifndef NETWORK_H
#define NETWORK_H

/*
 * Neural network: 4 inputs, 7 neurons, 17 edges, 3 outputs; identity, relu.
 * Written by dag-nas (float, unrolled); do not edit, export it again.
 * Checksum (SHA-256 of structure, weights and scaling):
 * ab9a9b7ba8048c4cce83ce87bb2911ec7dc55c9e3615aa27a6d566dfb75f75be
 * Study exports, trial 0, exported 2026-11-30T19:56:54+00:00.
 * val_accuracy 1; val_error 0; test_accuracy 0.833333; test_error 0.166667
 *
 * int network_predict(const float *inputs, float *outputs) reads 4 raw features and gives 3 scores;
 * it returns the number of the highest one, or -1 where one is no number.
 * Inputs: 0 sepal length (cm), 1 sepal width (cm), 2 petal length (cm), 3 petal width (cm)
 * Classes: 0 setosa, 1 versicolor, 2 virginica
 */

#ifdef __cplusplus
extern "C" {
#endif

#define NETWORK_INPUTS 4
#define NETWORK_OUTPUTS 3
#define NETWORK_CHECKSUM "ab9a9b7ba8048c4c"

/* Initial values of an array of names, by what is returned. */
#define NETWORK_CLASSES {"setosa", "versicolor", "virginica"}

int network_predict(const float *inputs, float *outputs);

#ifdef __cplusplus
}
#endif

#endif /* NETWORK_H */
