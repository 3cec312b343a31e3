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
#include "network.h"

static float network_relu(float x)
{
    return (x < 0.0f ? 0.0f : x);
}

int network_predict(const float *inputs, float *outputs)
{
    const float x0 = (inputs[0] - 5.8765306f) * 1.1753836f;
    const float x1 = (inputs[1] - 3.0632653f) * 2.3605208f;
    const float x3 = (inputs[3] - 1.2214285f) * 1.3316435f;
    const float h4 = network_relu(0.09900285f + 0.078333676f * x1 + 1.1871091f * x3);
    const float h5 = network_relu(0.044999003f + 1.2499774f * x0 + 0.7710273f * h4);
    const float h6 = network_relu(-0.41312283f + 1.0436776f * h5);
    const float h7 = network_relu(1.6654338f + 1.706015f * x3);
    const float h8 = 0.54406285f + -0.95734f * x3 - 0.84863627f * h5 - 1.4146779f * h7;
    const float h9 =
        0.35947272f
        + 0.41059494f * x0 + 0.15493485f * x3 - 0.24416731f * h5 - 0.02153854f * h7;
    const float h10 =
        -0.73988855f
        + 0.4904064f * x0 - 0.013355629f * x1 + 0.9250205f * x3 + 0.50334966f * h6;
    outputs[0] = h8;
    outputs[1] = h9;
    outputs[2] = h10;
    {
        int best = 0;
        int k;
        for (k = 0; k < 3; k++) {
            if (outputs[k] != outputs[k]) {
                return -1;
            }
            if (outputs[k] > outputs[best]) {
                best = k;
            }
        }
        return best;
    }
}

#ifdef NETWORK_SELFTEST
static const float network_test_inputs[4][4] = {
    {6.593062f, 2.7935307f, 1.2335491f, 0.13966632f}, {7.2277727f, 4.208062f, 4.4578238f,
    1.8507917f}, {6.25705f, 4.257159f, 5.6503654f, 0.1065724f}, {7.3866553f, 2.2738883f, 5.159036f,
    0.5215735f}
};
static const float network_test_outputs[4][3] = {
    {0.99155927f, 0.21405892f, -1.2821472f}, {-7.2142305f, 0.33326396f, 2.165584f}, {1.4526945f,
    0.1656075f, -1.8220792f}, {-0.5915855f, 0.38953364f, 0.27462107f}
};

int main(void)
{
    int wrong = 0;
    int i;
    int k;
    for (i = 0; i < 4; i++) {
        float outputs[3] = {0};
        int bad = 0;
        if (network_predict(network_test_inputs[i], outputs) < 0) {
            bad = 1;
        }
        for (k = 0; k < 3; k++) {
            const float should = network_test_outputs[i][k];
            const float size = 1.0f + (should < 0.0f ? -should : should);
            const float off = outputs[k] - should;
            if (off > 1e-4f * size || off < -1e-4f * size) {
                bad = 1;
            }
        }
        wrong += bad;
    }
    return wrong;
}
#endif /* NETWORK_SELFTEST */
